// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;
use crate::error::Kind;

fn refresh_token(text: &str, login: u64) -> RefreshToken {
    RefreshToken {
        text: Secret::from(text),
        login,
        content: [0; 32],
    }
}

fn call(grant: OAuth2Grant, authentication: ClientAuthentication) -> Call {
    let oauth2 = OAuth2::new(
        grant,
        Some("a client:1".to_owned()),
        authentication,
        Some("play&watch".to_owned()),
        Some("https://licenses.example/".to_owned()),
    );
    let call = oauth2
        .expect("valid settings")
        .token_call(&CallContext::for_tests());
    call.expect("a request")
}

fn body(call: &Call) -> String {
    let (content_type, body) = call.body.as_ref().expect("a body");
    assert_eq!(content_type, "application/x-www-form-urlencoded");
    String::from_utf8(body.to_vec()).expect("text")
}

fn authorization(call: &Call) -> Option<&str> {
    let header = call
        .headers
        .iter()
        .find(|(name, _)| name == "Authorization");
    header.map(|(_, value)| value.expose())
}

const REST: &str = "&scope=play%26watch&audience=https%3A%2F%2Flicenses.example%2F";

#[test]
fn client_credentials_go_in_the_header_or_in_the_body() {
    let secret = Secret::from("s:e%c r\u{e9}t");
    let basic = call(
        OAuth2Grant::ClientCredentials,
        ClientAuthentication::Basic(secret.clone()),
    );
    assert_eq!(basic.method, Method::Post);
    assert_eq!(body(&basic), format!("grant_type=client_credentials{REST}"));
    let expected = STANDARD.encode("a+client%3A1:s%3Ae%25c+r%C3%A9t");
    assert_eq!(authorization(&basic), Some(&*format!("Basic {expected}")));
    let post = call(
        OAuth2Grant::ClientCredentials,
        ClientAuthentication::Post(secret.clone()),
    );
    let credentials = "&client_id=a+client%3A1&client_secret=s%3Ae%25c+r%C3%A9t";
    assert_eq!(
        body(&post),
        format!("grant_type=client_credentials{credentials}{REST}")
    );
    assert_eq!(authorization(&post), None);
    for call in [basic, post] {
        assert!(call.secrets.contains(&secret));
    }
}

#[test]
fn refresh_token_is_sent_by_a_public_client() {
    let grant = OAuth2Grant::RefreshToken(refresh_token("r/1", 1));
    let call = call(grant, ClientAuthentication::Public);
    assert_eq!(
        body(&call),
        format!("grant_type=refresh_token&refresh_token=r%2F1&client_id=a+client%3A1{REST}")
    );
    assert!(call.secrets.contains(&Secret::from("r/1")));
}

#[test]
fn refresh_tokens_of_one_login_are_the_same() {
    assert_eq!(refresh_token("a", 1), refresh_token("b", 1));
    assert_ne!(refresh_token("a", 1), refresh_token("a", 2));
}

#[test]
fn oauth2_without_what_it_needs_names_the_property() {
    let new = |client_id: Option<&str>, scope: &str| {
        OAuth2::new(
            OAuth2Grant::ClientCredentials,
            client_id.map(str::to_owned),
            ClientAuthentication::Public,
            Some(scope.to_owned()),
            None,
        )
    };
    for (client_id, scope, property) in [
        (None, "s", "`client-id`"),
        (Some("c"), "s", "`client-secret-file`"),
        (Some("c"), "s\n", "`scope`"),
        (Some(&*"c".repeat(3000)), "s", "`client-id`"),
    ] {
        let failure = new(client_id, scope).expect_err(property);
        assert_eq!(failure.kind, Kind::Misconfigured);
        assert!(failure.what.contains(property), "{}", failure.what);
    }
}

fn read(status: u16, body: &str) -> Result<TokenReply, Failure> {
    read_reply(&HttpResponse::new(status, body.as_bytes()))
}

