// SPDX-License-Identifier: MIT OR Apache-2.0

//! Manifests: the licence URL put in, and variants made of the one on disk.
//!
//! All of it is done to the text. These are the manifests that `tests/media/make` writes, and a
//! client under test should get every other byte as the packager wrote it.

/// What stands in the manifests on disk where the licence URL goes.
const PLACEHOLDER: &str = "https://licence.invalid/clearkey";
/// The DASH-IF system id of ClearKey.
const CLEARKEY: &str = "e2719d58-a985-b3c9-781a-b030af78d30e";
/// The W3C system id of the common `pssh` box.
const COMMON: &str = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b";
const LAURL_NAMESPACE: &str = r#" xmlns:dashif="https://dashif.org/CPS""#;

/// A way of writing the same manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// As it is on disk.
    AsMade,
    /// Without the DASH-IF ClearKey elements, and so without a licence URL.
    NoLaurl,
    /// With the system ids of ClearKey and of the common `pssh` box in upper case.
    UpperCase,
    /// With the namespace of the licence URL declared at the root, not at the element.
    AncestorNamespace,
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
            "manifest-ancestor-ns.mpd" => return ("manifest.mpd".into(), Self::AncestorNamespace),
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

    /// The manifest in this variant, with this licence URL.
    pub(crate) fn write(self, manifest: &str, licence_url: &str) -> String {
        let manifest = manifest.replace(PLACEHOLDER, licence_url);
        match self {
            Self::AsMade => manifest,
            Self::NoLaurl => without_clearkey(manifest),
            Self::UpperCase => [CLEARKEY, COMMON].iter().fold(manifest, |manifest, id| {
                let scheme = format!("urn:uuid:{id}");
                manifest.replace(&scheme, &format!("urn:uuid:{}", id.to_uppercase()))
            }),
            Self::AncestorNamespace => without_comment(manifest.replace(LAURL_NAMESPACE, ""))
                .replacen("<MPD", &format!("<MPD{LAURL_NAMESPACE}"), 1),
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

/// An init segment whose `pssh` boxes are free space.
pub(crate) fn without_pssh(mut init: Vec<u8>) -> Vec<u8> {
    while let Some(place) = init.windows(4).position(|kind| kind == b"pssh") {
        init[place..place + 4].copy_from_slice(b"free");
    }
    init
}

/// Cuts out the packager's comment. With it the longer root element would end beyond the first 512 bytes, and GStreamer's typefinder, which sees no
/// more of an HTTP stream, would take the manifest for any XML.
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
    const URL: &str = "http://127.0.0.1:1/licence";

    fn count(manifest: &str, what: &str) -> usize {
        manifest.matches(what).count()
    }

    #[test]
    fn the_licence_url_takes_the_place_of_the_placeholder() {
        let manifest = Variant::AsMade.write(MANIFEST, URL);
        assert_eq!(count(&manifest, PLACEHOLDER), 0);
        assert_eq!(count(&manifest, &format!(">{URL}</dashif:Laurl>")), 2);
        assert_eq!(manifest.replace(URL, PLACEHOLDER), MANIFEST);
    }

    #[test]
    fn clearkey_can_be_left_out() {
        let manifest = Variant::NoLaurl.write(MANIFEST, URL);
        assert_eq!(count(&manifest, CLEARKEY), 0);
        assert_eq!(count(&manifest, "Laurl"), 0);
        assert_eq!(count(&manifest, COMMON), 2);
        let elements = count(MANIFEST, "<ContentProtection");
        assert_eq!(count(&manifest, "<ContentProtection"), elements - 2);
        assert_eq!(manifest.lines().count(), MANIFEST.lines().count() - 2);
    }

    #[test]
    fn system_ids_can_be_in_upper_case() {
        let manifest = Variant::UpperCase.write(MANIFEST, URL);
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
            (variant.write(&text, URL), text)
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
    fn the_namespace_can_be_declared_at_the_root() {
        let manifest = Variant::AncestorNamespace.write(MANIFEST, URL);
        assert_eq!(count(&manifest, LAURL_NAMESPACE), 1);
        assert_eq!(count(&manifest, &format!("<MPD{LAURL_NAMESPACE} ")), 1);
        assert_eq!(count(&manifest, "<!--"), 0);
        assert_eq!(count(&manifest, &format!("<dashif:Laurl>{URL}<")), 2);
    }
}
