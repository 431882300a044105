// SPDX-License-Identifier: MIT OR Apache-2.0

//! Init segments: `pssh` boxes added to their `moov` (ISO/IEC 14496-12, 4.2 and 8.2.1).

use std::collections::HashSet;
use std::ops::Deref;

use crate::cenc::pssh;

use super::active_keys::{KeyBoxes, SharedBox};
use super::mp4::{self, HEAD, Mp4Box, TooLarge, boxed, boxes_of};

/// What is wrong with an init segment, to go on after "the init segment".
pub type Damage = &'static str;

pub const NO_MOOV: Damage = "has no `moov` box: it is no fragmented MP4";
const STRANGE_MOOV: Damage = "has a `moov` box of a form that nobody writes";
pub const TOO_LARGE: Damage = "is too large";

impl From<TooLarge> for Damage {
    fn from(_: TooLarge) -> Self {
        TOO_LARGE
    }
}

/// An init segment around its `moov`.
struct Parts<'a> {
    before: &'a [u8],
    /// The content of the `moov`.
    moov: &'a [u8],
    after: &'a [u8],
}

fn parts(init: &[u8]) -> Result<Parts<'_>, Damage> {
    let Mp4Box { whole, content, .. } = moov_of(init).ok_or(NO_MOOV)?;
    if content.start - whole.start != HEAD {
        return Err(STRANGE_MOOV);
    }
    Ok(Parts {
        before: &init[..whole.start],
        moov: &init[content],
        after: &init[whole.end..],
    })
}

fn moov_of(init: &[u8]) -> Option<Mp4Box> {
    boxes_of(init, true).find(|one| one.kind == *b"moov")
}

/// Whether the beginning of a file is that of an MP4 that is not encrypted as a whole.
pub fn is_mp4(bytes: &[u8]) -> bool {
    const FIRST: [&[u8; 4]; 13] = [
        b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"free", b"skip", b"emsg", b"prft", b"ssix",
        b"pdin", b"uuid", b"mdat",
    ];
    bytes
        .get(4..HEAD)
        .is_some_and(|kind| FIRST.iter().any(|first| kind == *first))
}

/// The init segment with another `moov`.
///
/// # Errors
///
/// What is wrong with it.
pub fn with_moov(
    init: &[u8],
    change: impl FnOnce(&[u8]) -> Result<Vec<u8>, Damage>,
) -> Result<Vec<u8>, Damage> {
    let parts = parts(init)?;
    let moov = boxed(b"moov", &change(parts.moov)?)?;
    Ok([parts.before, &moov, parts.after].concat())
}

/// The init segment with these boxes at the end of its `moov`, but for those that are in there
/// already, and those that list keys which others there list too.
///
/// # Errors
///
/// What is wrong with it.
pub fn splice<B: Deref<Target = [u8]>>(init: &[u8], boxes: &[B]) -> Result<Vec<u8>, Damage> {
    with_moov(init, |moov| Ok(spliced(moov, boxes)))
}

fn spliced<B: Deref<Target = [u8]>>(moov: &[u8], boxes: &[B]) -> Vec<u8> {
    let mut there: HashSet<&[u8]> = pssh_of(moov).collect();
    let listed: HashSet<_> = there.iter().flat_map(|one| pssh::key_ids(one)).collect();
    let mut new: Vec<&[u8]> = Vec::new();
    for one in boxes.iter().flat_map(|boxes| each_box(boxes)) {
        let key_ids = pssh::key_ids(one);
        let is_listed = !key_ids.is_empty() && key_ids.iter().all(|one| listed.contains(one));
        if !is_listed && there.insert(one) {
            new.push(one);
        }
    }
    // Behind the last whole box, lest they be lost behind what is none.
    let end = boxes_of(moov, false).last().map_or(0, |one| one.whole.end);
    [&moov[..end], &new.concat(), &moov[end..]].concat()
}

/// One box after the other.
fn each_box(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    boxes_of(bytes, false).map(|one| &bytes[one.whole])
}

/// The `pssh` boxes in the content of a `moov`.
fn pssh_of(moov: &[u8]) -> impl Iterator<Item = &[u8]> {
    boxes_of(moov, false)
        .filter(|one| one.kind == *b"pssh")
        .map(|one| &moov[one.whole])
}

/// The init segment with that `pssh` box and no other.
///
/// # Errors
///
/// What is wrong with it.
pub fn with_only(init: &[u8], pssh: &[u8]) -> Result<Vec<u8>, Damage> {
    with_moov(init, |moov| {
        let mut only = Vec::with_capacity(moov.len() + pssh.len());
        for one in boxes_of(moov, false).filter(|one| one.kind != *b"pssh") {
            only.extend_from_slice(&moov[one.whole]);
        }
        only.extend_from_slice(pssh);
        Ok(only)
    })
}

/// Whether the beginning of a file is that of a segment of any kind that HLS knows (RFC 8216, 3).
pub fn is_media(bytes: &[u8]) -> bool {
    let is_audio = matches!(
        bytes,
        [0xff, 0xf0..=0xff, ..] | [0x0b, 0x77, ..] | [b'I', b'D', b'3', ..]
    );
    is_mp4(bytes) || is_audio || bytes.first() == Some(&SYNC_BYTE) || bytes.starts_with(b"WEBVTT")
}

/// Begins each packet of an MPEG transport stream.
const SYNC_BYTE: u8 = 0x47;

