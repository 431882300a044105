// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a protection event's init data says to a ClearKey decryptor, in each form in which
//! demuxers hand it over: a `pssh` box, or the ContentProtection element of an MPD as XML.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::NsReader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;

use super::KeyId;
use super::pssh;

/// Largest init data that is read. A ContentProtection element with PlayReady's header takes a
/// few kilobytes.
pub const MAX_INIT_DATA: usize = 256 * 1024;

/// DASH-IF's name space for `Laurl` (DASH-IF Guidelines for security), and the one of its
/// Interoperability Points before version 5.
const LAURL_NAMESPACES: [&str; 2] = [
    "https://dashif.org/CPS",
    "http://dashif.org/guidelines/clearKey",
];

/// `cenc:pssh` in an MPD (ISO/IEC 23001-7, 11.2).
const CENC_NAMESPACE: &str = "urn:mpeg:cenc:2013";

/// What one init data says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitData {
    pub key_ids: Vec<KeyId>,
    pub licence_url: Option<String>,
    /// Where there are tokens for licence requests (`dashif:Authzurl`): equal places, any of which will do.
    pub authorization_urls: Vec<String>,
}

impl InitData {
    /// Reads what there is to read; what is of another form, or damaged, says nothing.
    pub fn read(bytes: &[u8]) -> Self {
        if bytes.len() > MAX_INIT_DATA {
            return Self::default();
        }
        if pssh::is_pssh(bytes) {
            return Self {
                key_ids: pssh::key_ids(bytes),
                ..Self::default()
            };
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if text.trim_start().starts_with('<') => read_xml(text),
            _ => Self::default(),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Laurl,
    Authzurl,
    Pssh,
}

fn read_xml(text: &str) -> InitData {
    let mut reader = NsReader::from_str(text);
    let mut found = InitData::default();
    let mut inside = None;
    let mut content = String::new();
    // A damaged rest does not take back what stood before it.
    while let Ok((namespace, event)) = reader.read_resolved_event() {
        match event {
            Event::Start(element) => {
                inside = match element.local_name().as_ref() {
                    "Laurl" | "laurl" if is_one_of(&namespace, &LAURL_NAMESPACES) => {
                        Some(Inside::Laurl)
                    }
                    // The drafts of the guidelines write it in lower case.
                    "Authzurl" | "authzurl" if is_one_of(&namespace, &LAURL_NAMESPACES[..1]) => {
                        Some(Inside::Authzurl)
                    }
                    "pssh" if is_one_of(&namespace, &[CENC_NAMESPACE]) => Some(Inside::Pssh),
                    _ => None,
                };
                content.clear();
            }
            Event::Text(piece) if inside.is_some() => {
                content.push_str(&piece);
            }
            // The characters of `&amp;` come as an event of their own.
            Event::GeneralRef(name) if inside.is_some() => {
                content.push('&');
                content.push_str(&name);
                content.push(';');
            }
            Event::CData(piece) if inside.is_some() => {
                content.push_str(&quick_xml::escape::escape(piece.as_ref()));
            }
            Event::End(_) => match inside.take() {
                Some(Inside::Laurl) if found.licence_url.is_none() => {
                    found.licence_url = url(&content);
                }
                Some(Inside::Authzurl) => found.authorization_urls.extend(url(&content)),
                Some(Inside::Pssh) => {
                    let packed = content.split_ascii_whitespace().collect::<String>();
                    let boxes = STANDARD.decode(packed).unwrap_or_default();
                    for key_id in pssh::key_ids(&boxes) {
                        if !found.key_ids.contains(&key_id) {
                            found.key_ids.push(key_id);
                        }
                    }
                }
                _ => {}
            },
            Event::Eof => break,
            _ => {}
        }
    }
    found
}

/// The URL that an element holds.
fn url(content: &str) -> Option<String> {
    let url = unescape(content.trim()).ok()?;
    (!url.is_empty()).then(|| url.into_owned())
}

/// Whether the element's name space is one of these, or cannot be known: dashdemux hands over the
/// element without the declarations of its ancestors, where MPDs usually make them.
fn is_one_of(namespace: &ResolveResult<'_>, wanted: &[&str]) -> bool {
    match namespace {
        ResolveResult::Bound(name) => wanted.contains(&name.as_ref()),
        ResolveResult::Unknown(_) => true,
        ResolveResult::Unbound => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cenc::pssh::tests::pssh;

    const COMMON: u128 = 0x1077efec_c0b2_4d02_ace3_3c1e52e2fb4b;

    fn url(xml: &str) -> Option<String> {
        InitData::read(xml.as_bytes()).licence_url
    }

    #[test]
    fn the_licence_url_is_found_wherever_its_prefix_is_declared() {
        for xml in [
            r#"<ContentProtection><dashif:Laurl xmlns:dashif="https://dashif.org/CPS">https://h/l?a=1&amp;b=2</dashif:Laurl></ContentProtection>"#,
            r#"<x:ContentProtection xmlns:x="urn:mpeg:dash:schema:mpd:2011" xmlns:q="https://dashif.org/CPS"><q:Laurl> https://h/l?a=1&amp;b=2 </q:Laurl></x:ContentProtection>"#,
            r#"<ContentProtection><dashif:Laurl><![CDATA[https://h/l?a=1&b=2]]></dashif:Laurl></ContentProtection>"#,
            r#"<ContentProtection><clearkey:Laurl xmlns:clearkey="http://dashif.org/guidelines/clearKey" Lic_type="EME-1.0">https://h/l?a=1&amp;b=2</clearkey:Laurl></ContentProtection>"#,
        ] {
            assert_eq!(url(xml).as_deref(), Some("https://h/l?a=1&b=2"), "{xml}");
        }
    }

    #[test]
    fn all_authorization_urls_are_found() {
        let xml = r#"<ContentProtection><d:Authzurl xmlns:d="https://dashif.org/CPS">https://a/?x=1&amp;y=2</d:Authzurl><e:Authzurl xmlns:e="urn:other">https://e/</e:Authzurl><dashif:authzurl> https://b/ </dashif:authzurl><d:Authzurl xmlns:d="https://dashif.org/CPS"/></ContentProtection>"#;
        let found = InitData::read(xml.as_bytes());
        assert_eq!(
            found.authorization_urls,
            ["https://a/?x=1&y=2", "https://b/"]
        );
        assert_eq!(found.licence_url, None);
    }

    #[test]
    fn other_elements_named_alike_and_damaged_xml_give_no_licence_url() {
        for xml in [
            r#"<ContentProtection><Laurl>https://h/</Laurl></ContentProtection>"#,
            r#"<ContentProtection><a:Laurl xmlns:a="urn:other">https://h/</a:Laurl></ContentProtection>"#,
            r#"<ContentProtection><d:Laurl xmlns:d="https://dashif.org/CPS"></d:Laurl></ContentProtection>"#,
            r#"<ContentProtection><d:Laurl xmlns:d="https://dashif.org/CPS">https://h/"#,
            r#"<d:Laurl xmlns:d="https://dashif.org/CPS">&undefined;</d:Laurl>"#,
            "ClearKey1.0",
            "<",
            "",
        ] {
            assert_eq!(url(xml), None, "{xml}");
        }
    }

    #[test]
    fn key_ids_come_from_a_box_and_from_a_box_inside_xml() {
        let boxes = pssh(1, COMMON, &[[1; 16], [2; 16]]);
        let ids = vec![KeyId([1; 16]), KeyId([2; 16])];
        assert_eq!(InitData::read(&boxes).key_ids, ids);
        let packed = STANDARD.encode(&boxes);
        let (first, second) = packed.split_at(20);
        let xml = format!(
            "<ContentProtection><cenc:pssh>\n {first}\n {second} </cenc:pssh></ContentProtection>"
        );
        assert_eq!(InitData::read(xml.as_bytes()).key_ids, ids);
        assert_eq!(
            InitData::read(b"<c:pssh xmlns:c='urn:mpeg:cenc:2013'>!</c:pssh>").key_ids,
            []
        );
    }

    #[test]
    fn init_data_of_absurd_size_is_not_read() {
        let mut xml =
            r#"<d:Laurl xmlns:d="https://dashif.org/CPS">https://h/</d:Laurl>"#.to_owned();
        xml.push_str(&" ".repeat(MAX_INIT_DATA));
        assert_eq!(url(&xml), None);
    }
}
