// SPDX-License-Identifier: MIT OR Apache-2.0

//! Manifests: the license URL put in, and variants made of the one on disk.
//!
//! All of it is done to the text. These are the manifests that `tests/media/make` writes, and a
//! client under test should get every other byte as the packager wrote it.

use crate::server::AUTHZ_PATH;

/// What stands in the manifests on disk where the license URL goes.
const PLACEHOLDER: &str = "https://license.invalid/clearkey";
/// The DASH-IF system id of ClearKey.
const CLEARKEY: &str = "e2719d58-a985-b3c9-781a-b030af78d30e";
/// The W3C system id of the common `pssh` box.
const COMMON: &str = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b";
/// What Widevine's element begins with.
const WIDEVINE_END: &str =
    r#"<ContentProtection schemeIdUri="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed">"#;
/// No server listens at the port of TCPMUX.
const NOBODY: &str = "http://127.0.0.1:1/license";
const FILE: &str = "file://cache/licenseInfo.txt";
const OLD_NAMESPACE: &str = r#" xmlns:ck="https://dashif.org/guidelines/clearKey""#;
const LAURL_NAMESPACE: &str = r#" xmlns:dashif="https://dashif.org/CPS""#;

/// A way of writing the same manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// As it is on disk.
    AsMade,
    /// Without the DASH-IF ClearKey elements, and so without a license URL.
    NoLaurl,
    /// With the system ids of ClearKey and of the common `pssh` box in upper case.
    UpperCase,
    /// With the namespace of the license URL declared at the root, not at the element.
    AncestorNamespace,
    /// With an authorization service beside each license URL: the same for all.
    Authz,
    /// With two of them that are equal.
    AuthzTwice,
    /// With another one for each adaptation set: the path ends with the number of its key.
    AuthzEach,
    /// With one, but for another DRM system.
    AuthzElsewhere,
    /// With the license URL relative to the manifest.
    RelativeLaurl,
    /// With the license URL as packagers write it that follow older guidelines, in their namespace
    /// at the root.
    OldLaurl,
    /// With two license URLs before the right one: a file, and a server that is not there.
    DeadLaurls,
    /// With `value` in the element that holds the license URL.
    ValueBesideLaurl,
    /// With ClearKey's elements by reference (`ref`) to one of the MPD.
    Reference,
    /// With all elements of content protection in the representations.
    InRepresentation,
    /// A playlist without key tags, whose playlists have none either.
    NoKeys,
    /// A playlist whose init segments have no `pssh` boxes.
    NoPssh,
}

impl Variant {
    /// The file, and the variant of it, that a name stands for.
    pub(crate) fn of(name: &str) -> (String, Self) {
        match name {
            "manifest-no-laurl.mpd" => return ("manifest.mpd".into(), Self::NoLaurl),
            "manifest-upper-case.mpd" => return ("manifest.mpd".into(), Self::UpperCase),
            "manifest-authz.mpd" => return ("manifest.mpd".into(), Self::Authz),
            "manifest-authz-twice.mpd" => return ("manifest.mpd".into(), Self::AuthzTwice),
            "manifest-authz-each.mpd" => return ("manifest.mpd".into(), Self::AuthzEach),
            "manifest-authz-elsewhere.mpd" => {
                return ("manifest.mpd".into(), Self::AuthzElsewhere);
            }
            "manifest-ancestor-ns.mpd" => return ("manifest.mpd".into(), Self::AncestorNamespace),
            "manifest-relative-laurl.mpd" => return ("manifest.mpd".into(), Self::RelativeLaurl),
            "manifest-old-laurl.mpd" => return ("manifest.mpd".into(), Self::OldLaurl),
            "manifest-dead-laurls.mpd" => return ("manifest.mpd".into(), Self::DeadLaurls),
            "manifest-value.mpd" => return ("manifest.mpd".into(), Self::ValueBesideLaurl),
            "manifest-reference.mpd" => return ("manifest.mpd".into(), Self::Reference),
            "manifest-in-representation.mpd" => {
                return ("manifest.mpd".into(), Self::InRepresentation);
            }
            _ => {}
        }
        for (suffix, end, variant) in [
            ("-no-keys.m3u8", ".m3u8", Self::NoKeys),
            ("-no-pssh.m3u8", ".m3u8", Self::NoPssh),
            ("_init-no-pssh.mp4", "_init.mp4", Self::NoPssh),
        ] {
            if let Some(stem) = name.strip_suffix(suffix) {
                return (format!("{stem}{end}"), variant);
            }
        }
        (name.to_owned(), Self::AsMade)
    }

