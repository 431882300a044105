// SPDX-License-Identifier: MIT OR Apache-2.0

//! Servers that want to be asked again, and when.

use super::*;

/// The header, what the text says of it, and how often a client with two retries asks.
const WISHES: [(&str, Option<&str>, usize); 10] = [
    ("X: SECRET", None, 3),
    ("Retry-After: 0", Some("again in 0 s"), 3),
    ("Retry-After: 3600", Some("again in 3600 s"), 1),
    (
        "Retry-After: 99999999999999999999999",
        Some("asked again in"),
        1,
    ),
    (
        "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT",
        Some("asked again in"),
        1,
    ),
    (
        "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT",
        Some("again in 0 s"),
        3,
    ),
    ("Retry-After: Sun, 06 Nov 1994 08:49:37 SECRET", None, 3),
    ("Retry-After: -1", None, 3),
    ("Retry-After: 0.5", None, 3),
    ("Retry-After: SECRET", None, 3),
];

#[test]
fn retry_continues_unless_retry_after_is_too_long() {
    let mut cases = Vec::new();
    for status in [429, 503] {
        for (header, says, asked) in WISHES {
            let name = format!("{status} with {header}");
            let case = Case::new(name, answers_with(status, header))
                .transient(&[&format!("HTTP {status}"), says.unwrap_or("at the moment")])
                .status(status)
                .asked(2, asked);
            cases.push(match says {
                Some(_) => case,
                None => case.does_not_say(&["asked again"]),
            });
        }
    }
    run(cases);
}

#[test]
fn short_wish_is_waited_for_and_not_undercut() {
    run(vec![
        Case::new("a second", answers_with(429, "Retry-After: 1"))
            .transient(&["HTTP 429", "again in 1 s"])
            .status(429)
            .asked(1, 2)
            .takes(1000, PLENTY),
        Case::new(
            "a second and then a token",
            answers_with(503, "Retry-After: 1"),
        )
        .then(answers(200, GRANT))
        .asked(1, 2),
    ]);
}

#[test]
fn service_that_recovers_within_the_deadline_plays() {
    let firsts = [
        ("429", answers_with(429, "Retry-After: 0")),
        ("408", answers(408, "SECRET")),
        ("500", answers(500, "SECRET")),
        (
            "503 with a page",
            answers_with(503, "Content-Type: text/html"),
        ),
        ("hung up at once", vec![]),
        ("reset", vec![Step::Peek]),
        ("hung up after the request", vec![Step::Read]),
        (
            "cut in the body",
            raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nSECRET"),
        ),
    ];
    let cases =
        firsts.map(|(name, first)| Case::new(name, first).then(answers(200, GRANT)).asked(2, 2));
    run(cases.into());
}

#[test]
fn retries_end_at_limit_or_final_failure() {
    let faults = [0, 1, 2, 3].map(|retries| {
        Case::new(format!("{retries} retries"), answers(500, "SECRET"))
            .then(answers(502, "SECRET"))
            .then(answers(503, "SECRET"))
            .then(answers(504, "SECRET"))
            .then(answers(200, GRANT))
            .transient(&[])
            .status([500, 502, 503, 504][retries as usize])
            .asked(retries, retries as usize + 1)
    });
    let mut cases = Vec::from(faults);
    cases.push(
        Case::new("a refusal after a fault", answers(500, "SECRET"))
            .then(answers(403, "SECRET"))
            .then(answers(200, GRANT))
            .denied(&["HTTP 403"])
            .status(403)
            .asked(2, 2),
    );
    cases.push(
        Case::new("garbage after a fault", answers(503, "SECRET"))
            .then(raw("SECRET\r\n\r\n"))
            .then(answers(200, GRANT))
            .malformed(&["no valid HTTP reply"])
            .asked(2, 2),
    );
    cases.push(
        Case::new("silence after a fault", answers(503, "SECRET"))
            .then(vec![Step::Read, Step::Silence])
            .timed_out()
            .asked(2, 2),
    );
    run(cases);
}
