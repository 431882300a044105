// SPDX-License-Identifier: MIT OR Apache-2.0

//! The element in its stream: what becomes of each item.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::caps;
use super::clear_samples;
use super::imp::ClearKeyDec;
use super::obstacle::Obstacle;
use crate::error::{Failure, Fault};
use crate::hold::{Hold, Holding, Item, Prepared};
use crate::wait::lock;

impl Holding for ClearKeyDec {
    fn hold(&self) -> &Hold {
        &self.hold
    }

    fn srcpad(&self) -> &gst::Pad {
        &self.srcpad
    }

    /// Caps that are in the template are accepted, also where downstream takes none of them: what
    /// follows says what is wrong, which a refusal does not.
    fn sink_query(&self, query: &mut gst::QueryRef) -> bool {
        match query.view_mut() {
            gst::QueryViewMut::Caps(query) => {
                caps::answer(query, &self.sinkpad, &self.srcpad);
                true
            }
            gst::QueryViewMut::AcceptCaps(query) => {
                let caps = query.caps_owned();
                let is_accepted = match caps::is_protected(&caps) {
                    true => caps.is_subset(&self.sinkpad.pad_template_caps()),
                    false => self.srcpad.peer_query_accept_caps(&caps),
                };
                query.set_result(is_accepted);
                true
            }
            _ => false,
        }
    }

    fn prepare(&self, item: Item) -> Prepared {
        match item {
            Item::Buffer(mut buffer) => {
                let result = self.decrypt_buffer(buffer.make_mut());
                ready(self, Item::Buffer(buffer), result)
            }
            Item::List(mut list) => {
                let result = self.decrypt_list(list.make_mut());
                ready(self, Item::List(list), result)
            }
            Item::Event(event) => match event.view() {
                gst::EventView::Protection(protection) => {
                    self.protection(protection);
                    Prepared::Consumed
                }
                gst::EventView::Caps(caps) => caps_event(self, caps),
                gst::EventView::Segment(_) => {
                    lock(&self.keys).begin_segment();
                    Prepared::Push(Item::Event(event))
                }
                _ => Prepared::Push(Item::Event(event)),
            },
        }
    }
}

fn caps_event(element: &ClearKeyDec, event: &gst::event::Caps) -> Prepared {
    match caps::behind(event.caps()) {
        Ok(caps) => {
            clear_samples::set_media_type(element.obj().upcast_ref(), &element.samples, &caps);
            Prepared::Push(Item::Event(
                gst::event::Caps::builder(&caps)
                    .seqnum(event.seqnum())
                    .running_time_offset(event.running_time_offset())
                    .build(),
            ))
        }
        Err(what) => {
            element.fail(&Failure::malformed(what).with_fault(Fault::Format));
            Prepared::Fail(gst::FlowError::NotNegotiated)
        }
    }
}

/// What becomes of data, by what came of its decryption.
fn ready(element: &ClearKeyDec, item: Item, result: Result<(), Obstacle>) -> Prepared {
    match result {
        Ok(()) => Prepared::Push(item),
        Err(Obstacle::Wait(until)) => Prepared::NotYet(item, until),
        Err(Obstacle::Failed(failure)) => {
            element.fail(&failure);
            Prepared::Fail(gst::FlowError::Error)
        }
    }
}