    /// The manifest in this variant, with this operator's servers.
    pub(crate) fn write(self, manifest: &str, operator: &Operator<'_>) -> String {
        let Operator { license_url, .. } = operator;
        let manifest = manifest.replace(PLACEHOLDER, license_url);
        match self {
            Self::AsMade => manifest,
            Self::NoLaurl => without_clearkey(manifest),
            Self::Authz => beside_laurl(&manifest, |_| operator.authzurl("")),
            Self::AuthzTwice => beside_laurl(&manifest, |_| {
                operator.authzurl("/a") + &operator.authzurl("/b")
            }),
            Self::AuthzEach => beside_laurl(&manifest, |before| {
                // The element that names the adaptation set's key stands before.
                let key_id = before.rsplit("default_KID=\"").next().unwrap_or_default();
                operator.authzurl(&format!("/{}", &key_id[34..36]))
            }),
            Self::AuthzElsewhere => manifest.replace(
                WIDEVINE_END,
                &format!("{WIDEVINE_END}{}", operator.authzurl("/elsewhere")),
            ),
            Self::UpperCase => [CLEARKEY, COMMON].iter().fold(manifest, |manifest, id| {
                let scheme = format!("urn:uuid:{id}");
                manifest.replace(&scheme, &format!("urn:uuid:{}", id.to_uppercase()))
            }),
            Self::AncestorNamespace => without_comment(manifest.replace(LAURL_NAMESPACE, ""))
                .replacen("<MPD", &format!("<MPD{LAURL_NAMESPACE}"), 1),
            Self::RelativeLaurl => manifest.replace(license_url, "../../license"),
            Self::OldLaurl => {
                let manifest = without_comment(manifest.replace(LAURL_NAMESPACE, ""));
                manifest
                    .replace("<dashif:Laurl", "<ck:laurl Lic_type=\"EME-1.0\"")
                    .replace("</dashif:Laurl", "</ck:laurl")
                    .replacen("<MPD", &format!("<MPD{OLD_NAMESPACE}"), 1)
            }
            Self::DeadLaurls => manifest.replace(
                "<dashif:Laurl",
                &format!("{}{}<dashif:Laurl", laurl(FILE), laurl(NOBODY)),
            ),
            Self::ValueBesideLaurl => {
                let scheme = format!("schemeIdUri=\"urn:uuid:{CLEARKEY}\"");
                manifest.replace(&scheme, &format!("{scheme} value=\"ClearKey1.0\""))
            }
            Self::Reference => {
                let open = format!("<ContentProtection schemeIdUri=\"urn:uuid:{CLEARKEY}\"");
                let reference = format!("{open} ref=\"clearkey\"/>\n");
                let source = format!(
                    "{open} refId=\"clearkey\">{}</ContentProtection>\n",
                    laurl(license_url)
                );
                let manifest = without_clearkey(manifest)
                    .replace("<Representation", &format!("{reference}<Representation"));
                manifest.replacen("<Period", &format!("{source}<Period"), 1)
            }
            Self::InRepresentation => in_representations(&manifest),
            Self::NoKeys => manifest
                .lines()
                .filter(|line| !line.starts_with("#EXT-X-KEY:"))
                .map(|line| line.replace(".m3u8", "-no-keys.m3u8") + "\n")
                .collect(),
            Self::NoPssh => manifest
                .replace(".m3u8", "-no-pssh.m3u8")
                .replace("_init.mp4", "_init-no-pssh.mp4"),
        }
    }
}

/// Whose servers a manifest names.
pub(crate) struct Operator<'a> {
    pub(crate) origin: &'a str,
    /// What tells this head-end's authorization services from those of another one on the same
    /// port.
    pub(crate) tenant: u32,
    pub(crate) license_url: &'a str,
}

impl Operator<'_> {
    /// An element with the URL of the authorization service at that path. Its query holds a list of
    /// keys, which is none of the content's.
    fn authzurl(&self, path: &str) -> String {
        let Self { origin, tenant, .. } = self;
        format!(
            "<dashif:Authzurl{LAURL_NAMESPACE}>{origin}{AUTHZ_PATH}{path}?tenant={tenant}&amp;kids=none</dashif:Authzurl>"
        )
    }
}

