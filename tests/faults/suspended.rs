// SPDX-License-Identifier: MIT OR Apache-2.0

//! The box is suspended for an hour, or its process is stopped for a while. The clock that nobody
//! sets stands still in a suspend, the others go on, and the connections of before are dead.

use std::time::Duration;

use gst::prelude::*;
use headend::{Auth, Headend, Licenses, VIDEO_KEY_ID};
use nix::sys::signal::Signal;
use support::rig::*;
use support::samples::*;
use support::stream::*;

use crate::machine::{HOUR, Machine};
use crate::subprocess::{Order, beside_a_headend, in_subprocess};
use crate::tokens::*;
use crate::waits::{Place, WAITS};

/// The license server would refuse the first channel of the evening.
#[test]
fn token_expired_in_suspend_is_replaced_before_use() {
    in_subprocess(|| {
        let machine = Machine::new();
        let auths = [|| good_for(HOUR / 2), || good_until(now() + HOUR / 2)];
        for auth in auths {
            let headend = headend(auth());
            let rig = tuned(&headend);
            headend.set_auth(Auth::Hang);
            machine.suspend(HOUR);
            let left = rig.log.items().len();
            let event = Input::from(protection(COMMON_SYSTEM, Some("isobmff/moof")));
            rig.send(std::slice::from_ref(&event));
            wait_for_requests(&headend, 2);
            assert_eq!(rig.log.items().len(), left);
            assert_eq!(
                store(&rig).property::<Option<String>>("session-token"),
                None
            );
            headend.set_auth(Auth::Grant);
            headend.release();
            rig.log.wait_for(event.item());
            assert_eq!(generation(&rig), 2);
            assert_eq!(headend.token_requests().len(), 2);
        }
    });
}

/// Every box of a city would ask for a token each time that its viewer comes home.
#[test]
fn token_valid_after_suspend_needs_no_request() {
    in_subprocess(|| {
        let machine = Machine::new();
        let auths = [|| good_for(2 * HOUR), || good_until(now() + 2 * HOUR)];
        for auth in auths {
            let headend = headend(auth());
            let rig = tuned(&headend);
            machine.suspend(HOUR);
            assert_eq!(generation(&rig), 1);
            assert_eq!(headend.token_requests().len(), 1);
        }
    });
}

/// The viewer would see an error for a request that the suspend took away.
#[test]
fn request_cut_off_by_suspend_is_retried() {
    in_subprocess(|| {
        let machine = Machine::new();
        let first = headend(Auth::Hang);
        let port = port(&first);
        let rig = playing(sessiontoken(&first).property("retries", 10_u32));
        let event = Input::from(protection(COMMON_SYSTEM, Some("dash/mpd")));
        rig.send(std::slice::from_ref(&event));
        wait_for_requests(&first, 1);
        machine.suspend(HOUR);
        drop(first);
        let second = Headend::start_on(port).expect("the port is free again");
        rig.log.wait_for(event.item());
        assert_eq!(generation(&rig), 1);
        assert_eq!(second.token_requests().len(), 1);
    });
}

/// The clock by which requests are given up stood still. The viewer who switches the box on again
/// would wait for what died long ago.
#[test]
fn request_pending_in_suspend_ends_with_error() {
    in_subprocess(|| {
        let machine = Machine::new();
        for wait in WAITS {
            let place = Place::new(wait, Some(&machine));
            let rig = Rig::new(place.element());
            place.wait_for_flight();
            machine.suspend(HOUR);
            // With its connections.
            drop(place);
            let complaint = failure_on(&rig);
            let reason = complaint.detail::<String>("reason");
            assert!(
                ["timed-out", "transient"].contains(&&*reason),
                "{wait:?}: {}",
                complaint.text
            );
            machine.lookups_hang(false);
        }
    });
}

/// The license server has forgotten the box meanwhile, and the stream would wait for a token from a
/// connection that is dead.
#[test]
fn refused_token_is_replaced_after_a_suspend() {
    in_subprocess(|| {
        let machine = Machine::new();
        let first = headend(Auth::Grant);
        let rig = playing(sessiontoken(&first).property("retries", 10_u32));
        begin(&rig);
        let port = port(&first);
        first.set_auth(Auth::Hang);
        reject(&rig, 1);
        wait_for_requests(&first, 2);
        machine.suspend(HOUR);
        drop(first);
        let second = Headend::start_on(port).expect("the port is free again");
        wait_for_token(&rig, &second);
        assert_eq!(generation(&rig), 2);
        assert_eq!(second.token_requests().len(), 1);
    });
}

