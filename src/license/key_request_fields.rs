// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a key request has for license requests.

use crate::token::Secret;

/// What a token brings.
#[derive(Clone, Default)]
pub struct KeyRequestFields {
    pub token: Option<Secret>,
    /// 0 where there is no token.
    pub generation: u32,
    /// For the license request.
    pub headers: Vec<(String, Secret)>,
    /// For the license server's URL, encoded.
    pub query: Option<Secret>,
    /// The token packed for a DRM library.
    pub custom_data: Option<Secret>,
}
