// SPDX-License-Identifier: MIT OR Apache-2.0

//! The license server, asked over the network.

use std::time::{Duration, SystemTime};

use crate::client::{Answer, Connection, PATIENCE, ask};
use headend::{
    AUDIO_KEY_ID, Auth, Headend, Licenses, NEXT_VIDEO_KEY_ID, VIDEO_KEY_ID, rotating_key_ids,
};

const BOTH: &str =
    r#"{"kids":["ABEiM0RVZneImaq7zN3uAQ","ABEiM0RVZneImaq7zN3uAg"],"type":"temporary"}"#;

/// That of the second Period's picture, and the two that its first picture's rotates to.
const OTHERS: &str = r#"{"kids":["ABEiM0RVZneImaq7zN3uBA","ESIzRFVmd4iZqrvM3e4CAA","M0RVZneImaq7zN3uAgARIg"],"type":"temporary"}"#;

fn order(headend: &Headend, header: &str) -> Answer {
    ask(headend, &format!("POST /license\n{header}"), BOTH)
}

fn bearer(headend: &Headend) -> String {
    format!("Authorization: Bearer {}", headend.token())
}

#[test]
fn valid_token_gets_keys_and_request_is_recorded() {
    let headend = Headend::start().expect("a head-end");
    let authorization = bearer(&headend);
    let answer = order(
        &headend,
        &format!("{authorization}\nContent-Type: application/json"),
    );
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let license = answer.json();
    assert_eq!(license["type"], "temporary");
    assert_eq!(license["keys"][1]["kty"], "oct");
    assert_eq!(license["keys"][1]["kid"], "ABEiM0RVZneImaq7zN3uAg");
    assert_eq!(license["keys"][1]["k"], "ASNFZ4mrze8BI0VniavNAg");

    let requests = headend.license_requests();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!(
        request.authorization,
        Some(format!("Bearer {}", headend.token()))
    );
    assert!(request.token_present && request.token_valid);
    assert_eq!(request.kids, [AUDIO_KEY_ID, VIDEO_KEY_ID]);
    assert_eq!(request.content_type.as_deref(), Some("application/json"));
    assert_eq!(request.body, BOTH.as_bytes());
    assert_eq!(request.status, Some(200));
}

#[test]
fn it_wants_a_token() {
    let headend = Headend::start().expect("a head-end");
    let answer = order(&headend, "");
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let request = &headend.license_requests()[0];
    assert!(!request.token_present && !request.token_valid);
}

#[test]
fn it_refuses_another_token_and_a_revoked_one() {
    let headend = Headend::start().expect("a head-end");
    let authorization = bearer(&headend);
    assert_eq!(order(&headend, "Authorization: Bearer other").status, 403);
    assert_eq!(order(&headend, &authorization).status, 200);
    headend.revoke();
    let answer = order(&headend, &authorization);
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(order(&headend, &bearer(&headend)).status, 200);
}

/// A program that plays against the head-end, as `scripts/pictures` does, has no other way.
#[test]
fn token_can_be_revoked_over_http() {
    let headend = Headend::start().expect("a head-end");
    let authorization = bearer(&headend);
    assert_eq!(ask(&headend, "POST /revoke", "").status, 200);
    assert_eq!(order(&headend, &authorization).status, 403);
    assert_eq!(order(&headend, &bearer(&headend)).status, 200);
}

#[test]
fn it_takes_the_token_from_another_header() {
    let headend = Headend::start().expect("a head-end");
    let header = format!("X-Session: {}", headend.token());
    assert_eq!(order(&headend, &header).status, 401);
    headend.set_token_header("X-Session");
    assert_eq!(order(&headend, &header).status, 200);
    assert_eq!(order(&headend, "X-Session: other").status, 403);
    assert_eq!(order(&headend, &bearer(&headend)).status, 200);
}

