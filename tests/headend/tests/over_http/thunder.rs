// SPDX-License-Identifier: MIT OR Apache-2.0

//! The auth service behind Thunder, asked over the network.

use crate::client::{Answer, Connection, PATIENCE, ask};
use headend::{Auth, Headend, SECURITY_TOKEN, Service};
use serde_json::json;

const CALL: &str = r#"{"jsonrpc":"2.0","id":3,"method":"org.rdk.AuthService.1.getSessionToken"}"#;

fn head() -> String {
    format!("POST /jsonrpc\nContent-Type: application/json\nAuthorization: Bearer {SECURITY_TOKEN}")
}

fn call(headend: &Headend, body: &str) -> Answer {
    ask(headend, &head(), body)
}

#[test]
fn it_grants_the_token_and_records_the_call() {
    let headend = Headend::start().expect("a head-end");
    assert_eq!(headend.thunder_url(), headend.url("/jsonrpc"));
    let answer = call(&headend, CALL);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.json(),
        json!({
            "jsonrpc": "2.0",
            "id": 3,
            "result": {
                "status": "0",
                "token": headend.token(),
                "expires": 3600,
                "clientId": "headend-client",
                "messageId": "headend-message",
                "success": true,
            },
        })
    );

    let requests = headend.token_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].service, Service::Thunder);
    assert_eq!(requests[0].method, "POST");
    assert_eq!(requests[0].path, "/jsonrpc");
    assert!(
        requests[0]
            .headers
            .contains(&("content-type".into(), "application/json".into()))
    );
    assert_eq!(requests[0].body, CALL.as_bytes());
    assert_eq!(requests[0].status, Some(200));
}

#[test]
fn it_knows_the_method_by_its_documented_name_too() {
    let headend = Headend::start().expect("a head-end");
    let answer = call(&headend, &CALL.replace("getSession", "GetSession")).json();
    assert_eq!(answer["result"]["token"], headend.token());
}

#[test]
fn its_answer_has_the_id_of_the_call() {
    let headend = Headend::start().expect("a head-end");
    let answer = call(&headend, &CALL.replace('3', r#""a-3""#)).json();
    assert_eq!(answer["id"], "a-3");
}

#[test]
fn it_wants_its_security_token() {
    let headend = Headend::start().expect("a head-end");
    for head in [
        "POST /jsonrpc",
        "POST /jsonrpc\nAuthorization: Bearer other",
        &head().replace("Bearer", "Basic"),
    ] {
        let answer = ask(&headend, head, CALL);
        assert_eq!(answer.status, 403, "{head}");
        assert!(!answer.text().contains(&headend.token()));
    }
    assert_eq!(headend.token_requests()[2].status, Some(403));
}

#[test]
fn it_says_what_is_wrong_with_a_call() {
    let headend = Headend::start().expect("a head-end");
    let answer = call(&headend, &CALL.replace("getSessionToken", "getDeviceId"));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({
            "jsonrpc": "2.0",
            "id": 3,
            "error": { "code": -32601, "message": "Unknown method." },
        })
    );

    let answer = call(&headend, "getSessionToken");
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    assert_eq!(answer["id"], json!(null));
    assert_eq!(answer["error"]["code"], -32700);
    assert_eq!(answer.get("result"), None);
}

#[test]
fn it_is_asked_with_post_alone() {
    let headend = Headend::start().expect("a head-end");
    assert_eq!(ask(&headend, "GET /jsonrpc", "").status, 404);
    assert!(headend.token_requests().is_empty());
}

#[test]
fn it_behaves_as_it_is_told() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::GrantFor(7));
    assert_eq!(call(&headend, CALL).json()["result"]["expires"], 7);

    headend.set_auth(Auth::Reply {
        status: 200,
        content_type: "application/json".into(),
        body: "{}".into(),
    });
    assert_eq!(call(&headend, CALL).text(), "{}");

    headend.set_auth(Auth::CloseAtOnce);
    let mut connection = Connection::to(&headend);
    connection.send(&head(), CALL);
    assert!(connection.receive(true).is_none());
}

#[test]
fn call_that_hangs_is_released() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Hang);
    let mut hanging = Connection::to(&headend);
    hanging.send(&head(), CALL);
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    headend.release();
    let answer = hanging.receive(true).expect("an answer");
    assert_eq!(answer.json()["result"]["token"], headend.token());
}
