// SPDX-License-Identifier: MIT OR Apache-2.0

//! Init segments for clear parts of a protected presentation. They say that their tracks belong to
//! a protection scheme by which nothing is encrypted (`default_isProtected` 0 in `tenc`; ISO/IEC
//! 23001-7, 8.2), so that the caps behind the demuxer are those of the protected parts.

use super::init_segment::{Damage, with_moov};
use super::mp4::{TooLarge, boxed, find, find_path, with_contents};

use crate::cenc::KeyId;

/// What stands before the entries of an `stsd`: version, flags and count (ISO/IEC 14496-12, 8.5.2).
const STSD_HEAD: usize = 8;

/// Key ids of an init segment. One has few tracks.
const MAX_KEY_IDS: usize = 16;

/// What stands before the boxes in a sample entry (ISO/IEC 14496-12, 12.1.3 and 12.2.3).
/// QuickTime's sound entries of versions 1 and 2 have more, and are in no fragmented MP4.
const VIDEO_ENTRY: usize = 78;
const AUDIO_ENTRY: usize = 28;

/// Where `default_isProtected` stands in a `tenc`, behind version, flags and two bytes.
const IS_PROTECTED: usize = 6;

/// Where `default_KID` stands.
const KEY_ID: std::ops::Range<usize> = 8..24;

/// How samples of protected tracks are encrypted (`schm`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Cenc,
    Cbcs,
}

impl Scheme {
    fn kind(self) -> &'static [u8; 4] {
        match self {
            Scheme::Cenc => b"cenc",
            Scheme::Cbcs => b"cbcs",
        }
    }
}

/// The `tenc` of a track by which nothing is encrypted. qtdemux wants a constant vector of 8 or 16
/// bytes where samples have none of their own, by the scheme `cbcs`.
fn tenc(scheme: Scheme) -> Vec<u8> {
    let mut content = vec![0; KEY_ID.end];
    if scheme == Scheme::Cbcs {
        content[0] = 1;
        content.push(16);
        content.extend([0; 16]);
    }
    content
}

/// Where the boxes of a protected sample entry of this type begin, behind fields of its own.
fn boxes_begin(kind: &[u8; 4]) -> Option<usize> {
    match kind {
        b"encv" => Some(VIDEO_ENTRY),
        b"enca" => Some(AUDIO_ENTRY),
        _ => None,
    }
}

/// The boxes of a sample entry of this type, which stand behind fields of its own.
fn entry_boxes<'a>(kind: &[u8; 4], entry: &'a [u8]) -> Option<&'a [u8]> {
    entry.get(boxes_begin(kind)?..)
}

/// Calls `see` with type and content of the sample entries of each track, until it gives something.
fn find_entry<T>(init: &[u8], mut see: impl FnMut(&[u8; 4], &[u8]) -> Option<T>) -> Option<T> {
    let moov = find(init, b"moov")?;
    super::mp4::boxes_of(moov, false)
        .filter(|one| one.kind == *b"trak")
        .find_map(|track| {
            let path: [&[u8; 4]; 4] = [b"mdia", b"minf", b"stbl", b"stsd"];
            let entries = find_path(&moov[track.content], &path)?.get(STSD_HEAD..)?;
            super::mp4::boxes_of(entries, false)
                .find_map(|entry| see(&entry.kind, &entries[entry.content]))
        })
}

/// The scheme of its first protected track. `None` where there is none, or another one.
pub fn scheme_of(init: &[u8]) -> Option<Scheme> {
    find_entry(init, |kind, entry| {
        let scheme = find_path(entry_boxes(kind, entry)?, &[b"sinf", b"schm"])?;
        match scheme.get(4..8)? {
            b"cenc" => Some(Scheme::Cenc),
            b"cbcs" => Some(Scheme::Cbcs),
            _ => None,
        }
    })
}

/// Whether any of its tracks is protected, by whatever scheme.
pub fn is_protected(init: &[u8]) -> bool {
    find_entry(init, |kind, entry| entry_boxes(kind, entry).map(|_| ())).is_some()
}

