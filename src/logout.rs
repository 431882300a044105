// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the process forgets when somebody logs out, beside the session's own token.

use crate::session::logins;
use crate::token::log_out;
use crate::{http, license, ocdm};

/// Forgets clients with their certificates, which refresh tokens follow each other, and licenses
/// that are kept for nobody.
pub fn forget() {
    // First, so that what is in use now is not kept later.
    log_out();
    http::forget_clients();
    logins::forget();
    license::forget_kept();
    ocdm::forget_kept();
}
