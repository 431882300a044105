// SPDX-License-Identifier: MIT OR Apache-2.0

//! A service of no known shape, whose token stands at `/data/token`.

use super::*;

fn case(name: &str, script: Script) -> Case {
    Case::new(name, script).on(Service::Custom).asked(2, 1)
}

#[test]
fn custom_malformed_reply_is_described_not_quoted() {
    let deep = format!(r#"{{"data":{}"#, "[".repeat(10_000));
    let cases = [
        ("a number", r#"{"data":{"token":17}}"#, "no text"),
        ("an object", r#"{"data":{"token":{"SECRET":1}}}"#, "no text"),
        ("null", r#"{"data":{"token":null}}"#, "no text"),
        ("an empty one", r#"{"data":{"token":""}}"#, "is empty"),
        (
            "a header",
            r#"{"data":{"token":"SECRET\r\nX: y"}}"#,
            "visible ASCII",
        ),
        (
            "two",
            r#"{"data":{"token":"SECRET","token":"SECRET"}}"#,
            "shape",
        ),
        (
            "two parents",
            r#"{"data":{"token":"SECRET"},"data":{"token":"SECRET"}}"#,
            "shape",
        ),
        ("further up", r#"{"token":"SECRET"}"#, "no value"),
        ("a text above it", r#"{"data":"SECRET"}"#, "no value"),
        ("a list", r#"[{"data":{"token":"SECRET"}}]"#, "no value"),
        (
            "an end that is none",
            r#"{"data":{"token":"SECRET","expires":"SECRET"}}"#,
            "`expires-pointer`",
        ),
        ("a page", "<html>SECRET</html>", "not JSON"),
        ("much depth", &deep, "not JSON"),
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
fn custom_reply_plays_whatever_stands_beside_it() {
    for (name, body) in [
        ("no end", r#"{"data":{"token":"SECRET-TOKEN"}}"#),
        (
            "names twice elsewhere",
            r#"{"a":1,"a":2,"data":{"b":1,"b":2,"token":"SECRET-TOKEN"}}"#,
        ),
        (
            "a leap second",
            r#"{"data":{"expires":"2999-12-31T23:59:60Z","token":"SECRET-TOKEN"}}"#,
        ),
    ] {
        run(vec![case(name, answers(200, body)).plays("SECRET-TOKEN")]);
    }
}
