// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys that the test media are encrypted with.
//!
//! They protect generated test pictures and nothing else, which is why they may stand here. The
//! script `tests/media/make` has the same four values; change both or neither.

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine};

/// The key id of the sound, as 32 lower case hexadecimal digits.
pub const AUDIO_KEY_ID: &str = "00112233445566778899aabbccddee01";
/// The key of the sound, as 32 lower case hexadecimal digits.
pub const AUDIO_KEY: &str = "0123456789abcdef0123456789abcd01";
/// The key id of the picture, as 32 lower case hexadecimal digits.
pub const VIDEO_KEY_ID: &str = "00112233445566778899aabbccddee02";
/// The key of the picture, as 32 lower case hexadecimal digits.
pub const VIDEO_KEY: &str = "0123456789abcdef0123456789abcd02";

const KEYS: [([u8; 16], [u8; 16]); 2] = [
    (from_hex(AUDIO_KEY_ID), from_hex(AUDIO_KEY)),
    (from_hex(VIDEO_KEY_ID), from_hex(VIDEO_KEY)),
];

/// Every form in which one of the keys could turn up in a log, a dump or a message.
///
/// For each key: hexadecimal in both cases, base64 and base64url, and the bytes as `{:?}` prints
/// them. The base64 forms have no padding, so that a search finds them with and without.
#[must_use]
pub fn secret_forms() -> Vec<String> {
    let mut forms: Vec<String> = KEYS
        .iter()
        .flat_map(|(_, key)| {
            [
                hex(key),
                hex(key).to_uppercase(),
                BASE64_STANDARD_NO_PAD.encode(key),
                BASE64_URL_SAFE_NO_PAD.encode(key),
                format!("{key:?}").trim_matches(['[', ']']).to_owned(),
            ]
        })
        .collect();
    // A key without the two characters that differ has one base64 form, not two.
    forms.dedup();
    forms
}

/// The key that belongs to a key id, if it is one of ours.
pub(crate) fn key_for(id: &[u8]) -> Option<&'static [u8; 16]> {
    KEYS.iter()
        .find(|(known, _)| known == id)
        .map(|(_, key)| key)
}

/// Bytes as lower case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes behind 32 lower case hexadecimal digits. It runs when this crate is compiled, so a
/// mistake in a constant is a compile error.
const fn from_hex(digits: &str) -> [u8; 16] {
    const fn value(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => panic!("not a lower case hexadecimal digit"),
        }
    }

    let digits = digits.as_bytes();
    assert!(digits.len() == 32, "not 32 digits");
    let mut bytes = [0; 16];
    let mut index = 0;
    while index < bytes.len() {
        bytes[index] = value(digits[2 * index]) << 4 | value(digits[2 * index + 1]);
        index += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_id() {
        let id = from_hex(VIDEO_KEY_ID);
        assert_eq!(key_for(&id).map(|key| hex(key)).as_deref(), Some(VIDEO_KEY));
        assert_eq!(key_for(&id[1..]), None);
    }

    #[test]
    fn secrets_are_known_in_every_form() {
        let forms = secret_forms();
        for form in [
            "0123456789abcdef0123456789abcd02",
            "0123456789ABCDEF0123456789ABCD02",
            "ASNFZ4mrze8BI0VniavNAg",
            "1, 35, 69, 103, 137, 171, 205, 239, 1, 35, 69, 103, 137, 171, 205, 2",
        ] {
            assert!(forms.iter().any(|known| known == form), "{form}");
        }
    }
}
