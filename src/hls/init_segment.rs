// SPDX-License-Identifier: MIT OR Apache-2.0

//! Init segments: `pssh` boxes added to their `moov` (ISO/IEC 14496-12, 4.2 and 8.2.1).

use std::ops::Range;

use crate::cenc::pssh;

/// The init segment with these boxes at the end of its `moov`, but for those that are in there already, and those that list keys which others there
/// list too.
///
/// # Errors
///
/// What is wrong with it, to go on after "the init segment".
pub fn splice(init: &[u8], boxes: &[Vec<u8>]) -> Result<Vec<u8>, &'static str> {
    let moov = boxes_of(init, true)
        .find(|(kind, _, _)| kind == b"moov")
        .ok_or("has no `moov` box: it is no fragmented MP4")?;
    let (_, whole, content) = moov;
    let there: Vec<&[u8]> = boxes_of(&init[content.clone()], false)
        .filter(|(kind, _, _)| kind == b"pssh")
        .map(|(_, whole, _)| &init[content.clone()][whole])
        .collect();
    let listed: Vec<_> = there.iter().flat_map(|one| pssh::key_ids(one)).collect();
    let mut new = Vec::new();
    for one in boxes {
        let key_ids = pssh::key_ids(one);
        let is_listed = !key_ids.is_empty() && key_ids.iter().all(|one| listed.contains(one));
        if !is_listed && !there.contains(&one.as_slice()) && !new.contains(&one) {
            new.push(one);
        }
    }
    let added: usize = new.iter().map(|one| one.len()).sum();
    if content.start - whole.start != HEAD {
        return Err("has a `moov` box of a form that nobody writes");
    }
    let size = u32::try_from(whole.len() + added).map_err(|_| "is too large")?;
    let mut spliced = Vec::with_capacity(init.len() + added);
    spliced.extend_from_slice(&init[..whole.start]);
    spliced.extend_from_slice(&size.to_be_bytes());
    // Behind the last whole box, lest they be lost behind what is none.
    let end = boxes_of(&init[content.clone()], false)
        .last()
        .map_or(content.start, |(_, whole, _)| content.start + whole.end);
    spliced.extend_from_slice(&init[whole.start + 4..end]);
    new.iter().for_each(|one| spliced.extend_from_slice(one));
    spliced.extend_from_slice(&init[end..]);
    Ok(spliced)
}

/// The init segment with its `moov` so many bytes further on, behind free space, of which there has to be at least a box.
///
/// qtdemux passes over a `moov` that is where the one before it was (`last_moov_offset` in `qtdemux.c`), so that two init segments of one stream have to
/// differ in that.
pub fn moved(init: &[u8], bytes: u32) -> Vec<u8> {
    let moov = boxes_of(init, true).find(|(kind, _, _)| kind == b"moov");
    let start = moov.map_or(init.len(), |(_, whole, _)| whole.start);
    let mut moved = Vec::with_capacity(init.len() + bytes as usize);
    moved.extend_from_slice(&init[..start]);
    moved.extend_from_slice(&bytes.to_be_bytes());
    moved.extend_from_slice(b"free");
    moved.resize(start + bytes as usize, 0);
    moved.extend_from_slice(&init[start..]);
    moved
}

/// Size and type.
const HEAD: usize = 8;

/// Type, place and place of the content of each box in `bytes`, up to what is no whole box. `is_file` says that these are the boxes of a file, the last
/// of which may have no size.
fn boxes_of(
    bytes: &[u8],
    is_file: bool,
) -> impl Iterator<Item = ([u8; 4], Range<usize>, Range<usize>)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(start..)?;
        let (head, after) = rest.split_first_chunk::<HEAD>()?;
        let kind = [head[4], head[5], head[6], head[7]];
        let (head, size) = match u32::from_be_bytes([head[0], head[1], head[2], head[3]]) {
            0 if is_file => (HEAD, rest.len()),
            1 => {
                let size = u64::from_be_bytes(*after.first_chunk()?);
                (2 * HEAD, usize::try_from(size).ok()?)
            }
            size => (HEAD, usize::try_from(size).ok()?),
        };
        if size < head || size > rest.len() {
            return None;
        }
        let whole = start..start + size;
        start = whole.end;
        Some((kind, whole.clone(), whole.start + head..whole.end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cenc::KeyId;

    fn a_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let size = (HEAD + content.len()) as u32;
        [&size.to_be_bytes()[..], kind, content].concat()
    }

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
        assert_eq!(moved(&init, 24), [first, free, moov, last].concat());
    }

    #[test]
    fn what_is_no_init_segment_is_refused_and_never_read_beyond() {
        let init = [
            a_box(b"ftyp", b"iso5"),
            a_box(b"moov", &a_box(b"mvhd", b"...")),
        ]
        .concat();
        for cut in 0..init.len() {
            assert!(splice(&init[..cut], &[]).is_err(), "cut at {cut}");
        }
        for size in [1_u32, 2, 7, u32::MAX] {
            let mut lying = init.clone();
            lying[..4].copy_from_slice(&size.to_be_bytes());
            assert!(splice(&lying, &[]).is_err(), "size {size}");
        }
    }
}
