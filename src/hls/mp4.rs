// SPDX-License-Identifier: MIT OR Apache-2.0

//! Boxes of MP4 files (ISO/IEC 14496-12, 4.2), read and written as far as init segments need it.

use std::ops::Range;

/// Size and type.
pub const HEAD: usize = 8;

/// One box among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mp4Box {
    pub kind: [u8; 4],
    /// Where it is, head and all.
    pub whole: Range<usize>,
    /// Where its content is.
    pub content: Range<usize>,
}

/// Each box in `bytes`, up to what is no whole box. `is_file` says that these are the boxes of a
/// file, the last of which may have no size.
pub fn boxes_of(bytes: &[u8], is_file: bool) -> impl Iterator<Item = Mp4Box> {
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
        Some(Mp4Box {
            kind,
            content: whole.start + head..whole.end,
            whole,
        })
    })
}

/// The content of the first box of that type.
pub fn find<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let found = boxes_of(bytes, false).find(|one| one.kind == *kind)?;
    bytes.get(found.content)
}

/// The content of the box at the end of a path of types.
pub fn find_path<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, kind| find(bytes, kind))
}

/// A box of that type.
///
/// # Errors
///
/// It is too large for 32 bits.
pub fn boxed(kind: &[u8; 4], content: &[u8]) -> Result<Vec<u8>, TooLarge> {
    let size = u32::try_from(HEAD + content.len()).map_err(|_| TooLarge)?;
    let mut whole = Vec::with_capacity(HEAD + content.len());
    whole.extend(size.to_be_bytes());
    whole.extend(kind);
    whole.extend(content);
    Ok(whole)
}

/// A box that nobody writes: init segments have some kilobytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// The boxes with other content in some: `change` gives the new content, or `None` for what stays
/// as it is. What is no whole box stays at the end.
///
/// # Errors
///
/// One becomes too large.
pub fn with_contents(
    bytes: &[u8],
    mut change: impl FnMut(&[u8; 4], &[u8]) -> Result<Option<Vec<u8>>, TooLarge>,
) -> Result<Vec<u8>, TooLarge> {
    let mut changed = Vec::with_capacity(bytes.len() + 256);
    let mut end = 0;
    for one in boxes_of(bytes, false) {
        end = one.whole.end;
        match change(&one.kind, &bytes[one.content])? {
            Some(content) => changed.extend(boxed(&one.kind, &content)?),
            None => changed.extend_from_slice(&bytes[one.whole]),
        }
    }
    changed.extend_from_slice(&bytes[end..]);
    Ok(changed)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn a_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        boxed(kind, content).expect("a small box")
    }

    #[test]
    fn find_path_goes_down() {
        let file = [
            a_box(b"ftyp", b"iso5"),
            a_box(b"moov", &a_box(b"trak", &a_box(b"tkhd", b"..."))),
        ]
        .concat();
        assert_eq!(
            find_path(&file, &[b"moov", b"trak", b"tkhd"]),
            Some(&b"..."[..])
        );
        assert_eq!(find_path(&file, &[b"moov", b"mvhd"]), None);
    }

    #[test]
    fn with_contents_corrects_sizes_and_keeps_the_rest() {
        let file = [a_box(b"aaaa", b"1"), a_box(b"bbbb", b"2"), b"junk".to_vec()].concat();
        let changed = with_contents(&file, |kind, content| {
            Ok((kind == b"aaaa").then(|| [content, b"0"].concat()))
        });
        let expected = [
            a_box(b"aaaa", b"10"),
            a_box(b"bbbb", b"2"),
            b"junk".to_vec(),
        ];
        assert_eq!(changed, Ok(expected.concat()));
    }
}
