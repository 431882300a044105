// SPDX-License-Identifier: MIT OR Apache-2.0

//! How a token is packed for the key request.

mod ave;
mod header;
mod secclient;

use serde::Serialize;

pub use ave::client_access;
pub use header::{DEFAULT_HEADER, HeaderTemplate};
pub use secclient::key_request;

use crate::secret::Secret;

/// What is built of texts alone always becomes JSON.
fn json(message: &impl Serialize) -> Secret {
    Secret::new(serde_json::to_string(message).unwrap_or_default())
}
