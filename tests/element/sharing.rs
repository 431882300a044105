// SPDX-License-Identifier: MIT OR Apache-2.0

//! One token for everything that a player does at once, and none for anybody else.

use std::sync::{Barrier, mpsc};
use std::thread;

use headend::Auth;
use support::rig::*;

#[test]
fn wall_of_sixty_four_streams_asks_the_service_once() {
    const STREAMS: usize = 64;
    let headend = headend(Auth::Hang);
    let together = Barrier::new(STREAMS);
    let (holds, held) = mpsc::channel();
    let requests = thread::scope(|scope| {
        let streams = (0..STREAMS)
            .map(|number| {
                let (headend, together, holds) = (&headend, &together, holds.clone());
                scope.spawn(move || {
                    // Every other one asks when its first event comes.
                    let builder = sessiontoken(headend).property("prefetch", number % 2 == 0);
                    together.wait();
                    let rig = Rig::new(builder);
                    let inputs: Vec<Input> = vec![
                        stream_start().into(),
                        caps_event().into(),
                        protection(COMMON_SYSTEM, Some("dash/mpd")).into(),
                        segment().into(),
                        buffer(number).into(),
                        gst::event::Eos::new().into(),
                    ];
                    rig.send(&inputs[..5]);
                    assert_eq!(rig.log.items(), items(&inputs[..2]));
                    holds.send(()).expect("somebody counts");
                    rig.send(&inputs[5..]);
                    assert_eq!(rig.log.items(), items(&inputs));
                    key_request(&rig.log.protections()[0])
                })
            })
            .collect::<Vec<_>>();
        for _ in 0..STREAMS {
            held.recv_timeout(PATIENCE).expect("all of them hold");
        }
        headend.release();
        streams
            .into_iter()
            .map(|stream| stream.join().expect("the stream plays"))
            .collect::<Vec<_>>()
    });
    assert_eq!(requests.len(), STREAMS);
    for request in &requests {
        assert_eq!(request.get("session-token"), Ok(headend.token()));
        assert_eq!(
            request.get::<u32>("generation"),
            requests[0].get::<u32>("generation")
        );
        assert_eq!(
            request.get::<String>("correlation-id"),
            requests[0].get::<String>("correlation-id")
        );
    }
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn request_failure_reaches_all_waiting_streams() {
    const STREAMS: usize = 16;
    let headend = headend(Auth::Hang);
    let rigs = (0..STREAMS)
        .map(|_| {
            let rig = Rig::new(sessiontoken(&headend).property("timeout", 500_u32));
            rig.send(&[stream_start().into(), caps_event().into()]);
            rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
            rig
        })
        .collect::<Vec<_>>();
    for rig in &rigs {
        assert!(!rig.push_event(gst::event::Eos::new()));
        rig.told().error().is(gst::ResourceError::OpenRead);
    }
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn request_survives_stop_of_one_waiting_stream() {
    let headend = headend(Auth::Hang);
    let rigs = [0, 1].map(|_| {
        let rig = Rig::new(sessiontoken(&headend));
        rig.send(&[stream_start().into(), caps_event().into()]);
        rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
        rig
    });
    // The one that asked first goes away in the middle of the flight.
    let [first, second] = rigs;
    drop(first);
    headend.release();
    assert!(second.push_event(gst::event::Eos::new()));
    assert_eq!(second.log.protections().len(), 1);
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn sessions_of_two_operators_share_no_token() {
    let headends = [headend(Auth::Hang), headend(Auth::Grant)];
    let rigs = headends.each_ref().map(|headend| {
        let rig = Rig::new(sessiontoken(headend));
        rig.send(&[stream_start().into(), caps_event().into()]);
        rig
    });
    for rig in &rigs {
        rig.send(&protections().map(Input::from));
    }
    // The second one plays while the first one waits.
    assert!(rigs[1].push_event(gst::event::Eos::new()));
    assert_eq!(rigs[0].log.protections().len(), 0);
    headends[0].release();
    assert!(rigs[0].push_event(gst::event::Eos::new()));
    assert_ne!(headends[0].token(), headends[1].token());
    for (rig, headend) in rigs.iter().zip(&headends) {
        let protections = rig.log.protections();
        let tokens = protections
            .iter()
            .map(|event| key_request(event).get::<String>("session-token"));
        assert_eq!(tokens.collect::<Vec<_>>(), vec![Ok(headend.token()); 3]);
        assert_eq!(headend.token_requests().len(), 1);
    }
}

#[test]
fn another_query_is_another_session() {
    let headend = headend(Auth::Grant);
    for tenant in ["a", "b", "a"] {
        let location = format!("{}?tenant={tenant}", headend.auth_url());
        let rig = Rig::new(make("sessiontoken").property("location", location));
        rig.send(&[stream_start().into(), caps_event().into()]);
        rig.send(&protections().map(Input::from));
        assert!(rig.push_event(gst::event::Eos::new()));
        assert_eq!(rig.log.protections().len(), 3);
    }
    let requests = headend.token_requests();
    let tenants = requests
        .iter()
        .map(|request| request.path.rsplit('=').next().unwrap_or_default());
    assert_eq!(tenants.collect::<Vec<_>>(), ["a", "b"]);
}
