// SPDX-License-Identifier: MIT OR Apache-2.0

//! What services say, and what users write for them.

use std::time::SystemTime;

use crate::auth_service::parameters::{Parameter, read_parameters};
use crate::auth_service::thunder_events::{Registrations, ThunderMessage};
use crate::auth_service::{
    Ags, CallContext, Thunder, TokenReply, ags, custom, dashif, discovery, oauth2, rdk, thunder,
};
use crate::cenc::{License, read_license};
use crate::error::Failure;
use crate::http::HttpResponse;
use crate::problem_details::ProblemDetails;
use crate::token::{Grant, MAX_TOKEN_LEN, Secret};

/// Every class of status that a parser tells from the others.
const STATUSES: [u16; 10] = [200, 202, 204, 206, 302, 400, 401, 404, 429, 503];

/// Where this stands in a body, no error text may repeat it.
const CANARY: &str = "CANARY-7f3a9c";

fn replies(body: &[u8]) -> impl Iterator<Item = HttpResponse> {
    STATUSES
        .map(|status| HttpResponse::new(status, body))
        .into_iter()
}

fn check_failure(failure: &Failure) {
    assert!(
        !failure.what.contains(CANARY),
        "an error text quotes the reply"
    );
    check_text(&failure.what, 2000);
    check_problem(&failure.problem);
}

fn check_problem(problem: &ProblemDetails) {
    for text in [problem.title(), problem.detail()].into_iter().flatten() {
        assert!(!text.is_empty());
        check_text(&text, 401);
    }
}

fn check_text(text: &str, limit: usize) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(
        text.chars().count() <= limit,
        "a text of {} bytes",
        text.len()
    );
}

fn check_grant(result: Result<Grant, Failure>) {
    match result {
        Ok(grant) => {
            let token = grant.token.expose();
            assert!((1..=MAX_TOKEN_LEN).contains(&token.len()));
            assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        Err(failure) => check_failure(&failure),
    }
}

pub fn rdk(body: &[u8]) {
    replies(body).for_each(|reply| check_grant(rdk::read_reply(&reply)));
}

pub fn thunder(body: &[u8]) {
    replies(body).for_each(|reply| check_grant(thunder::read_reply(&reply, 3)));
}

/// What comes on Thunder's WebSocket: the same message again says no more than the first time.
pub fn changes(message: &[u8]) {
    let mut registrations = Registrations::new("plugin.1.register", [3, 4]);
    match registrations.read(message) {
        Ok(ThunderMessage::Registered) => {
            assert!(registrations.is_done());
            assert_eq!(registrations.read(message), Ok(ThunderMessage::Nothing));
        }
        Ok(said) => {
            assert!(!registrations.is_done());
            assert_eq!(registrations.read(message), Ok(said));
        }
        Err(failure) => check_failure(&failure),
    }
}

pub fn ags(body: &[u8]) {
    replies(body).for_each(|reply| check_grant(ags::read_reply(&reply)));
}

/// The new refresh token will be sent, and stand in a file of one line.
pub fn oauth2(body: &[u8]) {
    for reply in replies(body) {
        let result = oauth2::read_reply(&reply);
        if let Ok(TokenReply {
            refresh_token: Some(text),
            ..
        }) = &result
        {
            assert!(!text.expose().is_empty());
            assert!(!text.expose().chars().any(char::is_control));
        }
        check_grant(result.map(|reply| reply.grant));
    }
}

/// The first line is where the token stands and its end, the rest is the reply.
pub fn custom(bytes: &[u8]) {
    let split = bytes.iter().position(|byte| *byte == b'\n');
    let (line, body) = bytes.split_at(split.unwrap_or(0));
    let line = String::from_utf8_lossy(line);
    let (token, expires) = line.split_once(' ').unwrap_or((&line, ""));
    let settings = custom::CustomSettings {
        token_pointer: Some(token).filter(|text| !text.is_empty()),
        expires_pointer: Some(expires).filter(|text| !text.is_empty()),
        ..custom::CustomSettings::default()
    };
    match custom::Custom::new(settings) {
        Err(failure) => check_failure(&failure),
        Ok(service) => {
            for reply in replies(body) {
                let result = service.read_reply(&reply, SystemTime::UNIX_EPOCH);
                check_grant(result.map(|reply| reply.grant));
            }
        }
    }
}

/// Parameters as a user writes them.
pub fn parameters(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    // Files would be read.
    if text.contains("secret-file") {
        return;
    }
    match read_parameters(&text, "parameters-file") {
        Ok(parameters) => assert!(parameters.iter().all(|(name, _)| !name.is_empty())),
        Err(failure) => check_text(&failure.what, 2000),
    }
}

/// A token is read as such whatever stands in it.
pub fn dashif(body: &[u8]) {
    for mut reply in replies(body) {
        reply.media_type = Some("text/plain".to_owned());
        check_grant(dashif::read_reply(&reply));
    }
    let listed = dashif::read_list(&String::from_utf8_lossy(body));
    assert_eq!(dashif::read_list(&dashif::list(&listed)), listed);
}

pub fn discovery(body: &[u8]) {
    for reply in replies(body) {
        let offers = match discovery::read_reply(&reply) {
            Ok(offers) => offers,
            Err(failure) => {
                check_failure(&failure);
                continue;
            }
        };
        assert!(!offers.is_empty());
        for id in [None, Some("sso".to_owned())] {
            let parameters = vec![("User".to_owned(), Parameter::from("x"))];
            let ags = Ags::new(id, None, parameters, true).expect("valid settings");
            match ags.choose(&offers, "getSessionToken") {
                // It will stand in a header.
                Ok(id) => assert!(crate::http::headers::is_value(&id)),
                // These do name what is on offer.
                Err(failure) => check_text(&failure.what, 2000),
            }
        }
    }
}

pub fn problem(body: &[u8]) {
    let problem = ProblemDetails::read(body);
    check_problem(&problem);
    let discreet = problem.without(&[Secret::from(CANARY), Secret::from("")]);
    for text in [discreet.title(), discreet.detail()].into_iter().flatten() {
        assert!(!text.contains(CANARY));
    }
}

pub fn license(body: &[u8]) {
    for reply in replies(body) {
        let result: Result<License, _> = read_license(&reply);
        if let Err(failure) = result {
            check_failure(&failure);
        }
    }
}

/// Requests hold what the user set, whatever that is: it comes back out of the JSON as it went in.
pub fn requests(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let pairs = vec![(text.to_string(), Parameter::from(&*text))];
    let ags = Ags::new(Some("sso".to_owned()), None, pairs, false).expect("valid");
    let context = CallContext::for_tests();
    let (_, body) = ags.token_call(&context).body.expect("a body");
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["parameters"][0]["name"], *text);
    assert_eq!(body["parameters"][0]["value"], *text);
    if let Ok(thunder) = Thunder::new(&text, Some(Secret::from(&*text))) {
        let call = thunder.call();
        assert!(
            call.headers
                .iter()
                .all(|(_, value)| crate::http::headers::is_value(value.expose()))
        );
    }
}
