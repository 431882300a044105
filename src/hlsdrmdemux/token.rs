// SPDX-License-Identifier: MIT OR Apache-2.0

//! The session tokens for key requests: from a `sessiontoken` inside the bin, which is linked to
//! nothing. Context and environment configure it as they do the others, and so does an application
//! that waits for new elements (`deep-element-added`). It shares their session.

use std::sync::{Condvar, Mutex, PoisonError};

use gst::prelude::*;

use super::keys::{KeyToken, TokenSource};
use crate::error::Failure;
use crate::sessiontoken::{SessionToken, TokenForKey};
use crate::wait::lock;

const FACTORY: &str = "sessiontoken";

/// That element, once it is needed.
pub struct ChildTokens {
    bin: gst::glib::WeakRef<gst::Bin>,
    child: Mutex<Child>,
    /// What `child` says has changed.
    changed: Condvar,
}

enum Child {
    None,
    /// Somebody makes it.
    Starting,
    Here(SessionToken),
    /// The bin is about to stop.
    Closed,
}

impl ChildTokens {
    pub fn new(bin: &gst::Bin) -> Self {
        Self {
            bin: bin.downgrade(),
            child: Mutex::new(Child::None),
            changed: Condvar::new(),
        }
    }

    /// Begins to fetch the token, beside whatever else is fetched, where players plug
    /// `sessiontoken` before decryptors: they will need it.
    pub fn warm_up(&self) {
        let is_plugged = gst::ElementFactory::find(FACTORY)
            .is_some_and(|factory| factory.rank() >= gst::Rank::MARGINAL);
        if is_plugged {
            self.begin();
        }
    }

    /// Begins to fetch the token, as somebody has asked for it.
    pub fn begin(&self) {
        // It fails where the bin stops, and for what the element itself has told.
        let _ = self.child();
    }

    fn child(&self) -> Result<SessionToken, Failure> {
        let mut child = lock(&self.child);
        loop {
            match &*child {
                Child::Here(element) => return Ok(element.clone()),
                Child::Closed => return Err(closed()),
                Child::Starting => {
                    let changed = self.changed.wait(child);
                    child = changed.unwrap_or_else(PoisonError::into_inner);
                }
                Child::None => break,
            }
        }
        *child = Child::Starting;
        // Handlers of the application run in the meantime, which may stop the bin.
        drop(child);
        let bin = self.bin.upgrade();
        let started = bin.as_ref().ok_or_else(closed).and_then(start);
        let mut child = lock(&self.child);
        let is_closed = matches!(*child, Child::Closed);
        if !is_closed {
            *child = match &started {
                Ok(element) => Child::Here(element.clone()),
                Err(_) => Child::None,
            };
        }
        drop(child);
        self.changed.notify_all();
        match (started, bin) {
            (Ok(element), bin) if is_closed => {
                retire(&element, bin.as_ref());
                Err(closed())
            }
            (started, _) => started,
        }
    }

    /// Ends all waits. From here on there are no tokens.
    pub fn close(&self) {
        let before = std::mem::replace(&mut *lock(&self.child), Child::Closed);
        self.changed.notify_all();
        if let Child::Here(element) = before {
            retire(&element, self.bin.upgrade().as_ref());
        }
    }
}

/// Makes one in the bin.
fn start(bin: &gst::Bin) -> Result<SessionToken, Failure> {
    let element = gst::ElementFactory::make(FACTORY)
        .build()
        .ok()
        .and_then(|element| element.downcast::<SessionToken>().ok())
        .ok_or_else(|| {
            Failure::misconfigured(
                "GStreamer has no `sessiontoken`: check the plugin's registration",
            )
        })?;
    // It has no part in what becomes of the bin's own state.
    element.set_locked_state(true);
    bin.add(&element).map_err(|_| closed())?;
    if element.set_state(gst::State::Paused).is_err() {
        let _ = element.set_state(gst::State::Null);
        let _ = bin.remove(&element);
        return Err(Failure::misconfigured(
            "the `sessiontoken` for key requests could not be started: its own error says why",
        ));
    }
    Ok(element)
}

fn retire(element: &SessionToken, bin: Option<&gst::Bin>) {
    element.token_store().set_flushing(true);
    let _ = element.set_state(gst::State::Null);
    if let Some(bin) = bin {
        let _ = bin.remove(element);
    }
}

impl TokenSource for ChildTokens {
    fn newest(&self) -> Result<KeyToken, Failure> {
        let store = self.child()?.token_store();
        store.first_for_key().map(KeyToken::from)
    }

    fn after_rejection(&self, generation: u32, http_status: u16) -> Option<KeyToken> {
        let store = self.child().ok()?.token_store();
        let another = store.another_for_key(generation, http_status)?;
        Some(another.into())
    }
}

impl From<TokenForKey> for KeyToken {
    fn from(token: TokenForKey) -> Self {
        Self {
            generation: token.generation,
            token: token.token,
            headers: token.headers,
            query: token.query,
        }
    }
}

fn closed() -> Failure {
    Failure::transient("the element is being stopped")
}
