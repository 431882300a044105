// SPDX-License-Identifier: MIT OR Apache-2.0

//! Connections that end too early, wherever that is.

use super::*;

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n";
const CHUNKS: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Hangs up after these bytes: orderly, and with a reset.
fn endings(bytes: &[u8]) -> [(&'static str, Script); 2] {
    [
        ("hung up", vec![Step::Read, Step::Send(bytes.into())]),
        ("reset", vec![Step::Peek, Step::Send(bytes.into())]),
    ]
}

#[test]
fn connection_lost_before_body_is_transient() {
    let mut cases = vec![("hung up at once".to_owned(), vec![])];
    for (place, bytes) in [
        ("before the reply", ""),
        ("in the status line", "HTTP/1.1 200 SECR"),
        ("in the version", "HTT"),
        ("after the status line", "HTTP/1.1 200 SECRET\r\n"),
        ("in a header", "HTTP/1.1 200 OK\r\nX: SECR"),
        (
            "before the body",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n",
        ),
        ("after 100", "HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        for (ending, script) in endings(bytes.as_bytes()) {
            cases.push((format!("{ending} {place}"), script));
        }
    }
    let cases = cases.into_iter().map(|(name, script)| {
        Case::new(name, script)
            .transient(&["127.0.0.1:", "broke the connection off"])
            .asked(2, 3)
    });
    run(cases.collect());
}

#[test]
fn connection_lost_in_body_is_transient_with_status() {
    let mut cases = Vec::new();
    for (place, head, bytes) in [
        ("after the head", HEAD, ""),
        ("in the body", HEAD, GRANT),
        ("before a chunk", CHUNKS, ""),
        ("in the size of a chunk", CHUNKS, "2"),
        ("in a chunk", CHUNKS, "ff\r\nSECRET"),
        ("after a chunk", CHUNKS, "6\r\nSECRET"),
        ("before the last chunk", CHUNKS, "6\r\nSECRET\r\n"),
        ("in the last chunk", CHUNKS, "6\r\nSECRET\r\n0\r\n"),
    ] {
        let [(_, script), _] = endings(&[head, bytes.as_bytes()].concat());
        cases.push(
            Case::new(place, script)
                .transient(&["127.0.0.1:", "broke the connection off"])
                .status(200)
                .asked(1, 2),
        );
    }
    run(cases);
}

#[test]
fn truncated_reply_without_length_is_malformed() {
    for size in [1, GRANT.len() / 2, GRANT.len() - 1] {
        let bytes = format!("HTTP/1.1 200 OK\r\n\r\n{}", &GRANT[..size]);
        Case::new(format!("{size} bytes"), raw(bytes))
            .malformed(&["not JSON", "ends at"])
            .status(200)
            .run();
    }
}

#[test]
fn reply_in_pieces_or_on_open_connection_plays() {
    let whole = reply(200, &["Content-Type: application/json"], GRANT);
    run(vec![
        Case::new(
            "in single bytes",
            vec![Step::Read, Step::Pieces(whole.clone(), 1)],
        ),
        Case::new(
            "in sevens",
            vec![Step::Read, Step::Pieces(whole.clone(), 7)],
        ),
        Case::new(
            "and waits for us to hang up",
            vec![Step::Read, Step::Send(whole), Step::Silence],
        ),
    ]);
}

#[test]
fn every_service_is_asked_again_over_a_new_connection() {
    for service in [
        Service::Rdk,
        Service::Thunder,
        Service::Ags,
        Service::Discovery,
    ] {
        let server = RawServer::new(vec![vec![Step::Read]]);
        let complaint = failure_of(service.element(&server.place()).property("timeout", PLENTY));
        complaint
            .is(gst::ResourceError::OpenRead)
            .says(&[&server.place(), "broke the connection off"]);
        assert_eq!(complaint.detail::<u32>("attempts"), 3);
        assert_eq!((server.connections(3), server.requests(3)), (3, 3));
    }
}
