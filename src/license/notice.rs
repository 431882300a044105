// SPDX-License-Identifier: MIT OR Apache-2.0

//! Something that the application is told.

use std::sync::Arc;

use super::request::Granted;
use crate::error::Failure;

/// Something that happened to a stream's licenses.
pub enum LicenseNotice {
    Granted {
        granted: Arc<Granted>,
        /// Another decryptor had asked for it.
        is_shared: bool,
        /// It takes the place of one that was close to its end.
        is_renewal: bool,
    },
    /// The one at hand goes on until its end.
    RenewalFailed(Failure),
}
