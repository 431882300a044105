// SPDX-License-Identifier: MIT OR Apache-2.0

//! The key server, asked over the network.

use crate::client::{Answer, Connection, ask};
use headend::{Headend, KeyPolicy, key_of};

fn get(headend: &Headend, path: &str, token: Option<&str>) -> Answer {
    let authorization = token.map(|token| format!("\nAuthorization: Bearer {token}"));
    let head = format!("GET {path}{}", authorization.unwrap_or_default());
    ask(headend, &head, "")
}

#[test]
fn open_keys_are_for_everyone() {
    let headend = Headend::start().expect("a head-end");
    let answer = get(&headend, "/keys/1?session=2", None);
    assert_eq!((answer.status, &answer.body[..]), (200, &key_of("1")[..]));
    assert_eq!(headend.key_url("1"), headend.url("/keys/1"));
    let requests = headend.key_requests();
    let [request] = &requests[..] else {
        panic!("one request: {requests:?}");
    };
    assert_eq!(request.path, "/keys/1?session=2");
    assert_eq!(request.name, "1");
    assert!(!request.token_present);
    assert_eq!(request.status, Some(200));
    let record = ask(&headend, "GET /record", "");
    assert_eq!(record.text(), "key     GET /keys/1, no token -> 200\n");
}

#[test]
fn keys_want_a_token_that_is_current() {
    let headend = Headend::start().expect("a head-end");
    headend.set_keys(KeyPolicy::Token);
    let token = headend.token();
    assert_eq!(get(&headend, "/keys/1", None).status, 401);
    assert_eq!(get(&headend, "/keys/1", Some(&token)).status, 200);
    headend.set_key("2", KeyPolicy::Revoke(401));
    assert_eq!(get(&headend, "/keys/2", Some(&token)).status, 401);
    assert_eq!(get(&headend, "/keys/1", Some(&token)).status, 403);
    assert_eq!(get(&headend, "/keys/1", Some(&headend.token())).status, 200);
    let requests = headend.key_requests();
    let tokens: Vec<_> = requests
        .iter()
        .map(|one| (one.token_present, one.token_valid))
        .collect();
    assert_eq!(
        tokens,
        [
            (false, false),
            (true, true),
            (true, true),
            (true, false),
            (true, true)
        ]
    );
}

#[test]
fn tokens_of_a_trusted_head_end_are_good_too() {
    let headend = Headend::start().expect("a head-end");
    let other = Headend::start().expect("a head-end");
    headend.set_keys(KeyPolicy::Token);
    assert_eq!(get(&headend, "/keys/1", Some(&other.token())).status, 403);
    headend.trust(&other);
    assert_eq!(get(&headend, "/keys/1", Some(&other.token())).status, 200);
    assert_eq!(get(&headend, "/keys/1", Some(&headend.token())).status, 200);
    other.revoke();
    assert_eq!(get(&headend, "/keys/1", Some(&other.token())).status, 200);
}

#[test]
fn keys_are_answered_as_the_test_wants_it() {
    let headend = Headend::start().expect("a head-end");
    let html = KeyPolicy::Reply {
        status: 200,
        content_type: "text/html".to_owned(),
        body: b"<html></html>".to_vec(),
    };
    let redirect = KeyPolicy::Redirect {
        status: 307,
        to: "/keys/2".to_owned(),
    };
    headend.set_key(
        "1",
        KeyPolicy::Sequence(vec![html, redirect, KeyPolicy::Refuse(503)]),
    );
    assert_eq!(get(&headend, "/keys/1", None).body, b"<html></html>");
    let answer = get(&headend, "/keys/1", None);
    assert_eq!(
        (answer.status, answer.header("location")),
        (307, Some("/keys/2"))
    );
    assert_eq!(get(&headend, "/keys/1", None).status, 503);
    assert_eq!(get(&headend, "/keys/1", None).status, 503);
    assert_eq!(get(&headend, "/keys/2", None).status, 200);
}

#[test]
fn key_request_that_hangs_is_answered_by_a_release() {
    let headend = Headend::start().expect("a head-end");
    headend.set_keys(KeyPolicy::Hang);
    let mut connection = Connection::to(&headend);
    connection.send("GET /keys/1", "");
    assert!(headend.wait_for(crate::client::PATIENCE, |record| {
        record.key_requests().count() == 1
    }));
    headend.release();
    assert_eq!(
        connection.receive(true).map(|answer| answer.status),
        Some(200)
    );
    assert_eq!(get(&headend, "/keys/1", None).status, 200);
}

#[test]
fn files_of_the_test_go_before_the_media() {
    let headend = Headend::start().expect("a head-end");
    headend.set_file("/hls/cenc/video.m3u8", "#EXTM3U\n");
    headend.set_file_versions("/hls/case/live.m3u8", ["1", "2"]);
    let body = |path| ask(&headend, &format!("GET {path}"), "").body;
    assert_eq!(body("/hls/cenc/video.m3u8"), b"#EXTM3U\n");
    assert!(body("/dash/cenc/video.m3u8").len() > 100);
    let versions = [(); 3].map(|()| body("/hls/case/live.m3u8"));
    assert_eq!(versions, [b"1", b"2", b"2"]);
    assert_eq!(headend.media_requests().len(), 5);
}

#[test]
fn media_for_hls_alone_have_their_types() {
    let headend = Headend::start().expect("a head-end");
    for (path, content_type) in [
        ("muxed/m_1.ts", "video/mp2t"),
        ("clear/a_1.aac", "audio/aac"),
        ("sample-aes/a_3.ac3", "audio/ac3"),
        ("sample-aes/a_3.ec3", "audio/eac3"),
        ("lead-cenc/v_1.m4s", "video/iso.segment"),
        ("ad-cbcs/a_init.mp4", "video/mp4"),
    ] {
        let answer = ask(&headend, &format!("GET /hls/{path}"), "");
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), Some(content_type), "{path}");
    }
}
