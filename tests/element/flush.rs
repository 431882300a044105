// SPDX-License-Identifier: MIT OR Apache-2.0

//! Seeks and stops while the stream is held: neither waits for the auth service.

use std::thread;

use gst::prelude::*;
use headend::{Auth, Headend};
use support::rig::*;

fn flush_start() -> gst::Event {
    gst::event::FlushStart::new()
}

fn flush_stop() -> gst::Event {
    gst::event::FlushStop::new(true)
}

/// A rig whose stream is held: what was sent before, and the protection event that is waited for.
fn holding(headend: &Headend) -> (Rig, Vec<Item>) {
    let rig = Rig::new(sessiontoken(headend));
    let sent: Vec<Input> = vec![
        stream_start().into(),
        caps_event().into(),
        protection(COMMON_SYSTEM, Some("dash/mpd")).into(),
        segment().into(),
        buffer(1).into(),
    ];
    rig.send(&sent);
    let sent = items(&sent);
    assert_eq!(rig.log.items(), sent[..2]);
    (rig, sent)
}

#[test]
fn seek_drops_held_media_keeps_protection_and_caps() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    let before: Vec<Input> = vec![stream_start().into(), caps_event().into()];
    rig.send(&before);
    let [first, second, third] = protections();
    // Behind a protection event, and so held, are also a new stream's start and caps.
    let kept: Vec<Input> = vec![
        first.into(),
        gst::event::StreamStart::new("another").into(),
        gst::event::Caps::new(&gst::Caps::new_empty_simple("application/x-cbcs")).into(),
        second.into(),
        tag().into(),
        third.into(),
    ];
    let dropped = || -> Vec<Input> {
        vec![
            segment().into(),
            buffer(1).into(),
            list(&[1, 2]).into(),
            gap().into(),
            custom("in-order").into(),
        ]
    };
    for input in &kept {
        rig.send(std::slice::from_ref(input));
        rig.send(&dropped());
    }
    let flush: Vec<Input> = vec![flush_start().into(), flush_stop().into()];
    rig.send(&flush);
    let after: Vec<Input> = vec![segment().into(), buffer(2).into()];
    rig.send(&after);
    let passed_at_once = [before, flush].concat();
    assert_eq!(rig.log.items(), items(&passed_at_once));

    headend.release();
    let all = [passed_at_once, kept, after].concat();
    rig.log.wait_for_count(all.len());
    rig.send(&[gst::event::Eos::new().into()]);
    assert_eq!(rig.log.items()[..all.len()], items(&all));
    assert_eq!(rig.log.items().len(), all.len() + 1);
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn repeated_seeks_keep_each_protection_event_once() {
    let headend = headend(Auth::Hang);
    let (rig, sent) = holding(&headend);
    let mut expected = sent[..2].to_vec();
    for _ in 0..10 {
        let flush: Vec<Input> = vec![flush_start().into(), flush_stop().into()];
        rig.send(&flush);
        expected.extend(items(&flush));
        rig.send(&[segment().into(), buffer(1).into()]);
    }
    let flush: Vec<Input> = vec![flush_start().into(), flush_stop().into()];
    rig.send(&flush);
    expected.extend(items(&flush));
    expected.push(sent[2]);
    let last: Vec<Input> = vec![segment().into(), buffer(2).into(), gap().into()];
    rig.send(&last);
    expected.extend(items(&last));
    headend.release();
    rig.log.wait_for_count(expected.len());
    assert_eq!(rig.log.items(), expected);
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn seek_unblocks_demuxer_waiting_at_eos() {
    let headend = headend(Auth::Hang);
    let (rig, sent) = holding(&headend);
    let arrivals = rig.arrivals();
    let eos = gst::event::Eos::new();
    thread::scope(|scope| {
        let pusher = scope.spawn(|| rig.push_event(eos.clone()));
        arrivals.expect(Item::from(&eos));
        rig.send(&[flush_start().into()]);
        assert!(!pusher.join().expect("the pusher ends"));
    });
    rig.send(&[flush_stop().into()]);
    let last: Vec<Input> = vec![segment().into(), buffer(2).into()];
    rig.send(&last);
    headend.release();
    rig.log.wait_for(last[1].item());
    let mut expected = vec![sent[2]];
    expected.extend(items(&last));
    assert_eq!(rig.log.items()[4..], expected);
}

#[test]
fn seek_frees_a_demuxer_that_waits_at_the_bound() {
    init();
    for waits in [Input::from(buffer(1)), list(&[1]).into(), tag().into()] {
        let headend = headend(Auth::Hang);
        let rig = Rig::new(sessiontoken(&headend).property("max-held-bytes", 1_u64));
        let before: Vec<Input> = vec![stream_start().into(), caps_event().into(), segment().into()];
        rig.send(&before);
        let held = Input::from(protection(COMMON_SYSTEM, Some("dash/mpd")));
        rig.send(std::slice::from_ref(&held));
        let arrivals = rig.arrivals();
        let flush: Vec<Input> = vec![flush_start().into(), flush_stop().into()];
        thread::scope(|scope| {
            let pusher = scope.spawn(|| match &waits {
                Input::Buffer(buffer) => rig.upstream.push(buffer.clone()).err(),
                Input::List(list) => rig.upstream.push_list(list.clone()).err(),
                // A sticky event is kept by the pad before, and so is not refused.
                Input::Event(event) => rig
                    .push_event(event.clone())
                    .then_some(gst::FlowError::Flushing),
            });
            arrivals.expect(waits.item());
            rig.send(&flush[..1]);
            let ended = pusher.join().expect("the pusher ends");
            assert_eq!(ended, Some(gst::FlowError::Flushing));
        });
        rig.send(&flush[1..]);
        headend.release();
        rig.log.wait_for(held.item());
        assert_eq!(
            rig.log.items(),
            items(&[before, flush, vec![held]].concat())
        );
    }
}

/// Has what is held leave until downstream blocks at the first thing of that kind, and seeks just
/// then. Gives the flush, and the stream that came after it.
fn seek_in_mid_push(
    rig: &Rig,
    headend: &Headend,
    kind: gst::PadProbeType,
) -> (Vec<Input>, Vec<Input>) {
    let blockage = rig.block(kind);
    headend.release();
    blockage.blocks();
    let flush: Vec<Input> = vec![flush_start().into(), flush_stop().into()];
    rig.send(&flush[..1]);
    blockage.remove();
    rig.send(&flush[1..]);
    let after: Vec<Input> = vec![
        segment().into(),
        buffer(4).into(),
        gst::event::Eos::new().into(),
    ];
    rig.send(&after);
    (flush, after)
}

#[test]
fn seek_during_drain_drops_held_media_and_continues() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    let [first, second, third] = protections();
    let sent: Vec<Input> = vec![
        stream_start().into(),
        caps_event().into(),
        first.into(),
        segment().into(),
        // Where downstream is full.
        buffer(1).into(),
        second.into(),
        buffer(2).into(),
        tag().into(),
        list(&[3]).into(),
        third.into(),
    ];
    rig.send(&sent);
    let (flush, after) = seek_in_mid_push(&rig, &headend, gst::PadProbeType::BUFFER);

    let survivors = [&sent[5], &sent[7], &sent[9]].map(Input::clone);
    let expected = [&sent[..4], &flush, &survivors, &after].concat();
    assert_eq!(rig.log.items(), items(&expected));
    let this = thread::current().id();
    let left = rig.log.left();
    let directly = left.iter().filter(|left| left.thread == this).count();
    // Stream start and caps, the flush, and what came after it.
    assert!(directly >= 4, "{left:#?}");
    assert_eq!(left.last().map(|left| left.thread), Some(this));
    assert_eq!(rig.harness.buffers_received(), 1);
}

