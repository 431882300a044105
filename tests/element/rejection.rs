// SPDX-License-Identifier: MIT OR Apache-2.0

//! A license server refuses a token, a decryptor says so, and playback goes on with another one.

use std::sync::{Barrier, mpsc};
use std::thread;

use gst::element_factory::ElementBuilder;
use gst::glib;
use gst::prelude::*;
use headend::Auth;
use support::rig::*;
use support::stream::{store, store_from};

fn playing(builder: ElementBuilder<'_>) -> Rig {
    let rig = Rig::new(builder);
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig
}

/// Brings events and waits until they have left.
fn send(rig: &Rig, events: &[gst::Event]) {
    let inputs: Vec<Input> = events.iter().cloned().map(Input::from).collect();
    rig.send(&inputs);
    for input in &inputs {
        rig.log.wait_for(input.item());
    }
}

fn one(rig: &Rig) {
    send(rig, &[protection(COMMON_SYSTEM, Some("dash/mpd"))]);
}

/// The token that the store gives back.
fn reject(store: &glib::Object, generation: u32, status: u32) -> Option<String> {
    let request = store.emit_by_name::<Option<gst::Structure>>("reject", &[&generation, &status]);
    request.map(|request| request.get("session-token").expect("a token"))
}

/// Calls `reject` on a thread of its own, where it may block.
fn rejecting(rig: &Rig, generation: u32) -> mpsc::Receiver<Option<String>> {
    let pad = rig.downstream.clone();
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(reject(&store_from(&pad), generation, 403)));
    result
}

fn rejected_event(generation: u32) -> gst::Event {
    gst::event::CustomUpstream::new(
        gst::Structure::builder("drm-session-token-rejected")
            .field("generation", generation)
            .field("http-status", 403_u32)
            .build(),
    )
}

fn generations(rig: &Rig, events: &[gst::Event]) -> Vec<u32> {
    events
        .iter()
        .map(|event| rig.ordinal(&key_request(event)))
        .collect()
}

#[test]
fn context_query_finds_store_past_queues_and_bins() {
    let headend = headend(Auth::Grant);
    let rig = playing(sessiontoken(&headend));
    one(&rig);
    let store = store(&rig);
    assert_eq!(store.type_().name(), "GstSessionTokenStore");
    assert_eq!(rig.element.property::<glib::Object>("store"), store);
    assert_eq!(store.property::<String>("session-token"), headend.token());
    assert_eq!(rig.ordinal_of(store.property("generation")), 1);
    let expires_at = store.property::<Option<gst::DateTime>>("expires-at");
    assert!(expires_at.is_some());
    let mut other = gst::query::Context::new("drm-other");
    assert!(!rig.downstream.peer_query(other.query_mut()));
    let first = rig.generation(1);
    drop(rig);
    // Its element is gone, and it says so.
    assert_eq!(store.property::<Option<String>>("session-token"), None);
    assert_eq!(store.property::<u32>("generation"), 0);
    assert_eq!(reject(&store, first, 403), None);

    let bin = gst::Bin::new();
    let element = sessiontoken(&headend).build().expect("an element");
    let queue = make("queue").build().expect("an element");
    bin.add_many([&element, &queue]).expect("they are new");
    element.link(&queue).expect("they fit");
    let inner = queue.static_pad("src").expect("a pad");
    let pad = gst::GhostPad::with_target(&inner).expect("a ghost pad");
    bin.add_pad(&pad).expect("it is new");
    let sink = gst::Pad::new(gst::PadDirection::Sink);
    pad.link(&sink).expect("they fit");
    assert_eq!(store_from(&sink).type_().name(), "GstSessionTokenStore");
}

#[test]
fn concurrent_rejections_get_the_same_new_token() {
    const DECRYPTORS: usize = 16;
    let headend = headend(Auth::Grant);
    let rig = playing(sessiontoken(&headend));
    one(&rig);
    headend.revoke();
    let together = Barrier::new(DECRYPTORS);
    let first = rig.generation(1);
    let tokens = thread::scope(|scope| {
        let complaints = (0..DECRYPTORS)
            .map(|_| {
                let (pad, together) = (&rig.downstream, &together);
                scope.spawn(move || {
                    let store = store_from(pad);
                    together.wait();
                    reject(&store, first, 403)
                })
            })
            .collect::<Vec<_>>();
        let tokens = complaints
            .into_iter()
            .map(|thread| thread.join().expect("an answer"));
        tokens.collect::<Vec<_>>()
    });
    assert_eq!(tokens, vec![Some(headend.token()); DECRYPTORS]);
    assert_eq!(headend.token_requests().len(), 2);
    // Once told, whoever is late has it at once, and the next event too.
    assert_eq!(reject(&store(&rig), first, 403), Some(headend.token()));
    one(&rig);
    assert_eq!(generations(&rig, &rig.log.protections()), [1, 2]);
    assert_eq!(headend.token_requests().len(), 2);
    let states = rig.told().states;
    let states = states.iter().map(|state| state.get::<String>("state"));
    let expected = ["acquired", "rejected", "refreshed"].map(|state| Ok(state.to_owned()));
    assert_eq!(states.collect::<Vec<_>>(), expected);
}

