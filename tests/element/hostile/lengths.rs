// SPDX-License-Identifier: MIT OR Apache-2.0

//! Bodies that are too large, and lengths that lie.

use super::*;

/// The largest body that is read.
const MAX_BODY: usize = 65_536;

/// A grant of so many bytes.
fn grant_of(size: usize) -> Vec<u8> {
    let mut body = GRANT.as_bytes().to_vec();
    body.resize(size, b' ');
    body
}

/// So many bytes in chunks of 1000.
fn chunked(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(1000) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

/// A reply with this header, and then these bytes as they are.
fn framed(header: &str, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [&head("HTTP/1.1 200 OK", &[header]), bytes.as_ref()].concat()
}

const CHUNKED: &str = "Transfer-Encoding: chunked";

fn too_large(name: &str, script: Script) -> Case {
    Case::new(name, script)
        .malformed(&["127.0.0.1:", "more than 65536 bytes"])
        .status(200)
        .asked(2, 1)
}

#[test]
fn reply_body_is_read_up_to_its_limit() {
    type Frame = fn(&[u8]) -> Vec<u8>;
    let forms: [(_, Frame); 3] = [
        ("with its length", |body| reply(200, &[], body)),
        ("in chunks", |body| framed(CHUNKED, chunked(body))),
        ("up to its end", |body| framed("Connection: close", body)),
    ];
    let mut cases = Vec::new();
    for (form, frame) in forms {
        let whole = frame(&grant_of(MAX_BODY));
        cases.push(Case::new(format!("at the bound, {form}"), raw(whole)));
        for size in [MAX_BODY + 1, 70_000] {
            let name = format!("{size} bytes, {form}");
            cases.push(too_large(&name, raw(frame(&grant_of(size)))));
            let slowly = vec![Step::Read, Step::Pieces(frame(&grant_of(size)), 1024)];
            cases.push(too_large(&format!("{name}, slowly"), slowly));
        }
    }
    run(cases);
}

#[test]
fn reply_without_end_is_left_at_its_bound() {
    let flood = |header, bytes: &str| {
        vec![
            Step::Read,
            Step::Send(framed(header, "")),
            Step::Flood(bytes.into()),
        ]
    };
    run(vec![
        too_large("up to its end", flood("Connection: close", "SECRET")),
        too_large(
            "of a length beyond all",
            flood("Content-Length: 9223372036854775807", "SECRET"),
        ),
        too_large("in chunks", flood(CHUNKED, "6\r\nSECRET\r\n")),
        too_large("in the smallest chunks", flood(CHUNKED, "1\r\nS\r\n")),
        too_large("in the largest chunk", {
            let mut script = flood(CHUNKED, "SECRET");
            script.insert(2, Step::Send(b"fffffffffffffff0\r\n".into()));
            script
        }),
    ]);
}

#[test]
fn length_that_contradicts_itself_is_no_http() {
    let length = GRANT.len();
    run([
        "-1".to_owned(),
        "SECRET".to_owned(),
        String::new(),
        format!("{length}.0"),
        format!("0x{length:x}"),
        format!("+{length}"),
        format!("{length} {length}"),
        format!("{length}, {}", length + 1),
        format!("{length}\r\nContent-Length: {}", length + 1),
        "18446744073709551615".to_owned(),
        "99999999999999999999999".to_owned(),
    ]
    .map(|value| {
        let header = format!("Content-Length: {value}");
        Case::new(value, raw(framed(&header, GRANT)))
            .malformed(&["no valid HTTP reply"])
            .asked(2, 1)
    })
    .into());
}

#[test]
fn length_that_lies_is_noticed() {
    let length = GRANT.len();
    let with_length = |length: usize| framed(&format!("Content-Length: {length}"), GRANT);
    run(vec![
        Case::new("too short", raw(with_length(length - 1)))
            .malformed(&["not JSON", "ends at"])
            .status(200),
        Case::new("nought", raw(with_length(0)))
            .malformed(&["not JSON", "ends at"])
            .status(200),
        Case::new("too long, and hung up", raw(with_length(length + 1)))
            .transient(&["127.0.0.1:", "broke the connection off"])
            .status(200)
            .asked(1, 2),
        Case::new("too long, and held", {
            vec![
                Step::Read,
                Step::Send(with_length(length + 1)),
                Step::Silence,
            ]
        })
        .timed_out()
        .status(200),
        Case::new("no length, and held", {
            vec![
                Step::Read,
                Step::Send(framed("X: SECRET", GRANT)),
                Step::Silence,
            ]
        })
        .timed_out()
        .status(200),
        Case::new("right, and held", {
            vec![Step::Read, Step::Send(with_length(length)), Step::Silence]
        }),
        Case::new("right, with more behind it", {
            raw([&with_length(length)[..], b"SECRET"].concat())
        }),
        Case::new("right twice", {
            let header = format!("Content-Length: {length}\r\nContent-Length: {length}");
            raw(framed(&header, GRANT))
        }),
    ]);
}

#[test]
fn chunk_of_an_absurd_size_is_no_http() {
    run([
        "SECRET",
        "-1",
        "+1",
        "0x23",
        "fffffffffffffffff",
        "99999999999999999999999999",
        "",
        " ",
        "23 23",
    ]
    .map(|size| {
        let bytes = framed(CHUNKED, format!("{size}\r\n{GRANT}\r\n0\r\n\r\n"));
        Case::new(format!("chunk of {size:?}"), raw(bytes))
            .malformed(&["no valid HTTP reply"])
            .status(200)
            .asked(2, 1)
    })
    .into());
}

#[test]
fn chunk_extensions_and_trailers_are_bounded() {
    let length = GRANT.len();
    let flood = |first: String, bytes: &str| {
        let first = framed(CHUNKED, first);
        vec![Step::Read, Step::Send(first), Step::Flood(bytes.into())]
    };
    let adorned = |chunks: String| raw(framed(CHUNKED, chunks));
    run(vec![
        Case::new(
            "in pieces",
            adorned(format!("{length:x};SECRET=1\r\n{GRANT}\r\n0\r\n\r\n")),
        ),
        Case::new(
            "upper case and noughts",
            adorned(format!("000000{length:X}\r\n{GRANT}\r\n0\r\n\r\n")),
        ),
        Case::new(
            "with a trailer",
            adorned(format!("{length:x}\r\n{GRANT}\r\n0\r\nX: SECRET\r\n\r\n")),
        ),
        Case::new(
            "an extension without end",
            flood("23;".to_owned(), "SECRET"),
        )
        .malformed(&["no valid HTTP reply"])
        .status(200),
        Case::new(
            "a trailer without end",
            flood(format!("{length:x}\r\n{GRANT}\r\n0\r\n"), "X: SECRET\r\n"),
        )
        .malformed(&["no valid HTTP reply"])
        .status(200),
    ]);
}
