// SPDX-License-Identifier: MIT OR Apache-2.0

//! The connection of the request before is used again, and may be dead by then.

use gst::prelude::*;
use headend::Auth;
use support::raw_server::{RawServer, Step};
use support::rig::*;
use support::stream::*;

use crate::machine::{HOUR, Machine};
use crate::subprocess::in_subprocess;
use crate::tokens::*;

fn granting() -> Step {
    Step::Answer(Box::new(|_| {
        let body = r#"{"token":"t","status":0}"#;
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n\
             {body}"
        )
        .into_bytes()
    }))
}

/// A tune with a session of its own, which gets its token by one attempt.
fn tunes(server: &RawServer, account: u32) {
    let location = format!("http://{}/?account={account}", server.place());
    let rig = playing(at(&location).property("retries", 0_u32));
    begin(&rig);
    let told = rig.told();
    assert!(told.errors.is_empty(), "{:?}", told.errors);
}

/// A viewer who goes through the channels would wait for a handshake with each.
#[test]
fn next_request_uses_the_same_connection() {
    in_subprocess(|| {
        let headend = headend(Auth::Grant);
        for account in 0..3 {
            let rig = playing(at(&format!("{}?account={account}", headend.auth_url())));
            begin(&rig);
        }
        assert_eq!(headend.token_requests().len(), 3);
        assert_eq!(headend.connections(), 1);
    });
}

/// The one request of a tune would fail, for a server that is well.
#[test]
fn request_on_closed_connection_is_repeated_at_once() {
    in_subprocess(|| {
        let first = vec![Step::Read, granting(), Step::Read];
        let reset = vec![Step::Read, granting(), Step::Peek];
        let last = vec![Step::Read, granting(), Step::Silence];
        let server = RawServer::new(vec![first, reset, last]);
        for account in 0..3 {
            tunes(&server, account);
        }
        assert_eq!(server.connections(3), 3);
        assert_eq!(server.requests(4), 4);
    });
}

/// The service would be asked without end, where it closes each connection.
#[test]
fn closed_new_connection_counts_as_attempt() {
    in_subprocess(|| {
        let first = vec![Step::Read, granting(), Step::Read];
        let server = RawServer::new(vec![first, vec![Step::Read]]);
        tunes(&server, 0);
        let location = format!("http://{}/?account=1", server.place());
        let complaint = failure_of(at(&location).property("retries", 1_u32));
        complaint.says(&["broke the connection off"]);
        assert_eq!(complaint.detail::<u32>("attempts"), 2);
        // With that on the connection from before.
        assert_eq!(server.requests(4), 4);
    });
}

/// The next account's requests would come over the connection of the one before.
#[test]
fn logout_closes_kept_connections() {
    in_subprocess(|| {
        let headend = headend(Auth::Grant);
        let rig = tuned(&headend);
        rig.element.emit_by_name::<()>("clear-token", &[]);
        begin(&tuned(&headend));
        assert_eq!(headend.connections(), 2);
    });
}

/// The first channel of the evening would wait for a server that has forgotten the connection, and
/// says nothing to it.
#[test]
fn connection_is_not_used_after_suspend() {
    in_subprocess(|| {
        let machine = Machine::new();
        let server = RawServer::new(vec![vec![Step::Read, granting(), Step::Silence]]);
        tunes(&server, 0);
        machine.suspend(HOUR);
        tunes(&server, 1);
        assert_eq!(server.connections(2), 2);
    });
}
