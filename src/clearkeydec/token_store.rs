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
            // By now there may be a newer one still, and each has its own generation.
            let renewal = token.map(|token| {
                Self(store)
                    .newest()
                    .unwrap_or((Secret::new(token), generation.saturating_add(1)))
            });
            landing.land(renewal);
        });
        started.ok().map(|_| flight)
    }

    /// The newest valid token and its generation, if there is one.
    pub fn newest(&self) -> Renewal {
        let generation = || self.0.property::<u32>("generation");
        let before = generation();
        let token = self.0.property::<Option<String>>("session-token")?;
        // Where another one came between the two, there is no telling which this is.
        (before == generation()).then(|| (Secret::new(token), before))
    }

    /// Ends all waits in the store.
    pub fn cancel(&self) {
        self.0.emit_by_name::<()>("cancel", &[]);
    }
}