/// Puts behind each license URL what is made of the manifest up to there.
fn beside_laurl(manifest: &str, insertion: impl Fn(&str) -> String) -> String {
    const END: &str = "</dashif:Laurl>";
    let ends = manifest.match_indices(END).map(|(at, _)| at + END.len());
    let mut written = String::new();
    let mut done = 0;
    for end in ends {
        written += &manifest[done..end];
        written += &insertion(&manifest[..end]);
        done = end;
    }
    written + &manifest[done..]
}

fn laurl(url: &str) -> String {
    format!("<dashif:Laurl{LAURL_NAMESPACE}>{url}</dashif:Laurl>")
}

/// Moves what stands in an adaptation set before its representation to the beginning of that.
fn in_representations(manifest: &str) -> String {
    let mut sets = manifest.split("<ContentProtection");
    let mut written = sets.next().unwrap_or_default().to_owned();
    let mut moved = String::new();
    for part in sets {
        let element = format!("<ContentProtection{part}");
        match element.split_once("<Representation") {
            None => moved += &element,
            Some((element, rest)) => {
                moved += element;
                let (attributes, content) = rest.split_once('>').unwrap_or((rest, ""));
                written += &format!("<Representation{attributes}>\n{moved}{content}");
                moved.clear();
            }
        }
    }
    written
}

/// An init segment whose `pssh` boxes are free space.
pub(crate) fn without_pssh(mut init: Vec<u8>) -> Vec<u8> {
    while let Some(place) = init.windows(4).position(|kind| kind == b"pssh") {
        init[place..place + 4].copy_from_slice(b"free");
    }
    init
}

/// Cuts out the packager's comment. With it the longer root element would end beyond the first 512
/// bytes, and GStreamer's typefinder, which sees no more of an HTTP stream, would take the manifest
/// for any XML.
fn without_comment(manifest: String) -> String {
    match (manifest.find("<!--"), manifest.find("-->")) {
        (Some(start), Some(end)) => [&manifest[..start], manifest[end + 3..].trim_start()].concat(),
        _ => manifest,
    }
}

