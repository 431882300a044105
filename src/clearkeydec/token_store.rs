// SPDX-License-Identifier: MIT OR Apache-2.0

//! The store of tokens that `sessiontoken` has for decryptors, as any decryptor finds and uses it: by a context query,
//! and by the names of its signals.

use std::sync::Arc;

use gst::prelude::*;

use crate::flight::Flight;
use crate::secret::Secret;
use crate::sessiontoken::Store;

/// Another token and its generation, or none.
pub type Renewal = Option<(Secret, u32)>;

/// The store of the element upstream.
#[derive(Clone)]
pub struct TokenStore(Store);

impl TokenStore {
    /// Asks upstream, past queues and bins. To be called without a lock held.
    pub fn find(sinkpad: &gst::Pad) -> Option<Self> {
        let mut query = gst::query::Context::new("drm-session-token");
        if !sinkpad.peer_query(query.query_mut()) {
            return None;
        }
        let context = query.context_owned()?;
        context.structure().get("store").ok().map(Self)
    }

    /// Says that the token of that generation was refused, and waits for another one on a thread of its own; `None` where the
    /// system has no thread left.
    pub fn reject(&self, generation: u32, http_status: u16) -> Option<Arc<Flight<Renewal>>> {
        let (flight, landing) = Flight::start(None);
        let store = self.0.clone();
        let thread = std::thread::Builder::new().name("token-rejected".to_owned());
        let started = thread.spawn(move || {
            let arguments: [&dyn ToValue; 2] = [&generation, &u32::from(http_status)];
            let token = store.emit_by_name::<Option<String>>("reject", &arguments);
            let renewal = token.map(|token| {
                let (token, newer) = Self(store).numbered(Secret::new(token));
                // One that has just ended has no number any more.
                (token, newer.max(generation.saturating_add(1)))
            });
            landing.land(renewal);
        });
        started.ok().map(|_| flight)
    }

    /// The newest valid token of the service that gave the one of that generation, and its own, if there is one.
    pub fn newest_of(&self, generation: u32) -> Renewal {
        let token = self
            .0
            .emit_by_name::<Option<String>>("newest", &[&generation])?;
        Some(self.numbered(Secret::new(token))).filter(|(_, newest)| *newest > 0)
    }

    fn numbered(&self, token: Secret) -> (Secret, u32) {
        let generation = self.0.emit_by_name("generation-of", &[&token.expose()]);
        (token, generation)
    }

    /// Ends all waits in the store.
    pub fn cancel(&self) {
        self.0.emit_by_name::<()>("cancel", &[]);
    }
}