#[test]
fn seek_during_drain_keeps_protection_event_once() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    let before: Vec<Input> = vec![stream_start().into(), caps_event().into()];
    rig.send(&before);
    let [first, second, third] = protections().map(Input::from);
    rig.send(&[first.clone(), segment().into(), buffer(1).into()]);
    rig.send(&[second.clone(), third.clone()]);
    let (flush, after) = seek_in_mid_push(&rig, &headend, gst::PadProbeType::EVENT_DOWNSTREAM);
    let survivors = vec![first, second, third];
    let expected = [before, flush, survivors, after].concat();
    assert_eq!(rig.log.items(), items(&expected));
}

#[test]
fn seek_after_acquired_token_holds_nothing() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let first = protection(COMMON_SYSTEM, Some("dash/mpd"));
    // The segment waits until the event is through: a flush that comes while an event is on its way
    // has GStreamer send it again, whatever the element.
    rig.send(&[first.into(), segment().into()]);
    rig.log.wait_for_count(4);
    rig.send(&[gap().into()]);
    let holds = rig.stats::<u32>("holds");
    for _ in 0..5 {
        let inputs: Vec<Input> = vec![
            flush_start().into(),
            flush_stop().into(),
            segment().into(),
            protection(COMMON_SYSTEM, Some("isobmff/moov")).into(),
            buffer(1).into(),
        ];
        let before = rig.log.items().len();
        rig.send(&inputs);
        assert_eq!(rig.log.items()[before..], items(&inputs));
    }
    assert_eq!(rig.stats::<u32>("holds"), holds);
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn stop_unblocks_demuxer_waiting_at_eos() {
    for state in [gst::State::Ready, gst::State::Null] {
        let headend = headend(Auth::Hang);
        let (rig, sent) = holding(&headend);
        let arrivals = rig.arrivals();
        let eos = gst::event::Eos::new();
        thread::scope(|scope| {
            let pusher = scope.spawn(|| rig.push_event(eos.clone()));
            arrivals.expect(Item::from(&eos));
            rig.set_state(state);
            assert!(!pusher.join().expect("the pusher ends"));
        });
        assert_eq!(rig.log.items(), sent[..2]);
        // The flight is not the element's: it goes on for others.
        assert!(headend.wait_for(PATIENCE, |record| {
            record
                .token_requests()
                .map(|request| request.status)
                .eq([None])
        }));
    }
}

