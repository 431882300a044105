// SPDX-License-Identifier: MIT OR Apache-2.0

//! Why a tune has no token, in sentences.

use crate::error::Failure;
use crate::session::SessionHandle;

/// Nobody would tell when there is another one in the file, so nobody waits for that.
pub fn file_rejected() -> Failure {
    Failure::denied(
        "the license server refused the token of `session-token-file`, and the file holds no other one",
    )
}

pub fn app_token_rejected() -> Failure {
    Failure::denied(
        "the license server refused the application's session token, and the application gave no other one",
    )
}

pub fn overdue(session: &SessionHandle, asked_application: bool) -> Failure {
    let mut failure = session.overdue();
    if asked_application {
        failure
            .what
            .push_str("; part of that time the application's handler of `request-token` took");
    }
    failure
}