#[test]
fn reject_returns_when_flushing_or_stopped() {
    let headend = headend(Auth::Sequence(vec![Auth::Grant, Auth::Hang]));
    let rig = playing(sessiontoken(&headend));
    one(&rig);
    let waits = rejecting(&rig, rig.generation(1));
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 2));
    assert!(waits.try_recv().is_err());
    store(&rig).emit_by_name::<()>("set-flushing", &[&true]);
    assert_eq!(waits.recv_timeout(PATIENCE), Ok(None));
    // Nor does one that comes a moment later.
    assert_eq!(reject(&store(&rig), rig.generation(1), 403), None);
    store(&rig).emit_by_name::<()>("set-flushing", &[&false]);

    // The same where the element itself is stopped.
    let waits = rejecting(&rig, rig.generation(1));
    // It waits or is about to; in READY there is no store that waits.
    rig.set_state(gst::State::Ready);
    assert_eq!(waits.recv_timeout(PATIENCE), Ok(None));
}

#[test]
fn protection_events_replay_in_order_before_buffer() {
    let headend = headend(Auth::Grant);
    let rig = playing(sessiontoken(&headend));
    // Three boxes of one system and origin, of which a pad's sticky events would keep the last.
    let events = [
        protection(CLEARKEY_SYSTEM, Some("dash/mpd")),
        protection(COMMON_SYSTEM, Some("isobmff/moov")),
        protection(COMMON_SYSTEM, Some("isobmff/moov")),
        protection(COMMON_SYSTEM, Some("isobmff/moov")),
    ];
    send(&rig, &events);
    rig.send(&[segment().into(), buffer(1).into()]);
    headend.revoke();
    let before = rig.log.items().len();
    assert!(rig.downstream.push_event(rejected_event(rig.generation(1))));
    // A second complaint about the same token changes nothing.
    assert!(rig.downstream.push_event(rejected_event(rig.generation(1))));
    assert_eq!(rig.log.items().len(), before);
    let next = Input::from(buffer(2));
    rig.send(std::slice::from_ref(&next));
    rig.log.wait_for(next.item());
    let again: Vec<_> = events.iter().map(Item::from).chain([next.item()]).collect();
    assert_eq!(rig.log.items()[before..], again);
    let left = rig.log.protections();
    assert_eq!(generations(&rig, &left), [1, 1, 1, 1, 2, 2, 2, 2]);
    for (came, left) in events.iter().zip(&left[4..]) {
        assert_eq!(key_request(left).get("session-token"), Ok(headend.token()));
        let bytes = |event| init_data(event).map_readable().expect("bytes").to_vec();
        assert_eq!(bytes(came), bytes(left));
    }
    assert_eq!(headend.token_requests().len(), 2);
    // And only once.
    let count = rig.log.items().len();
    rig.send(&[buffer(3).into()]);
    assert_eq!(rig.log.items().len(), count + 1);
}

/// The decryptor would wait for events that nothing comes before any more.
#[test]
fn rejected_event_after_eos_is_not_taken() {
    let headend = headend(Auth::Grant);
    let rig = playing(sessiontoken(&headend));
    one(&rig);
    rig.send(&[segment().into(), buffer(1).into()]);
    send(&rig, &[gst::event::Eos::new()]);
    headend.revoke();
    assert!(!rig.downstream.push_event(rejected_event(rig.generation(1))));
    let newer = reject(&store(&rig), rig.generation(1), 403);
    assert_eq!(newer, Some(headend.token()));
    // It goes on behind a seek.
    let flush = [
        gst::event::FlushStart::new(),
        gst::event::FlushStop::new(true),
    ];
    rig.send(&flush.map(Input::from));
    rig.send(&[segment().into(), buffer(2).into()]);
    headend.revoke();
    assert!(rig.downstream.push_event(rejected_event(rig.generation(2))));
}

