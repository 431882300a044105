// SPDX-License-Identifier: MIT OR Apache-2.0

//! A server dies and comes back on its port, with other tokens than before.

use std::time::Instant;

use gst::prelude::*;
use headend::{Auth, Headend, Licenses, VIDEO_KEY_ID};
use support::rig::*;
use support::samples::*;
use support::stream::*;

use crate::tokens::*;

/// The same place, after a restart. The server of before is gone with its connections.
fn restarted(headend: Headend) -> Headend {
    let port = port(&headend);
    drop(headend);
    Headend::start_on(port).expect("the port is free again")
}

/// More than a restart takes, on a machine that has other things to do as well.
const RETRIES: u32 = 10;

fn patient(headend: &Headend) -> gst::element_factory::ElementBuilder<'static> {
    sessiontoken(headend).property("retries", RETRIES)
}

/// The stream would get an error instead of its next token, on a connection that is dead.
#[test]
fn renewal_succeeds_after_auth_service_restart() {
    let first = headend(Auth::GrantFor(6));
    let rig = playing(patient(&first));
    begin(&rig);
    let second = restarted(first);
    assert_eq!(generation(&rig), 1);
    wait_for_requests(&second, 1);
    wait_for_generation(&rig, 2);
    let token = store(&rig).property::<String>("session-token");
    assert_eq!(token, second.token());
    assert!(rig.told().errors.is_empty());
}

/// The viewer would see an error for the one second in which the service restarts.
#[test]
fn request_pending_at_service_restart_is_retried() {
    let first = headend(Auth::Hang);
    let rig = playing(patient(&first));
    let event = Input::from(protection(COMMON_SYSTEM, Some("dash/mpd")));
    rig.send(std::slice::from_ref(&event));
    wait_for_requests(&first, 1);
    let second = restarted(first);
    rig.log.wait_for(event.item());
    assert_eq!(second.token_requests().len(), 1);
    let request = key_request(&rig.log.protections()[0]);
    assert_eq!(request.get("session-token"), Ok(second.token()));
    assert!(rig.told().errors.is_empty());
}

/// Players start faster than services: the first tune would fail for what was so when the player
/// came up.
#[test]
fn first_tune_uses_service_started_after_player() {
    let first = headend(Auth::Grant);
    let (port, builder) = (port(&first), sessiontoken(&first));
    drop(first);
    let (element, bus) = with_bus(builder.property("retries", 0_u32));
    element.set_state(gst::State::Ready).expect("it is set up");
    let second = Headend::start_on(port).expect("the port is free again");
    let rig = Rig::around(element, bus);
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    begin(&rig);
    assert_eq!(generation(&rig), 1);
    assert_eq!(second.token_requests().len(), 1);
}

/// The stream would end with an error, or go on with a token that the license server does not take.
#[test]
fn rejected_token_renewal_survives_service_restart() {
    let first = headend(Auth::Grant);
    let rig = playing(patient(&first));
    begin(&rig);
    first.set_auth(Auth::Hang);
    reject(&rig, 1);
    wait_for_requests(&first, 2);
    let second = restarted(first);
    wait_for_token(&rig, &second);
    assert_eq!(generation(&rig), 2);
    assert!(rig.told().errors.is_empty());
}

/// The stream would wait for a service that is back, or the viewer see an error.
#[test]
fn service_offline_at_token_expiry_is_asked_later() {
    let first = headend(Auth::GrantFor(2));
    let (port, make) = (port(&first), || {
        sessiontoken(&first).property("retries", 0_u32)
    });
    let rig = playing(make().property("max-held-bytes", 1_u64));
    begin(&rig);
    let location = first.auth_url();
    drop(first);
    let begun = Instant::now();
    while rig.push_event(protection(COMMON_SYSTEM, Some("isobmff/moof"))) {
        assert!(begun.elapsed() < PATIENCE, "the token never ended");
        // With so little room the buffer waits for the event's verdict.
        if rig.push(buffer(1)).is_err() {
            break;
        }
    }
    rig.told().error().says(&["service runs"]);
    let second = Headend::start_on(port).expect("the port is free again");
    let rig = tunes_in_the_end(|| at(&location).property("retries", 0_u32), "service runs");
    assert_eq!(
        store(&rig).property::<String>("session-token"),
        second.token()
    );
}

/// The viewer who tries again would see the old error for ever.
#[test]
fn recovered_service_is_asked_after_failure_backoff() {
    let first = headend(Auth::Grant);
    let (port, location) = (port(&first), first.auth_url());
    drop(first);
    let make = || at(&location).property("retries", 0_u32);
    failure_of(make()).says(&["service runs"]);
    let second = Headend::start_on(port).expect("the port is free again");
    // Within the pause nobody is asked.
    tunes_in_the_end(make, "service runs");
    assert_eq!(second.token_requests().len(), 1);
}

/// The token that the new Thunder has would only come when the license server refuses the old one.
#[test]
fn thunder_restart_resubscribes_and_rereads_token() {
    let first = headend(Auth::Grant);
    let rig = playing(listening(&first).property("retries", RETRIES));
    begin(&rig);
    wait_for_listeners(&first, 1);
    let second = restarted(first);
    wait_for_listeners(&second, 1);
    wait_for_generation(&rig, 2);
    let token = store(&rig).property::<String>("session-token");
    assert_eq!(token, second.token());
    assert!(rig.told().errors.is_empty());
    // And it is heard from then on.
    second.revoke();
    second.session_token_changed();
    wait_for_generation(&rig, 3);
    let token = store(&rig).property::<String>("session-token");
    assert_eq!(token, second.token());
}

/// The picture would end with an error for a license server that restarts.
#[test]
fn license_request_survives_license_server_restart() {
    let first = serving(Licenses::Hang);
    let mut rig = authorized(&first, &[VIDEO_KEY_ID]);
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    let asked = first.wait_for(PATIENCE, |record| record.license_requests().count() == 1);
    assert!(asked, "the license was never asked for");
    let port = port(&first);
    drop(first);
    // It knows nothing of the token of before.
    let second = Headend::start_on(port).expect("the port is free again");
    second.set_licenses(Licenses::ServeAnonymous);
    let clear = rig.harness.pull().expect("a buffer");
    assert_eq!(contents(&clear), PLAINTEXT);
    assert!(!second.license_requests().is_empty());
    assert!(rig.told().errors.is_empty());
}
