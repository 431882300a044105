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

/// License servers that are remembered of one element, and of one URL so many bytes.
const MAX_LICENSE_URLS: usize = 8;
const MAX_URL_BYTES: usize = 8 * 1024;

/// `cenc:pssh` in an MPD (ISO/IEC 23001-7, 11.2).
const CENC_NAMESPACE: &str = "urn:mpeg:cenc:2013";

/// What one init data says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitData {
    pub key_ids: Vec<KeyId>,
    /// Where there are licenses (`dashif:Laurl`), in the order of the manifest, each once. They may
    /// be relative to the manifest.
    pub license_urls: Vec<String>,
    /// Why an element of a manifest names no license server.
    pub no_license_url: Option<NoLicenseUrl>,
    /// Where there are tokens for license requests (`dashif:Authzurl`): equal places, any of which
    /// will do.
    pub authorization_urls: Vec<String>,
}

/// Why an element of a manifest names no license server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLicenseUrl {
    /// It was not handed over, but only the attribute `value`, as dashdemux2 does where there is
    /// one.
    ValueOnly,
    /// It refers to another element by `ref` (ISO/IEC 23009-1:2022, 5.8.4.1).
    Reference,
    /// It has no `dashif:Laurl`.
    Absent,
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
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Self::default();
        };
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.starts_with('<') {
            return read_xml(text);
        }
        Self {
            no_license_url: (!text.is_empty()).then_some(NoLicenseUrl::ValueOnly),
            ..Self::default()
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
    let mut is_reference = None;
    let mut inside = None;
    let mut content = String::new();
    // A damaged rest does not take back what stood before it.
    while let Ok((namespace, event)) = reader.read_resolved_event() {
        if let Event::Start(element) | Event::Empty(element) = &event
            && is_reference.is_none()
        {
            // Of the outermost element.
            is_reference = Some(matches!(element.try_get_attribute("ref"), Ok(Some(_))));
        }
        match event {
            Event::Start(element) => {
                let name = element.local_name();
                let is = |known: &str| name.as_ref().eq_ignore_ascii_case(known);
                inside = if is("Laurl") && is_one(&namespace, is_dashif) {
                    Some(Inside::Laurl)
                } else if is("Authzurl") && is_one(&namespace, is_dashif) {
                    Some(Inside::Authzurl)
                } else if name.as_ref() == "pssh" && is_one(&namespace, |it| it == CENC_NAMESPACE) {
                    Some(Inside::Pssh)
                } else {
                    None
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
                Some(Inside::Laurl) => {
                    let new = url(&content).filter(|url| !found.license_urls.contains(url));
                    if found.license_urls.len() < MAX_LICENSE_URLS {
                        found.license_urls.extend(new);
                    }
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
    if found.license_urls.is_empty() {
        found.no_license_url = Some(match is_reference {
            Some(true) => NoLicenseUrl::Reference,
            _ => NoLicenseUrl::Absent,
        });
    }
    found
}

/// The URL that an element holds.
fn url(content: &str) -> Option<String> {
    let url = unescape(content.trim()).ok()?;
    (1..=MAX_URL_BYTES)
        .contains(&url.len())
        .then(|| url.into_owned())
}

/// Whether the element's namespace is a wanted one, or cannot be known: dashdemux hands over the
/// element without the declarations of its ancestors, where MPDs usually make them.
fn is_one(namespace: &ResolveResult<'_>, is_wanted: impl Fn(&str) -> bool) -> bool {
    match namespace {
        ResolveResult::Bound(name) => is_wanted(name.as_ref()),
        ResolveResult::Unknown(_) => true,
        ResolveResult::Unbound => false,
    }
}

/// Whether this is a namespace of DASH-IF's: `https://dashif.org/CPS` (DASH-IF Guidelines for
/// security), `http://dashif.org/guidelines/clearKey` (Interoperability Points before version 5),
/// and what packagers write instead, such as `https://dashif.org/` and
/// `https://dashif.org/guidelines/clearKey`.
fn is_dashif(namespace: &str) -> bool {
    let namespace = namespace.trim().to_ascii_lowercase();
    let without_scheme = ["https://", "http://"]
        .iter()
        .find_map(|scheme| namespace.strip_prefix(scheme));
    without_scheme.is_some_and(|name| {
        let name = name.strip_prefix("www.").unwrap_or(name);
        name.split('/').next() == Some("dashif.org")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cenc::pssh::tests::pssh;

    const COMMON: u128 = 0x1077efec_c0b2_4d02_ace3_3c1e52e2fb4b;

    fn urls(xml: &str) -> Vec<String> {
        InitData::read(xml.as_bytes()).license_urls
    }

    fn url(xml: &str) -> Option<String> {
        let mut urls = urls(xml);
        assert!(urls.len() < 2, "{xml}");
        urls.pop()
    }

    #[test]
    fn license_url_is_found_across_namespace_forms() {
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
        assert_eq!(found.license_urls, [""; 0]);
    }

    #[test]
    fn laurl_is_found_in_each_dashif_namespace() {
        for namespace in [
            "https://dashif.org/CPS",
            "https://dashif.org/",
            "https://dashif.org",
            "http://dashif.org/CPS",
            "https://www.dashif.org/CPS",
            "https://dashif.org/guidelines/clearKey",
            "http://dashif.org/guidelines/clearKey",
            "HTTPS://DASHIF.ORG/guidelines/ClearKey",
        ] {
            for name in ["Laurl", "laurl", "LAURL", "laUrl"] {
                let xml = format!(
                    r#"<ContentProtection><x:{name} xmlns:x="{namespace}">/l</x:{name}></ContentProtection>"#
                );
                assert_eq!(url(&xml).as_deref(), Some("/l"), "{xml}");
                let xml = format!(r#"<{name} xmlns="{namespace}" Lic_type="EME-1.0">/l</{name}>"#);
                assert_eq!(url(&xml).as_deref(), Some("/l"), "{xml}");
            }
        }
        for namespace in [
            "https://dashif.org.evil/CPS",
            "https://notdashif.org/",
            "urn:dashif.org",
            "ftp://dashif.org/",
            "",
        ] {
            let xml = format!(r#"<Laurl xmlns="{namespace}">/l</Laurl>"#);
            assert_eq!(url(&xml), None, "{xml}");
        }
    }

    #[test]
    fn laurls_come_in_order_each_once_and_bounded() {
        let laurl = |url: &str| format!("<d:laurl>{url}</d:laurl>");
        let element = |urls: &[String]| {
            let laurls: String = urls.iter().map(|url| laurl(url)).collect();
            format!("<ContentProtection>{laurls}</ContentProtection>")
        };
        let some = ["file://a/b", "", "https://b/", "file://a/b", " /c "].map(str::to_owned);
        assert_eq!(urls(&element(&some)), ["file://a/b", "https://b/", "/c"]);
        let many: Vec<_> = (0..20).map(|number| format!("/{number}")).collect();
        assert_eq!(urls(&element(&many)), many[..MAX_LICENSE_URLS]);
        let long = ["x".repeat(MAX_URL_BYTES + 1), "x".repeat(MAX_URL_BYTES)];
        assert_eq!(urls(&element(&long)), long[1..]);
    }

    #[test]
    fn element_without_laurl_says_why() {
        for (data, why) in [
            ("ClearKey1.0", Some(NoLicenseUrl::ValueOnly)),
            (
                r#"<ContentProtection schemeIdUri="urn:uuid:1" ref="a"/>"#,
                Some(NoLicenseUrl::Reference),
            ),
            (
                "\u{feff}\n<ContentProtection ref='a'></ContentProtection>",
                Some(NoLicenseUrl::Reference),
            ),
            (
                r#"<ContentProtection><x:y ref="a"/></ContentProtection>"#,
                Some(NoLicenseUrl::Absent),
            ),
            (
                r#"<ContentProtection refId="a"/>"#,
                Some(NoLicenseUrl::Absent),
            ),
            (
                r#"<ContentProtection ref="a"><d:Laurl>/l</d:Laurl></ContentProtection>"#,
                None,
            ),
            (" \n", None),
        ] {
            let found = InitData::read(data.as_bytes());
            assert_eq!(found.no_license_url, why, "{data}");
        }
        let boxes = pssh(1, COMMON, &[[1; 16]]);
        assert_eq!(InitData::read(&boxes).no_license_url, None);
        assert_eq!(InitData::read(b"\xff\xfe").no_license_url, None);
    }

    #[test]
    fn license_url_is_none_for_foreign_or_damaged_xml() {
        for xml in [
            r#"<ContentProtection><Laurl>https://h/</Laurl></ContentProtection>"#,
            r#"<ContentProtection><a:Laurl xmlns:a="urn:other">https://h/</a:Laurl></ContentProtection>"#,
            r#"<ContentProtection><d:Laurl xmlns:d="https://dashif.org/CPS"></d:Laurl></ContentProtection>"#,
            r#"<ContentProtection><d:Laurl xmlns:d="https://dashif.org/CPS">https://h/"#,
            r#"<d:Laurl xmlns:d="https://dashif.org/CPS">&undefined;</d:Laurl>"#,
            r#"<ContentProtection xmlns="urn:mpeg:dash:schema:mpd:2011"><Laurl>https://h/</Laurl></ContentProtection>"#,
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
