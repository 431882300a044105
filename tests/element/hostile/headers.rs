// SPDX-License-Identifier: MIT OR Apache-2.0

//! Headers: too many, too long, broken, and such that say something false.

use super::*;

/// A valid reply but for these lines among its headers.
fn with_lines(lines: &str) -> Script {
    let length = GRANT.len();
    raw(format!(
        "HTTP/1.1 200 OK\r\n{lines}\r\nContent-Length: {length}\r\n\r\n{GRANT}"
    ))
}

#[test]
fn headers_that_break_the_rules_make_no_reply() {
    let many = (0..10_000)
        .map(|n| format!("X-{n}: SECRET"))
        .collect::<Vec<_>>();
    let long = format!("X: {}", "S".repeat(1024 * 1024));
    let long_name = format!("{}: SECRET", "X".repeat(1024 * 1024));
    run([
        ("ten thousand", many.join("\r\n").as_str()),
        ("one of a megabyte", &long),
        ("a name of a megabyte", &long_name),
        ("a NUL in a value", "X: SECRET\0SECRET"),
        ("a NUL in a name", "X\0: SECRET"),
        ("a CR in a value", "X: SECRET\rSECRET"),
        ("a control character in a value", "X: SECRET\u{1b}[31m"),
        ("a line that goes on", "X: SECRET\r\n SECRET"),
        ("a line that goes on with a tab", "X: SECRET\r\n\tSECRET"),
        ("no colon", "SECRET"),
        ("no name", ": SECRET"),
        ("a space before the colon", "X : SECRET"),
        ("a space in a name", "X SECRET: SECRET"),
        ("a name that is not ASCII", "X-\u{e9}: SECRET"),
    ]
    .map(|(name, lines)| {
        Case::new(name, with_lines(lines))
            .malformed(&["127.0.0.1:", "no valid HTTP reply"])
            .asked(2, 1)
    })
    .into());
}

#[test]
fn headers_without_end_are_left() {
    let flood = |bytes: &str| {
        vec![
            Step::Read,
            Step::Send(b"HTTP/1.1 200 OK\r\n".into()),
            Step::Flood(bytes.into()),
        ]
    };
    run([
        ("headers", flood("X: SECRET\r\n")),
        ("a value", {
            let mut script = flood("SECRET");
            script.insert(2, Step::Send(b"X: ".into()));
            script
        }),
        ("a name", flood("SECRET")),
        (
            "a status line",
            vec![
                Step::Read,
                Step::Send(b"HTTP/1.1 200 ".into()),
                Step::Flood(b"SECRET".into()),
            ],
        ),
    ]
    .map(|(name, script)| {
        Case::new(name, script)
            .malformed(&["127.0.0.1:", "no valid HTTP reply"])
            .asked(2, 1)
    })
    .into());
}

#[test]
fn headers_that_say_something_odd_do_no_harm() {
    run([
        ("a page", "Content-Type: text/html; charset=SECRET"),
        ("nonsense", "Content-Type: SECRET"),
        (
            "two types",
            "Content-Type: text/html\r\nContent-Type: application/json",
        ),
        ("a type that is not ASCII", "Content-Type: \u{e9}"),
        ("a wish on a grant", "Retry-After: 3600"),
        (
            "a target on a grant",
            "Location: http://auth.example/SECRET",
        ),
        (
            "cookies",
            "Set-Cookie: token=SECRET\r\nSet-Cookie: token=SECRET",
        ),
        ("an upgrade", "Connection: upgrade\r\nUpgrade: h2c, SECRET"),
        ("another way", "Alt-Svc: h3=\":443\"; ma=SECRET"),
        ("a value of nothing", "X:"),
        ("bytes that are not ASCII", "X: \u{e9}\u{202e}"),
        ("LF alone", "X: SECRET\nY: SECRET"),
        (
            "a problem document's type",
            "Content-Type: application/problem+json",
        ),
    ]
    .map(|(name, lines)| Case::new(name, with_lines(lines)))
    .into());
}
