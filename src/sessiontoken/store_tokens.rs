// SPDX-License-Identifier: MIT OR Apache-2.0

//! The element as the store sees it.

use std::task::Waker;
use std::time::Instant;

use gst::subclass::prelude::*;

use super::key_request_meta;
use super::store::Tokens;
use crate::tune::{Attachment, Newer};

/// For the store, which keeps no element alive while somebody waits in there.
impl Tokens for super::SessionToken {
    fn newest(&self, generation: u32) -> Option<Attachment> {
        let imp = self.imp();
        imp.with(|provider, call| provider.newest(generation, call))
    }

    fn newer_than(&self, generation: u32, http_status: u32, waker: &Waker) -> Newer {
        let imp = self.imp();
        let file = imp.read_token_file();
        imp.with_waker(waker, |provider, call| {
            provider.newer_than(generation, http_status, file, call)
        })
    }

    fn first(&self, waker: &Waker) -> Newer {
        let imp = self.imp();
        imp.with_waker(waker, |provider, call| provider.first_for_key(call))
    }

    fn wait_until(&self) -> Instant {
        self.imp().provider().wait_until(Instant::now())
    }

    fn key_request(&self, attachment: &Attachment) -> gst::Structure {
        let imp = self.imp();
        let system = imp.system();
        let is_of_system = |event: &gst::Event| match event.view() {
            gst::EventView::Protection(protection) => {
                let (of_event, _, _) = protection.get();
                system
                    .as_deref()
                    .is_some_and(|system| system.eq_ignore_ascii_case(of_event))
            }
            _ => false,
        };
        let event = imp.provider().last_event(is_of_system);
        key_request_meta::key_request(attachment, event.as_ref())
    }
}
