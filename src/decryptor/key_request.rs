// SPDX-License-Identifier: MIT OR Apache-2.0

//! The key request on a protection event, as any decryptor reads it.

use std::sync::Arc;

use super::key_request_fields::read;
use super::token_store::ElementStore;
use crate::license::{KeyRequest, TokenStore};
use crate::sessiontoken::key_request_meta;

/// The one on the event, if there is one. To be called without a lock held.
pub fn find(event: &gst::event::Protection, sinkpad: &gst::Pad) -> Option<KeyRequest> {
    let request = key_request_meta::find(event)?;
    let store = ElementStore::find(sinkpad);
    Some(KeyRequest::new(
        read(&request),
        key_request_meta::key_ids(&request),
        store.map(|store| Arc::new(store) as Arc<dyn TokenStore>),
    ))
}
