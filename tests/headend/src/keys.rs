// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys that the test media are encrypted with.
//!
//! They protect generated test pictures and nothing else, which is why they may stand here. The
//! script `tests/media/make` has the same values; change both or neither.

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine};

/// The key id of the sound, as 32 lower case hexadecimal digits.
pub const AUDIO_KEY_ID: &str = "00112233445566778899aabbccddee01";
/// The key of the sound, as 32 lower case hexadecimal digits.
pub const AUDIO_KEY: &str = "0123456789abcdef0123456789abcd01";
/// The key id of the picture, as 32 lower case hexadecimal digits.
pub const VIDEO_KEY_ID: &str = "00112233445566778899aabbccddee02";
/// The key of the picture, as 32 lower case hexadecimal digits.
pub const VIDEO_KEY: &str = "0123456789abcdef0123456789abcd02";
/// The key id of the sound in the second Period, as 32 lower case hexadecimal digits.
pub const NEXT_AUDIO_KEY_ID: &str = "00112233445566778899aabbccddee03";
/// The key of the sound in the second Period, as 32 lower case hexadecimal digits.
pub const NEXT_AUDIO_KEY: &str = "0123456789abcdef0123456789abcd03";
/// The key id of the picture in the second Period, as 32 lower case hexadecimal digits.
pub const NEXT_VIDEO_KEY_ID: &str = "00112233445566778899aabbccddee04";
/// The key of the picture in the second Period, as 32 lower case hexadecimal digits.
pub const NEXT_VIDEO_KEY: &str = "0123456789abcdef0123456789abcd04";

/// The key id of the sound of the ad, as 32 lower case hexadecimal digits.
pub const AD_AUDIO_KEY_ID: &str = "00112233445566778899aabbccddee05";
/// The key of the sound of the ad, as 32 lower case hexadecimal digits.
pub const AD_AUDIO_KEY: &str = "0123456789abcdef0123456789abcd05";
/// The key id of the picture of the ad, as 32 lower case hexadecimal digits.
pub const AD_VIDEO_KEY_ID: &str = "00112233445566778899aabbccddee06";
/// The key of the picture of the ad, as 32 lower case hexadecimal digits.
pub const AD_VIDEO_KEY: &str = "0123456789abcdef0123456789abcd06";

/// By how many bytes the packager has turned the key id and the key of the picture in each segment
/// of the media with rotating keys. Why these, `tests/media/README.md` says.
const ROTATIONS: [u32; 3] = [0, 1, 3];

/// Every key with its id. The first of those that rotate is that of the picture.
const KEYS: [([u8; 16], [u8; 16]); 8] = [
    (from_hex(AUDIO_KEY_ID), from_hex(AUDIO_KEY)),
    (from_hex(VIDEO_KEY_ID), from_hex(VIDEO_KEY)),
    (from_hex(NEXT_AUDIO_KEY_ID), from_hex(NEXT_AUDIO_KEY)),
    (from_hex(NEXT_VIDEO_KEY_ID), from_hex(NEXT_VIDEO_KEY)),
    (from_hex(AD_AUDIO_KEY_ID), from_hex(AD_AUDIO_KEY)),
    (from_hex(AD_VIDEO_KEY_ID), from_hex(AD_VIDEO_KEY)),
    rotated_key(ROTATIONS[1]),
    rotated_key(ROTATIONS[2]),
];

/// The key ids of the media with rotating keys, segment by segment, each as 32 lower case
/// hexadecimal digits.
#[must_use]
pub fn rotating_key_ids() -> [String; 3] {
    ROTATIONS.map(|count| hex(&rotated_key(count).0))
}

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

/// The key of the picture with its id, both turned to the left by so many bytes.
const fn rotated_key(count: u32) -> ([u8; 16], [u8; 16]) {
    const fn rotated(bytes: [u8; 16], count: u32) -> [u8; 16] {
        u128::from_be_bytes(bytes)
            .rotate_left(8 * count)
            .to_be_bytes()
    }

    (
        rotated(from_hex(VIDEO_KEY_ID), count),
        rotated(from_hex(VIDEO_KEY), count),
    )
}

/// Bytes as lower case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes behind 32 lower case hexadecimal digits. It runs when this crate is compiled, so a
/// mistake in a constant is a compile error.
pub(crate) const fn from_hex(digits: &str) -> [u8; 16] {
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
    fn key_is_found_by_its_id() {
        let id = from_hex(VIDEO_KEY_ID);
        assert_eq!(key_for(&id).map(|key| hex(key)).as_deref(), Some(VIDEO_KEY));
        assert_eq!(key_for(&id[1..]), None);
    }

    #[test]
    fn keys_of_a_second_period_are_found() {
        for (id, expected) in [
            (NEXT_AUDIO_KEY_ID, NEXT_AUDIO_KEY),
            (NEXT_VIDEO_KEY_ID, NEXT_VIDEO_KEY),
        ] {
            let key = key_for(&from_hex(id)).map(|key| hex(key));
            assert_eq!(key.as_deref(), Some(expected), "{id}");
        }
    }

    #[test]
    fn rotating_keys_are_found_for_every_segment() {
        // As they are in the media.
        let segments = [
            (VIDEO_KEY_ID, VIDEO_KEY),
            (
                "112233445566778899aabbccddee0200",
                "23456789abcdef0123456789abcd0201",
            ),
            (
                "33445566778899aabbccddee02001122",
                "6789abcdef0123456789abcd02012345",
            ),
        ];
        assert_eq!(rotating_key_ids(), segments.map(|(id, _)| id));
        for (id, expected) in segments {
            let key = key_for(&from_hex(id)).map(|key| hex(key));
            assert_eq!(key.as_deref(), Some(expected), "{id}");
        }
    }

    #[test]
    fn media_with_rotating_keys_have_these_key_ids() {
        for (index, id) in rotating_key_ids().iter().enumerate() {
            let path = format!(
                "{}/../media/dash/rotating/v_{}.m4s",
                env!("CARGO_MANIFEST_DIR"),
                index + 1
            );
            let segment = std::fs::read(path).expect("a segment");
            let id = from_hex(id);
            // Once in the sample group and once in the `pssh` box.
            let found = segment.windows(id.len()).filter(|bytes| *bytes == id);
            assert_eq!(found.count(), 2, "segment {}", index + 1);
        }
    }

    #[test]
    fn secrets_are_known_in_every_form() {
        let forms = secret_forms();
        for form in [
            "0123456789abcdef0123456789abcd02",
            "0123456789ABCDEF0123456789ABCD02",
            "ASNFZ4mrze8BI0VniavNAg",
            "1, 35, 69, 103, 137, 171, 205, 239, 1, 35, 69, 103, 137, 171, 205, 2",
            NEXT_AUDIO_KEY,
            NEXT_VIDEO_KEY,
            "23456789abcdef0123456789abcd0201",
            "6789abcdef0123456789abcd02012345",
        ] {
            assert!(forms.iter().any(|known| known == form), "{form}");
        }
    }
}
