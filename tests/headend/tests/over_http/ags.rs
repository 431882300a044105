// SPDX-License-Identifier: MIT OR Apache-2.0

//! AGS, asked over the network.

use crate::client::{Answer, Connection, PATIENCE, ask};
use headend::{AUTH_SERVICE_ID, Auth, Headend, OPERATOR_TOKEN, SECURITY_TOKEN, Service};
use serde_json::json;

const POST: &str = "POST /ags/getSessionToken";

fn head() -> String {
    format!(
        "{POST}\nContent-Type: application/json\nx-auth-service-id: {AUTH_SERVICE_ID}\n\
         x-correlation-id: abc\nnv-tenant-id: headend-tenant"
    )
}

/// A device's name first: the order of the parameters says nothing.
fn parameters(operator_token: &str) -> String {
    json!({
        "parameters": [
            { "name": "DeviceName", "value": "a box" },
            { "name": "OperatorAuthToken", "value": operator_token },
        ],
    })
    .to_string()
}

fn order(headend: &Headend) -> Answer {
    ask(headend, &head(), &parameters(OPERATOR_TOKEN))
}

/// Checks that the answer is a refusal with a reason.
fn refused(answer: &Answer, status: u16, title: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let problem = answer.json();
    assert_eq!(problem["title"], title);
    assert!(problem["detail"].is_string(), "{problem}");
    assert_eq!(problem.get("sessionToken"), None);
}

#[test]
fn it_grants_the_token_and_records_the_request() {
    let headend = Headend::start().expect("a head-end");
    assert_eq!(headend.ags_url(), headend.url("/ags/getSessionToken"));
    let answer = order(&headend);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), json!({ "sessionToken": headend.token() }));

    let requests = headend.token_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].service, Service::Ags);
    assert_eq!(requests[0].method, "POST");
    assert_eq!(requests[0].path, "/ags/getSessionToken");
    assert!(
        requests[0]
            .headers
            .contains(&("nv-tenant-id".into(), "headend-tenant".into()))
    );
    assert_eq!(requests[0].body, parameters(OPERATOR_TOKEN).as_bytes());
    assert_eq!(requests[0].status, Some(200));
}

#[test]
fn it_wants_to_know_which_auth_service_is_meant() {
    let headend = Headend::start().expect("a head-end");
    let body = parameters(OPERATOR_TOKEN);
    let nameless = ask(&headend, POST, &body);
    refused(&nameless, 400, "Bad request");
    let unknown = ask(
        &headend,
        &format!("{POST}\nx-auth-service-id: other"),
        &body,
    );
    refused(&unknown, 400, "Bad request");
}

#[test]
fn it_wants_the_operators_token() {
    let headend = Headend::start().expect("a head-end");
    let answer = ask(&headend, &head(), &parameters("other"));
    refused(&answer, 401, "Unauthorized");
    assert_eq!(headend.token_requests()[0].status, Some(401));
}

#[test]
fn it_refuses_a_body_that_is_not_of_its_form() {
    let headend = Headend::start().expect("a head-end");
    for body in [
        "",
        "{}",
        r#"{"parameters":[]}"#,
        &json!({ "OperatorAuthToken": OPERATOR_TOKEN }).to_string(),
    ] {
        refused(&ask(&headend, &head(), body), 400, "Bad request");
    }
}

#[test]
fn it_takes_no_body_without_end() {
    let headend = Headend::start().expect("a head-end");
    // One byte too many: had the server more left to read, it might reset the connection before
    // the answer is through.
    let long = "x".repeat(64 * 1024 + 1);
    refused(&ask(&headend, &head(), &long), 400, "Bad request");
    assert!(headend.token_requests()[0].body.is_empty());
}

#[test]
fn it_is_asked_with_post_alone() {
    let headend = Headend::start().expect("a head-end");
    assert_eq!(ask(&headend, "GET /ags/getSessionToken", "").status, 404);
    assert_eq!(ask(&headend, "POST /ags", "").status, 404);
    assert!(headend.token_requests().is_empty());
}

#[test]
fn it_behaves_as_it_is_told() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::GrantFor(7));
    assert_eq!(
        order(&headend).json(),
        json!({ "sessionToken": headend.token() })
    );

    headend.set_auth(Auth::Reply {
        status: 403,
        content_type: "text/html".into(),
        body: "<p>no".into(),
    });
    let answer = order(&headend);
    assert_eq!((answer.status, answer.text()), (403, "<p>no"));
}

#[test]
fn request_that_hangs_is_released() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Hang);
    let mut hanging = Connection::to(&headend);
    hanging.send(&head(), &parameters(OPERATOR_TOKEN));
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    headend.release();
    let answer = hanging.receive(true).expect("an answer");
    assert_eq!(answer.json()["sessionToken"], headend.token());
}

#[test]
fn ags_shares_token_and_sequence_with_other_services() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Sequence(vec![
        Auth::GrantFor(1),
        Auth::GrantFor(2),
        Auth::Grant,
    ]));
    let rdk = ask(&headend, "GET /authService/getSessionToken", "").json();
    let thunder = ask(
        &headend,
        &format!("POST /jsonrpc\nAuthorization: Bearer {SECURITY_TOKEN}"),
        r#"{"jsonrpc":"2.0","id":3,"method":"org.rdk.AuthService.1.getSessionToken"}"#,
    )
    .json();
    let ags = order(&headend).json();
    assert_eq!(rdk["expires"], 1);
    assert_eq!(thunder["result"]["expires"], 2);
    assert_eq!(rdk["token"], thunder["result"]["token"]);
    assert_eq!(rdk["token"], ags["sessionToken"]);

    let services: Vec<Service> = headend
        .token_requests()
        .iter()
        .map(|request| request.service)
        .collect();
    assert_eq!(services, [Service::Rdk, Service::Thunder, Service::Ags]);
}