/// Whether the beginning of an EXT-X-MAP's file is in the clear: an MP4, an MPEG transport stream
/// with its program map, or WebVTT's header (RFC 8216, 3).
pub fn is_clear(bytes: &[u8]) -> bool {
    const PACKET: usize = 188;
    let is_ts = bytes.first() == Some(&SYNC_BYTE) && bytes.len().is_multiple_of(PACKET);
    is_mp4(bytes) || is_ts || bytes.starts_with(b"WEBVTT")
}

/// The `pssh` boxes in it, each once.
pub fn pssh_boxes(init: &[u8]) -> Vec<SharedBox> {
    let moov = mp4::find(init, b"moov").unwrap_or_default();
    let boxes: Vec<_> = pssh_of(moov)
        .map(|one| SharedBox::new(one.into()))
        .collect();
    KeyBoxes::new(boxes, "").boxes().to_vec()
}

/// The protection systems whose `pssh` boxes are in it, each once.
pub fn systems(init: &[u8]) -> Vec<u128> {
    let moov = mp4::find(init, b"moov").unwrap_or_default();
    let boxes = pssh_of(moov).flat_map(pssh::boxes);
    let mut systems: Vec<_> = boxes.map(|one| one.system).collect();
    systems.sort_unstable();
    systems.dedup();
    systems
}

/// The init segment with its `moov` so many bytes further on, behind free space, of which there has
/// to be at least a box.
///
/// qtdemux passes over a `moov` that is where the one before it was (`last_moov_offset` in
/// `qtdemux.c`), so that two init segments of one stream have to differ in that.
pub fn insert_free_box(init: &[u8], bytes: u32) -> Vec<u8> {
    let start = moov_of(init).map_or(init.len(), |moov| moov.whole.start);
    let mut moved = Vec::with_capacity(init.len() + bytes as usize);
    moved.extend_from_slice(&init[..start]);
    moved.extend_from_slice(&bytes.to_be_bytes());
    moved.extend_from_slice(b"free");
    moved.resize(start + bytes as usize, 0);
    moved.extend_from_slice(&init[start..]);
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cenc::KeyId;
    use crate::hls::mp4::tests::a_box;

    #[test]
    fn boxes_are_added_once_and_everything_else_stays() {
        let (one, two) = (a_box(b"pssh", b"one"), a_box(b"pssh", b"two"));
        let inside = [a_box(b"mvhd", b"..."), one.clone()].concat();
        let init = [
            a_box(b"ftyp", b"iso5"),
            a_box(b"moov", &inside),
            a_box(b"free", b""),
        ]
        .concat();
        let added = splice(&init, &[one.clone(), two.clone(), two.clone()]).expect("spliced");
        let expected = [
            a_box(b"ftyp", b"iso5"),
            a_box(b"moov", &[inside, two].concat()),
            a_box(b"free", b""),
        ];
        assert_eq!(added, expected.concat());
        assert_eq!(splice(&init, &[one]).expect("spliced"), init);
    }

    #[test]
    fn keys_that_are_listed_there_are_not_listed_again() {
        const COMMON: u128 = pssh::COMMON_SYSTEM_ID;
        let (one, two) = (KeyId([1; 16]), KeyId([2; 16]));
        let both = pssh::write(COMMON, &[one, two], &[]);
        let init = a_box(b"moov", &both);
        let again = pssh::write(COMMON, &[two], &[]);
        assert_eq!(splice(&init, &[again]).expect("spliced"), init);
        let new = pssh::write(COMMON, &[KeyId([3; 16])], &[]);
        let spliced = splice(&init, std::slice::from_ref(&new)).expect("spliced");
        assert_eq!(spliced, a_box(b"moov", &[both, new].concat()));
        assert_eq!(systems(&spliced), [COMMON]);
    }

    #[test]
    fn with_only_takes_the_others_out() {
        let other = pssh::write(pssh::COMMON_SYSTEM_ID, &[KeyId([1; 16])], &[]);
        let ours = pssh::write(7, &[], b"ours");
        let track = a_box(b"trak", b"");
        let init = a_box(b"moov", &[other.clone(), track.clone(), other].concat());
        let expected = a_box(b"moov", &[track, ours.clone()].concat());
        assert_eq!(with_only(&init, &ours), Ok(expected));
    }

    #[test]
    fn what_comes_before_is_free_space_and_the_rest_stays() {
        let (first, moov, last) = (
            a_box(b"ftyp", b"iso5"),
            a_box(b"moov", b"..."),
            a_box(b"sidx", b"."),
        );
        let init = [first.clone(), moov.clone(), last.clone()].concat();
        let free = a_box(b"free", &[0; 16]);
        assert_eq!(
            insert_free_box(&init, 24),
            [first, free, moov, last].concat()
        );
        assert!(is_mp4(&init) && !is_mp4(&init[1..]) && !is_mp4(b"ftyp"));
    }

    #[test]
    fn splice_fails_for_malformed_init_segment() {
        let none: &[Vec<u8>] = &[];
        let init = [
            a_box(b"ftyp", b"iso5"),
            a_box(b"moov", &a_box(b"mvhd", b"...")),
        ]
        .concat();
        for cut in 0..init.len() {
            assert!(splice(&init[..cut], none).is_err(), "cut at {cut}");
        }
        for size in [1_u32, 2, 7, u32::MAX] {
            let mut lying = init.clone();
            lying[..4].copy_from_slice(&size.to_be_bytes());
            assert!(splice(&lying, none).is_err(), "size {size}");
        }
    }
}
