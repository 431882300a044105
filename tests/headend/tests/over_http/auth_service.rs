// SPDX-License-Identifier: MIT OR Apache-2.0

//! The auth service, asked over the network.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::client::{Connection, PATIENCE, ask};
use headend::{Auth, Headend, Service};
use serde_json::json;

const GET: &str = "GET /authService/getSessionToken";

#[test]
fn it_grants_the_token_and_records_the_request() {
    let headend = Headend::start().expect("a head-end");
    let answer = ask(&headend, &format!("{GET}?a=b\nX-Test: yes"), "");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.json(),
        json!({ "token": headend.token(), "status": 0, "expires": 3600 })
    );

    let requests = headend.token_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].service, Service::Rdk);
    assert_eq!(requests[0].method, "GET");
    assert_eq!(requests[0].path, "/authService/getSessionToken?a=b");
    assert!(
        requests[0]
            .headers
            .contains(&("x-test".into(), "yes".into()))
    );
    assert!(requests[0].body.is_empty());
    assert_eq!(requests[0].status, Some(200));
}

#[test]
fn it_grants_for_as_long_as_it_is_told() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::GrantFor(7));
    assert_eq!(ask(&headend, GET, "").json()["expires"], 7);
}

#[test]
fn it_can_take_its_time() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::GrantAfter(Duration::from_millis(50)));
    let before = Instant::now();
    assert_eq!(ask(&headend, GET, "").status, 200);
    assert!(before.elapsed() >= Duration::from_millis(50));
}

#[test]
fn it_answers_what_it_is_told() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Reply {
        status: 503,
        content_type: "text/html".into(),
        body: "<p>later".into(),
    });
    let answer = ask(&headend, GET, "");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert_eq!(answer.text(), "<p>later");
    assert_eq!(headend.token_requests()[0].status, Some(503));
}

#[test]
fn reply_has_only_configured_headers_and_length() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::ReplyWithHeaders {
        status: 429,
        headers: vec![
            ("retry-after".into(), "7".into()),
            ("set-cookie".into(), "a=b".into()),
            ("set-cookie".into(), "c=d".into()),
        ],
        body: "later".into(),
    });
    let answer = ask(&headend, GET, "");
    assert_eq!(answer.status, 429);
    assert_eq!(
        answer.headers(),
        [
            "retry-after: 7",
            "set-cookie: a=b",
            "set-cookie: c=d",
            "content-length: 5",
        ]
    );
    assert_eq!(answer.text(), "later");
}

#[test]
fn it_answers_one_request_after_another_as_it_is_told() {
    let headend = Headend::start().expect("a head-end");
    let refusal = |status| Auth::Reply {
        status,
        content_type: "text/plain".into(),
        body: String::new(),
    };
    headend.set_auth(Auth::Sequence(vec![
        refusal(503),
        refusal(429),
        Auth::Grant,
    ]));
    assert_eq!(
        [(); 4].map(|()| ask(&headend, GET, "").status),
        [503, 429, 200, 200]
    );
}

#[test]
fn nothing_that_is_to_come_hangs_after_a_release() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Sequence(vec![Auth::Hang, Auth::GrantFor(1)]));
    headend.release();
    assert_eq!(ask(&headend, GET, "").json()["expires"], 3600);
    assert_eq!(ask(&headend, GET, "").json()["expires"], 1);
}

#[test]
fn impossible_answer_is_reported() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Reply {
        status: 7,
        content_type: "text/html".into(),
        body: String::new(),
    });
    let answer = ask(&headend, GET, "");
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("status code"), "{answer:?}");
}

#[test]
fn it_can_close_the_connection() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::CloseAtOnce);
    let mut connection = Connection::to(&headend);
    connection.send(GET, "");
    assert!(connection.receive(true).is_none());
    assert_eq!(headend.token_requests()[0].status, None);
}

