// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a key server answers: the 16 bytes of a key, or why there are none.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::Failure;
use crate::http::{HttpResponse, REFUSALS};

/// Bytes of a key.
const SIZE: usize = 16;

/// A key in bytes, wiped when nobody has it any more.
pub type KeyBytes = Arc<Zeroizing<[u8; SIZE]>>;

/// The key, where that is one.
pub fn key_of(bytes: &[u8]) -> Option<KeyBytes> {
    let bytes = <[u8; SIZE]>::try_from(bytes).ok()?;
    Some(Arc::new(Zeroizing::new(bytes)))
}

/// Reads the answer of a key server (RFC 8216, 4.3.2.4: a file of 16 octets).
///
/// # Errors
///
/// Why there is no key in it.
pub fn read_key(reply: &HttpResponse) -> Result<KeyBytes, Failure> {
    let place = &reply.place;
    let status = reply.status;
    let failure = match status {
        200 | 206 => match key_of(&reply.body) {
            Some(key) => return Ok(key),
            None => Failure::malformed(format!(
                "{place} answered the request for a key with {} bytes{} where a key has {SIZE}: \
                 check the key's URI in the playlist",
                reply.body.len(),
                media_type(reply)
            )),
        },
        _ if REFUSALS.contains(&status) => Failure::denied(format!(
            "{place} refused the key of the presentation (HTTP {status}){}",
            reply.token_advice()
        )),
        300..=399 => Failure::malformed(format!(
            "{place} answered the request for a key with a redirect (HTTP {status}){} that is not \
             followed",
            reply.redirect_suffix()
        )),
        408 | 429 | 500..=599 => Failure::transient(format!(
            "{place} has no key at the moment (HTTP {status}){}",
            reply.retry_after_suffix()
        )),
        _ => Failure::transient(format!(
            "{place} does not have a key that the playlist names (HTTP {status})"
        )),
    };
    Err(failure.with_http_status(status))
}

fn media_type(reply: &HttpResponse) -> String {
    let known = reply.media_type.as_ref().filter(|name| {
        let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-.".contains(&byte);
        name.len() <= 64 && name.bytes().all(is_sound)
    });
    known.map_or_else(String::new, |name| format!(" of {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn read(status: u16, body: &[u8]) -> Result<KeyBytes, Failure> {
        let mut reply = HttpResponse::new(status, body);
        reply.place = "keys:80".to_owned();
        reply.media_type = Some("text/html".to_owned());
        read_key(&reply)
    }

    #[test]
    fn key_has_sixteen_bytes() {
        assert_eq!(**read(200, &[7; 16]).expect("a key"), [7; 16]);
        for size in [0, 15, 17, 32] {
            let failure = read(200, &vec![0; size]).expect_err("no key");
            assert_eq!(failure.kind, Kind::Malformed);
            let says =
                format!("keys:80 answered the request for a key with {size} bytes of text/html");
            assert!(failure.what.starts_with(&says), "{}", failure.what);
        }
    }

    #[test]
    fn refusal_is_told_from_a_fault() {
        for (status, kind) in [
            (401, Kind::Denied),
            (403, Kind::Denied),
            (412, Kind::Denied),
            (404, Kind::Transient),
            (302, Kind::Malformed),
            (429, Kind::Transient),
            (503, Kind::Transient),
        ] {
            let failure = read(status, b"").expect_err("no key");
            assert_eq!((failure.kind, failure.http_status), (kind, Some(status)));
        }
    }
}
