// SPDX-License-Identifier: MIT OR Apache-2.0

//! While the token is under way the element holds the stream instead of blocking who brings it.

use std::sync::Mutex;
use std::thread;

use gst::prelude::*;
use headend::Auth;
use support::rig::*;

/// Each item's share of the bound besides its bytes (see `hold/item.rs`).
const OVERHEAD: usize = 512;

/// What a tune brings: three protection events, and with them what belongs to a stream.
fn tune(buffers: usize) -> Vec<Input> {
    let [first, second, third] = protections();
    let mut inputs: Vec<Input> = vec![
        first.into(),
        second.into(),
        third.into(),
        segment().into(),
        tag().into(),
    ];
    inputs.extend((0..buffers).map(|size| Input::from(buffer(size))));
    inputs.push(list(&[1, 2, 3]).into());
    inputs.push(gap().into());
    inputs
}

#[test]
fn protection_event_does_not_block_streaming_thread() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    let before: Vec<Input> = vec![
        stream_start().into(),
        caps_event().into(),
        segment().into(),
        buffer(1).into(),
    ];
    rig.send(&before);
    let held = tune(50);
    // That all of it is taken before the release, by the thread that releases, is the point.
    rig.send(&held);
    assert_eq!(rig.log.items(), items(&before));

    headend.release();
    let mut all = before.clone();
    all.extend(held);
    rig.log.wait_for_count(all.len());
    assert_eq!(rig.log.items(), items(&all));
    for event in rig.log.protections() {
        let token = key_request(&event).get::<String>("session-token");
        assert_eq!(token, Ok(headend.token()));
    }
    assert_eq!(rig.log.protections().len(), 3);
    assert_eq!(rig.harness.buffers_received(), 54);
    assert_eq!(headend.token_requests().len(), 1);
    assert_eq!(rig.stats::<u32>("holds"), 1);
    assert_eq!(rig.stats::<u64>("events"), 3);
    assert_eq!(rig.ordinal_of(rig.stats("generation")), 1);
    assert!(rig.stats::<gst::ClockTime>("waited") > gst::ClockTime::ZERO);
    let told = rig.told();
    assert_eq!((told.errors.len(), told.warnings.len()), (0, 0), "{told:?}");
}

#[test]
fn without_prefetch_the_first_protection_event_asks() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend).property("prefetch", false));
    let before: Vec<Input> = vec![stream_start().into(), caps_event().into(), buffer(1).into()];
    rig.send(&[before[0].clone(), before[1].clone(), segment().into()]);
    rig.send(&before[2..]);
    assert_eq!(headend.token_requests(), []);
    let held = tune(3);
    rig.send(&held);
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    headend.release();
    rig.log.wait_for(held[held.len() - 1].item());
    assert_eq!(rig.log.items()[4..], items(&held));
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn serialized_query_fails_while_data_is_held() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let caps = caps();
    let allocation = || {
        rig.upstream
            .peer_query(&mut gst::query::Allocation::new(Some(&caps), true))
    };
    let drain = || rig.upstream.peer_query(&mut gst::query::Drain::new());
    assert_eq!((allocation(), drain()), (true, true));
    let held = tune(1);
    rig.send(&held);
    assert_eq!((allocation(), drain()), (false, false));
    headend.release();
    // EOS is pushed only when nothing is held any more.
    rig.send(&[gst::event::Eos::new().into()]);
    assert_eq!((allocation(), drain()), (true, true));
}

#[test]
fn end_of_hold_mid_stream_keeps_item_order() {
    for round in 0..200 {
        let headend = headend(Auth::Hang);
        let rig = Rig::new(sessiontoken(&headend));
        rig.send(&[stream_start().into(), caps_event().into()]);
        let held = tune(round % 23);
        let later: Vec<Input> = (0..1 + round % 37)
            .flat_map(|number| -> [Input; 3] {
                [
                    buffer(number).into(),
                    custom("between").into(),
                    list(&[number, 1]).into(),
                ]
            })
            .collect();
        rig.send(&held);
        thread::scope(|scope| {
            scope.spawn(|| headend.release());
            rig.send(&later);
        });
        let last = vec![Input::from(gst::event::Eos::new())];
        rig.send(&last);

        let left = rig.log.left().split_off(2);
        let all = [held, later, last].concat();
        let left_items = left.iter().map(|left| left.item).collect::<Vec<_>>();
        assert_eq!(left_items, items(&all), "round {round}");
        // First the element's own thread, then this one, and never back.
        let this = thread::current().id();
        let handed_back = left.iter().position(|left| left.thread == this);
        let handed_back = handed_back.expect("EOS at least leaves on this thread");
        assert!(
            left[handed_back..].iter().all(|left| left.thread == this),
            "round {round}: holding began again"
        );
        assert_eq!(rig.stats::<u32>("holds"), 1, "round {round}");
        assert_eq!(headend.token_requests().len(), 1, "round {round}");
    }
}