#[test]
fn connection_can_close_in_the_middle_of_the_reply() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::BreakOff);
    let mut connection = Connection::to(&headend);
    connection.send(GET, "");
    let head = connection.receive(false).expect("the beginning");
    assert_eq!(head.status, 200);
    let length = head.header("content-length").expect("a length");
    let length: usize = length.parse().expect("a number");
    let mut body = Vec::new();
    let received = connection.into_inner().read_to_end(&mut body);
    assert_eq!(received.expect("the end"), length / 2);
}

#[test]
fn hanging_request_delays_no_other_and_is_released() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Hang);
    let mut hanging = Connection::to(&headend);
    hanging.send(GET, "");
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));

    assert_eq!(ask(&headend, "GET /record", "").status, 200);
    headend.set_auth(Auth::GrantFor(1));
    assert_eq!(ask(&headend, GET, "").json()["expires"], 1);
    assert_eq!(headend.token_requests()[0].status, None);

    headend.set_auth(Auth::Hang);
    headend.release();
    let answer = hanging.receive(true).expect("an answer");
    assert_eq!(answer.json()["token"], headend.token());
    assert_eq!(headend.token_requests()[0].status, Some(200));
    assert_eq!(ask(&headend, GET, "").json()["expires"], 3600);
}

#[test]
fn head_end_with_hanging_requests_can_be_dropped() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Hang);
    let mut hanging = Connection::to(&headend);
    hanging.send(GET, "");
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    drop(headend);
    assert!(hanging.receive(true).is_none());
}

#[test]
fn next_token_after_a_revocation_is_another() {
    let headend = Headend::start().expect("a head-end");
    let first = ask(&headend, GET, "").json();
    assert_eq!(ask(&headend, GET, "").json(), first);
    headend.revoke();
    let second = ask(&headend, GET, "").json();
    assert_ne!(first["token"], second["token"]);
    assert_eq!(second["token"], headend.token());
}

#[test]
fn wait_for_what_does_not_come_ends() {
    let headend = Headend::start().expect("a head-end");
    assert!(!headend.wait_for(Duration::from_millis(10), |record| {
        record.token_requests().count() == 1
    }));
}

#[test]
fn record_is_read_and_cleared_and_has_no_token() {
    let headend = Headend::start().expect("a head-end");
    ask(&headend, GET, "");
    let authorization = format!("Authorization: Bearer {}", headend.token());
    ask(&headend, &format!("POST /license\n{authorization}"), "{}");
    ask(&headend, "POST /license", "{}");

    let record = ask(&headend, "GET /record", "");
    assert_eq!(
        record.text(),
        "token   GET /authService/getSessionToken -> 200\n\
         license 0 key ids, token valid -> 400\n\
         license 0 key ids, no token -> 401\n"
    );

    assert_eq!(ask(&headend, "POST /record/clear", "").status, 200);
    assert_eq!(ask(&headend, "GET /record", "").text(), "");
    assert!(headend.token_requests().is_empty());
}

#[test]
fn timeline_has_what_was_asked_in_order() {
    let headend = Headend::start().expect("a head-end");
    for asked in [
        "GET /dash/cenc/manifest.mpd",
        "GET /dash/cenc/v_init.mp4?secret",
        "POST /license",
        GET,
        "GET /dash/cenc/v_1.m4s",
        "GET /hls/cenc/master.m3u8",
    ] {
        ask(&headend, asked, "");
    }
    let timeline = ask(&headend, "GET /record/timeline", "");
    let lines = timeline
        .text()
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    let lines: Vec<_> = lines.collect();
    let what: Vec<_> = lines.iter().map(|words| words[1]).collect();
    let expected = [
        "manifest", "init", "license", "token", "segment", "playlist",
    ];
    assert_eq!(what, expected);
    // Services say how long they took.
    let is_service = |words: &&Vec<&str>| ["license", "token"].contains(&words[1]);
    for words in lines.iter().filter(is_service) {
        assert!(words[2].parse::<u64>().is_ok(), "{words:?}");
    }
    assert!(lines.is_sorted_by_key(|words| words[0].parse::<u64>().expect("a time")));
}
