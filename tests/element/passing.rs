// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the element does to everything but protection events: nothing.

use gst::prelude::*;
use headend::Auth;
use support::rig::*;

#[test]
fn items_pass_unchanged_and_in_order() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend));
    let inputs: Vec<Input> = vec![
        stream_start().into(),
        custom("before-the-caps").into(),
        caps_event().into(),
        segment().into(),
        tag().into(),
        buffer(100).into(),
        list(&[10, 20, 30]).into(),
        gap().into(),
        buffer(0).into(),
        custom("after-the-caps").into(),
        segment().into(),
        list(&[1]).into(),
        gst::event::Eos::new().into(),
    ];
    rig.send(&inputs);
    assert_eq!(rig.log.items(), items(&inputs));
    let came = inputs.iter().map(|input| match input {
        Input::Event(event) => Some(event.as_ptr()),
        Input::Buffer(_) | Input::List(_) => None,
    });
    let left = rig.log.left();
    let left = left
        .iter()
        .map(|left| left.event.as_ref().map(|event| event.as_ptr()));
    assert_eq!(left.collect::<Vec<_>>(), came.collect::<Vec<_>>());
    assert_eq!(rig.harness.buffers_received(), 6);
    assert_eq!(rig.stats::<u32>("holds"), 0);
    assert_eq!(rig.stats::<u64>("held-bytes-peak"), 0);
}

#[test]
fn unheld_items_stay_on_the_streaming_thread() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend).property("session-token", "mine"));
    let [first, second, third] = protections();
    let inputs: Vec<Input> = vec![
        stream_start().into(),
        caps_event().into(),
        first.into(),
        second.into(),
        third.into(),
        segment().into(),
        buffer(1).into(),
        gst::event::Eos::new().into(),
    ];
    rig.send(&inputs);
    assert_eq!(rig.log.items(), items(&inputs));
    let left = rig.log.left();
    let threads = left.iter().map(|left| left.thread);
    assert_eq!(
        threads.collect::<Vec<_>>(),
        vec![std::thread::current().id(); inputs.len()],
        "a queue hop costs latency"
    );
}

#[test]
fn items_before_protection_event_are_not_held() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    let inputs: Vec<Input> = vec![
        stream_start().into(),
        caps_event().into(),
        segment().into(),
        buffer(1).into(),
        buffer(2).into(),
        gst::event::Eos::new().into(),
    ];
    rig.send(&inputs);
    assert_eq!(rig.log.items(), items(&inputs));
    assert_eq!(rig.stats::<u32>("holds"), 0);
}

#[test]
fn what_the_decryptor_takes_is_what_the_demuxer_hears() {
    let headend = headend(Auth::Grant);
    let mut rig = Rig::new(sessiontoken(&headend));
    let template = rig
        .element
        .static_pad("sink")
        .expect("a sink pad")
        .pad_template_caps();
    assert_eq!(
        template.to_string(),
        "application/x-cenc; application/x-cbcs; application/x-webm-enc"
    );
    assert!(rig.upstream.peer_query_caps(None).is_any());

    let taken = gst::Caps::builder("application/x-cbcs")
        .field("protection-system", COMMON_SYSTEM)
        .build();
    rig.harness.set_sink_caps(taken.clone());
    assert!(rig.upstream.peer_query_caps(None).is_strictly_equal(&taken));
    let filter = gst::Caps::new_empty_simple("application/x-cenc");
    assert!(rig.upstream.peer_query_caps(Some(&filter)).is_empty());
    assert!(rig.upstream.peer_query_accept_caps(&taken));
    assert!(!rig.upstream.peer_query_accept_caps(&filter));
}

/// One line plays clear and protected channels.
#[test]
fn clear_stream_passes_as_it_is() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend).property("prefetch", false));
    let clear = gst::Caps::new_empty_simple("video/x-h264");
    assert!(rig.upstream.peer_query_accept_caps(&clear));
    let (start, caps) = (stream_start(), gst::event::Caps::new(&clear));
    let (segment, data) = (segment(), buffer(1));
    rig.send(&[
        start.clone().into(),
        caps.clone().into(),
        segment.clone().into(),
    ]);
    rig.send(&[data.clone().into()]);
    let all = [
        Item::from(&start),
        Item::from(&caps),
        Item::from(&segment),
        Item::from(&data),
    ];
    assert_eq!(rig.log.items(), all);
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn clear_caps_that_downstream_does_not_take_are_refused() {
    let headend = headend(Auth::Grant);
    let mut rig = Rig::new(sessiontoken(&headend));
    let taken = gst::Caps::new_empty_simple("video/x-h265");
    rig.harness.set_sink_caps(taken.clone());
    assert!(rig.upstream.peer_query_accept_caps(&taken));
    let other = gst::Caps::new_empty_simple("video/x-h264");
    assert!(!rig.upstream.peer_query_accept_caps(&other));
    assert!(rig.upstream.peer_query_caps(None).is_strictly_equal(&taken));
}

#[test]
fn demuxer_may_write_into_the_decryptors_memory() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend));
    rig.downstream
        .add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
            if let Some(query) = info.query_mut()
                && let gst::QueryViewMut::Allocation(allocation) = query.view_mut()
            {
                allocation.add_allocation_meta::<gst::meta::ReferenceTimestampMeta>(None);
            }
            gst::PadProbeReturn::Ok
        });
    rig.send(&[stream_start().into(), caps_event().into()]);
    let caps = caps();
    let mut query = gst::query::Allocation::new(Some(&caps), true);
    assert!(rig.upstream.peer_query(&mut query));
    assert_eq!(
        query.find_allocation_meta::<gst::meta::ReferenceTimestampMeta>(),
        Some(0)
    );
    assert_eq!(query.allocation_params().count(), 1);
    assert!(rig.upstream.peer_query(&mut gst::query::Drain::new()));
}

