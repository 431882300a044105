// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a server says in its own words: shown on one line, and not where it could be a secret.

use super::*;

const TYPE: &str = "Content-Type: application/problem+json";

fn refusal(name: &str, headers: &[&str], body: &str) -> Case {
    Case::new(name, raw(reply(403, headers, body)))
        .denied(&["HTTP 403"])
        .status(403)
}

fn document(title: &str, detail: &str) -> String {
    format!(
        r#"{{"type":"https://SECRET.example/SECRET","title":"{title}","detail":"{detail}","instance":"/SECRET","SECRET":"SECRET"}}"#
    )
}

#[test]
fn problem_document_is_shown_on_one_line() {
    let shown = [
        ("plain", "No subscription", "No subscription"),
        ("lines", r"No\r\nsubscription\n", "No subscription"),
        (
            "a terminal's escapes",
            r"No \u001b[31msubscription\u001b[0m",
            "No [31msubscription [0m",
        ),
        (
            "a terminal's bell",
            r"No\u0007subscription\u0000",
            "No subscription",
        ),
        (
            "its own direction",
            r"No\u202e sub\u200bscription\ufeff",
            "No subscription",
        ),
        (
            "the other control characters",
            r"No\u009b31msubscription",
            "No 31msubscription",
        ),
        (
            "escapes of JSON",
            r#"No \"subscription\""#,
            r#"No "subscription""#,
        ),
        (
            "what may be a token",
            "No eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9 subscription",
            "No … subscription",
        ),
    ];
    run(shown
        .map(|(name, text, shown)| {
            refusal(name, &[TYPE], &document(text, text))
                .titled(shown)
                .detailed(shown)
        })
        .into());
}

#[test]
fn problem_document_is_known_by_its_type_alone() {
    let body = document("No subscription", "Ask your operator.");
    let mut cases = vec![
        refusal("JSON", &["Content-Type: application/json"], &body),
        refusal("none", &[], &body),
        refusal("a page", &["Content-Type: text/html"], &body),
        refusal("its XML", &["Content-Type: application/problem+xml"], &body),
    ];
    for value in [
        "application/problem+json; charset=utf-8",
        "Application/Problem+JSON",
        "application/problem+json ;SECRET",
    ] {
        let case = refusal(value, &[&format!("Content-Type: {value}")], &body);
        cases.push(
            case.titled("No subscription")
                .detailed("Ask your operator."),
        );
    }
    for status in [400, 404, 429, 503] {
        let case = Case::new(format!("with {status}"), raw(reply(status, &[TYPE], &body)));
        let reason = if status < 429 {
            "malformed"
        } else {
            "transient"
        };
        cases.push(
            case.fails(reason, &[&format!("HTTP {status}")])
                .status(status)
                .titled("No subscription")
                .detailed("Ask your operator."),
        );
    }
    run(cases);
}

#[test]
fn long_problem_document_is_cut() {
    let words = "word ".repeat(6000);
    run(vec![
        refusal("words", &[TYPE], &document(&words, &words))
            .titled(&format!("{}…", ["word"; 24].join(" ")))
            .detailed(&format!("{}…", ["word"; 80].join(" "))),
        refusal("one word", &[TYPE], &document(&"SECRET".repeat(5000), "x"))
            .titled("…")
            .detailed("x"),
    ]);
}

#[test]
fn problem_title_with_request_data_is_not_shown() {
    run([
        "key=SECRET-QUERY is not known",
        "SECRET-QUERY",
        "no account SECRET-USER",
        "wrong: SECRET-PASSWORD!",
        r"spread: SECRET\u200b-QUERY",
        r"escaped: \u0053ECRET-QUERY",
    ]
    .map(|text| {
        refusal(text, &[TYPE], &document(text, "Ask your operator.")).detailed("Ask your operator.")
    })
    .into());
}

#[test]
fn what_is_no_problem_document_says_nothing() {
    run([
        "",
        "SECRET",
        "<html>SECRET</html>",
        r#"["SECRET"]"#,
        r#"{"title":17,"detail":["SECRET"]}"#,
        r#"{"title":"SECRET","title":"SECRET"}"#,
        r#"{"title":"","detail":"\u0000\u200b"}"#,
        r#"{"title":null,"detail":{"title":"SECRET"}}"#,
        r#"{"Title":"SECRET"}"#,
    ]
    .map(|body| refusal(body, &[TYPE], body))
    .into());
}

#[test]
fn services_own_message_is_cleaned_too() {
    let refused = |message: &str| {
        answers(
            200,
            format!(r#"{{"status":3,"token":"SECRET-TOKEN","message":"{message}"}}"#),
        )
    };
    let case = |name: &str, script| {
        Case::new(name, script)
            .denied(&["`status` is 3"])
            .service_status(3)
            .status(200)
    };
    run(vec![
        case("plain", refused("Not provisioned")).titled("Not provisioned"),
        case("escapes", refused(r"Not\r\n\u001b[2Jprovisioned")).titled("Not [2Jprovisioned"),
        case("its token", refused("SECRET-TOKEN is not for you")),
        case("our query", refused("SECRET-QUERY is not for you")),
        case("a number", answers(200, r#"{"status":3,"message":17}"#)),
    ]);
}
