// SPDX-License-Identifier: MIT OR Apache-2.0

//! `data:` URIs (RFC 2397), as packagers spell them: in any case, percent-encoded, with the
//! alphabet of base64 or base64url, with and without padding, with white space.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
#[cfg(test)]
use base64::engine::general_purpose;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether that is such a URI.
pub fn is_data_uri(uri: &str) -> bool {
    uri.get(..5)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

/// What the URI holds. `None` for another URI, and for one in base64 that is none.
pub fn decode(uri: &str) -> Option<Vec<u8>> {
    if !is_data_uri(uri) {
        return None;
    }
    let (head, data) = uri[5..].split_once(',')?;
    let data = percent_decoded(data);
    let is_base64 = head
        .rsplit(';')
        .next()
        .is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
    if !is_base64 {
        return Some(data.into_owned());
    }
    // As most have it.
    if let Ok(decoded) = LENIENT.decode(&data) {
        return Some(decoded);
    }
    let normal: Vec<u8> = data
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    LENIENT.decode(normal).ok()
}

/// RFC 3986, 2.1. A percent sign that begins no octet stands for itself.
fn percent_decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(decoded)
}

/// A URI that holds these bytes.
#[cfg(test)]
pub fn encode(bytes: &[u8]) -> String {
    format!(
        "data:text/plain;base64,{}",
        general_purpose::STANDARD.encode(bytes)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_reads_every_spelling() {
        let bytes = [0xfb, 0xff, 0xfe, 0x00];
        for uri in [
            "data:text/plain;base64,+//+AA==",
            "data:;base64,+//+AA",
            "data:text/plain;charset=UTF-16;base64,-__-AA",
            "DATA:text/plain;BASE64,+//+AA==",
            "data:text/plain;base64, +//+ AA==",
            "data:text/plain;base64,%2B%2F%2f%2BAA%3D%3D",
            "data:,%fb%FF%FE%00",
        ] {
            assert_eq!(decode(uri).as_deref(), Some(&bytes[..]), "{uri}");
        }
        assert_eq!(decode(&encode(&bytes)).as_deref(), Some(&bytes[..]));
    }

    #[test]
    fn decode_refuses_what_holds_nothing() {
        for uri in [
            "",
            "data:",
            "data:;base64",
            "https://h/",
            "data:;base64,%",
            "d\u{e4}ta:,",
        ] {
            assert_eq!(decode(uri), None, "{uri}");
        }
        assert_eq!(decode("data:,%").as_deref(), Some(&b"%"[..]));
    }
}
