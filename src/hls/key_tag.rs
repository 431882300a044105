// SPDX-License-Identifier: MIT OR Apache-2.0

//! Key tags (EXT-X-KEY; RFC 8216, 4.3.2.4): who can decrypt with what they say.

use std::sync::Arc;

use crate::cenc::KeyId;
use crate::cenc::playready::PLAYREADY_SYSTEM_ID;
use crate::cenc::pssh;

use super::attributes::text;
use super::data_uri;

/// KEYFORMAT of keys that the playlist hands out itself.
const IDENTITY: &str = "identity";

/// KEYFORMAT of FairPlay Streaming (Apple, "FairPlay Streaming Programming Guide"), and the
/// protection system that DASH-IF has registered for it.
const FAIRPLAY: &str = "com.apple.streamingkeydelivery";
const FAIRPLAY_SYSTEM_ID: u128 = 0x94ce86fb_07ff_4f43_adb8_93d2fa968ca2;

/// Methods by which samples are encrypted: RFC 8216bis, what packagers wrote before it, and
/// Microsoft's.
const SAMPLE_METHODS: [&str; 4] = [
    "SAMPLE-AES",
    "SAMPLE-AES-CTR",
    "SAMPLE-AES-CENC",
    "ISO-23001-7",
];

/// What an error quotes of an attribute.
const MAX_QUOTED: usize = 64;

/// What a tag says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTag {
    pub key_format: String,
    pub kind: Kind,
    /// Method and format, for errors. No secret.
    pub label: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// METHOD=NONE: from here on nothing is encrypted.
    None,
    /// Whole segments are, with a key that is at a URI.
    Aes128(IdentityKey),
    /// Samples are, with a key that is at a URI.
    SampleAes(IdentityKey),
    /// A DRM system has the key.
    Drm(DrmKey),
    /// No element decrypts that: the method is unknown, or no key is named.
    Unusable,
}

/// A key that anybody can fetch who is let.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityKey {
    /// As it is written.
    pub uri: String,
    pub iv: Option<[u8; 16]>,
    /// For samples in counter mode, which fragmented MP4 alone knows.
    pub is_counter_mode: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrmKey {
    /// What the DRM system needs, as `pssh` boxes.
    pub boxes: Vec<Arc<[u8]>>,
    pub key_id: Option<KeyId>,
    /// Not samples but whole segments are encrypted.
    pub is_whole: bool,
}

impl KeyTag {
    /// What it takes, about.
    pub fn bytes(&self) -> usize {
        let of_kind = match &self.kind {
            Kind::None | Kind::Unusable => 0,
            Kind::Aes128(key) | Kind::SampleAes(key) => key.uri.len(),
            Kind::Drm(key) => key.boxes.iter().map(|one| one.len()).sum(),
        };
        size_of::<Self>() + self.key_format.len() + self.label.len() + of_kind
    }

    /// Reads the attributes of a tag.
    pub fn read(list: &str) -> Self {
        let format = text(list, "KEYFORMAT").filter(|format| !format.is_empty());
        let format = format.unwrap_or(IDENTITY);
        let is_identity = format.eq_ignore_ascii_case(IDENTITY);
        let method = text(list, "METHOD").unwrap_or_default();
        let is = |name: &str| method.eq_ignore_ascii_case(name);
        let is_whole = is("AES-128");
        let is_known = is_whole || SAMPLE_METHODS.iter().any(|name| is(name));
        let uri = text(list, "URI").unwrap_or_default();
        let kind = if is("NONE") {
            Kind::None
        } else if is_identity && is_known && is_fetchable(uri) {
            let iv = text(list, "IV");
            let key = IdentityKey {
                uri: uri.to_owned(),
                iv: iv.and_then(initialization_vector),
                is_counter_mode: !is_whole && !is("SAMPLE-AES"),
            };
            match is_whole {
                _ if iv.is_some() && key.iv.is_none() => Kind::Unusable,
                true => Kind::Aes128(key),
                false => Kind::SampleAes(key),
            }
        } else if !is_identity && (is_known || method.is_empty()) {
            Kind::Drm(DrmKey {
                boxes: boxes(format, uri),
                key_id: text(list, "KEYID").and_then(key_id),
                is_whole,
            })
        } else {
            Kind::Unusable
        };
        Self {
            key_format: format.to_ascii_lowercase(),
            label: match text(list, "IV") {
                Some(iv) if kind == Kind::Unusable => {
                    let iv = quoted(iv);
                    format!(
                        "METHOD={}, KEYFORMAT={}, IV={iv}",
                        quoted(method),
                        quoted(format)
                    )
                }
                _ => format!("METHOD={}, KEYFORMAT={}", quoted(method), quoted(format)),
            },
            kind,
        }
    }
}

