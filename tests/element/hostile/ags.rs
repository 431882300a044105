// SPDX-License-Identifier: MIT OR Apache-2.0

//! AGS: its replies, and the discovery that comes before them.

use super::*;

const GRANT: &str = r#"{"sessionToken":"SECRET-TOKEN"}"#;

/// One service that wants nothing that is not given.
const OFFER: &str = r#"{"availableServices":[{"authServiceName":"sso","endpoints":[{"path":"/getSessionToken","parameterProperties":[{"name":"Password","mandatory":true}]}]}]}"#;

fn case(name: &str, script: Script) -> Case {
    Case::new(name, script).on(Service::Ags).asked(2, 1)
}

fn discovery(name: &str, script: Script) -> Case {
    Case::new(name, script).on(Service::Discovery).asked(2, 1)
}

fn offers(services: &str) -> String {
    format!(r#"{{"note":"SECRET","availableServices":{services}}}"#)
}

#[test]
fn ags_malformed_reply_is_described_not_quoted() {
    let nested = format!(r#"{{"data":{GRANT}}}"#);
    let mut cases = Vec::from(
        [
            ("a number", r#"{"sessionToken":17}"#, "not a string"),
            ("a bool", r#"{"sessionToken":true}"#, "not a string"),
            ("an array", r#"{"sessionToken":["SECRET"]}"#, "not a string"),
            (
                "an object",
                r#"{"sessionToken":{"sessionToken":"SECRET"}}"#,
                "not a string",
            ),
            ("null", r#"{"sessionToken":null}"#, "no `sessionToken`"),
            ("an empty one", r#"{"sessionToken":""}"#, "is empty"),
            (
                "a header",
                r#"{"sessionToken":"SECRET\r\nX: y"}"#,
                "visible ASCII",
            ),
            (
                "two",
                r#"{"sessionToken":"SECRET","sessionToken":"SECRET"}"#,
                "shape",
            ),
            ("RDK's own reply", super::GRANT, "no `sessionToken`"),
            (
                "lower case",
                r#"{"sessiontoken":"SECRET"}"#,
                "no `sessionToken`",
            ),
            (
                "another name",
                r#"{"mysessionToken":"SECRET"}"#,
                "no `sessionToken`",
            ),
            ("further down", &nested, "no `sessionToken`"),
            (
                "in a string",
                r#"{"note":"\"sessionToken\":\"SECRET\""}"#,
                "no `sessionToken`",
            ),
            ("in an array", r#"["SECRET"]"#, "shape"),
            ("a page", "<html>SECRET</html>", "not JSON"),
            ("nothing", "", "ends at"),
        ]
        .map(|(name, body, says)| {
            case(name, answers(200, body))
                .malformed(&[says])
                .status(200)
        }),
    );
    let unsuccessful = r#"{"sessionToken":"SECRET","success":false}"#;
    cases.push(
        case("no success", answers(200, unsuccessful))
            .denied(&["`success` is false", "`parameters-file`"])
            .status(200),
    );
    cases.push(case("a grant", answers(200, GRANT)));
    run(cases);
}

#[test]
fn status_of_ags_is_a_refusal_a_fault_or_a_mistake() {
    let status = |status: u16, reason, says: &str| {
        case(&format!("{status}"), answers(status, GRANT)).fails_by_status(status, reason, says)
    };
    run(vec![
        status(400, "denied", "`parameters-file`"),
        status(401, "denied", "`parameters-file`"),
        status(403, "denied", "`parameters-file`"),
        status(201, "malformed", "`location`"),
        status(204, "malformed", "`location`"),
        status(206, "malformed", "`location`"),
        status(404, "malformed", "`location`"),
        status(429, "transient", "at the moment").asked(1, 2),
        status(500, "transient", "at the moment").asked(1, 2),
    ]);
}

#[test]
fn problem_title_repeating_parameters_is_not_shown() {
    let problem = |title: &str| {
        let body = format!(r#"{{"title":"{title}","detail":"Ask your operator."}}"#);
        let bytes = reply(400, &["Content-Type: application/problem+json"], body);
        case(title, raw(bytes))
            .denied(&["HTTP 400"])
            .status(400)
            .detailed("Ask your operator.")
    };
    run(vec![
        problem("SECRET-PARAMETER is wrong"),
        problem(r"Password=SECRET-PARAMETER\n"),
        problem("Wrong password").titled("Wrong password"),
    ]);
}

#[test]
fn ags_is_bounded_in_time_and_size_as_the_others_are() {
    let huge = format!(r#"{{"sessionToken":"{}"}}"#, "S".repeat(70_000));
    run(vec![
        case("huge", answers(200, huge))
            .malformed(&["more than 65536 bytes"])
            .status(200),
        case("silent", vec![Step::Read, Step::Silence]).timed_out(),
        case("dripping", drips(b"SECRET")).timed_out().status(200),
        case("reset and then a grant", vec![Step::Peek])
            .then(answers(200, GRANT))
            .asked(2, 2),
    ]);
}

#[test]
fn unusable_discovery_ends_tune_before_token_request() {
    let services = (0..10_000).map(|n| format!(r#"{{"authServiceName":"s{n}"}}"#));
    let many = offers(&format!("[{}]", services.collect::<Vec<_>>().join(",")));
    let malformed = [
        ("garbage", "SECRET".to_owned(), "not JSON"),
        ("nothing", String::new(), "ends at"),
        ("a page", "<html>SECRET</html>".to_owned(), "not JSON"),
        ("no list", r#"{"note":"SECRET"}"#.to_owned(), "shape"),
        ("null", offers("null"), "shape"),
        (
            "an object",
            offers(r#"{"authServiceName":"SECRET"}"#),
            "shape",
        ),
        ("strings", offers(r#"["SECRET"]"#), "shape"),
        ("arrays", offers(r#"[["SECRET"]]"#), "shape"),
        ("an empty list", offers("[]"), "no service on offer"),
        ("no name", offers(r#"[{"name":"SECRET"}]"#), "shape"),
        (
            "a name that is a number",
            offers(r#"[{"authServiceName":17}]"#),
            "shape",
        ),
        (
            "an empty name",
            offers(r#"[{"authServiceName":""}]"#),
            "`authServiceName`",
        ),
        (
            "a name with a line break",
            offers(r#"[{"authServiceName":"SECRET\r\nX: y"}]"#),
            "`authServiceName`",
        ),
        (
            "a name with a NUL",
            offers(r#"[{"authServiceName":"SECRET\u0000"}]"#),
            "`authServiceName`",
        ),
        (
            "a name with a terminal's escape",
            offers(r#"[{"authServiceName":"SECRET\u001b[31m"}]"#),
            "`authServiceName`",
        ),
        (
            "a name with its own direction",
            offers(r#"[{"authServiceName":"SECRET\u202e"}]"#),
            "`authServiceName`",
        ),
        (
            "a name twice",
            offers(r#"[{"authServiceName":"SECRET"},{"authServiceName":"SECRET"}]"#),
            "same `authServiceName`",
        ),
        (
            "a broken endpoint",
            offers(r#"[{"authServiceName":"sso","endpoints":["SECRET"]}]"#),
            "shape",
        ),
        (
            "a mandatory that is a string",
            offers(
                r#"[{"authServiceName":"sso","endpoints":[{"parameterProperties":[{"name":"SECRET","mandatory":"true"}]}]}]"#,
            ),
            "shape",
        ),
        ("ten thousand services", many, "more than 65536 bytes"),
        ("deep", offers(&"[".repeat(60_000)), "check that `location`"),
    ];
    let cases = malformed.map(|(name, body, says)| {
        discovery(name, answers(200, body))
            .malformed(&[says])
            .status(200)
    });
    run(cases.into());
}

#[test]
fn discovery_that_leaves_a_choice_says_what_to_set() {
    let services = (0..2000).map(|n| format!(r#"{{"authServiceName":"s{n}"}}"#));
    let many = offers(&format!("[{}]", services.collect::<Vec<_>>().join(",")));
    let wants = |names: &str| {
        let names = names
            .split('|')
            .map(|name| format!(r#"{{"name":"{name}","mandatory":true}}"#));
        let names = names.collect::<Vec<_>>().join(",");
        offers(&format!(
            r#"[{{"authServiceName":"sso","endpoints":[{{"path":"/signOn","parameterProperties":[{names}]}}]}}]"#
        ))
    };
    let choices = [
        (
            "two",
            offers(r#"[{"authServiceName":"one"},{"authServiceName":"two"}]"#),
            "`one`, `two`",
        ),
        ("two thousand", many, "`s7` and 1992 more"),
        (
            "a parameter",
            wants("Password|Pin"),
            "add `Pin` to `parameters-file`",
        ),
        (
            "a garbled parameter",
            wants(r"P\r\n\u001b[31min\u202e"),
            "`P [31min`",
        ),
        (
            "a parameter like a token",
            wants(&"S".repeat(5000)),
            "add `…` to",
        ),
        (
            "many parameters",
            wants("a|b|c|d|e|f|g|h|i|j"),
            "`h` and 2 more",
        ),
    ];
    run(choices
        .map(|(name, body, says)| {
            discovery(name, answers(200, body))
                .misconfigured(&[says])
                .status(200)
        })
        .into());
}

#[test]
fn discovery_that_fails_is_a_failure_of_its_kind() {
    let status = |status: u16, reason, says: &str| {
        discovery(&format!("{status}"), answers(status, OFFER))
            .fails_by_status(status, reason, says)
    };
    run(vec![
        status(401, "denied", "`tenant-id`"),
        status(403, "denied", "`tenant-id`"),
        status(404, "malformed", "`auth-service-id`"),
        status(400, "malformed", "`location`"),
        status(204, "malformed", "`location`"),
        status(206, "malformed", "`location`"),
        status(429, "transient", "at the moment").asked(1, 2),
        status(503, "transient", "at the moment").asked(2, 3),
        discovery("garbage for HTTP", raw("SECRET\r\n\r\n")).malformed(&["no valid HTTP reply"]),
        discovery(
            "compressed",
            raw(reply(200, &["Content-Encoding: gzip"], "SECRET")),
        )
        .malformed(&["compressed reply"])
        .status(200),
        discovery("hung up", vec![Step::Read])
            .transient(&["broke the connection off"])
            .asked(2, 3),
        discovery("silent", vec![Step::Read, Step::Silence]).timed_out(),
        discovery("dripping", drips(b" ")).timed_out().status(200),
    ]);
}

#[test]
fn discovery_and_token_share_one_deadline() {
    run(vec![
        discovery("both", answers(200, OFFER))
            .then(answers(200, GRANT))
            .asked(2, 2),
        discovery("a token that does not come", answers(200, OFFER))
            .then(vec![Step::Read, Step::Silence])
            .timed_out()
            .asked(2, 2),
        discovery("a token that drips", answers(200, OFFER))
            .then(vec![
                Step::Read,
                Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".into()),
                Step::Drip(b" ".into()),
            ])
            .timed_out()
            .status(200)
            .asked(2, 2),
        discovery("a token that is refused", answers(200, OFFER))
            .then(answers(403, "SECRET"))
            .denied(&["HTTP 403"])
            .status(403)
            .asked(2, 2),
        discovery("a discovery at the second attempt", answers(503, "SECRET"))
            .then(answers(200, OFFER))
            .then(answers(200, GRANT))
            .asked(2, 3),
    ]);
}
