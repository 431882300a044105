// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists compressed for the way.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::HeaderMap;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue, VARY};

use crate::behaviour::Gzip;
use crate::reply::{self, Reply};

/// Whether the answer to a request with these headers is compressed.
pub(crate) fn wanted(gzip: Gzip, headers: &HeaderMap) -> bool {
    match gzip {
        Gzip::Never => false,
        Gzip::WhereAccepted => headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(accepts),
        Gzip::Always => true,
    }
}

/// Whether an `Accept-Encoding` has gzip in it, and not with a weight that says never (RFC 9110,
/// section 12.5.3).
fn accepts(header: &str) -> bool {
    header.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
        name.trim().eq_ignore_ascii_case("gzip") && weight.parse() != Ok(0.0)
    })
}

/// All of a playlist. There are no parts of it: those that a client would name are parts of what is
/// not compressed.
pub(crate) fn reply(gzip: Gzip, content_type: &str, playlist: &[u8]) -> Reply {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = encoder
        .write_all(playlist)
        .and_then(|()| encoder.finish())
        .expect("a vector takes everything");
    let mut reply = reply::reply(200, content_type, compressed);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    if gzip == Gzip::WhereAccepted {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_accepted_if_named_with_nonzero_qvalue() {
        for header in ["gzip", "deflate, gzip", "GZIP;q=0.5, br", "br,gzip ; q=1"] {
            assert!(accepts(header), "{header}");
        }
        for header in [
            "",
            "identity",
            "br, deflate",
            "gzip;q=0",
            "gzip; q=0.0",
            "xgzip",
        ] {
            assert!(!accepts(header), "{header}");
        }
    }
}