/// What an error may show of an attribute: printable, and short.
fn quoted(text: &str) -> String {
    let clean = text.chars().filter(|one| !one.is_control());
    clean.take(MAX_QUOTED).collect()
}

/// Whether a key can be had from there without a DRM system. A relative URI is on a web server.
fn is_fetchable(uri: &str) -> bool {
    let scheme = uri.split([':', '/', '?', '#']).next().unwrap_or_default();
    let has_scheme = uri[scheme.len()..].starts_with(':');
    let known = ["http", "https", "data"];
    let is_known = known.iter().any(|one| one.eq_ignore_ascii_case(scheme));
    !uri.is_empty() && (!has_scheme || is_known)
}

/// `data:` URIs hold whole boxes, or for PlayReady the header object that belongs in one.
/// FairPlay's `skd:` URI is itself what the system needs.
fn boxes(key_format: &str, uri: &str) -> Vec<Arc<[u8]>> {
    if key_format.eq_ignore_ascii_case(FAIRPLAY) && uri.starts_with("skd:") {
        return vec![pssh::write(FAIRPLAY_SYSTEM_ID, &[], uri.as_bytes()).into()];
    }
    let Some(data) = data_uri::decode(uri).filter(|data| !data.is_empty()) else {
        return Vec::new();
    };
    if pssh::is_pssh(&data) {
        return pssh::whole_boxes(&data).map(Arc::from).collect();
    }
    match system_id(key_format) {
        Some(system) => vec![pssh::write(system, &[], &data).into()],
        None => Vec::new(),
    }
}

/// The protection system of a KEYFORMAT.
fn system_id(key_format: &str) -> Option<u128> {
    if key_format.eq_ignore_ascii_case("com.microsoft.playready") {
        return Some(PLAYREADY_SYSTEM_ID);
    }
    let id = key_format
        .get(..9)
        .filter(|prefix| prefix.eq_ignore_ascii_case("urn:uuid:"))?;
    uuid::Uuid::parse_str(&key_format[id.len()..])
        .ok()
        .map(|id| id.as_u128())
}