#[test]
fn after_the_drain_the_stream_is_direct_again() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let held = tune(20);
    rig.send(&held);
    headend.release();
    // From the first held item on that leaves, this thread waits for its turn.
    rig.log.wait_for(held[0].item());
    let [first, second, third] = protections();
    let later: Vec<Input> = vec![
        buffer(1).into(),
        first.into(),
        second.into(),
        third.into(),
        list(&[1, 2]).into(),
        tag().into(),
    ];
    rig.send(&later);
    let left = rig.log.left().split_off(2);
    let all = [held.clone(), later].concat();
    let left_items = left.iter().map(|left| left.item).collect::<Vec<_>>();
    assert_eq!(left_items, items(&all));
    let this = thread::current().id();
    let on_this = left.iter().map(|left| left.thread == this);
    let expected = (0..all.len()).map(|index| index >= held.len());
    assert_eq!(
        on_this.collect::<Vec<_>>(),
        expected.collect::<Vec<_>>(),
        "the held items leave on the element's thread, the later ones on the demuxer's"
    );
    assert_eq!(rig.stats::<u32>("holds"), 1);
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn eos_returns_only_after_held_data_leaves() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let held = tune(10);
    rig.send(&held);
    let arrivals = rig.arrivals();
    let eos = gst::event::Eos::new();
    let order = Mutex::new(Vec::new());
    let note = |what: &'static str| order.lock().expect("no panic").push(what);
    let (returned, thread) = thread::scope(|scope| {
        let pusher = scope.spawn(|| {
            let returned = rig.push_event(eos.clone());
            note("EOS returned");
            (returned, thread::current().id())
        });
        arrivals.expect(Item::from(&eos));
        note("released");
        headend.release();
        pusher.join().expect("the pusher ends")
    });
    assert!(returned);
    assert_eq!(
        *order.lock().expect("no panic"),
        ["released", "EOS returned"]
    );
    let left = rig.log.left().split_off(2);
    let mut expected = items(&held);
    expected.push(Item::from(&eos));
    let left_items = left.iter().map(|left| left.item).collect::<Vec<_>>();
    assert_eq!(left_items, expected);
    // Had it been queued, it would have left on the element's thread, after the push had returned.
    assert_eq!(left.last().map(|left| left.thread), Some(thread));
}

#[test]
fn token_set_during_hold_is_used_at_once() {
    let timeout = gst::ClockTime::from_seconds(10);
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend).property("timeout", timeout.mseconds() as u32));
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&protections().map(Input::from));
    rig.element.set_property("session-token", "mine");
    rig.send(&[gst::event::Eos::new().into()]);
    let left = rig.log.protections();
    let tokens = left
        .iter()
        .map(|event| key_request(event).get::<String>("session-token"));
    assert_eq!(tokens.collect::<Vec<_>>(), vec![Ok("mine".to_owned()); 3]);
    // Not when the service was given up.
    assert!(rig.stats::<gst::ClockTime>("waited") < timeout);
}

#[test]
fn eos_before_token_still_plays_held_data() {
    let headend = headend(Auth::Hang);
    let mut rig = Rig::new(sessiontoken(&headend));
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&protections().map(Input::from));
    rig.send(&[segment().into()]);
    let buffers = [3, 1, 2].map(buffer);
    rig.send(&buffers.clone().map(Input::from));
    thread::scope(|scope| {
        scope.spawn(|| headend.release());
        assert!(rig.push_event(gst::event::Eos::new()));
    });
    for buffer in buffers {
        let pulled = rig.harness.pull().expect("it is there already");
        assert_eq!(pulled.as_ptr(), buffer.as_ptr());
    }
}

#[test]
fn held_data_is_bounded_and_blocks_demuxer_at_limit() {
    init();
    const SIZE: usize = 1000;
    const FIT: usize = 10;
    let headend = headend(Auth::Hang);
    let event = protection(COMMON_SYSTEM, Some("dash/mpd"));
    // The protection event, ten buffers and not quite an eleventh.
    let bound = cost(&event) + (FIT + 1) * (OVERHEAD + SIZE) - 1;
    let rig = Rig::new(sessiontoken(&headend).property("max-held-bytes", bound as u64));
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    let arrivals = rig.arrivals();
    let mut all: Vec<Input> = vec![event.clone().into()];
    all.extend((0..3 * FIT).map(|_| Input::from(buffer(SIZE))));
    thread::scope(|scope| {
        scope.spawn(|| rig.send(&all));
        // The eleventh buffer is at the pad: it is the one that does not fit.
        for input in &all[..=FIT + 1] {
            arrivals.expect(input.item());
        }
        assert_eq!(rig.log.items().len(), 3);
        headend.release();
    });
    rig.log.wait_for_count(3 + all.len());
    assert_eq!(rig.log.items()[3..], items(&all));
    assert_eq!(
        rig.stats::<u64>("held-bytes-peak"),
        (cost(&event) + FIT * (OVERHEAD + SIZE)) as u64
    );
    assert_eq!(rig.stats::<u32>("holds"), 1);
}

