// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where another token comes from.

use std::sync::Arc;

use super::key_request_fields::KeyRequestFields;
use crate::shared_result::SharedResult;

/// What another token brings, or nothing.
pub type Renewal = Option<KeyRequestFields>;

/// The store of the element that has attached the key request.
pub trait TokenStore: Send + Sync {
    /// Reports that the token of that generation was rejected, and asks for another one; `None`
    /// where nobody can.
    fn reject(&self, generation: u32, http_status: u16) -> Option<Arc<SharedResult<Renewal>>>;

    /// Why the last `reject` brought none, in a sentence without secrets, where that is known.
    fn failure(&self) -> Option<String>;

    /// What the newest valid token of the service that issued the one of that generation brings.
    fn newest_of(&self, generation: u32) -> Renewal;

    /// While it is set nobody waits in the store.
    fn set_flushing(&self, is_flushing: bool);
}
