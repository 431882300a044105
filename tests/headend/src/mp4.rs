// SPDX-License-Identifier: MIT OR Apache-2.0

//! The little of MP4 (ISO/IEC 14496-12, and 23001-7 for encryption) that it takes to move a segment
//! in time, and to say which key an init segment is for.
//!
//! All of it is for the test media alone, whose boxes are small and well made.

use std::ops::Range;

/// The boxes that follow each other in these bytes: the type of each, and where its contents are.
/// It ends where there is no box.
fn boxes(bytes: &[u8], within: Range<usize>) -> Vec<([u8; 4], Range<usize>)> {
    let mut found = Vec::new();
    let mut start = within.start;
    while let Some([a, b, c, d, kind @ ..]) = bytes[start..within.end].first_chunk::<8>() {
        let end = start + u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        if !(start + 8..=within.end).contains(&end) {
            break;
        }
        found.push((*kind, start + 8..end));
        start = end;
    }
    found
}

/// Where the contents are of each box at the end of this path of types.
fn places(bytes: &[u8], path: &[&[u8; 4]]) -> Vec<Range<usize>> {
    fn search(bytes: &[u8], within: Range<usize>, path: &[&[u8; 4]]) -> Vec<Range<usize>> {
        let [kind, path @ ..] = path else {
            return Vec::from([within]);
        };
        let found = boxes(bytes, within).into_iter();
        found
            .filter(|(found, _)| found == *kind)
            .flat_map(|(_, place)| search(bytes, place, path))
            .collect()
    }

    search(bytes, 0..bytes.len(), path)
}

/// Moves a segment by so many ticks of its timescale: the `tfdt` of each track in each fragment,
/// and the `sidx` in front. `None` if a time goes beyond what its field can hold.
///
/// Its boxes are taken for well made.
#[must_use]
pub fn retimed(mut segment: Vec<u8>, ticks: u64) -> Option<Vec<u8>> {
    // What is before the time: version and flags, and in `sidx` an id and the timescale too.
    for (path, before) in [(&[b"moof", b"traf", b"tfdt"][..], 4), (&[b"sidx"][..], 12)] {
        for place in places(&segment, path) {
            let (version, time) = (segment[place.start], place.start + before);
            if version == 0 {
                let field = segment[time..].first_chunk_mut::<4>()?;
                let moved = u64::from(u32::from_be_bytes(*field)) + ticks;
                *field = u32::try_from(moved).ok()?.to_be_bytes();
            } else {
                let field = segment[time..].first_chunk_mut::<8>()?;
                *field = u64::from_be_bytes(*field).checked_add(ticks)?.to_be_bytes();
            }
        }
    }
    Some(segment)
}

/// The `pssh` box of a system in an init segment: the whole box, and the data in it.
pub(crate) fn pssh<'a>(init: &'a [u8], system: &[u8; 16]) -> Option<(&'a [u8], &'a [u8])> {
    places(init, &[b"moov", b"pssh"])
        .into_iter()
        .find_map(|place| {
            let whole = &init[place.start - 8..place.end];
            // Version 0, without key ids: version and flags, the system, the length of the data.
            let [0, _, _, _, rest @ ..] = &init[place] else {
                return None;
            };
            let data = rest.strip_prefix(system)?.get(4..)?;
            Some((whole, data))
        })
}

/// The key id in an init segment with one track (`default_KID`).
pub(crate) fn key_id(init: &[u8]) -> Option<&[u8]> {
    // It lies within the sample description, whose entries are no plain containers.
    let tenc = init.windows(4).position(|kind| kind == b"tenc")? + 4;
    // Version and flags, a pattern, whether it is encrypted, the size of an initialisation vector.
    init.get(tenc + 8..tenc + 24)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::keys::{AUDIO_KEY_ID, NEXT_VIDEO_KEY_ID, hex};

    fn read(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../media/dash/");
        std::fs::read(format!("{folder}{name}")).expect("the test media")
    }

    /// The time at which a segment's decoding begins.
    pub(crate) fn decode_time(segment: &[u8]) -> u32 {
        let place = places(segment, &[b"moof", b"traf", b"tfdt"]).remove(0);
        assert_eq!(segment[place.start], 0, "the version");
        u32::from_be_bytes(segment[place][4..8].try_into().expect("four bytes"))
    }

    #[test]
    fn retimed_segment_changes_only_its_times() {
        let before = read("periods/v_2.m4s");
        assert_eq!(decode_time(&before), 25_600);
        let after = retimed(before.clone(), 76_800).expect("a segment");
        assert_eq!(decode_time(&after), 102_400);
        let sidx = places(&after, &[b"sidx"]).remove(0);
        assert_eq!(after[sidx][12..16], 102_400_u32.to_be_bytes());

        let differences = before.iter().zip(&after).filter(|(a, b)| a != b).count();
        // 0x00006400 and 0x00019000, twice.
        assert_eq!(differences, 4);
        assert_eq!(retimed(after, 0).as_deref().map(decode_time), Some(102_400));
    }

    #[test]
    fn retimed_handles_64_bit_times_and_rejects_overflow() {
        let fragment = |version: u8, time: &[u8]| {
            let wrap = |kind: &[u8; 4], contents: Vec<u8>| {
                let length = u32::try_from(8 + contents.len()).expect("a small box");
                [&length.to_be_bytes()[..], kind, &contents].concat()
            };
            let tfdt = wrap(b"tfdt", [&[version, 0, 0, 0], time].concat());
            wrap(b"moof", wrap(b"traf", tfdt))
        };
        let long = |time: u64| fragment(1, &time.to_be_bytes());
        assert_eq!(retimed(long(1 << 40), 5), Some(long((1 << 40) + 5)));
        assert_eq!(retimed(long(u64::MAX), 1), None);
        let short = |time: u32| fragment(0, &time.to_be_bytes());
        assert_eq!(retimed(short(u32::MAX), 1), None);
    }

    #[test]
    fn what_is_cut_off_is_no_box() {
        let segment = read("cenc/v_1.m4s");
        for length in [0, 7, 30, 100] {
            let cut = segment[..length].to_vec();
            assert_eq!(retimed(cut.clone(), 9).map(|cut| cut.len()), Some(length));
        }
    }

    #[test]
    fn init_segment_says_which_key_it_is_for() {
        let key_id = |name| key_id(&read(name)).map(hex);
        assert_eq!(key_id("cenc/a_init.mp4").as_deref(), Some(AUDIO_KEY_ID));
        assert_eq!(
            key_id("periods/v_init.mp4").as_deref(),
            Some(NEXT_VIDEO_KEY_ID)
        );
        assert_eq!(key_id("clear/v_init.mp4"), None);
    }
}