#[test]
fn only_what_still_describes_the_stream_comes_again() {
    let headend = headend(Auth::Grant);
    let rig = playing(sessiontoken(&headend));
    let moov = protection(COMMON_SYSTEM, Some("isobmff/moov"));
    let mpd = protection(COMMON_SYSTEM, Some("dash/mpd"));
    send(&rig, &[mpd.clone(), moov.clone()]);
    let first = protection(COMMON_SYSTEM, Some("isobmff/moof"));
    rig.send(&[segment().into(), first.into(), buffer(1).into()]);
    // The next fragment's keys take the place of the last one's.
    let second = [(); 2].map(|()| protection(COMMON_SYSTEM, Some("isobmff/moof")));
    send(&rig, &second);
    rig.send(&[buffer(1).into()]);
    let expect = |expected: &[&gst::Event]| {
        let before = rig.log.items().len();
        let events = rig.log.protections();
        let last = key_request(events.last().expect("one left"));
        let generation = last.get("generation").expect("a number");
        headend.revoke();
        assert!(rig.downstream.push_event(rejected_event(generation)));
        let next = Input::from(buffer(2));
        rig.send(std::slice::from_ref(&next));
        rig.log.wait_for(next.item());
        let again = expected.iter().map(|event| Item::from(*event));
        let again: Vec<_> = again.chain([next.item()]).collect();
        assert_eq!(rig.log.items()[before..], again);
    };
    expect(&[&mpd, &moov, &second[0], &second[1]]);
    // A new stream has nothing of the old one.
    let other = protection(COMMON_SYSTEM, Some("isobmff/moov"));
    rig.send(&[
        gst::event::StreamStart::new("other").into(),
        caps_event().into(),
    ]);
    rig.send(&[segment().into(), other.clone().into()]);
    expect(&[&other]);
}

