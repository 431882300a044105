// SPDX-License-Identifier: MIT OR Apache-2.0

//! OAuth 2.0: token replies and error replies.

use super::*;

fn case(name: &str, script: Script) -> Case {
    Case::new(name, script).on(Service::OAuth2).asked(2, 1)
}

#[test]
fn oauth2_malformed_reply_is_described_not_quoted() {
    let cases = [
        ("a number", r#"{"access_token":17}"#, "not a string"),
        ("null", r#"{"access_token":null}"#, "no `access_token`"),
        ("an empty one", r#"{"access_token":""}"#, "is empty"),
        (
            "a header",
            r#"{"access_token":"SECRET\r\nX: y"}"#,
            "visible ASCII",
        ),
        (
            "two",
            r#"{"access_token":"SECRET","access_token":"SECRET"}"#,
            "shape",
        ),
        (
            "another type",
            r#"{"access_token":"SECRET","token_type":"SECRET"}"#,
            "bearer token",
        ),
        (
            "an error with 200",
            r#"{"error":"invalid_grant","error_description":"SECRET"}"#,
            "no `access_token`",
        ),
        ("RDK's own reply", super::GRANT, "no `access_token`"),
        ("a list", r#"["SECRET"]"#, "shape"),
        ("a page", "<html>SECRET</html>", "not JSON"),
        (
            "a form",
            "access_token=SECRET&token_type=bearer",
            "not JSON",
        ),
        ("nothing", "", "ends at"),
    ]
    .map(|(name, body, says)| {
        case(name, answers(200, body))
            .malformed(&[says])
            .status(200)
    });
    run(Vec::from(cases));
}

#[test]
fn oauth2_error_reply_is_told_without_secrets() {
    let error = |code: &str, description: &str| {
        format!(
            r#"{{"error":"{code}","error_description":"{description}","access_token":"SECRET"}}"#
        )
    };
    let cases = vec![
        case(
            "a bad client",
            answers(401, error("invalid_client", "No such client.")),
        )
        .denied(&["invalid_client", "`client-id`"])
        .status(401)
        .titled("No such client."),
        case(
            "a secret in it",
            answers(400, error("invalid_grant", "not SECRET-CLIENT")),
        )
        .denied(&["invalid_grant"])
        .status(400),
        case(
            "a secret for a code",
            answers(400, error("SECRET-CLIENT", "")),
        )
        .denied(&["for a reason of its own"])
        .status(400),
        case(
            "a code that is none",
            answers(400, error("x\\u0000\\u202e", "")),
        )
        .denied(&["for a reason of its own"])
        .status(400),
        case(
            "a code of another type",
            answers(401, r#"{"error":{"code":"SECRET"}}"#),
        )
        .denied(&["HTTP 401"])
        .status(401),
        case(
            "an error that passes",
            answers(400, error("temporarily_unavailable", "Soon.")),
        )
        .transient(&["temporarily_unavailable"])
        .status(400)
        .titled("Soon."),
    ];
    run(cases);
}

#[test]
fn oauth2_reply_that_is_odd_but_right_plays() {
    for (name, body) in [
        ("no type", r#"{"access_token":"SECRET-TOKEN"}"#),
        (
            "another case",
            r#"{"access_token":"SECRET-TOKEN","token_type":"BEARER","expires_in":"3600"}"#,
        ),
        (
            "nonsense beside it",
            r#"{"access_token":"SECRET-TOKEN","expires_in":{},"refresh_token":[],"scope":7}"#,
        ),
        (
            "a mark of byte order",
            "\u{feff}{\"access_token\":\"SECRET-TOKEN\"}",
        ),
    ] {
        run(vec![case(name, answers(200, body)).plays("SECRET-TOKEN")]);
    }
}
