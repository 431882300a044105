// SPDX-License-Identifier: MIT OR Apache-2.0

//! Compressed replies: nobody asked for one, and none is ever unpacked.

use super::*;

/// The head of a gzip stream (RFC 1952, 2.3).
const GZIP: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A gzip stream of a stored block (RFC 1951, 3.2.4) with a grant in it. Its checksum is right.
fn packed_grant() -> Vec<u8> {
    let length = GRANT.len() as u16;
    let crc = !GRANT.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    [
        GZIP,
        &[1],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        GRANT.as_bytes(),
        &crc.to_le_bytes(),
        &u32::from(length).to_le_bytes(),
    ]
    .concat()
}

/// A gzip stream of 48 KiB that unpacks to 160 times as much: a zero, and then nothing but
/// repetitions of 258 zeros, in the fixed codes of RFC 1951, 3.2.6.
fn bomb() -> Vec<u8> {
    const FIRST: &str = "11000110000";
    const REPETITION: &str = "1100010100000";
    const LAST: &str = "0000000";
    let bits = [FIRST, &REPETITION.repeat(30_000), LAST].concat();
    let bytes = bits.as_bytes().chunks(8).map(|bits| {
        // The first bit is the lowest.
        bits.iter()
            .rev()
            .fold(0, |byte, bit| byte << 1 | (bit - b'0'))
    });
    GZIP.iter().copied().chain(bytes).collect()
}

fn encoded(encoding: &str, body: impl AsRef<[u8]>) -> Script {
    raw(reply(
        200,
        &[&format!("Content-Encoding: {encoding}")],
        body,
    ))
}

#[test]
fn compressed_reply_fails_before_decompression() {
    let mut cases = Vec::new();
    for encoding in [
        "gzip",
        "GZIP",
        "x-gzip",
        "deflate",
        "br",
        "zstd",
        "compress",
        "SECRET",
        "gzip, identity",
        "identity, gzip",
    ] {
        for (what, body) in [("a bomb", bomb()), ("a grant", GRANT.into())] {
            cases.push((format!("{what} as {encoding}"), encoded(encoding, body)));
        }
    }
    cases.push(("a packed grant".to_owned(), encoded("gzip", packed_grant())));
    cases.push((
        "a bomb without end".to_owned(),
        vec![
            Step::Read,
            Step::Send(head("HTTP/1.1 200 OK", &["Content-Encoding: gzip"])),
            Step::Flood(bomb()),
        ],
    ));
    cases.push((
        "a compressed reply that does not come".to_owned(),
        vec![
            Step::Read,
            Step::Send(head("HTTP/1.1 200 OK", &["Content-Encoding: gzip"])),
            Step::Silence,
        ],
    ));
    let cases = cases.into_iter().map(|(name, script)| {
        Case::new(name, script)
            .malformed(&["127.0.0.1:", "compressed reply"])
            .status(200)
            .asked(2, 1)
    });
    run(cases.collect());
}

#[test]
fn compression_under_another_name_is_no_json() {
    let secretly = |headers: &[&str]| raw(reply(200, headers, packed_grant()));
    let transferred = |encoding: &str, body: &[u8]| {
        let header = format!("Transfer-Encoding: {encoding}");
        raw([&head("HTTP/1.1 200 OK", &[&header]), body].concat())
    };
    let packed = packed_grant();
    let chunk = [
        format!("{:x}\r\n", packed.len()).as_bytes(),
        &packed,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    run([
        ("without a header", secretly(&[])),
        ("as a type", secretly(&["Content-Type: application/gzip"])),
        ("for the transfer", transferred("gzip", &packed)),
        (
            "for the transfer in chunks",
            transferred("gzip, chunked", &chunk),
        ),
        (
            "with a second header",
            secretly(&["Content-Encoding: identity", "Content-Encoding: gzip"]),
        ),
        ("not in ASCII", secretly(&["Content-Encoding: gzip\u{e9}"])),
    ]
    .map(|(name, script)| {
        Case::new(name, script)
            .malformed(&[])
            .status(200)
            .asked(2, 1)
    })
    .into());
}

#[test]
fn reply_that_says_that_it_is_not_compressed_plays() {
    run(["identity", "Identity", "IDENTITY"]
        .map(|encoding| Case::new(encoding, encoded(encoding, GRANT)))
        .into());
}