/// Most suspends fall between two films: the element waits in READY, and its first tune is the
/// first one of the evening.
#[test]
fn first_tune_after_suspend_in_ready_plays() {
    in_subprocess(|| {
        let machine = Machine::new();
        let headend = headend(good_for(HOUR / 2));
        let (element, bus) = with_bus(sessiontoken(&headend));
        element.set_state(gst::State::Ready).expect("it is set up");
        machine.suspend(HOUR);
        machine.set_clock(-2 * HOUR);
        let rig = Rig::around(element, bus);
        rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
        begin(&rig);
        assert_eq!(generation(&rig), 1);
        assert_eq!(headend.token_requests().len(), 1);
    });
}

/// A service that wanted to be left alone for some minutes has been, for an hour; the viewer would
/// see its old error for those minutes more.
#[test]
fn pause_after_a_failure_is_over_after_a_suspend() {
    in_subprocess(|| {
        let machine = Machine::new();
        let busy = Auth::ReplyWithHeaders {
            status: 503,
            headers: vec![("Retry-After".to_owned(), "300".to_owned())],
            body: String::new(),
        };
        let headend = headend(Auth::Sequence(vec![busy, Auth::Grant]));
        let make = || sessiontoken(&headend).property("retries", 0_u32);
        for _ in 0..3 {
            failure_of(make()).says(&["HTTP 503"]);
        }
        assert_eq!(headend.token_requests().len(), 1);
        machine.suspend(HOUR);
        let rig = playing(make());
        begin(&rig);
        assert_eq!(headend.token_requests().len(), 2);
    });
}

/// What Thunder said in the suspend nobody heard, and the license server would refuse the token.
#[test]
fn what_changed_in_a_suspend_is_not_missed() {
    in_subprocess(|| {
        let machine = Machine::new();
        let headend = headend(good_for(2 * HOUR));
        let rig = tuned_and_listening(&headend);
        machine.suspend(HOUR);
        headend.revoke();
        headend.drop_listeners();
        wait_for_listeners(&headend, 2);
        wait_for_generation(&rig, 2);
        let token = store(&rig).property::<String>("session-token");
        assert_eq!(token, headend.token());
    });
}

/// The picture would go on with keys that the operator lent for half an hour.
#[test]
fn license_expired_in_suspend_is_renewed_before_use() {
    in_subprocess(|| {
        let machine = Machine::new();
        for (lifetime, requests) in [(HOUR / 2, 2), (2 * HOUR, 1)] {
            let lifetime = Duration::from_secs(lifetime as u64);
            let headend = serving(Licenses::ServeFor(lifetime));
            let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
            plays_when_the_key_is_here(&mut rig);
            machine.suspend(HOUR);
            plays_when_the_key_is_here(&mut rig);
            plays(&mut rig);
            assert_eq!(headend.license_requests().len(), requests);
        }
    });
}

/// How long the process is stopped: longer than the tokens and the timeouts here.
const STOPPED: Duration = Duration::from_secs(5);

/// Stops the child for that time.
fn stop_for_a_while(outside: &crate::subprocess::Outside) {
    outside.signal(Signal::SIGSTOP);
    // What the head-end has to say meanwhile waits in the connection.
    outside.headend.set_auth(Auth::Grant);
    outside.headend.release();
    let _ = outside.headend.wait_for(STOPPED, |_| false);
    outside.signal(Signal::SIGCONT);
}

const STOPPING: [Order; 4] = [
    ("short tokens", |outside| {
        outside.headend.set_auth(Auth::GrantFor(4));
    }),
    ("hang", |outside| outside.headend.set_auth(Auth::Hang)),
    ("wait for request", |outside| {
        wait_for_requests(&outside.headend, 1);
    }),
    ("stop", stop_for_a_while),
];

/// A debugger, or a system that stops players in the background: the token that ended meanwhile
/// would be handed out as if it were fresh.
#[test]
fn token_expired_while_process_stopped_is_not_used() {
    beside_a_headend(&STOPPING, |inside| {
        inside.order("short tokens");
        let rig = playing(at(&inside.auth_url));
        begin(&rig);
        inside.order("stop");
        begin(&rig);
        assert!(generation(&rig) > 1);
        assert!(rig.told().errors.is_empty());
    });
}

/// The answer came while the process was stopped, and so did the deadline: the stream would wait
/// for ever for the one, or never hear of the other.
#[test]
fn request_past_deadline_ends_after_process_stop() {
    beside_a_headend(&STOPPING, |inside| {
        inside.order("hang");
        let make = || at(&inside.auth_url).property("timeout", 3000_u32);
        let rig = playing(make().property("max-held-bytes", 1_u64));
        rig.push_event(protection(COMMON_SYSTEM, Some("dash/mpd")));
        inside.order("wait for request");
        inside.order("stop");
        if rig.push(buffer(1)).is_err() {
            rig.told().error().says(&["3000 ms"]);
        }
        tunes_in_the_end(make, "3000 ms");
    });
}
