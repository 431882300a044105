// SPDX-License-Identifier: MIT OR Apache-2.0

//! The token is here before the viewer asks for a channel, so that no channel waits for it.

use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Instant;

use gst::element_factory::ElementBuilder;
use gst::prelude::*;
use headend::{Auth, Headend};
use support::rig::*;

/// An element of the application's own, which stands in PAUSED and in no pipeline.
struct Warmer(gst::Element);

impl Warmer {
    fn new(headend: &Headend) -> Self {
        let warmer = Self(sessiontoken(headend).build().expect("an element"));
        let changed = warmer.0.set_state(gst::State::Paused);
        assert_eq!(changed, Ok(gst::StateChangeSuccess::Success));
        warmer
    }
}

impl Drop for Warmer {
    fn drop(&mut self) {
        // It can always go down.
        let _ = self.0.set_state(gst::State::Null);
    }
}

fn playing(builder: ElementBuilder<'_>) -> Rig {
    let rig = Rig::new(builder);
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig
}

/// Brings a protection event, which may have to wait.
fn tune(rig: &Rig) {
    let event = Input::from(protection(COMMON_SYSTEM, Some("dash/mpd")));
    rig.send(std::slice::from_ref(&event));
    rig.log.wait_for(event.item());
}

/// Brings one that must leave at once, on the thread that brings it.
fn tune_at_once(rig: &Rig) {
    let event = Input::from(protection(COMMON_SYSTEM, Some("dash/mpd")));
    rig.send(std::slice::from_ref(&event));
    let left = rig.log.left();
    let left = left.last().expect("something left");
    assert_eq!(left.item, event.item());
    assert_eq!(left.thread, thread::current().id());
    assert_eq!(rig.stats::<u32>("holds"), 0);
}

/// What a tune cost, as the message says it.
#[derive(Clone, Copy)]
struct Cost {
    latency: gst::ClockTime,
    overlap: gst::ClockTime,
    waited: gst::ClockTime,
}

impl Cost {
    /// The message has to be the next one, and `stats` to say the same.
    fn of(rig: &Rig) -> Self {
        let told = rig.told();
        let state = told.state();
        let time = |field: &str| {
            let time = state.get::<gst::ClockTime>(field).expect("a time");
            assert_eq!(rig.stats::<gst::ClockTime>(field), time, "{field}");
            time
        };
        Self {
            latency: time("latency"),
            overlap: time("overlap"),
            waited: time("waited"),
        }
    }

    /// The request took its time, and of that nobody saw anything.
    fn was_none(self) {
        assert!(self.latency > gst::ClockTime::ZERO);
        assert_eq!(self.overlap, self.latency);
        assert_eq!(self.waited, gst::ClockTime::ZERO);
    }
}