/// The ids of the keys of its protected tracks, each once.
pub fn key_ids_of(init: &[u8]) -> Vec<KeyId> {
    let mut key_ids = Vec::new();
    find_entry(init, |kind, entry| {
        let tenc = find_path(entry_boxes(kind, entry)?, &[b"sinf", b"schi", b"tenc"])?;
        let key_id = KeyId::from_slice(tenc.get(KEY_ID)?)?;
        if !key_ids.contains(&key_id) {
            key_ids.push(key_id);
        }
        (key_ids.len() == MAX_KEY_IDS).then_some(())
    });
    key_ids
}

/// The init segment, of whose picture and sound nothing is encrypted, as one of that scheme. Its
/// `pssh` boxes stay.
///
/// # Errors
///
/// What is wrong with it, to go on after "the init segment".
pub fn as_clear(init: &[u8], scheme: Scheme) -> Result<Vec<u8>, Damage> {
    with_moov(init, |moov| {
        Ok(with_contents(moov, |kind, content| match kind {
            b"trak" => track(content, scheme).map(Some),
            _ => Ok(None),
        })?)
    })
}

fn track(content: &[u8], scheme: Scheme) -> Result<Vec<u8>, TooLarge> {
    // ISO/IEC 14496-12, 8.4.3: behind version, flags and four bytes.
    let handler = find_path(content, &[b"mdia", b"hdlr"]).and_then(|handler| handler.get(8..12));
    let wrapped: &[u8; 4] = match handler {
        Some(b"vide") => b"encv",
        Some(b"soun") => b"enca",
        // Text is never encrypted, and its caps are always the same.
        _ => return Ok(content.to_vec()),
    };
    in_path(content, &[b"mdia", b"minf", b"stbl", b"stsd"], &|stsd| {
        let Some((head, entries)) = stsd.split_at_checked(STSD_HEAD) else {
            return Ok(stsd.to_vec());
        };
        let mut written = head.to_vec();
        let mut end = 0;
        for entry in super::mp4::boxes_of(entries, false) {
            end = entry.whole.end;
            written.extend(sample_entry(
                &entry.kind,
                &entries[entry.content],
                wrapped,
                scheme,
            )?);
        }
        written.extend_from_slice(&entries[end..]);
        Ok(written)
    })
}

/// What makes another content of a box's.
type Change<'a> = dyn Fn(&[u8]) -> Result<Vec<u8>, TooLarge> + 'a;

/// The content with another one in the box at the end of that path.
fn in_path(content: &[u8], path: &[&[u8; 4]], change: &Change) -> Result<Vec<u8>, TooLarge> {
    let Some((first, rest)) = path.split_first() else {
        return change(content);
    };
    with_contents(content, |kind, content| match kind == *first {
        true => in_path(content, rest, change).map(Some),
        false => Ok(None),
    })
}

fn sample_entry(
    kind: &[u8; 4],
    content: &[u8],
    wrapped: &[u8; 4],
    scheme: Scheme,
) -> Result<Vec<u8>, TooLarge> {
    if let Some(boxes) = entry_boxes(kind, content) {
        let fields = &content[..content.len() - boxes.len()];
        let boxes = in_path(boxes, &[b"sinf", b"schi", b"tenc"], &|tenc| {
            let mut tenc = tenc.to_vec();
            if let Some(is_protected) = tenc.get_mut(IS_PROTECTED) {
                *is_protected = 0;
            }
            Ok(tenc)
        })?;
        return boxed(kind, &[fields, &boxes].concat());
    }
    // Version 1.0 (ISO/IEC 23001-7, 4.1).
    let schm = [&[0; 4][..], scheme.kind(), &[0, 1, 0, 0]].concat();
    let sinf = [
        boxed(b"frma", kind)?,
        boxed(b"schm", &schm)?,
        boxed(b"schi", &boxed(b"tenc", &tenc(scheme))?)?,
    ];
    let sinf = boxed(b"sinf", &sinf.concat())?;
    let clear = without_sinf(content, boxes_begin(wrapped).unwrap_or(content.len()));
    boxed(wrapped, &[clear, sinf].concat())
}