#[test]
fn it_behaves_as_it_is_told() {
    let headend = Headend::start().expect("a head-end");

    headend.set_licenses(Licenses::ServeAnonymous);
    assert_eq!(order(&headend, "").status, 200);

    headend.set_licenses(Licenses::Refuse(451));
    assert_eq!(order(&headend, &bearer(&headend)).status, 451);

    headend.set_licenses(Licenses::Reply {
        status: 200,
        body: "not a license".into(),
    });
    assert_eq!(order(&headend, "").text(), "not a license");

    headend.set_licenses(Licenses::ServeWithout(AUDIO_KEY_ID.into()));
    let license = order(&headend, &bearer(&headend)).json();
    assert_eq!(license["keys"].as_array().map(Vec::len), Some(1));
}

#[test]
fn it_says_when_keys_end_if_it_is_told_to() {
    let headend = Headend::start().expect("a head-end");
    let ends = || {
        let license = order(&headend, &bearer(&headend)).json();
        let keys = license["keys"].as_array().expect("keys");
        keys.iter()
            .map(|key| key.get("exp").map(|end| end.as_f64().expect("a number")))
            .collect::<Vec<_>>()
    };
    assert_eq!(ends(), [None, None]);

    headend.set_licenses(Licenses::ServeFor(Duration::from_secs(60)));
    assert_eq!(order(&headend, "").status, 401);
    let now = || {
        SystemTime::UNIX_EPOCH
            .elapsed()
            .expect("a time")
            .as_secs_f64()
    };
    let before = now();
    let ends = ends();
    let after = now();
    assert_eq!(ends.len(), 2);
    for end in ends {
        let end = end.expect("an end");
        assert!((before + 59.9..after + 60.1).contains(&end), "{end}");
    }
}

#[test]
fn it_has_the_keys_of_all_media() {
    let headend = Headend::start().expect("a head-end");
    let head = format!("POST /license\n{}", bearer(&headend));
    let license = ask(&headend, &head, OTHERS).json();
    let keys = license["keys"].as_array().expect("keys");
    let keys: Vec<_> = keys.iter().map(|key| &key["k"]).collect();
    assert_eq!(
        keys,
        [
            "ASNFZ4mrze8BI0VniavNBA",
            "I0VniavN7wEjRWeJq80CAQ",
            "Z4mrze8BI0VniavNAgEjRQ",
        ]
    );
    let [_, second, third] = rotating_key_ids();
    assert_eq!(
        headend.license_requests()[0].kids,
        [NEXT_VIDEO_KEY_ID, &second, &third]
    );
}

#[test]
fn request_that_hangs_is_released() {
    let headend = Headend::start().expect("a head-end");
    headend.set_licenses(Licenses::Hang);
    let mut hanging = Connection::to(&headend);
    hanging.send(&format!("POST /license\n{}", bearer(&headend)), BOTH);
    assert!(headend.wait_for(PATIENCE, |record| record.license_requests().count() == 1));
    headend.release();
    assert_eq!(hanging.receive(true).map(|answer| answer.status), Some(200));
    assert_eq!(order(&headend, "").status, 401);
}

#[test]
fn license_release_leaves_token_request_hanging() {
    let headend = Headend::start().expect("a head-end");
    headend.set_licenses(Licenses::Hang);
    headend.set_auth(Auth::Hang);
    let mut token = Connection::to(&headend);
    token.send("GET /authService/getSessionToken", "");
    let mut license = Connection::to(&headend);
    license.send(&format!("POST /license\n{}", bearer(&headend)), BOTH);
    assert!(headend.wait_for(PATIENCE, |record| {
        record.license_requests().count() == 1 && record.token_requests().count() == 1
    }));
    headend.release_licenses();
    assert_eq!(license.receive(true).map(|answer| answer.status), Some(200));
    assert_eq!(order(&headend, "").status, 401);
    assert_eq!(headend.token_requests()[0].status, None);
    headend.release();
    assert_eq!(token.receive(true).map(|answer| answer.status), Some(200));
}

#[test]
fn body_too_long_is_refused() {
    let headend = Headend::start().expect("a head-end");
    // One byte too many: had the server more left to read, it might reset the connection before
    // the answer is through.
    let long = "x".repeat(64 * 1024 + 1);
    assert_eq!(ask(&headend, "POST /license", &long).status, 413);
}
