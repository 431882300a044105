// SPDX-License-Identifier: MIT OR Apache-2.0

//! Replies that do not begin as HTTP does, and those that begin with something else first.

use super::*;

/// What comes on the first line, before headers and body of a valid reply.
fn beginning(status_line: &str) -> Script {
    let length = format!("Content-Length: {}", GRANT.len());
    let mut bytes = head(status_line, &[&length]);
    bytes.extend_from_slice(GRANT.as_bytes());
    raw(bytes)
}

/// A valid reply after these bytes.
fn after(bytes: &str) -> Script {
    raw([bytes.as_bytes(), &reply(200, &[], GRANT)].concat())
}

#[test]
fn server_that_speaks_no_http_is_named_as_such() {
    let lines = [
        ("garbage", "SECRET SECRET SECRET"),
        ("nothing in the first line", " "),
        ("a version that there is none of", "HTTP/9.9 200 SECRET"),
        ("HTTP/2 in text", "HTTP/2 200 SECRET"),
        ("no version", "HTTP 200 SECRET"),
        ("lower case", "http/1.1 200 SECRET"),
        ("a request", "GET /SECRET HTTP/1.1"),
        ("two digits", "HTTP/1.1 99 SECRET"),
        ("four digits", "HTTP/1.1 1000 SECRET"),
        ("a negative status", "HTTP/1.1 -1 SECRET"),
        ("letters for a status", "HTTP/1.1 abc SECRET"),
        ("no status", "HTTP/1.1"),
        ("a status of nought", "HTTP/1.1 000 SECRET"),
        ("a status in hexadecimal", "HTTP/1.1 0xC8 SECRET"),
        (
            "a control character in the reason",
            "HTTP/1.1 200 SECRET\u{1}",
        ),
    ]
    .map(|(name, line)| (name, beginning(line)));
    let bytes: [(_, &[u8]); 6] = [
        ("no head at all", GRANT.as_bytes()),
        (
            "an HTTP/2 preface",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nSECRET",
        ),
        ("an HTTP/2 frame", b"\0\0\x12\x04\0\0\0\0\0SECRET"),
        ("another protocol", b"SSH-2.0-SECRET\r\n"),
        ("a TLS alert", b"\x15\x03\x03\x00\x02\x02\x46SECRET"),
        ("a NUL", b"\0"),
    ];
    let bytes = bytes.map(|(name, bytes)| (name, raw(bytes)));
    let cases = lines.into_iter().chain(bytes).map(|(name, script)| {
        Case::new(name, script)
            .malformed(&["127.0.0.1:", "no valid HTTP reply", "check that the URL"])
            .asked(2, 1)
    });
    run(cases.collect());
}

#[test]
fn service_that_writes_http_its_own_way_plays() {
    run(vec![
        Case::new("no reason", beginning("HTTP/1.1 200")),
        Case::new("an empty reason", beginning("HTTP/1.1 200 ")),
        Case::new("HTTP/1.0", beginning("HTTP/1.0 200 OK")),
        Case::new(
            "HTTP/1.0 whose end is its end",
            raw(format!("HTTP/1.0 200 OK\r\n\r\n{GRANT}")),
        ),
        Case::new("lines without CR", {
            let length = GRANT.len();
            raw(format!(
                "HTTP/1.1 200 OK\nContent-Length: {length}\n\n{GRANT}"
            ))
        }),
    ]);
}

#[test]
fn interim_responses_are_skipped_until_timeout() {
    const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
    const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </SECRET>; rel=preload\r\n\r\n";
    let flood = |bytes: &str| vec![Step::Read, Step::Flood(bytes.into())];
    run(vec![
        Case::new("100 first", after(CONTINUE)),
        Case::new("102 first", after("HTTP/1.1 102 Processing\r\n\r\n")),
        Case::new("103 first", after(HINTS)),
        Case::new("103 three times", after(&HINTS.repeat(3))),
        Case::new("100 for ever", flood(CONTINUE)).timed_out(),
        Case::new("103 for ever", flood(HINTS)).timed_out(),
        Case::new("100 and then nothing", {
            vec![Step::Read, Step::Send(CONTINUE.into()), Step::Silence]
        })
        .timed_out(),
        Case::new("101", raw("HTTP/1.1 101 SECRET\r\nUpgrade: SECRET\r\n\r\n"))
            .malformed(&["HTTP 101"])
            .status(101),
    ]);
}