/// Up to 32 hexadecimal digits behind `0x`: a number of 128 bits (RFC 8216, 4.2).
fn initialization_vector(text: &str) -> Option<[u8; 16]> {
    let digits = without_0x(text).filter(|digits| digits.len() <= 32)?;
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

/// 32 hexadecimal digits, behind `0x` or without it, or as a UUID.
fn key_id(text: &str) -> Option<KeyId> {
    let digits = without_0x(text).unwrap_or(text);
    let id = uuid::Uuid::try_parse(digits).ok()?;
    Some(KeyId(id.into_bytes()))
}

fn without_0x(text: &str) -> Option<&str> {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cenc::pssh::tests::box_of;

    const WIDEVINE: u128 = 0xedef8ba9_79d6_4ace_a3c8_27dcd51d21ed;

    fn drm(list: &str) -> (Vec<Vec<u8>>, Option<KeyId>) {
        match KeyTag::read(list).kind {
            Kind::Drm(key) => (
                key.boxes.iter().map(|one| one.to_vec()).collect(),
                key.key_id,
            ),
            other => panic!("{list}: {other:?}"),
        }
    }

    #[test]
    fn whole_box_stays_and_playready_object_gets_one() {
        let widevine = box_of(0, WIDEVINE, b"widevine");
        let id = KeyId(0x00112233445566778899aabbccddee01_u128.to_be_bytes());
        for spelling in [
            "0x00112233445566778899aabbccddee01",
            "0X00112233445566778899AABBCCDDEE01",
            "00112233445566778899aabbccddee01",
            "00112233-4455-6677-8899-aabbccddee01",
        ] {
            let list = format!(
                r#"METHOD=SAMPLE-AES-CTR,URI="{}",KEYID={spelling},KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed""#,
                data_uri::encode(&widevine)
            );
            assert_eq!(drm(&list), (vec![widevine.clone()], Some(id)));
        }
        for format in [
            "com.microsoft.playready",
            "URN:UUID:9A04F079-9840-4286-AB92-E65BE0885F95",
        ] {
            let list = format!(
                r#"METHOD=SAMPLE-AES,URI="{}",KEYFORMAT="{format}""#,
                data_uri::encode(b"object")
            );
            let expected = vec![box_of(0, PLAYREADY_SYSTEM_ID, b"object")];
            assert_eq!(drm(&list), (expected, None));
        }
    }

    #[test]
    fn fairplay_gets_the_uri_by_which_it_asks_for_a_key() {
        let list = r#"METHOD=SAMPLE-AES,URI="skd://key?a=1",KEYFORMAT="com.apple.streamingkeydelivery",KEYFORMATVERSIONS="1""#;
        let expected = box_of(0, FAIRPLAY_SYSTEM_ID, b"skd://key?a=1");
        assert_eq!(drm(list), (vec![expected], None));
    }

    #[test]
    fn identity_keys_are_at_a_uri() {
        let key = |uri: &str, iv| IdentityKey {
            is_counter_mode: false,
            uri: uri.to_owned(),
            iv,
        };
        let mut one = [0; 16];
        one[15] = 1;
        for (list, kind) in [
            (r#"METHOD=AES-128,URI="k""#, Kind::Aes128(key("k", None))),
            (
                r#"METHOD=AES-128,URI="../k:1",IV=0x1,KEYFORMAT="identity""#,
                Kind::Aes128(key("../k:1", Some(one))),
            ),
            (
                r#"METHOD=aes-128,URI="HTTPS://h/k",IV=0X00000000000000000000000000000001,KEYFORMAT="""#,
                Kind::Aes128(key("HTTPS://h/k", Some(one))),
            ),
            (
                r#"METHOD=SAMPLE-AES,URI="data:,x",KEYFORMAT="IDENTITY""#,
                Kind::SampleAes(key("data:,x", None)),
            ),
            ("METHOD=NONE", Kind::None),
            (r#"METHOD=NONE,URI="k",KEYFORMAT="x",IV=0x1"#, Kind::None),
        ] {
            assert_eq!(KeyTag::read(list).kind, kind, "{list}");
        }
    }

    #[test]
    fn what_nobody_can_decrypt_is_unusable_and_named() {
        for list in [
            "",
            "METHOD=AES-128",
            r#"METHOD=AES-128,URI="skd://k""#,
            r#"METHOD=SAMPLE-AES,URI="urn:k""#,
            r#"METHOD=AES-128,URI="k",IV=17"#,
            r#"METHOD=AES-128,URI="k",IV=0xno"#,
            r#"METHOD=AES-128,URI="k",IV=0x0123456789abcdef0123456789abcdef0"#,
            r#"METHOD=AES-256,URI="k""#,
            r#"METHOD=AES-256,URI="data:;base64,AA==",KEYFORMAT="com.drm""#,
        ] {
            assert_eq!(KeyTag::read(list).kind, Kind::Unusable, "{list}");
        }
        let tag = KeyTag::read("METHOD=AES\u{7}-256,URI=\"k?secret\",KEYFORMAT=\"x\"");
        assert_eq!(tag.label, "METHOD=AES-256, KEYFORMAT=x");
    }

    #[test]
    fn drm_tag_without_box_is_a_drm_systems_all_the_same() {
        for list in [
            r#"METHOD=SAMPLE-AES,URI="key.bin",KEYFORMAT="com.apple.streamingkeydelivery""#,
            r#"METHOD=AES-128,URI="data:;base64,AA==",KEYFORMAT="x""#,
            r#"METHOD=SAMPLE-AES,URI="data:;base64,%",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed""#,
            r#"KEYFORMAT="x""#,
        ] {
            assert_eq!(drm(list), (Vec::new(), None), "{list}");
        }
    }
}
