// SPDX-License-Identifier: MIT OR Apache-2.0

//! The discovery of AGS, asked over the network.

use crate::client::{Connection, PATIENCE, ask};
use headend::{AUTH_SERVICE_ID, Discovery, Headend, OPERATOR_TOKEN, SECURITY_TOKEN};
use serde_json::{Value, json};

const GET: &str = "GET /ags/servicediscovery";

#[test]
fn it_offers_the_service_and_records_the_request() {
    let headend = Headend::start().expect("a head-end");
    let answer = ask(
        &headend,
        &format!("{GET}?a=b\nnv-tenant-id: headend-tenant"),
        "",
    );
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let found = answer.json();
    let service = &found["availableServices"][0];
    assert_eq!(service["authServiceName"], AUTH_SERVICE_ID);
    assert!(service["displayAttributes"]["logo"].is_string());
    assert!(service["displayAttributes"]["name"].is_string());
    assert_eq!(
        service["endpoints"],
        json!([{
            "name": "SESSIONTOKEN",
            "path": "/getSessionToken",
            "parameterProperties": [
                { "name": "OperatorAuthToken", "mandatory": true, "isPassword": true },
                { "name": "DeviceName", "mandatory": false, "isPassword": false },
            ],
        }])
    );

    let requests = headend.discovery_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, "/ags/servicediscovery?a=b");
    assert!(
        requests[0]
            .headers
            .contains(&("nv-tenant-id".into(), "headend-tenant".into()))
    );
    assert_eq!(requests[0].status, Some(200));
    assert!(headend.token_requests().is_empty());
}

#[test]
fn what_it_offers_grants_the_token() {
    let headend = Headend::start().expect("a head-end");
    let found = ask(&headend, GET, "").json();
    let service = &found["availableServices"][0];
    let endpoint = &service["endpoints"][0];
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let answer = ask(
        &headend,
        &format!(
            "POST /ags{}\nx-auth-service-id: {}",
            text(&endpoint["path"]),
            text(&service["authServiceName"]),
        ),
        &json!({
            "parameters": [{
                "name": endpoint["parameterProperties"][0]["name"],
                "value": OPERATOR_TOKEN,
            }],
        })
        .to_string(),
    );
    assert_eq!(answer.json()["sessionToken"], headend.token());
}

#[test]
fn it_answers_what_it_is_told() {
    let headend = Headend::start().expect("a head-end");
    headend.set_discovery(Discovery::Reply {
        status: 404,
        content_type: "text/html".into(),
        body: "<p>none".into(),
    });
    let answer = ask(&headend, GET, "");
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("content-type"), Some("text/html"));
    assert_eq!(answer.text(), "<p>none");
    assert_eq!(headend.discovery_requests()[0].status, Some(404));
}

#[test]
fn request_that_hangs_is_released() {
    let headend = Headend::start().expect("a head-end");
    headend.set_discovery(Discovery::Hang);
    let mut hanging = Connection::to(&headend);
    hanging.send(GET, "");
    assert!(headend.wait_for(PATIENCE, |record| record.discovery_requests().count() == 1));
    assert_eq!(headend.discovery_requests()[0].status, None);
    headend.release();
    assert_eq!(hanging.receive(true).map(|answer| answer.status), Some(200));
    assert_eq!(ask(&headend, GET, "").status, 200);
}

#[test]
fn record_has_a_line_for_it_but_no_secret() {
    let headend = Headend::start().expect("a head-end");
    let secrets = [SECURITY_TOKEN, OPERATOR_TOKEN, &headend.token()];
    let [security_token, operator_token, token] = secrets;
    ask(
        &headend,
        &format!("{GET}?token={token}\ntoken: {token}"),
        "",
    );
    ask(
        &headend,
        &format!(
            "POST /ags/getSessionToken?token={operator_token}\nx-auth-service-id: {AUTH_SERVICE_ID}"
        ),
        &format!(r#"{{"parameters":[{{"name":"OperatorAuthToken","value":"{operator_token}"}}]}}"#),
    );
    ask(
        &headend,
        &format!("POST /jsonrpc\nAuthorization: Bearer {security_token}"),
        "{}",
    );

    let record = ask(&headend, "GET /record", "");
    assert_eq!(
        record.text(),
        "discovery GET /ags/servicediscovery -> 200\n\
         token   POST /ags/getSessionToken -> 200\n\
         token   POST /jsonrpc -> 200\n"
    );
    assert_eq!(ask(&headend, "POST /record/clear", "").status, 200);
    assert!(headend.discovery_requests().is_empty());
}
