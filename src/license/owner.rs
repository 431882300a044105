// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whose a license is.

use crate::http::Endpoint;

/// Whose a license is.
#[derive(Clone, PartialEq, Eq)]
pub struct Owner {
    /// The login of the token that it was asked for with, 0 for none.
    pub account: u32,
    /// The servers that could have given it.
    pub urls: Vec<Endpoint>,
    /// How often somebody had logged out before.
    pub logouts: u64,
}
