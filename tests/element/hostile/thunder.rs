// SPDX-License-Identifier: MIT OR Apache-2.0

//! Thunder: replies that are no JSON-RPC, or are to another request.

use super::*;

/// Answers with that status, and with `$ID` in the body replaced by the request's id.
fn tells(status: u16, body: &str) -> Script {
    let body = body.to_owned();
    let answer = move |request: &str| {
        let (_, id) = request.split_once(r#""id":"#).expect("an id");
        let digits = id.bytes().take_while(u8::is_ascii_digit).count();
        let body = body.replace("$ID", &id[..digits]);
        reply(status, &["Content-Type: application/json"], body)
    };
    vec![Step::Read, Step::Answer(Box::new(answer))]
}

fn case(name: &str, script: Script) -> Case {
    Case::new(name, script).on(Service::Thunder).asked(2, 1)
}

fn result(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":$ID,"result":{result}}}"#)
}

fn malformed(name: &str, body: &str, says: &str) -> Case {
    case(name, tells(200, body)).malformed(&[says]).status(200)
}

#[test]
fn jsonrpc_reply_must_carry_request_id() {
    let with_id = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{GRANT}}}"#);
    let mut cases = Vec::from(
        [
            "0",
            "$ID0",
            "-$ID",
            "\"$ID\"",
            "null",
            "$ID.0",
            "[$ID]",
            "{\"id\":$ID}",
            "true",
            "99999999999999999999",
        ]
        .map(|id| malformed(id, &with_id(id), "its `id` is not ours")),
    );
    let without = format!(r#"{{"jsonrpc":"2.0","result":{GRANT}}}"#);
    cases.push(malformed("none", &without, "its `id` is not ours"));
    let twice = format!(r#"{{"jsonrpc":"2.0","id":1,"id":$ID,"result":{GRANT}}}"#);
    cases.push(malformed("two", &twice, "shape"));
    let error = r#"{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"SECRET"}}"#;
    cases.push(malformed(
        "an error of another's",
        error,
        "its `id` is not ours",
    ));
    cases.push(case("ours", tells(200, &with_id("$ID"))));
    run(cases);
}

#[test]
fn invalid_jsonrpc_reply_is_described_not_quoted() {
    let both = format!(
        r#"{{"jsonrpc":"2.0","id":$ID,"result":{GRANT},"error":{{"code":1,"message":"SECRET"}}}}"#
    );
    let batch = format!("[{}]", result(GRANT));
    let twice = format!(r#"{{"jsonrpc":"2.0","id":$ID,"result":{GRANT},"result":{GRANT}}}"#);
    let version = |version: &str| format!(r#"{{{version}"id":$ID,"result":{GRANT}}}"#);
    let beside = r#"{"jsonrpc":"2.0","id":$ID,"token":"SECRET","status":0,"result":{"status":0}}"#;
    run([
        ("result and error", both.as_str(), "both"),
        ("neither", r#"{"jsonrpc":"2.0","id":$ID}"#, "neither"),
        ("a batch", &batch, "shape"),
        ("an empty batch", "[]", "shape"),
        ("two results", &twice, "shape"),
        ("no version", &version(""), "not JSON-RPC 2.0"),
        (
            "another version",
            &version(r#""jsonrpc":"1.0","#),
            "not JSON-RPC 2.0",
        ),
        (
            "a version that is a number",
            &version(r#""jsonrpc":2.0,"#),
            "not JSON-RPC 2.0",
        ),
        ("RDK's own reply", GRANT, "not JSON-RPC 2.0"),
        ("a page", "<html>SECRET</html>", "not JSON"),
        ("nothing", "", "ends at"),
        ("a token beside the result", beside, "no `token`"),
        ("a result that is null", &result("null"), "neither"),
        ("a result that is a string", &result(r#""SECRET""#), "shape"),
        (
            "a result that is an array",
            &result(r#"["SECRET",0]"#),
            "shape",
        ),
        ("an empty result", &result("{}"), "no `status`"),
        (
            "a token twice",
            &result(r#"{"token":"SECRET","token":"SECRET","status":0}"#),
            "shape",
        ),
        (
            "a token that is a number",
            &result(r#"{"token":17,"status":0}"#),
            "not a string",
        ),
        (
            "a token that is a header",
            &result(r#"{"token":"SECRET\r\nX: y","status":0}"#),
            "visible ASCII",
        ),
        (
            "a request",
            r#"{"jsonrpc":"2.0","id":$ID,"method":"SECRET"}"#,
            "neither",
        ),
    ]
    .map(|(name, body, says)| malformed(name, body, says))
    .into());
}

#[test]
fn jsonrpc_error_code_selects_reason_without_retry() {
    let error = |code: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":$ID,"error":{{"code":{code},"message":"Not today"}}}}"#)
    };
    let codes = [
        (-32700, "malformed", "`location`"),
        (-32600, "malformed", "`location`"),
        (-32601, "malformed", "`thunder-method`"),
        (-32602, "malformed", "`thunder-method`"),
        (-32603, "transient", "at the moment"),
        (-32000, "transient", "at the moment"),
        (2, "transient", "at the moment"),
        (11, "transient", "at the moment"),
        (1, "denied", "provisioned"),
        (24, "denied", "provisioned"),
        (0, "denied", "provisioned"),
        (i64::MIN, "denied", "provisioned"),
    ];
    let mut cases = Vec::new();
    for (code, reason, says) in codes {
        for status in [200, 202] {
            cases.push(
                case(
                    &format!("{code} with {status}"),
                    tells(status, &error(&code.to_string())),
                )
                .fails(reason, &[&format!("JSON-RPC error {code})"), says])
                .status(status)
                .service_status(code)
                .titled("Not today"),
            );
        }
    }
    for code in ["\"1\"", "1.5", "null", "[1]", "99999999999999999999"] {
        cases.push(malformed(code, &error(code), "numeric `code`"));
    }
    for value in [r#""SECRET""#, r#"["SECRET"]"#, "17", "false"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":$ID,"error":{value}}}"#);
        cases.push(malformed(
            &format!("an error that is {value}"),
            &body,
            "shape",
        ));
    }
    run(cases);
}

#[test]
fn thunder_message_is_sanitized_and_hides_secrets() {
    let error = |message: &str| {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":$ID,"error":{{"code":1,"message":{message}}}}}"#);
        case(message, tells(200, &body))
            .denied(&["JSON-RPC error 1"])
            .status(200)
            .service_status(1)
    };
    run(vec![
        error(r#""Not\r\n\u001b[31mtoday""#).titled("Not [31mtoday"),
        error(r#""SECRET-AUTHORIZATION is not known""#),
        error(r#""Bearer SECRET-AUTHORIZATION""#),
        error(r#""SECRET-QUERY""#),
        error("17"),
        error("{}"),
        error(r#""""#),
    ]);
}

#[test]
fn status_of_http_counts_before_the_body_does() {
    let grant = result(GRANT);
    let status = |status: u16, reason, says: &str| {
        case(&format!("{status}"), tells(status, &grant)).fails_by_status(status, reason, says)
    };
    run(vec![
        status(401, "denied", "`authorization-file`"),
        status(403, "denied", "`authorization-file`"),
        status(201, "malformed", "`location`"),
        status(202, "malformed", "`location`"),
        status(204, "malformed", "`location`"),
        status(206, "malformed", "`location`"),
        status(404, "malformed", "`location`"),
        status(503, "transient", "at the moment").asked(1, 2),
    ]);
}

#[test]
fn thunder_reply_is_bounded_in_time_and_size() {
    let huge = result(&format!(
        r#"{{"token":"{}","status":0}}"#,
        "S".repeat(70_000)
    ));
    run(vec![
        case("huge", tells(200, &huge))
            .malformed(&["more than 65536 bytes"])
            .status(200),
        case("silent", vec![Step::Read, Step::Silence]).timed_out(),
        case("dripping", drips(b"SECRET")).timed_out().status(200),
        case(
            "compressed",
            raw(reply(200, &["Content-Encoding: gzip"], "SECRET")),
        )
        .malformed(&["compressed reply"])
        .status(200),
        case("garbage", raw("SECRET\r\n\r\n")).malformed(&["no valid HTTP reply"]),
        case("reset and then a grant", vec![Step::Peek])
            .then(tells(200, &result(GRANT)))
            .asked(2, 2),
    ]);
}
