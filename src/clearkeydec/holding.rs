// SPDX-License-Identifier: MIT OR Apache-2.0

//! The element in its stream: what becomes of each item.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::debug::CAT;
use super::imp::{ClearKeyDec, SYSTEMS};
use crate::cenc::{CLEARKEY_SYSTEM, InitData, PRIVATE_SYSTEM, is_clearkey, private_keys};
use crate::decryptor::{Obstacle, answer_caps_query, caps_behind, find_key_request};
use crate::error::{Failure, Fault};
use crate::hierarchy::manifest_url;
use crate::hold::{Hold, Holding, Item, Prepared};
use crate::license::is_relative;
use crate::token::ClockReading;
use crate::wait::lock;

impl Holding for ClearKeyDec {
    fn hold(&self) -> &Hold {
        &self.hold
    }

    fn srcpad(&self) -> &gst::Pad {
        &self.srcpad
    }

    fn sink_query(&self, query: &mut gst::QueryRef) -> bool {
        answer_caps_query(query, &self.sinkpad, &self.srcpad, &SYSTEMS)
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
                    protection_event(self, protection);
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
    match caps_behind(event.caps()) {
        Ok(caps) => {
            let samples = &element.samples;
            samples.set_media_type(element.obj().upcast_ref(), &caps);
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

/// Takes in what a protection event says.
fn protection_event(element: &ClearKeyDec, event: &gst::event::Protection) {
    let (system, data, origin) = event.get();
    gst::debug!(
        CAT,
        imp = element,
        "protection event of {system}, origin {origin:?}"
    );
    let request = find_key_request(event, &element.sinkpad);
    if system.eq_ignore_ascii_case(PRIVATE_SYSTEM) {
        if let Ok(data) = data.map_readable() {
            lock(&element.keys).add_private(private_keys(&data));
        }
        return;
    }
    let mut init_data = InitData::default();
    if is_clearkey(system)
        && let Ok(data) = data.map_readable()
    {
        init_data = InitData::read(&data);
    }
    let is_relative = init_data.license_urls.iter().any(|url| is_relative(url));
    let manifest_url = is_relative.then(|| manifest_url(element.obj().upcast_ref()));
    let mut keys = lock(&element.keys);
    keys.set_key_request(request, origin);
    keys.servers_mut().add(
        &mut init_data,
        system.eq_ignore_ascii_case(CLEARKEY_SYSTEM),
        manifest_url.flatten(),
    );
    keys.add_init_data(&init_data, origin);
    let Some(policy) = lock(&element.policy).clone() else {
        return;
    };
    keys.ask_ahead(&element.context(&policy, ClockReading::now()));
    let news = keys.take_notices();
    drop(keys);
    element.tell(&news);
}
