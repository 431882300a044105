// SPDX-License-Identifier: MIT OR Apache-2.0

//! What must hold whatever a server sends: for `cargo fuzz`, and for its corpus as a test.
//!
//! Each function takes bytes as they come from the network or the stream; those of services are
//! read under every HTTP status that counts.

mod services;

use url::Url;

pub use services::*;

use crate::cenc::{ContentKey, InitData, KeyId, SoundFormat, playready, pssh};
use crate::hls::recording_map::{Place, RecordingMap};
use crate::hls::{
    Aes128Decryptor, Context, Rewritten, Scheme, Variables, as_clear, decode_data_uri,
    decrypt_aes128, insert_free_box, key_ids_of, lists_playlists, pssh_boxes, rewrite, scheme_of,
    splice, systems, with_only,
};
use crate::sample_aes::{SampleAesError, SegmentDecryptor};

fn rewritten(playlist: &str) -> Option<(Rewritten, RecordingMap)> {
    let mut map = RecordingMap::default();
    let url = Url::parse("https://host/path/list.m3u8?a=b").ok()?;
    let variables = Variables::default();
    let context = Context::new(&url, &variables);
    let rewritten = rewrite(playlist, &context, &mut map).ok()?;
    Some((rewritten, map))
}

/// What the demuxer must see of a playlist stays: all but keys, maps, parts and ranges, and how
/// URIs are written.
pub fn playlist(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let Some((once, map)) = rewritten(&text) else {
        return;
    };
    let names = |text: &str| -> Vec<String> {
        let kept = text.trim_start_matches('\u{feff}').lines().filter(|line| {
            [
                "#EXT-X-KEY:",
                "#EXT-X-MAP:",
                "#EXT-X-SESSION-KEY:",
                "#EXT-X-PART:",
                "#EXT-X-PRELOAD-HINT:",
                "#EXT-X-BYTERANGE:",
            ]
            .iter()
            .all(|tag| !line.starts_with(tag))
        });
        let name = |line: &str| match line.strip_prefix('#') {
            Some(tag) if tag.starts_with("EXT") => tag
                .split(':')
                .next()
                .unwrap_or(tag)
                .trim_end_matches('\r')
                .to_owned(),
            Some(_) => "a comment".to_owned(),
            None if line.trim().is_empty() => "nothing".to_owned(),
            None => "a URI".to_owned(),
        };
        kept.map(name).collect()
    };
    assert_eq!(names(&once.text), names(&text));
    // Nothing is left to be done, and what was done is not done again.
    let (twice, again) = rewritten(&once.text).expect("it is one still");
    if lists_playlists(&once.text) == Ok(false)
        && !once.text.contains("{$")
        && !once.text.contains("RENDITION-REPORT")
    {
        let is_settled = |place: &Place| match place {
            Place::Key(_) => true,
            // All of them are had from the server where the text has a certain method somewhere.
            Place::Init(init) => init.is_direct(),
            _ => false,
        };
        assert!(again.places.iter().all(is_settled), "a key tag was left");
        if map.places.is_empty() {
            assert_eq!(twice.text, once.text);
        }
    }
}

/// Whatever is wrapped as clear reads as an init segment, once and again.
pub fn clear_init(bytes: &[u8]) {
    for scheme in [Scheme::Cenc, Scheme::Cbcs] {
        if let Ok(once) = as_clear(bytes, scheme) {
            let twice = as_clear(&once, scheme).expect("it is one still");
            // Nothing is wrapped twice.
            assert_eq!(twice.len(), once.len());
            drop((scheme_of(&once), key_ids_of(&once), pssh_boxes(&once)));
            let only = with_only(&once, &pssh::write(7, &[], b"x")).expect("an init segment");
            assert!(systems(&only).len() <= 1);
        }
    }
}

/// Key tags, alone and in turns.
pub fn key_tag(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for list in text.lines() {
        drop(decode_data_uri(list));
    }
    let tags: String = text
        .lines()
        .map(|list| format!("#EXT-X-KEY:{list}\n#EXTINF:1,\ns\n"))
        .collect();
    playlist(format!("#EXTM3U\n{tags}").as_bytes());
    playlist(format!("#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n{tags}").as_bytes());
}