#[test]
fn token_reply_of_rfc_6749_is_read() {
    let reply = read(
        200,
        r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example","expires_in":3600}"#,
    );
    assert_eq!(reply.expect_err("another type").kind, Kind::Malformed);
    let reply = read(
        200,
        r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"bEaReR","expires_in":3600,
            "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","example_parameter":"example_value"}"#,
    );
    let reply = reply.expect("a token");
    assert_eq!(reply.grant.token.expose(), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(reply.grant.lifetime, Some(Duration::from_secs(3600)));
    let refresh_token = reply.refresh_token.expect("another one");
    assert_eq!(refresh_token.expose(), "tGzv3JOkF0XG5Qx2TlKWIA");
}

#[test]
fn expires_in_may_be_text_or_missing() {
    for (field, seconds) in [
        (r#","expires_in":"60""#, Some(60)),
        (r#","expires_in":0"#, None),
        (r#","expires_in":-5"#, None),
        (r#","expires_in":null"#, None),
        ("", None),
    ] {
        let reply = read(200, &format!(r#"{{"access_token":"t"{field}}}"#));
        let lifetime = reply.expect(field).grant.lifetime;
        assert_eq!(lifetime, seconds.map(Duration::from_secs), "{field}");
    }
}

#[test]
fn refresh_token_that_no_file_could_keep_is_ignored() {
    for text in ["", " r", "r\\n", "r\\u0000", "\\u00e9"] {
        let body = format!(r#"{{"access_token":"t","refresh_token":"{text}"}}"#);
        assert!(
            read(200, &body).expect(text).refresh_token.is_none(),
            "{text:?}"
        );
    }
}

#[test]
fn error_codes_of_section_5_2_decide_the_kind() {
    for (status, code, kind) in [
        (400, "invalid_grant", Kind::Denied),
        (401, "invalid_client", Kind::Denied),
        (400, "unauthorized_client", Kind::Denied),
        (400, "invalid_scope", Kind::Denied),
        (400, "something_of_its_own", Kind::Denied),
        (400, "unsupported_grant_type", Kind::Misconfigured),
        (400, "invalid_request", Kind::Misconfigured),
        (400, "temporarily_unavailable", Kind::Transient),
        (503, "temporarily_unavailable", Kind::Transient),
        (503, "something_of_its_own", Kind::Transient),
    ] {
        let body = format!(r#"{{"error":"{code}","error_description":"It is so."}}"#);
        let failure = read(status, &body).expect_err(code);
        assert_eq!(failure.kind, kind, "{code}");
        assert_eq!(failure.problem.title().as_deref(), Some("It is so."));
        assert!(
            failure.what.contains(&format!("HTTP {status}")),
            "{failure:?}"
        );
    }
}

#[test]
fn without_an_error_code_the_status_decides() {
    for (status, body, kind) in [
        (401, "no", Kind::Denied),
        (403, "{}", Kind::Denied),
        (400, "<html>", Kind::Malformed),
        (404, "", Kind::Malformed),
        (302, r#"{"error":"invalid_grant"}"#, Kind::Malformed),
        (429, "[]", Kind::Transient),
        (500, r#"{"error":5}"#, Kind::Transient),
    ] {
        assert_eq!(read(status, body).expect_err(body).kind, kind, "{status}");
    }
}

#[test]
fn malformed_oauth2_reply_error_never_quotes_it() {
    for (body, says) in [
        ("SECRET", "not JSON"),
        (r#"["SECRET"]"#, "shape"),
        (r#"{"token_type":"Bearer"}"#, "no `access_token`"),
        (r#"{"access_token":17}"#, "not a string"),
        (r#"{"access_token":"a SECRET"}"#, "visible ASCII"),
        (r#"{"access_token":"SECRET","token_type":"DPoP"}"#, "bearer"),
        (r#"{"access_token":"SECRET","token_type":1}"#, "bearer"),
        (
            r#"{"access_token":"SECRET","access_token":"SECRET"}"#,
            "shape",
        ),
    ] {
        let failure = read(200, body).expect_err(body);
        assert_eq!(failure.kind, Kind::Malformed, "{body}");
        assert!(failure.what.contains(says), "{body}: {}", failure.what);
        assert!(!failure.what.contains("SECRET"), "{}", failure.what);
    }
}
