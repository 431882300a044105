// SPDX-License-Identifier: MIT OR Apache-2.0

//! The element in its stream: what becomes of each item.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::imp::OcdmDec;
use crate::decryptor::{Obstacle, answer_caps_query, caps_behind};
use crate::error::{Failure, Fault};
use crate::hold::{Hold, Holding, Item, Prepared};
use crate::ocdm::{Opening, SYSTEMS};
use crate::wait::lock;

impl Holding for OcdmDec {
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
        let result = match &item {
            Item::Buffer(_) | Item::List(_) => self.decrypt(&item),
            Item::Event(event) => match event.view() {
                gst::EventView::Protection(protection) => {
                    if let Err(failure) = self.protection(protection) {
                        lock(&self.tune).failure.get_or_insert(failure);
                    }
                    return Prepared::Consumed;
                }
                gst::EventView::Caps(caps) => caps_event(self, caps),
                gst::EventView::Segment(_) => {
                    lock(&self.keys).begin_segment();
                    return Prepared::Push(item);
                }
                _ => return Prepared::Push(item),
            },
        };
        match result {
            Ok(ready) => Prepared::Push(ready),
            Err(Obstacle::Wait(until)) => Prepared::NotYet(item, until),
            Err(Obstacle::Failed(failure)) => self.ended(&failure),
        }
    }
}

/// The caps behind the decryptor. Why there will be no data is kept until there would be.
fn caps_event(element: &OcdmDec, event: &gst::event::Caps) -> Result<Item, Obstacle> {
    let before = event.caps();
    let mut caps = caps_behind(before)
        .map_err(|what| Obstacle::Failed(Failure::malformed(what).with_fault(Fault::Format)))?;
    let structure = before.structure(0);
    if let Some(system) = structure.and_then(|one| one.get::<String>("protection-system").ok())
        && let Err(failure) = begin(element, system, &mut caps)
    {
        lock(&element.tune).failure.get_or_insert(failure);
    }
    element
        .samples
        .set_media_type(element.obj().upcast_ref(), &caps);
    // A CDM reads what stands before it: media type, width and height.
    lock(&element.tune).caps = Some(before.to_owned());
    Ok(Item::Event(
        gst::event::Caps::builder(&caps)
            .seqnum(event.seqnum())
            .running_time_offset(event.running_time_offset())
            .build(),
    ))
}

/// A stream of that system begins, with these caps behind the decryptor.
fn begin(element: &OcdmDec, system: String, caps: &mut gst::Caps) -> Result<(), Failure> {
    let policy = element.policy()?;
    lock(&element.keys).set_system(system, &policy)?;
    let opening = lock(&element.tune).library.clone();
    let opening = opening.unwrap_or_else(|| Opening::begin(policy.library.clone()));
    lock(&element.tune).is_secure = opening.wait()?.transform_caps(caps);
    Ok(())
}