#[test]
fn warm_session_serves_first_channel_without_wait() {
    let headend = headend(Auth::Grant);
    let _warmer = Warmer::new(&headend);
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    // Once one event has left, the token is here.
    tune(&playing(sessiontoken(&headend)));
    for prefetch in [true, false] {
        let rig = playing(sessiontoken(&headend).property("prefetch", prefetch));
        tune_at_once(&rig);
        Cost::of(&rig).was_none();
    }
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn channel_waits_only_for_rest_of_pending_request() {
    let headend = headend(Auth::Hang);
    let _warmer = Warmer::new(&headend);
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    let rig = playing(sessiontoken(&headend));
    let event = Input::from(protection(COMMON_SYSTEM, Some("dash/mpd")));
    rig.send(std::slice::from_ref(&event));
    assert_eq!(rig.stats::<u32>("holds"), 1);
    assert_eq!(
        rig.stats::<gst::ClockTime>("overlap"),
        gst::ClockTime::ZERO,
        "of a token that is not here"
    );
    headend.release();
    rig.log.wait_for(event.item());
    let cost = Cost::of(&rig);
    assert!(cost.waited > gst::ClockTime::ZERO);
    // That of before the event.
    assert!(cost.overlap > gst::ClockTime::ZERO);
    assert!(cost.overlap < cost.latency);
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn on_demand_request_is_waited_for_refresh_is_not() {
    let headend = headend(Auth::Hang);
    let rig = playing(sessiontoken(&headend).property("prefetch", false));
    let event = Input::from(protection(COMMON_SYSTEM, Some("dash/mpd")));
    rig.send(std::slice::from_ref(&event));
    headend.release();
    rig.log.wait_for(event.item());
    let first = Cost::of(&rig);
    assert!(first.latency > gst::ClockTime::ZERO);
    assert_eq!(first.overlap, gst::ClockTime::ZERO);
    assert!(first.waited >= first.latency);

    rig.element.emit_by_name::<()>("refresh-token", &[]);
    let begun = Instant::now();
    let before = rig.stats::<u32>("generation");
    while rig.stats::<u32>("generation") == before {
        tune(&rig);
        assert!(begun.elapsed() < PATIENCE, "the new token never came");
    }
    let second = Cost::of(&rig);
    assert_eq!(second.overlap, second.latency);
    // All that the tune has waited so far.
    assert_eq!(second.waited, first.waited);
}

#[test]
fn channel_changes_share_one_token_request() {
    const CHANNELS: usize = 5;
    let headend = headend(Auth::Grant);
    let rig = playing(sessiontoken(&headend));
    tune(&rig);
    for _ in 1..CHANNELS {
        rig.told();
        rig.restart(gst::State::Ready);
        rig.send(&[stream_start().into(), caps_event().into()]);
        tune_at_once(&rig);
        Cost::of(&rig).was_none();
    }
    // With an element for each channel it is the same.
    for _ in 0..CHANNELS {
        let rig = playing(sessiontoken(&headend));
        tune_at_once(&rig);
        Cost::of(&rig).was_none();
    }
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn warm_up_request_survives_drop_of_its_element() {
    let headend = headend(Auth::Hang);
    let warmer = Warmer::new(&headend);
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    // Nobody has the session for a while, but the request is under way.
    drop(warmer);
    let rig = playing(sessiontoken(&headend));
    rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
    headend.release();
    assert!(rig.push_event(gst::event::Eos::new()));
    assert_eq!(rig.log.protections().len(), 1);
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn video_audio_and_subtitles_share_one_token() {
    const KINDS: [&str; 3] = [
        "video/x-h264",
        "audio/mpeg",
        "application/x-subtitle-vtt-fragmented",
    ];
    init();
    let headend = headend(Auth::Hang);
    let together = Barrier::new(KINDS.len());
    let (holds, held) = mpsc::channel();
    let tokens = thread::scope(|scope| {
        let streams = KINDS.map(|kind| {
            let (headend, together, holds) = (&headend, &together, holds.clone());
            scope.spawn(move || {
                let caps = gst::Caps::builder("application/x-cenc")
                    .field("protection-system", COMMON_SYSTEM)
                    .field("original-media-type", kind)
                    .build();
                let inputs: Vec<Input> = [
                    vec![
                        stream_start().into(),
                        gst::event::Caps::new(&caps).into(),
                        segment().into(),
                    ],
                    protections().map(Input::from).to_vec(),
                    vec![buffer(1).into(), gst::event::Eos::new().into()],
                ]
                .concat();
                together.wait();
                let rig = Rig::new(sessiontoken(headend));
                let (before, last) = inputs.split_at(inputs.len() - 1);
                rig.send(before);
                assert_eq!(rig.log.items(), items(&inputs[..3]));
                holds.send(()).expect("somebody counts");
                rig.send(last);
                assert_eq!(rig.log.items(), items(&inputs));
                let requests = rig.log.protections();
                let requests = requests.iter().map(key_request);
                requests
                    .map(|request| request.get::<String>("session-token"))
                    .collect::<Vec<_>>()
            })
        });
        for _ in KINDS {
            held.recv_timeout(PATIENCE).expect("all of them hold");
        }
        headend.release();
        streams.map(|stream| stream.join().expect("the stream plays"))
    });
    assert_eq!(tokens.concat(), vec![Ok(headend.token()); 9]);
    assert_eq!(headend.token_requests().len(), 1);
}