#[test]
fn stop_unblocks_demuxer_waiting_at_held_limit() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend).property("max-held-bytes", 1_u64));
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
    let arrivals = rig.arrivals();
    let waits = buffer(1);
    thread::scope(|scope| {
        let pusher = scope.spawn(|| rig.push(waits.clone()));
        arrivals.expect(Item::from(&waits));
        rig.set_state(gst::State::Null);
        assert_eq!(
            pusher.join().expect("the pusher ends"),
            Err(gst::FlowError::Flushing)
        );
    });
    assert_eq!(rig.log.items().len(), 3);
}

#[test]
fn channel_change_keeps_no_data_of_previous_one() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    for round in 0..50 {
        // Every other channel is left before it has anything to hold, and every third by NULL.
        let holds = round % 2;
        let through = [gst::State::Null, gst::State::Ready, gst::State::Ready][round % 3];
        rig.restart(through);
        let mut inputs: Vec<Input> = vec![
            gst::event::StreamStart::new(&format!("channel {round}")).into(),
            caps_event().into(),
        ];
        inputs.extend((0..holds).flat_map(|_| protections().map(Input::from)));
        inputs.extend([segment().into(), buffer(round).into()]);
        let before = rig.log.items().len();
        rig.send(&inputs);
        let passes = [inputs.len(), 2][holds];
        assert_eq!(rig.log.items()[before..], items(&inputs[..passes]));
        assert_eq!(rig.stats::<u32>("holds") as usize, holds);
    }
    assert_eq!(rig.log.protections().len(), 0);

    rig.restart(gst::State::Null);
    let before = rig.log.items().len();
    let last: Vec<Input> = vec![
        gst::event::StreamStart::new("the last").into(),
        caps_event().into(),
        protection(COMMON_SYSTEM, Some("dash/mpd")).into(),
        segment().into(),
        buffer(1).into(),
        gst::event::Eos::new().into(),
    ];
    rig.send(&last[..5]);
    headend.release();
    rig.send(&last[5..]);
    assert_eq!(rig.log.items()[before..], items(&last));
    // All those tunes shared one flight.
    assert_eq!(headend.token_requests().len(), 1);
    assert_eq!(rig.told().errors.len(), 0);
}

