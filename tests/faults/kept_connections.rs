// SPDX-License-Identifier: MIT OR Apache-2.0

//! The connection of the request before is used again, and may be dead by then.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use gst::element_factory::ElementBuilder;
use gst::prelude::*;
use headend::Auth;
use headend::certificates::Authority;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use support::raw_server::{RawServer, Step};
use support::rig::*;
use support::samples::picture;
use support::stream::*;

use crate::machine::{HOUR, Machine};
use crate::subprocess::in_subprocess;
use crate::tokens::*;

fn grant() -> Vec<u8> {
    let body = r#"{"token":"t","status":0}"#;
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n\
         {body}"
    )
    .into_bytes()
}

fn granting() -> Step {
    Step::Send(grant())
}

/// Serves two connections: hangs up on the first one with its second request, as a process does
/// that is killed, and answers on the next one. Gives how many requests there were.
fn serve_and_hang_up(listener: &TcpListener, config: &Arc<ServerConfig>) -> usize {
    let mut requests = 0;
    for answers in [1, usize::MAX] {
        let (stream, _) = listener.accept().expect("a connection");
        let session = ServerConnection::new(config.clone()).expect("a session");
        let mut reader = BufReader::new(StreamOwned::new(session, stream));
        let mut answered = 0;
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
            if std::mem::take(&mut line) != "\r\n" {
                continue;
            }
            requests += 1;
            if answered == answers {
                break;
            }
            reader.get_mut().write_all(&grant()).expect("it is read");
            answered += 1;
        }
    }
    requests
}

/// A tune with a session of its own, which gets its token by one attempt.
fn tunes(server: &RawServer, account: u32) {
    tunes_with(account_of(server, account));
}

fn account_of(server: &RawServer, account: u32) -> ElementBuilder<'static> {
    at(&format!("http://{}/?account={account}", server.place()))
}

fn tunes_with(builder: ElementBuilder<'_>) {
    let rig = playing(builder);
    begin(&rig);
    let told = rig.told();
    assert!(told.errors.is_empty(), "{:?}", told.errors);
    let attempts = told.states.last().map(|one| one.get::<u32>("attempts"));
    assert_eq!(attempts, Some(Ok(1)));
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

/// Each request of the way would be made again.
#[test]
fn redirect_to_closed_connection_is_repeated_alone() {
    in_subprocess(|| {
        let granting = || {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 28\r\n";
            Step::Send(format!("{head}\r\neyJhbGciOiJIUzI1NiJ9.e30.e30").into_bytes())
        };
        let closed = vec![Step::Read, granting(), Step::Read];
        let open = vec![Step::Read, granting(), Step::Silence];
        let target = RawServer::new(vec![closed, open]);
        let moved = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n",
            target.place()
        );
        let moved = Step::Send(moved.into_bytes());
        let server = RawServer::new(vec![vec![Step::Read, moved, Step::Silence]]);
        for asked in [&target, &server] {
            let builder = account_of(asked, 0).property_from_str("auth-service", "dashif");
            let rig = playing(builder);
            rig.push_event(protection(COMMON_SYSTEM, Some("dash/mpd")));
            // Names the key that the token is asked for.
            rig.push(picture()).expect("it plays");
            let state = rig.wait_for_state("acquired");
            assert_eq!(state.get::<u32>("attempts"), Ok(1));
        }
        assert_eq!(server.requests(1), 1);
        assert_eq!(target.requests(3), 3);
    });
}

/// A server that counts would count a viewer twice.
#[test]
fn request_without_retries_is_sent_once_on_new_connection() {
    in_subprocess(|| {
        let server = RawServer::new(vec![vec![Step::Read, granting(), Step::Silence]]);
        for account in 0..2 {
            tunes_with(account_of(&server, account).property("retries", 0_u32));
        }
        assert_eq!(server.connections(2), 2);
        assert_eq!(server.requests(2), 2);
    });
}

/// The service would be asked without end, where it closes each connection.
#[test]
fn closed_new_connection_counts_as_attempt() {
    in_subprocess(|| {
        let first = vec![Step::Read, granting(), Step::Read];
        let server = RawServer::new(vec![first, vec![Step::Read]]);
        tunes(&server, 0);
        let complaint = failure_of(account_of(&server, 1).property("retries", 1_u32));
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

/// TLS has a goodbye of its own, which a server that is killed does not say.
#[test]
fn closed_tls_connection_is_repeated_at_once() {
    in_subprocess(|| {
        let authority = Authority::new();
        let identity = authority.server(&["localhost"]);
        let chain = CertificateDer::pem_slice_iter(identity.certificate.as_bytes());
        let chain = chain.collect::<Result<_, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("they belong together");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener
            .local_addr()
            .expect("a bound socket has one")
            .port();
        let server = thread::spawn(move || serve_and_hang_up(&listener, &Arc::new(config)));
        let file = File::new(authority.pem());
        for account in 0..2 {
            let location = format!("https://localhost:{port}/?account={account}");
            tunes_with(at(&location).property("ssl-ca-file", file.path()));
        }
        // Closes the second connection.
        let rig = Rig::new(make("sessiontoken"));
        rig.element.emit_by_name::<()>("clear-token", &[]);
        assert_eq!(server.join().expect("no panic"), 3);
    });
}