#[test]
fn reject_of_unknown_generation_fetches_nothing() {
    let headend = headend(Auth::Grant);
    let rig = playing(sessiontoken(&headend));
    one(&rig);
    assert_eq!(reject(&store(&rig), u32::MAX, 403), None);
    assert!(rig.downstream.push_event(rejected_event(u32::MAX - 7)));
    rig.send(&[segment().into(), buffer(1).into()]);
    assert_eq!(reject(&store(&rig), 0, 403), Some(headend.token()));
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn third_rejected_token_in_a_row_is_an_error() {
    let headend = headend(Auth::Grant);
    let rig = playing(sessiontoken(&headend));
    one(&rig);
    for generation in 1..3 {
        headend.revoke();
        let token = reject(&store(&rig), rig.generation(generation), 403);
        assert_eq!(token, Some(headend.token()), "{generation}");
        one(&rig);
    }
    headend.revoke();
    assert_eq!(reject(&store(&rig), rig.generation(3), 403), None);
    assert_eq!(headend.token_requests().len(), 3);
    rig.push_event(protection(COMMON_SYSTEM, Some("dash/mpd")));
    Complaint::of(&rig.message(gst::MessageType::Error))
        .is(gst::ResourceError::NotAuthorized)
        .says(&["3 session tokens in a row"]);
    assert_eq!(headend.token_requests().len(), 3);
}

#[test]
fn service_repeating_rejected_token_is_an_error() {
    let headend = headend(Auth::Grant);
    let rig = playing(sessiontoken(&headend));
    one(&rig);
    assert_eq!(reject(&store(&rig), rig.generation(1), 403), None);
    assert_eq!(headend.token_requests().len(), 2);
    assert!(rig.downstream.push_event(rejected_event(rig.generation(1))));
    // With the next item of the stream, whatever that is.
    rig.push_event(segment());
    Complaint::of(&rig.message(gst::MessageType::Error))
        .is(gst::ResourceError::NotAuthorized)
        .says(&["the license server has refused"]);
}

#[test]
fn rejected_app_token_can_be_replaced() {
    let headend = headend(Auth::Grant);
    let rig = playing(sessiontoken(&headend).property("session-token", "one"));
    one(&rig);
    let waits = rejecting(&rig, rig.generation(1));
    // The application hears of it and acts.
    let told = rig.message(gst::MessageType::Element);
    let told = match told
        .structure()
        .expect("one")
        .get::<String>("state")
        .as_deref()
    {
        Ok("rejected") => told,
        _ => rig.message(gst::MessageType::Element),
    };
    let told = told.structure().expect("it says so");
    assert_eq!(told.get::<String>("state").as_deref(), Ok("rejected"));
    assert_eq!(rig.ordinal(told), 1);
    assert_eq!(told.get::<u32>("http-status"), Ok(403));
    rig.element.set_property("session-token", "two");
    assert_eq!(waits.recv_timeout(PATIENCE), Ok(Some("two".to_owned())));
    one(&rig);
    assert_eq!(generations(&rig, &rig.log.protections()), [1, 2]);
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn rejected_event_reaches_element_owning_the_token() {
    let headend = headend(Auth::Grant);
    let elements = [(); 2].map(|()| sessiontoken(&headend).build().expect("an element"));
    let bin = gst::Bin::new();
    bin.add_many(&elements).expect("they are new");
    gst::Element::link_many(&elements).expect("they fit");
    for (element, name) in [(&elements[0], "sink"), (&elements[1], "src")] {
        let pad = element.static_pad(name).expect("a pad");
        let ghost = gst::GhostPad::builder_with_target(&pad)
            .expect("a pad")
            .name(name);
        bin.add_pad(&ghost.build()).expect("it is new");
    }
    let bus = gst::Bus::new();
    bin.set_bus(Some(&bus));
    let rig = Rig::around(bin.upcast(), bus);
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    one(&rig);
    let first = store(&rig);
    assert_eq!(rig.ordinal_of(first.property("generation")), 1);
    headend.revoke();
    assert!(rig.downstream.push_event(rejected_event(rig.generation(1))));
    rig.send(&[buffer(1).into(), gst::event::Eos::new().into()]);
    // Once, from the first: the second has passed it on.
    assert_eq!(generations(&rig, &rig.log.protections()), [1, 2]);
    let put = elements.map(|element| {
        let stats = element.property::<gst::Structure>("stats");
        stats.get::<u64>("events").expect("a number")
    });
    assert_eq!(put, [2, 0]);
}

/// A viewer would wait for a token that nobody fetches, and then be told to look for a service that
/// there is not.
#[test]
fn file_is_read_again_once_its_token_is_refused() {
    let file = File::new("first");
    let rig = playing(make("sessiontoken").property("session-token-file", file.path()));
    one(&rig);
    let store = store(&rig);
    // Without a wait: nobody would end it.
    assert_eq!(reject(&store, rig.generation(1), 403), None);
    let told = rig.told();
    let failed = told
        .states
        .iter()
        .find(|told| told.get("state") == Ok("failed"));
    let failed = failed.expect("the application hears why");
    assert_eq!(failed.get("reason"), Ok("denied"));
    assert_eq!(failed.get("service"), Ok("file"));
    file.write("second");
    assert_eq!(
        reject(&store, rig.generation(1), 403).as_deref(),
        Some("second")
    );
}

/// The player would ask for licenses with it for ever, tune after tune.
#[test]
fn rejected_app_token_stays_rejected_in_next_tune() {
    let headend = headend(Auth::Grant);
    let rig = playing(
        sessiontoken(&headend)
            .property("session-token", "one")
            .property("timeout", 100_u32),
    );
    one(&rig);
    let refused = rig.generation(1);
    assert_eq!(reject(&store(&rig), refused, 403), None);
    rig.restart(gst::State::Ready);
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.push_event(protection(COMMON_SYSTEM, Some("dash/mpd")));
    Complaint::of(&rig.message(gst::MessageType::Error))
        .is(gst::ResourceError::NotAuthorized)
        .says(&["the application's session token"]);
    // The same text is the same token.
    rig.element.set_property("session-token", "one");
    assert_eq!(
        store(&rig).property::<Option<String>>("session-token"),
        None
    );
    rig.element.set_property("session-token", "two");
    assert_eq!(
        store(&rig).property::<Option<String>>("session-token"),
        Some("two".to_owned())
    );
}

/// A header that is rebuilt by replacing the old token in it would say `Bnewarnewr new`.
#[test]
fn store_key_request_carries_headers_of_its_token() {
    let headend = headend(Auth::Grant);
    let rig = playing(
        sessiontoken(&headend)
            .property("session-token", "e")
            .property_from_str("packing", "secclient"),
    );
    one(&rig);
    rig.element.set_property("session-token", "new");
    let request = |signal: &str, arguments: &[&dyn ToValue]| {
        let request = store(&rig).emit_by_name::<Option<gst::Structure>>(signal, arguments);
        request.expect("a key request")
    };
    let first = rig.generation(1);
    for request in [
        request("reject", &[&first, &403_u32]),
        request("newest", &[&first]),
        request("newest", &[&0_u32]),
    ] {
        assert_eq!(request.name(), "drm-key-request");
        assert_eq!(request.get("session-token"), Ok("new"));
        let headers = request.get::<gst::Structure>("http-headers");
        let headers = headers.expect("headers");
        assert_eq!(headers.get("Authorization"), Ok("Bearer new"));
        let packed = request.get::<String>("custom-data").expect("custom data");
        assert!(packed.contains(r#""accessToken":"new""#), "{packed}");
        assert!(!packed.contains("newnew"), "{packed}");
    }
}
