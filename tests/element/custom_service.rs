// SPDX-License-Identifier: MIT OR Apache-2.0

//! `auth-service=http` against a service of no known shape.

use gst::element_factory::ElementBuilder;
use headend::{Auth, DEVICE_KEY};
use support::rig::*;

use crate::services::{Place, failed_tune, text, the_request, tune};

const TOKEN: &str = "/data/0/session~1token";
const EXPIRES: &str = "/data/0/ends/in";

fn custom(location: String) -> ElementBuilder<'static> {
    make("sessiontoken")
        .property_from_str("auth-service", "http")
        .property("location", location)
        .property("timeout", NO_HURRY)
}

fn key_file() -> File {
    File::new(format!(r#"{{"X-Device-Key":"{DEVICE_KEY}"}}"#))
}

#[test]
fn token_and_its_end_are_found_by_pointers() {
    let headers = key_file();
    for place in Place::both(&Auth::GrantFor(600)) {
        let builder = custom(place.headend.login_url())
            .property("extra-headers-file", headers.path())
            .property("token-pointer", TOKEN)
            .property("expires-pointer", EXPIRES);
        let rig = Rig::new(place.trusting(builder));
        let key_request = tune(&rig);
        assert_eq!(text(&key_request, "session-token"), place.headend.token());
        assert!(key_request.has_field("expires-at"));
        assert_eq!(text(rig.told().state(), "service"), "http");
        let request = the_request(&place.headend);
        assert_eq!((&*request.method, &request.body[..]), ("GET", &b""[..]));
    }
}

#[test]
fn reply_without_a_pointer_is_the_token() {
    let headers = key_file();
    let headend = headend(Auth::Grant);
    let location = format!("{}/plain", headend.login_url());
    let builder = custom(location).property("extra-headers-file", headers.path());
    let key_request = tune(&Rig::new(builder));
    assert_eq!(text(&key_request, "session-token"), headend.token());
    assert!(!key_request.has_field("expires-at"));
}

#[test]
fn body_is_sent_as_it_stands_in_its_file() {
    let content = format!("<login key=\"{DEVICE_KEY}\"/>");
    let body = File::new(&content);
    for (method, content_type) in [("POST", None), ("put", Some("text/xml"))] {
        let headend = headend(Auth::Grant);
        let builder = custom(headend.login_url())
            .property("request-method", method)
            .property("request-body-file", body.path())
            .property_if_some("request-content-type", content_type)
            .property("token-pointer", TOKEN);
        let key_request = tune(&Rig::new(builder));
        assert_eq!(text(&key_request, "session-token"), headend.token());
        let request = the_request(&headend);
        assert_eq!(request.method, method.to_uppercase());
        assert_eq!(request.body, content.as_bytes());
        let sent = request
            .headers
            .iter()
            .find(|(name, _)| name == "content-type");
        let expected = content_type.unwrap_or("application/json");
        assert_eq!(sent.map(|(_, value)| &**value), Some(expected));
    }
}

#[test]
fn custom_refusal_names_the_files_of_credentials() {
    let headend = headend(Auth::Grant);
    let builder = custom(headend.login_url()).property("token-pointer", TOKEN);
    let told = failed_tune(&Rig::new(builder));
    told.error().is(gst::ResourceError::NotAuthorized).says(&[
        "HTTP 401",
        "`extra-headers-file`",
        "`request-body-file`",
    ]);
}

#[test]
fn custom_setting_that_is_wrong_is_named() {
    let file = File::new("SECRET");
    let place = || custom("http://127.0.0.1:1/login".to_owned());
    for (builder, says) in [
        (
            make("sessiontoken").property_from_str("auth-service", "http"),
            "`location`",
        ),
        (
            place().property("request-method", "BREW"),
            "`request-method`",
        ),
        (
            place().property("request-body-file", file.path()),
            "`request-body-file`",
        ),
        (
            place()
                .property("request-method", "POST")
                .property("request-body-file", "/nowhere"),
            "`request-body-file`",
        ),
        (
            place().property("request-content-type", "text/xml"),
            "`request-content-type`",
        ),
        (
            place().property("token-pointer", "token"),
            "`token-pointer`",
        ),
        (
            place().property("expires-pointer", "/exp"),
            "`expires-pointer`",
        ),
        (
            place()
                .property("token-pointer", TOKEN)
                .property("expires-pointer", "/~"),
            "`expires-pointer`",
        ),
        (
            place()
                .property("token-pointer", TOKEN)
                .property_from_str("auth-service", "rdk"),
            "`token-pointer`",
        ),
    ] {
        refusal(builder).says(&[says]).does_not_say(&["SECRET"]);
    }
}