/// A sample entry without what would be read in the place of ours: a `sinf`, and what is no whole
/// box at the end, such as the zeros of QuickTime.
fn without_sinf(content: &[u8], boxes_begin: usize) -> Vec<u8> {
    let Some((fields, boxes)) = content.split_at_checked(boxes_begin) else {
        return content.to_vec();
    };
    if super::mp4::boxes_of(boxes, false).next().is_none() {
        return content.to_vec();
    }
    let mut kept = fields.to_vec();
    for one in super::mp4::boxes_of(boxes, false) {
        if one.kind != *b"sinf" {
            kept.extend_from_slice(&boxes[one.whole]);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hls::mp4::tests::a_box;

    fn media(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/media/dash/");
        std::fs::read(format!("{folder}{name}")).expect("the test media")
    }

    /// Type and content of the only sample entry.
    fn entry(init: &[u8]) -> ([u8; 4], Vec<u8>) {
        find_entry(init, |kind, entry| Some((*kind, entry.to_vec()))).expect("a sample entry")
    }

    fn protection_of(init: &[u8]) -> u8 {
        let (kind, entry) = entry(init);
        let boxes = entry_boxes(&kind, &entry).expect("a protected track");
        let tenc = find_path(boxes, &[b"sinf", b"schi", b"tenc"]).expect("a `tenc`");
        tenc[IS_PROTECTED]
    }

    #[test]
    fn clear_track_is_wrapped_and_what_it_was_is_said() {
        for (file, wrapped, original) in [
            ("clear/v_init.mp4", b"encv", b"avc1"),
            ("clear/a_init.mp4", b"enca", b"mp4a"),
        ] {
            let clear = media(file);
            assert_eq!(scheme_of(&clear), None);
            assert!(!is_protected(&clear));
            for scheme in [Scheme::Cenc, Scheme::Cbcs] {
                let init = as_clear(&clear, scheme).expect("an init segment");
                assert_eq!(scheme_of(&init), Some(scheme));
                assert_eq!(protection_of(&init), 0);
                let (kind, content) = entry(&init);
                assert_eq!(&kind, wrapped);
                let before = entry(&clear).1;
                assert_eq!(content[..before.len()], before);
                let format = find_path(&content[before.len()..], &[b"sinf", b"frma"]);
                assert_eq!(format, Some(&original[..]));
            }
        }
    }

    #[test]
    fn protected_track_stays_but_for_one_byte() {
        for (file, scheme) in [("cenc", Scheme::Cenc), ("cbcs", Scheme::Cbcs)] {
            let protected = media(&format!("{file}/v_init.mp4"));
            assert_eq!(scheme_of(&protected), Some(scheme));
            assert!(is_protected(&protected));
            assert_eq!(protection_of(&protected), 1);
            let key_id = *key_ids_of(&protected).first().expect("a key id");
            assert_eq!(key_id.to_string(), "00112233445566778899aabbccddee02");
            let init = as_clear(&protected, scheme).expect("an init segment");
            assert_eq!(protection_of(&init), 0);
            let differ = init
                .iter()
                .zip(&protected)
                .filter(|(one, other)| one != other);
            assert_eq!((init.len(), differ.count()), (protected.len(), 1));
        }
    }

    #[test]
    fn what_a_clear_track_says_of_protection_goes() {
        let mut clear = media("cbcs/v_init.mp4");
        let at = clear.windows(4).position(|kind| kind == b"encv");
        clear[at.expect("an entry")..][..4].copy_from_slice(b"avc1");
        let init = as_clear(&clear, Scheme::Cbcs).expect("an init segment");
        assert_eq!((entry(&init).0, protection_of(&init)), (*b"encv", 0));
        assert_eq!(key_ids_of(&init), [KeyId([0; 16])]);
        assert_eq!(as_clear(&init, Scheme::Cbcs).as_deref(), Ok(&init[..]));
    }

    #[test]
    fn other_tracks_and_damaged_boxes_stay() {
        let handler = [&[0; 8][..], b"text"].concat();
        let text = a_box(b"trak", &a_box(b"mdia", &a_box(b"hdlr", &handler)));
        let init = a_box(b"moov", &text);
        assert_eq!(as_clear(&init, Scheme::Cenc).as_deref(), Ok(&init[..]));
        let clear = media("clear/v_init.mp4");
        for cut in 0..clear.len() {
            // Whatever comes of it.
            let _ = as_clear(&clear[..cut], Scheme::Cbcs);
        }
    }
}