#[test]
fn what_is_larger_than_the_bound_passes_all_the_same() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend).property("max-held-bytes", 1_u64));
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    let arrivals = rig.arrivals();
    let event = protection(COMMON_SYSTEM, Some("dash/mpd"));
    let held = Input::from(event.clone());
    let all = [held, buffer(100_000).into(), list(&[50_000, 50_000]).into()];
    thread::scope(|scope| {
        scope.spawn(|| rig.send(&all));
        for input in &all[..2] {
            arrivals.expect(input.item());
        }
        headend.release();
    });
    rig.log.wait_for_count(3 + all.len());
    assert_eq!(rig.log.items()[3..], items(&all));
    assert_eq!(rig.stats::<u64>("held-bytes-peak"), cost(&event) as u64);
}

/// Its init data counts, and its texts.
fn cost(event: &gst::Event) -> usize {
    let gst::EventView::Protection(protection) = event.view() else {
        panic!("{event:?} is no protection event");
    };
    let (system, data, origin) = protection.get();
    OVERHEAD + system.len() + data.size() + origin.map_or(0, str::len)
}

/// 500 MiB of init data were held by a stream of nothing but events.
#[test]
fn init_data_of_events_is_bounded() {
    const SIZE: usize = 100_000;
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend).property("max-held-bytes", (5 * SIZE) as u64));
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    let arrivals = rig.arrivals();
    let init_data = gst::Buffer::from_slice(vec![0; SIZE]);
    let all: Vec<Input> = (0..20)
        .map(|_| {
            let event = gst::event::Protection::builder(COMMON_SYSTEM, &init_data);
            event.origin("dash/mpd").build().into()
        })
        .collect();
    thread::scope(|scope| {
        scope.spawn(|| rig.send(&all));
        for input in &all[..5] {
            arrivals.expect(input.item());
        }
        headend.release();
    });
    rig.log.wait_for_count(3 + all.len());
    assert!(rig.stats::<u64>("held-bytes-peak") <= (5 * SIZE) as u64);
}

#[test]
fn next_buffer_returns_flow_error_of_held_data() {
    init();
    for between in [vec![], vec![Input::from(gap())], vec![Input::from(tag())]] {
        let headend = headend(Auth::Hang);
        let rig = Rig::new(sessiontoken(&headend));
        rig.send(&[stream_start().into(), caps_event().into()]);
        let [first, ..] = protections();
        rig.send(&[first.into(), segment().into()]);
        // Downstream refuses one buffer, the held one.
        let refusals = Mutex::new(1);
        rig.downstream
            .add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                let mut refusals = refusals.lock().expect("no panic");
                if *refusals == 0 {
                    return gst::PadProbeReturn::Ok;
                }
                *refusals -= 1;
                info.flow_res = Err(gst::FlowError::NotLinked);
                gst::PadProbeReturn::Handled
            });
        let held = Input::from(buffer(1));
        rig.send(std::slice::from_ref(&held));
        headend.release();
        rig.log.wait_for(held.item());
        // Whether the demuxer has something else to say first must not make a difference.
        for input in &between {
            input.push(&rig.upstream);
        }
        assert_eq!(
            rig.push(buffer(2)),
            Err(gst::FlowError::NotLinked),
            "with {between:?} before it"
        );
        assert_eq!(rig.push(buffer(3)), Ok(gst::FlowSuccess::Ok));
    }
}

#[test]
fn eos_after_refused_held_data_posts_error() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let [first, ..] = protections();
    rig.send(&[first.into(), segment().into()]);
    rig.downstream
        .add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            info.flow_res = Err(gst::FlowError::NotNegotiated);
            gst::PadProbeReturn::Handled
        });
    rig.send(&[buffer(1).into()]);
    let eos = gst::event::Eos::new();
    thread::scope(|scope| {
        scope.spawn(|| headend.release());
        rig.send(&[eos.clone().into()]);
    });
    assert_eq!(rig.log.items().last(), Some(&Item::from(&eos)));
    rig.told()
        .error()
        .is(gst::StreamError::Failed)
        .says(&["NotNegotiated"]);
}
