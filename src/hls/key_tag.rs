// SPDX-License-Identifier: MIT OR Apache-2.0

//! Key tags (EXT-X-KEY; RFC 8216, 4.3.2.4): which are a DRM system's, and what they say to its decryptor.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::cenc::KeyId;
use crate::cenc::playready::PLAYREADY_SYSTEM_ID;
use crate::cenc::pssh::{self, COMMON_SYSTEM_ID};

use super::attributes::text;

/// KEYFORMAT of keys that the playlist hands out itself.
const IDENTITY: &str = "identity";

/// KEYFORMAT of FairPlay Streaming (Apple, "FairPlay Streaming Programming Guide"), and the protection system that DASH-IF has registered for it.
const FAIRPLAY: &str = "com.apple.streamingkeydelivery";
const FAIRPLAY_SYSTEM_ID: u128 = 0x94ce86fb_07ff_4f43_adb8_93d2fa968ca2;

/// What a tag says, as far as it is a matter of DRM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTag {
    pub key_format: String,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// METHOD=NONE: from here on nothing is encrypted.
    None,
    /// Whole segments are, with a key that the demuxer fetches itself.
    Demuxers,
    /// Samples are, with a key from a DRM system.
    Drm {
        /// What that system needs.
        boxes: Vec<Vec<u8>>,
        key_id: Option<KeyId>,
        /// Not samples but whole segments are (METHOD=AES-128).
        is_whole: bool,
    },
}

impl KeyTag {
    /// Reads the attributes of a tag.
    pub fn read(list: &str) -> Self {
        let key_format = text(list, "KEYFORMAT").unwrap_or(IDENTITY);
        let kind = match text(list, "METHOD") {
            Some("NONE") => Kind::None,
            Some("AES-128") if key_format == IDENTITY => Kind::Demuxers,
            _ => Kind::Drm {
                boxes: boxes(key_format, text(list, "URI").unwrap_or_default()),
                key_id: text(list, "KEYID").and_then(key_id),
                is_whole: text(list, "METHOD") == Some("AES-128"),
            },
        };
        Self {
            key_format: key_format.to_owned(),
            kind,
        }
    }
}

/// A box of the common system that lists these keys, for decryptors that need no more than their ids.
pub fn common_box(key_ids: &[KeyId]) -> Vec<u8> {
    pssh::write(COMMON_SYSTEM_ID, key_ids, &[])
}

/// `data:` URIs hold a whole box, or for PlayReady the header object that belongs in one. FairPlay's `skd:` URI is itself what the system needs.
fn boxes(key_format: &str, uri: &str) -> Vec<Vec<u8>> {
    if key_format == FAIRPLAY && uri.starts_with("skd:") {
        return vec![pssh::write(FAIRPLAY_SYSTEM_ID, &[], uri.as_bytes())];
    }
    let Some(data) = data_of(uri) else {
        return Vec::new();
    };
    if pssh::is_pssh(&data) {
        return pssh::whole_boxes(&data).map(<[u8]>::to_vec).collect();
    }
    match system_id(key_format) {
        Some(system) => vec![pssh::write(system, &[], &data)],
        None => Vec::new(),
    }
}

/// The protection system of a KEYFORMAT.
fn system_id(key_format: &str) -> Option<u128> {
    if key_format == "com.microsoft.playready" {
        return Some(PLAYREADY_SYSTEM_ID);
    }
    let id = key_format
        .get(..9)
        .filter(|prefix| prefix.eq_ignore_ascii_case("urn:uuid:"))?;
    uuid::Uuid::parse_str(&key_format[id.len()..])
        .ok()
        .map(|id| id.as_u128())
}

/// What a `data:` URI in base64 holds (RFC 2397).
fn data_of(uri: &str) -> Option<Vec<u8>> {
    let (head, data) = uri.strip_prefix("data:")?.split_once(',')?;
    head.ends_with(";base64")
        .then(|| STANDARD.decode(data).ok())?
}

/// `0x` and 32 hexadecimal digits.
fn key_id(text: &str) -> Option<KeyId> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    let is_whole = digits.len() == 32;
    let number = u128::from_str_radix(digits, 16).ok();
    number
        .filter(|_| is_whole)
        .map(|number| KeyId(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cenc::pssh::tests::box_of;

    const WIDEVINE: u128 = 0xedef8ba9_79d6_4ace_a3c8_27dcd51d21ed;

    fn drm(list: &str) -> (Vec<Vec<u8>>, Option<KeyId>) {
        match KeyTag::read(list).kind {
            Kind::Drm { boxes, key_id, .. } => (boxes, key_id),
            other => panic!("{list}: {other:?}"),
        }
    }

    #[test]
    fn a_whole_box_stays_and_a_playready_object_gets_one() {
        let widevine = box_of(0, WIDEVINE, b"widevine");
        let list = format!(
            r#"METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,{}",KEYID=0x00112233445566778899aabbccddee01,KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed""#,
            STANDARD.encode(&widevine)
        );
        let id = KeyId(0x00112233445566778899aabbccddee01_u128.to_be_bytes());
        assert_eq!(drm(&list), (vec![widevine], Some(id)));
        for format in [
            "com.microsoft.playready",
            "URN:UUID:9A04F079-9840-4286-AB92-E65BE0885F95",
        ] {
            let list = format!(
                r#"METHOD=SAMPLE-AES,URI="data:text/plain;charset=UTF-16;base64,{}",KEYFORMAT="{format}""#,
                STANDARD.encode("object")
            );
            assert_eq!(
                drm(&list),
                (vec![box_of(0, PLAYREADY_SYSTEM_ID, b"object")], None)
            );
        }
    }

    #[test]
    fn fairplay_gets_the_uri_by_which_it_asks_for_a_key() {
        let list = r#"METHOD=SAMPLE-AES,URI="skd://key?a=1",KEYFORMAT="com.apple.streamingkeydelivery",KEYFORMATVERSIONS="1""#;
        let expected = box_of(0, FAIRPLAY_SYSTEM_ID, b"skd://key?a=1");
        assert_eq!(drm(list), (vec![expected], None));
    }

    #[test]
    fn what_the_demuxer_decrypts_itself_is_left_to_it() {
        for list in [
            r#"METHOD=AES-128,URI="k""#,
            r#"METHOD=AES-128,URI="k",KEYFORMAT="identity""#,
        ] {
            assert_eq!(KeyTag::read(list).kind, Kind::Demuxers, "{list}");
        }
        assert_eq!(KeyTag::read("METHOD=NONE").kind, Kind::None);
    }

    #[test]
    fn a_tag_that_no_box_can_carry_is_a_drm_systems_all_the_same() {
        for list in [
            r#"METHOD=SAMPLE-AES,URI="key.bin""#,
            r#"METHOD=SAMPLE-AES,URI="key.bin",KEYFORMAT="com.apple.streamingkeydelivery""#,
            r#"METHOD=AES-128,URI="data:;base64,AA==",KEYFORMAT="x""#,
            r#"METHOD=SAMPLE-AES,URI="data:;base64,%",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed""#,
            "",
        ] {
            assert_eq!(drm(list), (Vec::new(), None), "{list}");
        }
    }
}
