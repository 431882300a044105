// SPDX-License-Identifier: MIT OR Apache-2.0

//! A token ends in the middle of a film, and nobody sees it.

use std::time::Instant;

use headend::Auth;
use support::rig::*;
use support::stream::*;

#[test]
fn expiring_token_is_refreshed_without_hold() {
    for (auth, lifetime) in [(Auth::GrantFor(3), 0_u32), (Auth::Grant, 3)] {
        let headend = headend(auth);
        let rig = playing(sessiontoken(&headend).property("token-lifetime", lifetime));
        begin(&rig);
        let holds = rig.stats::<u32>("holds");
        assert_eq!(generation(&rig), 1);
        // Nothing but its own clock makes the element ask again.
        wait_for_requests(&headend, 2);
        let begun = Instant::now();
        while generation(&rig) == 1 {
            assert!(begun.elapsed() < PATIENCE, "the new token never came");
        }
        assert_eq!(rig.stats::<u32>("holds"), holds);
        let states = rig.told().states;
        let states = states.iter().map(|state| state.get::<String>("state"));
        let expected = ["acquired", "refreshed"].map(|state| Ok(state.to_owned()));
        assert_eq!(states.take(2).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn failed_refresh_is_fatal_only_at_token_expiry() {
    let fault = Auth::Reply {
        status: 503,
        content_type: "text/plain".to_owned(),
        body: String::new(),
    };
    let headend = headend(Auth::Sequence(vec![Auth::GrantFor(3), fault]));
    let rig = playing(
        sessiontoken(&headend)
            .property("retries", 0_u32)
            .property("max-held-bytes", 1_u64),
    );
    begin(&rig);
    wait_for_requests(&headend, 2);
    assert_eq!(generation(&rig), 1);
    let begun = Instant::now();
    while rig.push_event(protection(COMMON_SYSTEM, Some("isobmff/moof"))) {
        assert!(begun.elapsed() < PATIENCE, "the token never ended");
        // With so little room the buffer waits for the event's verdict.
        if rig.push(buffer(1)).is_err() {
            break;
        }
    }
    let complaint = Complaint::of(&rig.message(gst::MessageType::Error));
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&["HTTP 503"]);
}
