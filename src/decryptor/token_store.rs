// SPDX-License-Identifier: MIT OR Apache-2.0

//! The store of tokens that `sessiontoken` has for decryptors, as any decryptor finds and uses it:
//! by a context query, and by the names of its signals.

use std::sync::Arc;

use gst::prelude::*;

use super::key_request_fields::read;
use crate::license::{Renewal, TokenStore};
use crate::sessiontoken::Store;
use crate::shared_result::SharedResult;

/// The store of the element upstream.
pub struct ElementStore(Store);

impl ElementStore {
    /// Asks upstream, past queues and bins. To be called without a lock held.
    pub fn find(sinkpad: &gst::Pad) -> Option<Self> {
        let mut query = gst::query::Context::new("drm-session-token");
        if !sinkpad.peer_query(query.query_mut()) {
            return None;
        }
        let context = query.context_owned()?;
        context.structure().get("store").ok().map(Self)
    }
}

impl TokenStore for ElementStore {
    /// Waits on a thread of its own; `None` where the system has none left.
    fn reject(&self, generation: u32, http_status: u16) -> Option<Arc<SharedResult<Renewal>>> {
        let (result, completer) = SharedResult::pending(None);
        let store = self.0.clone();
        let thread = std::thread::Builder::new().name("token-rejected".to_owned());
        let started = thread.spawn(move || {
            let arguments: [&dyn ToValue; 2] = [&generation, &u32::from(http_status)];
            let request = store.emit_by_name::<Option<gst::Structure>>("reject", &arguments);
            completer.complete(request.as_deref().map(read));
        });
        started.ok().map(|_| result)
    }

    fn failure(&self) -> Option<String> {
        self.0.property("failure")
    }

    fn newest_of(&self, generation: u32) -> Renewal {
        let request = self
            .0
            .emit_by_name::<Option<gst::Structure>>("newest", &[&generation]);
        request.as_deref().map(read)
    }

    fn set_flushing(&self, is_flushing: bool) {
        self.0.emit_by_name::<()>("set-flushing", &[&is_flushing]);
    }
}
