// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tells the application what the session does in the background.

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::session::{SessionEvent, SessionObserver};

/// The element that uses the session.
pub struct ElementObserver(glib::WeakRef<super::SessionToken>);

impl ElementObserver {
    pub fn new(element: &super::SessionToken) -> Self {
        Self(element.downgrade())
    }
}

impl SessionObserver for ElementObserver {
    fn notify(&self, event: &SessionEvent) {
        let Some(element) = self.0.upgrade() else {
            return;
        };
        let event = event.clone();
        // Not on the session's thread: the application may have a handler on the bus that takes
        // its time.
        element.call_async(move |element| {
            element.imp().on_session_event(event);
        });
    }
}
