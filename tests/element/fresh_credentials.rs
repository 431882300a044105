// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files of credentials are read for each request, and not once a tune.

use gst::element_factory::ElementBuilder;
use headend::{ACCOUNT, AUTH_SERVICE_ID, Auth, Headend, SHARED_SECRET};
use serde_json::Value;
use support::rig::*;

use crate::services::{asking_at, body, refresh, text, tune};

fn ags(headend: &Headend, parameters: &File) -> ElementBuilder<'static> {
    make("sessiontoken")
        .property_from_str("auth-service", "ags")
        .property("location", headend.ags_url())
        .property("auth-service-id", AUTH_SERVICE_ID)
        .property("parameters-file", parameters.path())
        .property("timeout", NO_HURRY)
}

/// An AGS that grants whatever it is sent.
fn lenient() -> Headend {
    headend(Auth::Reply {
        status: 200,
        content_type: "application/json".to_owned(),
        body: r#"{"sessionToken":"token"}"#.to_owned(),
    })
}

fn sent(headend: &Headend) -> Vec<String> {
    let requests = headend.token_requests();
    let value = |body: Value| body["parameters"][0]["value"].as_str().map(str::to_owned);
    requests
        .iter()
        .map(|request| value(body(request)).expect("a parameter"))
        .collect()
}

/// A token that came with the first credentials of a file, and was renewed with the second ones.
fn renewed(headend: &Headend) -> (Rig, File) {
    let file = File::new(r#"{"OperatorAuthToken":"first"}"#);
    let rig = Rig::new(ags(headend, &file));
    tune(&rig);
    file.write(r#"{"OperatorAuthToken":"second"}"#);
    refresh(&rig);
    rig.wait_for_state("renewed");
    (rig, file)
}

#[test]
fn renewal_sends_what_the_file_holds_by_then() {
    let headend = lenient();
    let _renewed = renewed(&headend);
    assert_eq!(sent(&headend), ["first", "second"]);
}

#[test]
fn session_goes_on_with_the_newer_credentials() {
    let headend = lenient();
    let (_rig, file) = renewed(&headend);
    // Who comes with those has the token that they brought.
    tune(&Rig::new(ags(&headend, &file)));
    assert_eq!(headend.token_requests().len(), 2);
    // Who still had the ones before has none of it.
    file.write(r#"{"OperatorAuthToken":"first"}"#);
    tune(&Rig::new(ags(&headend, &file)));
    assert_eq!(sent(&headend), ["first", "second", "first"]);
}

#[test]
fn file_that_is_gone_at_a_renewal_leaves_the_token() {
    let headend = headend(Auth::Grant);
    let file = File::new(headend::SECURITY_TOKEN);
    let builder = make("sessiontoken")
        .property_from_str("auth-service", "thunder")
        .property("location", headend.thunder_url())
        .property("authorization-file", file.path())
        .property("timeout", NO_HURRY);
    let rig = Rig::new(builder);
    tune(&rig);
    drop(file);
    refresh(&rig);
    let failed = rig.wait_for_state("renewal-failed");
    assert_eq!(text(&failed, "reason"), "misconfigured");
    assert!(text(&failed, "text").contains("`authorization-file`"));
    assert_eq!(headend.token_requests().len(), 1);
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
    let protections = rig.log.protections();
    let key_request = key_request(protections.last().expect("an event"));
    assert_eq!(text(&key_request, "session-token"), headend.token());
}

#[test]
fn operators_token_is_signed_for_each_request() {
    let headend = headend(Auth::Grant);
    let secret = File::new(format!("{SHARED_SECRET}\n"));
    let file = File::new(format!(
        r#"{{"OperatorAuthToken":{{"jwt":{{"secret-file":"{}","kid":"k1","claims":{{"account":"{ACCOUNT}","tenant":"t"}},"lifetime":60}}}}}}"#,
        secret.path()
    ));
    let rig = Rig::new(ags(&headend, &file));
    assert_eq!(text(&tune(&rig), "session-token"), headend.token());
    // With another secret, which the service does not know.
    secret.write("another secret");
    headend.revoke();
    refresh(&rig);
    rig.wait_for_state("renewal-failed");
    let statuses: Vec<_> = headend
        .token_requests()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [Some(200), Some(401)]);
}

#[test]
fn settings_by_value_share_a_session_as_before() {
    let headend = headend(Auth::Grant);
    for _ in 0..2 {
        tune(&Rig::new(asking_at("thunder", headend.thunder_url())));
    }
    assert_eq!(headend.token_requests().len(), 1);
}