/// How a file is cut on its way makes no difference.
pub fn aes128(file: &[u8]) {
    let key = ContentKey::from_slice(&[7; 16]).expect("sixteen bytes");
    let whole = decrypt_aes128(&key, [9; 16], file);
    for size in [1, 15, 16, 17, 1000] {
        let mut decryptor = Aes128Decryptor::new(&key, [9; 16]);
        let mut out = Vec::new();
        for part in file.chunks(size) {
            decryptor.push(part, &mut out);
            assert!(out.len() <= file.len());
        }
        assert_eq!(decryptor.finish(&mut out).map(|()| out), whole);
    }
}

/// Boxes can be added to whatever reads as an init segment, and once is enough.
pub fn init_segment(bytes: &[u8]) {
    let common = pssh::write(pssh::COMMON_SYSTEM_ID, &[KeyId([7; 16])], &[]);
    if let Ok(once) = splice(bytes, std::slice::from_ref(&common)) {
        assert!(once.len() <= bytes.len() + common.len());
        let further = insert_free_box(&once, 24);
        assert_eq!(further.len(), once.len() + 24);
        // Once is enough, wherever they are.
        for init in [once, further] {
            let twice = splice(&init, std::slice::from_ref(&common));
            assert_eq!(twice.as_deref(), Ok(&init[..]));
        }
    }
}

/// Init data comes from the stream.
pub fn init_data(bytes: &[u8]) {
    let read = InitData::read(bytes);
    assert!(read.key_ids.len() <= 1024);
    assert!(read.license_urls.len() <= 8);
    assert!(
        read.license_urls
            .iter()
            .all(|url| (1..=8192).contains(&url.len()))
    );
    assert!(read.license_urls.is_empty() || read.no_license_url.is_none());
    assert!(read.authorization_urls.iter().all(|url| !url.is_empty()));
    drop(playready::policy(bytes));
}

/// Samples of sound come from the stream. What a sample is goes by its beginning.
pub fn sound(bytes: &[u8]) {
    for (media_type, version) in [("audio/mpeg", Some(4)), ("audio/x-ac3", None)] {
        let format = SoundFormat::of(media_type, version);
        let longer = [bytes, &[0; 16]].concat();
        assert!(!format.is_plausible(bytes) || format.is_plausible(&longer));
    }
}

/// A segment stays as long as it is, and how it is cut on its way makes no difference.
pub fn sample_aes(segment: &[u8]) {
    let decrypt = |size: usize| -> Result<Vec<u8>, SampleAesError> {
        let key = ContentKey::from_slice(&[7; 16]).expect("sixteen bytes");
        let mut decryptor = SegmentDecryptor::new(&key, [9; 16]);
        let mut out = Vec::new();
        for part in segment.chunks(size) {
            decryptor.push(part, &mut out)?;
            assert!(out.len() <= segment.len());
        }
        decryptor.finish(&mut out)?;
        assert_eq!(out.len(), segment.len());
        Ok(out)
    };
    let whole = decrypt(segment.len().max(1));
    for size in [1, 61, 188, 1000] {
        assert_eq!(decrypt(size), whole);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// What was found once, and what the targets start from.
    #[test]
    fn no_reply_of_the_corpus_breaks_a_parser() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        type Target = fn(&[u8]);
        let targets: [(&str, Target); 20] = [
            ("aes128", super::aes128),
            ("ags", super::ags),
            ("changes", super::changes),
            ("clear_init", super::clear_init),
            ("custom", super::custom),
            ("dashif", super::dashif),
            ("discovery", super::discovery),
            ("init_data", super::init_data),
            ("init_segment", super::init_segment),
            ("key_tag", super::key_tag),
            ("license", super::license),
            ("oauth2", super::oauth2),
            ("parameters", super::parameters),
            ("playlist", super::playlist),
            ("problem", super::problem),
            ("rdk", super::rdk),
            ("requests", super::requests),
            ("sample_aes", super::sample_aes),
            ("sound", super::sound),
            ("thunder", super::thunder),
        ];
        for (name, target) in targets {
            let folder = corpus.join(name);
            let entries =
                std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
            let mut count = 0;
            for entry in entries {
                let path = entry.expect("an entry").path();
                target(&std::fs::read(&path).expect("a file"));
                count += 1;
            }
            assert!(count >= 5, "{count} replies for {name}");
        }
    }
}