#[test]
fn element_adds_no_latency() {
    let headend = headend(Auth::Grant);
    let mut rig = Rig::new(sessiontoken(&headend));
    rig.harness
        .set_upstream_latency(gst::ClockTime::from_mseconds(40));
    assert_eq!(
        rig.harness.query_latency(),
        Some(gst::ClockTime::from_mseconds(40))
    );
}

/// Linking two pads sends a RECONFIGURE upstream.
fn forget_what_linking_brought(rig: &mut Rig) {
    while rig.harness.try_pull_upstream_event().is_some() {}
}

#[test]
fn players_own_events_go_through_in_both_directions() {
    let headend = headend(Auth::Grant);
    let mut rig = Rig::new(sessiontoken(&headend));
    let start = stream_start();
    rig.send(&[start.clone().into()]);
    let structure = || gst::Structure::builder("players-own").field("n", 7).build();

    let downstream = [
        gst::event::CustomDownstream::new(structure()),
        gst::event::CustomDownstreamSticky::new(structure()),
        gst::event::CustomDownstreamOob::new(structure()),
        gst::event::CustomBoth::new(structure()),
        gst::event::CustomBothOob::new(structure()),
    ];
    rig.send(&downstream.clone().map(Input::from));
    let mut expected = vec![start.as_ptr()];
    expected.extend(downstream.iter().map(|event| event.as_ptr()));
    let left = rig.log.left();
    let left = left.iter().flat_map(|left| &left.event);
    assert_eq!(
        left.map(|event| event.as_ptr()).collect::<Vec<_>>(),
        expected
    );

    let upstream = [
        gst::event::CustomUpstream::new(structure()),
        gst::event::Qos::builder(gst::QOSType::Underflow, 1.5, 3).build(),
        gst::event::Reconfigure::new(),
        gst::event::Seek::new(
            1.0,
            gst::SeekFlags::FLUSH,
            gst::SeekType::Set,
            gst::ClockTime::SECOND,
            gst::SeekType::None,
            gst::ClockTime::NONE,
        ),
    ];
    forget_what_linking_brought(&mut rig);
    let before = rig.harness.upstream_events_received();
    for event in upstream {
        assert!(rig.harness.push_upstream_event(event.clone()));
        let arrived = rig.harness.pull_upstream_event().expect("it arrives");
        assert_eq!(arrived.as_ptr(), event.as_ptr());
    }
    assert_eq!(rig.harness.upstream_events_received(), before + 4);
}

#[test]
fn out_of_band_event_does_not_wait_for_the_token() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    let start = stream_start();
    let oob = gst::event::CustomDownstreamOob::new(gst::Structure::new_empty("urgent"));
    rig.send(&[start.clone().into()]);
    rig.send(&protections().map(Input::from));
    rig.send(&[oob.clone().into()]);
    assert_eq!(rig.log.items(), [Item::from(&start), Item::from(&oob)]);
    headend.release();
}

#[test]
fn queries_and_upstream_events_bypass_token_hold() {
    let headend = headend(Auth::Hang);
    let mut rig = Rig::new(sessiontoken(&headend));
    rig.harness
        .set_upstream_latency(gst::ClockTime::from_mseconds(40));
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&protections().map(Input::from));
    assert_eq!(
        rig.harness.query_latency(),
        Some(gst::ClockTime::from_mseconds(40))
    );
    assert!(rig.upstream.peer_query_accept_caps(&caps()));
    forget_what_linking_brought(&mut rig);
    let event = gst::event::CustomUpstream::new(gst::Structure::new_empty("players-own"));
    assert!(rig.harness.push_upstream_event(event.clone()));
    let arrived = rig.harness.pull_upstream_event().expect("it arrives");
    assert_eq!(arrived.as_ptr(), event.as_ptr());
    assert_eq!(rig.stats::<u32>("holds"), 1);
    headend.release();
}

#[test]
fn what_downstream_answers_reaches_the_demuxer() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend));
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    for flow in [
        gst::FlowError::Eos,
        gst::FlowError::NotLinked,
        gst::FlowError::Error,
        gst::FlowError::CustomError,
    ] {
        let probe = rig
            .downstream
            .add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                info.flow_res = Err(flow);
                gst::PadProbeReturn::Handled
            })
            .expect("a probe");
        assert_eq!(rig.push(buffer(1)), Err(flow));
        rig.downstream.remove_probe(probe);
        assert_eq!(rig.push(buffer(1)), Ok(gst::FlowSuccess::Ok));
    }
}

/// GStreamer leaves an id out that is no UTF-8, which upstream elements make out of what is in a
/// file.
#[test]
fn stream_without_an_id_passes() {
    if gst::version() >= (1, 24, 0, 0) {
        // Its pads look for the id themselves, and warn, which ends a test.
        return;
    }
    let headend = headend(Auth::Grant);
    for service in ["rdk", "dashif"] {
        let rig = Rig::new(sessiontoken(&headend).property_from_str("auth-service", service));
        let mut event = stream_start();
        let structure = event.make_mut().structure_mut();
        structure.remove_field("stream-id");
        assert!(rig.push_event(event.clone()), "{service}");
        let left = rig.downstream.sticky_event::<gst::event::StreamStart>(0);
        assert_eq!(left.expect("it left").seqnum(), event.seqnum());
        assert_eq!(rig.told().errors.len(), 0, "{service}");
    }
}