#[test]
fn zapping_through_paused_alone_costs_nothing() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    for _ in 0..50 {
        for state in [
            gst::State::Paused,
            gst::State::Ready,
            gst::State::Paused,
            gst::State::Playing,
            gst::State::Null,
            gst::State::Ready,
        ] {
            rig.set_state(state);
        }
    }
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    headend.release();
    rig.restart(gst::State::Null);
    let last = protection(COMMON_SYSTEM, Some("dash/mpd"));
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&[last.clone().into()]);
    rig.log.wait_for(Item::from(&last));
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn second_channel_uses_cached_token_without_hold() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend));
    let first = protection(COMMON_SYSTEM, Some("dash/mpd"));
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&[first.clone().into()]);
    rig.log.wait_for(Item::from(&first));
    assert_eq!(rig.told().state().get::<bool>("cached"), Ok(false));

    // From here on the service is of no use to anybody.
    headend.set_auth(Auth::CloseAtOnce);
    rig.restart(gst::State::Ready);
    let before = rig.log.items().len();
    let [first, second, third] = protections();
    let inputs: Vec<Input> = vec![
        stream_start().into(),
        caps_event().into(),
        first.into(),
        second.into(),
        third.into(),
        segment().into(),
        buffer(1).into(),
    ];
    rig.send(&inputs);
    assert_eq!(rig.log.items()[before..], items(&inputs));
    assert_eq!(rig.stats::<u32>("holds"), 0);
    assert_eq!(rig.stats::<gst::ClockTime>("waited"), gst::ClockTime::ZERO);
    assert_eq!(headend.token_requests().len(), 1);
    assert_eq!(rig.told().state().get::<bool>("cached"), Ok(true));
}

#[test]
fn player_may_pause_and_resume_while_it_waits() {
    let headend = headend(Auth::Hang);
    let (rig, sent) = holding(&headend);
    for _ in 0..5 {
        rig.set_state(gst::State::Paused);
        rig.set_state(gst::State::Playing);
    }
    assert_eq!(rig.log.items(), sent[..2]);
    headend.release();
    rig.send(&[gst::event::Eos::new().into()]);
    assert_eq!(rig.log.items()[..5], sent);
    assert_eq!(headend.token_requests().len(), 1);
}

/// A wait has a thread, which the stream ends when it is over; meanwhile the player may seek or
/// stop, at any moment of that. It would freeze.
#[test]
fn repeated_holds_do_not_deadlock_on_seek_or_stop() {
    const ROUNDS: usize = 300;
    const BUFFERS: usize = 20;
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend));
    let begin = || rig.send(&[stream_start().into(), caps_event().into()]);
    begin();
    for round in 0..ROUNDS {
        headend.set_auth(Auth::Hang);
        rig.element.emit_by_name::<()>("clear-token", &[]);
        let held: [Input; 3] = [
            protection(COMMON_SYSTEM, Some("dash/mpd")).into(),
            segment().into(),
            buffer(1).into(),
        ];
        rig.send(&held);
        assert!(!rig.log.items().contains(&held[0].item()), "it waits");
        thread::scope(|scope| {
            let upstream = &rig.upstream;
            scope.spawn(move || {
                let pushes = (0..BUFFERS).map(|_| upstream.push(buffer(1)));
                // A seek and a stop end it.
                pushes.take_while(Result::is_ok).count()
            });
            headend.release();
            match round % 3 {
                0 => {}
                1 => rig.send(&[flush_start().into()]),
                _ => rig.set_state(gst::State::Ready),
            }
        });
        match round % 3 {
            0 => {}
            1 => rig.send(&[flush_stop().into()]),
            _ => {
                rig.restart(gst::State::Ready);
                begin();
            }
        }
        let last: [Input; 2] = [segment().into(), buffer(2).into()];
        rig.send(&last);
        rig.log.wait_for(last[1].item());
    }
}
