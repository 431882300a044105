// SPDX-License-Identifier: MIT OR Apache-2.0

//! A stream that plays, and the token that goes with it.

use std::time::Instant;

use gst::element_factory::ElementBuilder;
use gst::glib;
use gst::prelude::*;
use headend::{Headend, Listener};

use crate::rig::*;

/// An element whose stream has begun, without a protection event so far.
pub fn playing(builder: ElementBuilder<'_>) -> Rig {
    let rig = Rig::new(builder);
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    rig
}

/// The generation that leaves with the next protection event, which must leave at once.
pub fn generation(rig: &Rig) -> u32 {
    let event = Input::from(protection(COMMON_SYSTEM, Some("isobmff/moof")));
    rig.send(std::slice::from_ref(&event));
    assert_eq!(rig.log.items().last(), Some(&event.item()));
    let events = rig.log.protections();
    let request = key_request(events.last().expect("it left"));
    rig.ordinal(&request)
}

/// Brings the first protection event, which may have to wait.
pub fn begin(rig: &Rig) {
    let event = Input::from(protection(COMMON_SYSTEM, Some("dash/mpd")));
    rig.send(std::slice::from_ref(&event));
    rig.log.wait_for(event.item());
}

/// Waits until the auth service has been asked so many times.
pub fn wait_for_requests(headend: &Headend, count: usize) {
    let came = headend.wait_for(PATIENCE, |record| record.token_requests().count() >= count);
    assert!(came, "request number {count} did not come");
}

/// Waits until events leave with a token of that generation, each of them at once.
pub fn wait_for_generation(rig: &Rig, wanted: u32) {
    let begun = Instant::now();
    while generation(rig) < wanted {
        assert!(begun.elapsed() < PATIENCE, "the new token never came");
    }
}

/// Waits until the listeners are as the test wants them.
pub fn wait_until(headend: &Headend, what: &str, mut satisfied: impl FnMut(&[Listener]) -> bool) {
    let came = headend.wait_for(PATIENCE, |record| satisfied(record.listeners()));
    assert!(came, "{what}: {:#?}", headend.listeners());
}

/// Waits until so many connections, all that there were, have registered.
pub fn wait_for_listeners(headend: &Headend, count: usize) {
    wait_until(headend, "registered", |listeners| {
        let registered = listeners
            .iter()
            .filter(|listener| listener.registered.len() == 2);
        registered.count() == count
    });
}

/// The store of tokens, as a decryptor finds it from this pad on.
pub fn store_from(pad: &gst::Pad) -> glib::Object {
    let mut query = gst::query::Context::new("drm-session-token");
    assert!(pad.peer_query(query.query_mut()), "nobody answers");
    let context = query.context_owned().expect("an answer");
    assert!(!context.is_persistent());
    context.structure().get("store").expect("a store")
}

/// The store of tokens, as a decryptor behind the element finds it.
pub fn store(rig: &Rig) -> glib::Object {
    store_from(&rig.downstream)
}

/// The port of a head-end, for the one that takes its place.
pub fn port(headend: &Headend) -> u16 {
    let url = headend.url("");
    let port = url.rsplit(':').next().map(str::parse);
    port.and_then(Result::ok).expect("the URL has a port")
}
