// SPDX-License-Identifier: MIT OR Apache-2.0

//! Servers that take their time: the deadline is kept, whatever they do with it.

use super::*;

fn dripping(head: &str, bytes: &str) -> Script {
    vec![
        Step::Read,
        Step::Send(head.into()),
        Step::Drip(bytes.into()),
    ]
}

#[test]
fn unfinished_reply_times_out_at_deadline() {
    const LONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n";
    let no_head = [
        ("silent after the request", vec![Step::Read, Step::Silence]),
        ("silent from the beginning", vec![Step::Silence]),
        (
            "silent in the head",
            vec![
                Step::Read,
                Step::Send(b"HTTP/1.1 200 OK\r\nX: SECRET".into()),
                Step::Silence,
            ],
        ),
        (
            "dripping the status line",
            dripping("HTTP/1.1 200 ", "SECRET"),
        ),
        (
            "dripping headers",
            dripping("HTTP/1.1 200 OK\r\n", "X: SECRET\r\n"),
        ),
        ("dripping before the status line", dripping("", "\r\n")),
        (
            "dripping 100",
            dripping("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ),
    ];
    let with_head = [
        (
            "silent after the head",
            vec![Step::Read, Step::Send(LONG.into()), Step::Silence],
        ),
        ("dripping a body", dripping(LONG, "SECRET")),
        ("dripping white space", dripping(LONG, " ")),
        (
            "dripping a body without length",
            dripping("HTTP/1.1 200 OK\r\n\r\n", "SECRET"),
        ),
        (
            "dripping chunks",
            dripping(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "1\r\nS\r\n",
            ),
        ),
        (
            "dripping a trailer",
            dripping(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nSECRET\r\n0\r\n",
                "X: SECRET\r\n",
            ),
        ),
        (
            "dripping after a whole grant",
            dripping(
                "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n{\"token\":\"SECRET\",\"status\":0}",
                " ",
            ),
        ),
    ];
    let no_head = no_head.map(|(name, script)| Case::new(name, script).timed_out());
    let with_head = with_head.map(|(name, script)| Case::new(name, script).timed_out().status(200));
    let cases = no_head.into_iter().chain(with_head);
    // Where all the time is over there is none for another attempt.
    run(cases.map(|case| case.asked(2, 1)).collect());
}
