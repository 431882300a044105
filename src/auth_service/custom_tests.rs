// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::error::Kind;

fn at_pointers(token: Option<&str>, expires: Option<&str>) -> Custom {
    let settings = CustomSettings {
        token_pointer: token,
        expires_pointer: expires,
        ..CustomSettings::default()
    };
    Custom::new(settings).expect("valid settings")
}

/// 2023-11-14T22:13:20Z
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn read(custom: &Custom, body: &str) -> Result<Grant, Failure> {
    let reply = custom.read_reply(&HttpResponse::new(200, body.as_bytes()), now());
    reply.map(|reply| reply.grant)
}

#[test]
fn request_is_as_the_settings_say() {
    let get = at_pointers(None, None).token_call();
    assert_eq!((get.method, get.body.is_none()), (Method::Get, true));
    let settings = |method, content_type| CustomSettings {
        method: Some(method),
        content_type,
        body: Some(Secret::from("<login/>")),
        ..CustomSettings::default()
    };
    for (method, is) in [("POST", Method::Post), ("put", Method::Put)] {
        let custom = Custom::new(settings(method, Some("text/xml; charset=utf-8")));
        let call = custom.expect(method).token_call();
        let (content_type, body) = call.body.expect("a body");
        assert_eq!(
            (call.method, &*content_type, &body[..]),
            (is, "text/xml; charset=utf-8", &b"<login/>"[..])
        );
        assert_eq!(call.secrets, [Secret::from("<login/>")]);
    }
    let call = Custom::new(settings("POST", None))
        .expect("valid")
        .token_call();
    assert_eq!(call.body.expect("a body").0, "application/json");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let body = || Some(Secret::from("SECRET"));
    for (settings, property) in [
        (
            CustomSettings {
                method: Some("BREW"),
                ..CustomSettings::default()
            },
            "`request-method`",
        ),
        (
            CustomSettings {
                body: body(),
                ..CustomSettings::default()
            },
            "`request-body-file`",
        ),
        (
            CustomSettings {
                method: Some("POST"),
                content_type: Some("text/plain"),
                ..CustomSettings::default()
            },
            "`request-content-type`",
        ),
        (
            CustomSettings {
                method: Some("POST"),
                content_type: Some("text/plain\r\nX: y"),
                body: body(),
                ..CustomSettings::default()
            },
            "`request-content-type`",
        ),
        (
            CustomSettings {
                token_pointer: Some("token"),
                ..CustomSettings::default()
            },
            "`token-pointer`",
        ),
        (
            CustomSettings {
                expires_pointer: Some("/exp"),
                ..CustomSettings::default()
            },
            "`expires-pointer`",
        ),
    ] {
        let failure = Custom::new(settings).expect_err(property);
        assert_eq!(failure.kind, Kind::Misconfigured);
        assert!(failure.what.contains(property), "{}", failure.what);
        assert!(!failure.what.contains("SECRET"), "{}", failure.what);
    }
}

#[test]
fn token_is_the_body_or_stands_at_its_pointer() {
    let token = |custom: &Custom, body: &str| {
        let grant = read(custom, body).unwrap_or_else(|failure| panic!("{body}: {failure:?}"));
        grant.token.expose().to_owned()
    };
    assert_eq!(token(&at_pointers(None, None), " abc\r\n"), "abc");
    let custom = at_pointers(Some("/data/0/session~1token"), None);
    let body = r#"{"data":[{"session/token":"abc","other":1}]}"#;
    assert_eq!(token(&custom, body), "abc");
}

#[test]
fn expiry_is_seconds_epoch_or_a_date() {
    let custom = at_pointers(Some("/t"), Some("/e"));
    for (value, seconds) in [
        ("60", Some(60.0)),
        (r#""60""#, Some(60.0)),
        ("0.5", Some(0.5)),
        ("1700000060", Some(60.0)),
        (r#""2023-11-14T22:14:20Z""#, Some(60.0)),
        (r#""2023-11-14T23:14:20.5+01:00""#, Some(60.5)),
        (r#""2023-11-14T22:13:19Z""#, None),
        ("1600000000", None),
        ("0", None),
        ("-1", None),
        ("null", None),
    ] {
        let grant = read(&custom, &format!(r#"{{"t":"abc","e":{value}}}"#));
        let lifetime = grant.expect(value).lifetime;
        assert_eq!(lifetime.map(|time| time.as_secs_f64()), seconds, "{value}");
    }
    let grant = read(&custom, r#"{"t":"abc"}"#).expect("a token without an end");
    assert_eq!(grant.lifetime, None);
    for value in [r#""soon""#, "true", r#""2023-11-14""#, r#""""#] {
        let failure = read(&custom, &format!(r#"{{"t":"abc","e":{value}}}"#)).expect_err(value);
        assert!(
            failure.what.contains("`expires-pointer`"),
            "{}",
            failure.what
        );
    }
}

#[test]
fn reply_without_a_token_is_malformed_and_not_quoted() {
    let body_is_token = at_pointers(None, None);
    let at = at_pointers(Some("/a/t"), None);
    for (custom, body, says) in [
        (&body_is_token, r#"{"t":"SECRET"}"#, "`token-pointer`"),
        (&body_is_token, "<html>SECRET</html>", "`token-pointer`"),
        (&body_is_token, "a SECRET", "visible ASCII"),
        (&body_is_token, "", "is empty"),
        (&at, "SECRET", "not JSON"),
        (&at, r#"{"a":{"t":7}}"#, "no text"),
        (&at, r#"{"a":{"t":{"SECRET":1}}}"#, "no text"),
        (&at, r#"{"a":"SECRET"}"#, "no value"),
        (&at, r#"{"a":{"t":""}}"#, "is empty"),
        (&at, r#"{"a":{"t":"SECRET","t":"SECRET"}}"#, "shape"),
    ] {
        let failure = read(custom, body).expect_err(body);
        assert_eq!(failure.kind, Kind::Malformed, "{body}");
        assert!(failure.what.contains(says), "{body}: {}", failure.what);
        assert!(!failure.what.contains("SECRET"), "{}", failure.what);
    }
    let invalid = body_is_token.read_reply(&HttpResponse::new(200, b"\xff"), now());
    assert_eq!(invalid.expect_err("no text").kind, Kind::Malformed);
}

#[test]
fn status_decides_before_the_body() {
    let custom = at_pointers(None, None);
    for (status, kind) in [
        (401, Kind::Denied),
        (403, Kind::Denied),
        (302, Kind::Malformed),
        (404, Kind::Malformed),
        (429, Kind::Transient),
        (503, Kind::Transient),
    ] {
        let reply = custom.read_reply(&HttpResponse::new(status, b"abc"), now());
        assert_eq!(reply.expect_err("no token").kind, kind, "{status}");
    }
    assert!(
        custom
            .read_reply(&HttpResponse::new(201, b"abc"), now())
            .is_ok()
    );
}
