// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the process forgets when somebody logs out, beside the session's own token.

use crate::session::logins;
use crate::{http, license, ocdm};

/// Forgets clients with their certificates, which refresh tokens follow each other, and licenses
/// that are kept for nobody.
pub fn forget() {
    http::forget_clients();
    logins::forget();
    license::forget_kept();
    ocdm::forget_kept();
}