/// Cuts out every `ContentProtection` of ClearKey, with the white space before it.
fn without_clearkey(mut manifest: String) -> String {
    const OPENING: &str = "<ContentProtection";
    const CLOSING: &str = "</ContentProtection>";

    while let Some(id) = manifest.find(CLEARKEY) {
        let (Some(start), Some(end)) =
            (manifest[..id].rfind(OPENING), manifest[id..].find(CLOSING))
        else {
            break;
        };
        let start = manifest[..start].trim_end().len();
        manifest.replace_range(start..id + end + CLOSING.len(), "");
    }
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../media/dash/cenc/manifest.mpd"
    ));
    const ORIGIN: &str = "http://127.0.0.1:1";
    const URL: &str = "http://127.0.0.1:1/license";
    const OPERATOR: Operator<'_> = Operator {
        origin: ORIGIN,
        tenant: 7,
        license_url: URL,
    };

    fn count(manifest: &str, what: &str) -> usize {
        manifest.matches(what).count()
    }

    #[test]
    fn license_url_takes_the_place_of_the_placeholder() {
        let manifest = Variant::AsMade.write(MANIFEST, &OPERATOR);
        assert_eq!(count(&manifest, PLACEHOLDER), 0);
        assert_eq!(count(&manifest, &format!(">{URL}</dashif:Laurl>")), 2);
        assert_eq!(manifest.replace(URL, PLACEHOLDER), MANIFEST);
    }

    #[test]
    fn clearkey_can_be_left_out() {
        let manifest = Variant::NoLaurl.write(MANIFEST, &OPERATOR);
        assert_eq!(count(&manifest, CLEARKEY), 0);
        assert_eq!(count(&manifest, "Laurl"), 0);
        assert_eq!(count(&manifest, COMMON), 2);
        let elements = count(MANIFEST, "<ContentProtection");
        assert_eq!(count(&manifest, "<ContentProtection"), elements - 2);
        assert_eq!(manifest.lines().count(), MANIFEST.lines().count() - 2);
    }

    #[test]
    fn authzurl_is_written_beside_laurl_or_elsewhere() {
        let write = |variant: Variant| variant.write(MANIFEST, &OPERATOR);
        for (variant, times, part) in [
            (Variant::Authz, 2, "/authz?tenant=7&amp;kids=none<"),
            (Variant::AuthzTwice, 2, "/authz/b?"),
            (Variant::AuthzEach, 1, "/authz/01?"),
            (Variant::AuthzEach, 1, "/authz/02?"),
            (Variant::AuthzElsewhere, 2, "/authz/elsewhere?"),
        ] {
            let manifest = write(variant);
            assert_eq!(
                count(&manifest, &format!(">{ORIGIN}{part}")),
                times,
                "{variant:?}"
            );
        }
        let beside = format!("{URL}</dashif:Laurl><dashif:Authzurl");
        assert_eq!(count(&write(Variant::Authz), &beside), 2);
        assert_eq!(count(&write(Variant::AuthzElsewhere), &beside), 0);
    }

    #[test]
    fn system_ids_can_be_in_upper_case() {
        let manifest = Variant::UpperCase.write(MANIFEST, &OPERATOR);
        for id in [CLEARKEY, COMMON] {
            assert_eq!(count(&manifest, id), 0);
            let attribute = format!(r#"schemeIdUri="urn:uuid:{}""#, id.to_uppercase());
            assert_eq!(count(&manifest, &attribute), 2);
        }
    }

    #[test]
    fn playlists_can_be_without_key_tags() {
        let playlist = |name| {
            let (file, variant) = Variant::of(name);
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../media/dash/cenc/");
            let text = std::fs::read_to_string(format!("{folder}{file}")).expect("the test media");
            (variant.write(&text, &OPERATOR), text)
        };
        let (video, before) = playlist("video-no-keys.m3u8");
        assert_eq!(count(&before, "#EXT-X-KEY:"), 2);
        assert_eq!(count(&video, "#EXT-X-KEY:"), 0);
        assert_eq!(video.lines().count(), before.lines().count() - 2);
        let (master, before) = playlist("master-no-keys.m3u8");
        assert_eq!(count(&master, "\nvideo-no-keys.m3u8\n"), 1);
        assert_eq!(count(&master, "\"audio-no-keys.m3u8\""), 1);
        assert_eq!(master.replace("-no-keys", ""), before);
    }

    #[test]
    fn license_urls_can_be_written_in_other_ways() {
        let write = |variant: Variant| variant.write(MANIFEST, &OPERATOR);
        for (variant, part) in [
            (
                Variant::RelativeLaurl,
                ">../../license</dashif:Laurl>".to_owned(),
            ),
            (
                Variant::OldLaurl,
                format!("<ck:laurl Lic_type=\"EME-1.0\">{URL}</ck:laurl>"),
            ),
            (
                Variant::DeadLaurls,
                format!(">{NOBODY}</dashif:Laurl><dashif:Laurl"),
            ),
            (
                Variant::ValueBesideLaurl,
                format!("{CLEARKEY}\" value=\"ClearKey1.0\">"),
            ),
            (Variant::Reference, " ref=\"clearkey\"/>".to_owned()),
        ] {
            assert_eq!(count(&write(variant), &part), 2, "{variant:?}");
        }
        assert_eq!(count(&write(Variant::OldLaurl), OLD_NAMESPACE), 1);
        let source = format!(
            "refId=\"clearkey\">{}<",
            laurl(URL).replace("</dashif:Laurl>", "")
        );
        assert_eq!(count(&write(Variant::Reference), &source), 1);
        assert_eq!(count(&write(Variant::Reference), "Laurl>"), 1);
    }

    #[test]
    fn content_protection_can_be_in_the_representation() {
        let manifest = Variant::InRepresentation.write(MANIFEST, &OPERATOR);
        for what in [
            "<ContentProtection",
            "</ContentProtection>",
            "<Representation",
        ] {
            assert_eq!(count(&manifest, what), count(MANIFEST, what), "{what}");
        }
        for set in manifest.split("<AdaptationSet").skip(1) {
            let representation = set.find("<Representation");
            assert!(representation < set.find("<ContentProtection"), "{set}");
        }
    }

    #[test]
    fn namespace_can_be_declared_at_the_root() {
        let manifest = Variant::AncestorNamespace.write(MANIFEST, &OPERATOR);
        assert_eq!(count(&manifest, LAURL_NAMESPACE), 1);
        assert_eq!(count(&manifest, &format!("<MPD{LAURL_NAMESPACE} ")), 1);
        assert_eq!(count(&manifest, "<!--"), 0);
        assert_eq!(count(&manifest, &format!("<dashif:Laurl>{URL}<")), 2);
    }
}
