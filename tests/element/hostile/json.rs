// SPDX-License-Identifier: MIT OR Apache-2.0

//! Bodies: wrong types, duplicates, decoys, escapes, nesting, and what is no JSON at all.

use super::*;

fn malformed(name: &str, body: impl AsRef<[u8]>, says: &[&str]) -> Case {
    Case::new(name, answers(200, body))
        .malformed(says)
        .status(200)
        .asked(2, 1)
}

fn with_token(value: &str) -> String {
    format!(r#"{{"note":"SECRET","token":{value},"status":0}}"#)
}

fn with_status(value: &str) -> String {
    format!(r#"{{"token":"SECRET","status":{value}}}"#)
}

fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

#[test]
fn body_that_is_no_json_is_described_and_not_quoted() {
    let cut = &GRANT[..GRANT.len() - 1];
    let bodies: [(_, &[u8], _); 18] = [
        ("nothing", b"", "ends at"),
        ("white space", b" \r\n\t \r\n", "ends at"),
        ("text", b"SECRET", "not JSON"),
        ("a page", b"<!DOCTYPE html><html>SECRET</html>", "not JSON"),
        (
            "XML",
            b"<?xml version=\"1.0\"?><token>SECRET</token>",
            "not JSON",
        ),
        ("a form", b"token=SECRET&status=0", "not JSON"),
        ("cut", cut.as_bytes(), "ends at"),
        (
            "a word behind it",
            b"{\"token\":\"SECRET\",\"status\":0} SECRET",
            "not JSON",
        ),
        (
            "two documents",
            b"{\"token\":\"SECRET\",\"status\":0}{\"token\":\"SECRET\",\"status\":0}",
            "not JSON",
        ),
        ("NaN", b"{\"token\":\"SECRET\",\"status\":NaN}", "not JSON"),
        (
            "a comment",
            b"{/* SECRET */\"token\":\"SECRET\",\"status\":0}",
            "not JSON",
        ),
        (
            "single quotes",
            b"{'token':'SECRET','status':0}",
            "not JSON",
        ),
        (
            "a comma too many",
            b"{\"token\":\"SECRET\",\"status\":0,}",
            "not JSON",
        ),
        (
            "a name without quotes",
            b"{token:\"SECRET\",\"status\":0}",
            "not JSON",
        ),
        (
            "two marks of byte order",
            b"\xef\xbb\xbf\xef\xbb\xbf{\"token\":\"SECRET\",\"status\":0}",
            "not JSON",
        ),
        (
            "a token that is not UTF-8",
            b"{\"token\":\"SECRET\xff\",\"status\":0}",
            "not JSON",
        ),
        (
            "a protected JSON",
            b")]}',\n{\"token\":\"SECRET\",\"status\":0}",
            "not JSON",
        ),
        (
            "a NUL behind it",
            b"{\"token\":\"SECRET\",\"status\":0}\0",
            "not JSON",
        ),
    ];
    let mut cases =
        Vec::from(bodies.map(|(name, body, says)| malformed(name, body, &[says, "`location`"])));
    cases.push(malformed("UTF-16", utf16(GRANT), &["not JSON"]));
    let newline = "{\"token\":\"SECRET\n\",\"status\":0}";
    cases.push(malformed(
        "a line break in a string",
        newline,
        &["not JSON"],
    ));
    run(cases);
}

#[test]
fn json_of_another_shape_is_described_and_not_quoted() {
    let nested = format!(r#"{{"data":{GRANT}}}"#);
    let in_array = format!("[{GRANT}]");
    run([
        ("an array", r#"["SECRET",0]"#, "shape"),
        ("a grant in an array", in_array.as_str(), "shape"),
        ("a string", r#""SECRET""#, "shape"),
        (
            "a grant in a string",
            r#""{\"token\":\"SECRET\",\"status\":0}""#,
            "shape",
        ),
        ("a number", "17", "shape"),
        ("true", "true", "shape"),
        ("null", "null", "shape"),
        ("an empty object", "{}", "no `status`"),
        ("a grant further down", &nested, "no `status`"),
    ]
    .map(|(name, body, says)| malformed(name, body, &[says]))
    .into());
}

#[test]
fn token_of_another_type_is_none() {
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let long = format!("\"{}\"", "S".repeat(16_385));
    let longest = "S".repeat(16_384);
    let mut cases = Vec::from(
        [
            ("a number", "17", "not a string"),
            ("a fraction", "1.5", "not a string"),
            ("a bool", "true", "not a string"),
            ("an array", r#"["SECRET"]"#, "not a string"),
            ("an object", r#"{"token":"SECRET"}"#, "not a string"),
            ("a deep one", &deep, "not a string"),
            ("null", "null", "no `token`"),
            ("an empty one", r#""""#, "is empty"),
            ("one that is too long", &long, "more than the 16384"),
        ]
        .map(|(name, value, says)| malformed(name, with_token(value), &["token", says])),
    );
    let longest_body = with_token(&format!("\"{longest}\""));
    cases.push(Case::new("the longest", answers(200, longest_body)).plays(longest));
    run(cases);
}

#[test]
fn token_with_invalid_header_chars_is_malformed() {
    run([
        r#"" ""#,
        r#""SECRET SECRET""#,
        r#"" SECRET""#,
        r#""SECRET\r\nX-SECRET: SECRET""#,
        r#""SECRET\nX-SECRET: SECRET""#,
        r#""SECRET\u000d\u000aX""#,
        r#""SECRET\u0000""#,
        r#""SECRET\t""#,
        r#""SECRET\u007f""#,
        r#""SECR\u00c9T""#,
        r#""SECRET\u2028""#,
        r#""SECRET\ud83d\ude00""#,
        r#""SECRET é""#,
    ]
    .map(|value| {
        malformed(
            value,
            with_token(value),
            &["session token", "visible ASCII"],
        )
    })
    .into());
}

#[test]
fn escapes_are_read_as_json_says() {
    let mut cases = Vec::from(
        [
            (r#""\u0041\u002d\u0042""#, "A-B"),
            (r#""a\"b""#, "a\"b"),
            (r#""a\\\/b""#, r"a\/b"),
            (r#""a,\u007b\u0022token\u0022:1}""#, r#"a,{"token":1}"#),
        ]
        .map(|(value, token)| Case::new(value, answers(200, with_token(value))).plays(token)),
    );
    let name = r#"{"\u0074oken":"T","\u0073tatus":0}"#;
    cases.push(Case::new("escapes in the names", answers(200, name)).plays("T"));
    for value in [
        r#""SECRET\ud800""#,
        r#""SECRET\udc00\ud800""#,
        r#""SECRET\x41""#,
        r#""SECRET\u00""#,
        r#""SECRET\u{41}""#,
        r#""SECRET\""#,
    ] {
        cases.push(malformed(value, with_token(value), &["not JSON"]));
    }
    run(cases);
}

#[test]
fn status_that_is_no_number_is_not_taken_for_one() {
    let mut cases = Vec::from(
        [
            "0.0",
            "-0.0",
            "0e0",
            "false",
            "true",
            "[]",
            "[0]",
            "{}",
            r#"{"status":0}"#,
            r#""""#,
            r#"" 0""#,
            r#""0 ""#,
            r#""0x0""#,
            r#""0.0""#,
            r#""SECRET""#,
            r#""٠""#,
            "99999999999999999999",
            "18446744073709551615",
            r#""99999999999999999999""#,
        ]
        .map(|value| malformed(value, with_status(value), &["`status`", "neither"])),
    );
    cases.push(malformed("null", with_status("null"), &["no `status`"]));
    cases.push(malformed("none", r#"{"token":"SECRET"}"#, &["no `status`"]));
    for value in ["1e999999", "00", "0x0", "+0", "-", ".0", "0."] {
        cases.push(malformed(value, with_status(value), &["not JSON"]));
    }
    run(cases);
}

#[test]
fn status_other_than_nought_is_a_refusal() {
    let mut cases = Vec::from(
        [
            ("1", 1),
            ("-1", -1),
            (r#""4""#, 4),
            (r#""-4""#, -4),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ]
        .map(|(value, status)| {
            Case::new(value, answers(200, with_status(value)))
                .denied(&[&format!("`status` is {status}"), "provisioned"])
                .service_status(status)
        }),
    );
    let unsuccessful = r#"{"token":"SECRET","status":0,"success":false,"message":"SECRET"}"#;
    cases.push(
        Case::new(
            "no success",
            answers(200, unsuccessful.replace(r#","message":"SECRET""#, "")),
        )
        .denied(&["`success` is false"]),
    );
    // Its message repeats the token.
    cases.push(Case::new("a message", answers(200, unsuccessful)).denied(&["`success` is false"]));
    run(cases
        .into_iter()
        .map(|case| case.status(200).asked(2, 1))
        .collect());
}

#[test]
fn name_that_comes_twice_is_nobodys_guess() {
    run([
        r#"{"token":"SECRET","token":"SECRET","status":0}"#,
        r#"{"token":"SECRET","status":0,"token":"SECRET"}"#,
        r#"{"token":"SECRET","\u0074oken":"SECRET","status":0}"#,
        r#"{"token":null,"token":"SECRET","status":0}"#,
        r#"{"token":"SECRET","status":0,"status":0}"#,
        r#"{"token":"SECRET","status":-1,"status":0}"#,
        r#"{"token":"SECRET","status":0,"success":false,"success":true}"#,
        r#"{"token":"SECRET","status":0,"expires":1,"expires":2}"#,
    ]
    .map(|body| malformed(body, body, &["shape"]))
    .into());
}

#[test]
fn what_only_looks_like_a_token_is_none() {
    let decoys = [
        r#"{"mytoken":"SECRET","status":0}"#,
        r#"{"token2":"SECRET","status":0}"#,
        r#"{"Token":"SECRET","status":0}"#,
        r#"{"TOKEN":"SECRET","status":0}"#,
        r#"{" token":"SECRET","status":0}"#,
        r#"{"token\u0000":"SECRET","status":0}"#,
        r#"{"t\u043eken":"SECRET","status":0}"#,
        r#"{"data":{"token":"SECRET"},"status":0}"#,
        r#"{"data":[{"token":"SECRET","status":0}],"status":0}"#,
        r#"{"note":"\"token\":\"SECRET\"","status":0}"#,
    ];
    let mut cases = Vec::from(decoys.map(|body| malformed(body, body, &["no `token`"])));
    for decoy in decoys {
        let body = decoy.replacen('{', r#"{"token":"T","#, 1);
        cases.push(Case::new(body.clone(), answers(200, body)).plays("T"));
    }
    for body in [
        r#"{"token":"SECRET","mystatus":0}"#,
        r#"{"token":"SECRET","Status":0}"#,
        r#"{"token":"SECRET","data":{"status":0}}"#,
    ] {
        cases.push(malformed(body, body, &["no `status`"]));
    }
    run(cases);
}

#[test]
fn unknown_fields_are_ignored_at_any_size_or_depth() {
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    let extra = [
        ("a deep array", format!(r#""x":{deep}"#)),
        ("deep objects", format!(r#""x":{objects}"#)),
        ("a huge number", r#""x":1e999999"#.to_owned()),
        ("a long number", format!(r#""x":{}"#, "9".repeat(60_000))),
        ("a long name", format!(r#""{}":1"#, "x".repeat(60_000))),
        (
            "a long text",
            format!(r#""x":"{}""#, "\\u0000".repeat(10_000)),
        ),
        (
            "many fields",
            (0..5000)
                .map(|n| format!(r#""x{n}":1"#))
                .collect::<Vec<_>>()
                .join(","),
        ),
        (
            "the same field again and again",
            vec![r#""x":1"#; 9000].join(","),
        ),
    ];
    let mut cases = Vec::from(extra.map(|(name, field)| {
        let body = format!(r#"{{{field},"token":"T","status":0}}"#);
        Case::new(name, answers(200, body)).plays("T")
    }));
    for (name, body) in [
        ("an array without end", "[".repeat(60_000)),
        ("objects without end", r#"{"token":"#.repeat(7000)),
        (
            "a field without end",
            format!(r#"{{"status":0,"x":{}"#, "[".repeat(60_000)),
        ),
    ] {
        cases.push(malformed(name, body, &["check that `location`"]));
    }
    run(cases);
}
