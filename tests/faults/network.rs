// SPDX-License-Identifier: MIT OR Apache-2.0

//! The network is gone, in ways that `tests/element` does not have: nobody answers, and nobody says
//! so either.

use std::time::Instant;

use headend::Auth;
use support::raw_server::{RawServer, Step};
use support::rig::*;
use support::stream::*;

use crate::machine::{Machine, SERVICE};
use crate::subprocess::in_subprocess;
use crate::tokens::*;
use crate::waits::{Place, SHORT, Wait};

/// The viewer would wait for as long as the system does, which is minutes.
#[test]
fn connection_to_silent_endpoint_times_out() {
    let place = Place::new(Wait::Connection, None);
    let complaint = failure_of(place.element().property("retries", 0_u32));
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&["o connection to", "within"]);
    assert_eq!(complaint.detail::<String>("reason"), "timed-out");
}

/// A resolver that does not answer would hold the stream for as long as the system asks it, and the
/// next tune with it.
#[test]
fn hanging_dns_lookup_times_out_and_later_tune_plays() {
    in_subprocess(|| {
        let machine = Machine::new();
        let headend = headend(Auth::Grant);
        let location = headend.auth_url().replace("127.0.0.1", SERVICE);
        let make = || at(&location).property("allow-cleartext", true);
        machine.lookups_hang(true);
        let short = make().property("timeout", SHORT).property("retries", 0_u32);
        let complaint = failure_of(short);
        complaint.says(&["o connection to service.test", "within"]);
        assert_eq!(complaint.detail::<String>("reason"), "timed-out");
        machine.lookups_hang(false);
        tunes_in_the_end(make, "o connection to service.test");
        assert_eq!(headend.token_requests().len(), 1);
    });
}

/// A secret that may go in the clear to this machine would go wherever the resolver says.
#[test]
fn localhost_is_not_looked_up() {
    in_subprocess(|| {
        let machine = Machine::new();
        machine.lookups_hang(true);
        let headend = headend(Auth::Grant);
        let location = headend.auth_url().replace("127.0.0.1", "localhost");
        let rig = playing(at(&location));
        begin(&rig);
        assert_eq!(generation(&rig), 1);
        machine.lookups_hang(false);
    });
}

/// A Thunder that has a token and does not answer when it is asked for a WebSocket would keep the
/// stream waiting, or be left for good.
#[test]
fn unanswered_websocket_upgrade_is_retried_silently() {
    let grant = r#"{"jsonrpc":"2.0","id":1,"result":{"token":"TOKEN","status":0}}"#;
    let reply = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{grant}",
        grant.len()
    );
    let server = RawServer::new(vec![
        vec![Step::Read, Step::Send(reply.into_bytes())],
        vec![Step::Read, Step::Silence],
    ]);
    let location = format!("http://{}/jsonrpc", server.place());
    let rig = playing(listening_at(&location).property("timeout", 2000_u32));
    begin(&rig);
    assert_eq!(generation(&rig), 1);
    // The token's, and two for a WebSocket.
    assert_eq!(server.connections(3), 3);
    assert_eq!(generation(&rig), 1);
    let told = rig.told();
    assert!(told.errors.is_empty() && told.warnings.is_empty());
}

/// The player could not go to another channel while a service wants to be left alone.
#[test]
fn player_stops_at_once_in_the_pause_before_a_retry() {
    let busy = Auth::ReplyWithHeaders {
        status: 503,
        headers: vec![("Retry-After".to_owned(), "250".to_owned())],
        body: String::new(),
    };
    let headend = headend(Auth::Sequence(vec![busy, Auth::Grant]));
    let rig = playing(sessiontoken(&headend));
    let left = rig.log.items().len();
    rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
    let answered = headend.wait_for(PATIENCE, |record| {
        let mut requests = record.token_requests();
        requests.any(|request| request.status == Some(503))
    });
    assert!(answered, "the service was never asked");
    let begun = Instant::now();
    rig.set_state(gst::State::Null);
    assert!(begun.elapsed() < PATIENCE, "it waited for the retry");
    assert_eq!(rig.log.items().len(), left);
    let told = rig.told();
    assert!(told.errors.is_empty() && told.warnings.is_empty());
}
