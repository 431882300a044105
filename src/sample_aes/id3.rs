// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long an ID3 tag is (ID3 tag version 2.4.0, 3.1 and 3.4).

const HEADER: usize = 10;

/// What stands at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Tag {
    /// A tag of so many bytes, header and footer included.
    Here(u64),
    /// There are too few bytes to know.
    Short,
    None,
}

/// Looks for a tag at the start of `bytes`.
pub fn tag(bytes: &[u8]) -> Tag {
    if !bytes
        .iter()
        .zip(b"ID3")
        .all(|(byte, letter)| byte == letter)
    {
        return Tag::None;
    }
    let Some(&[_, _, _, major, minor, flags, a, b, c, d]) = bytes.first_chunk::<HEADER>() else {
        return Tag::Short;
    };
    if major == 0xff || minor == 0xff || (a | b | c | d) & 0x80 != 0 {
        return Tag::None;
    }
    // Four times seven bits, and a footer that is as long as the header.
    let size = [a, b, c, d]
        .into_iter()
        .fold(0, |size, byte| size << 7 | u64::from(byte));
    let footer = if flags & 0x10 == 0 { 0 } else { HEADER as u64 };
    Tag::Here(HEADER as u64 + size + footer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_size_has_seven_bits_a_byte() {
        assert_eq!(
            tag(b"ID3\x04\x00\x00\x00\x00\x02\x01rest"),
            Tag::Here(10 + 257)
        );
        assert_eq!(tag(b"ID3\x04\x00\x10\x00\x00\x00\x00"), Tag::Here(20));
        assert_eq!(tag(b"ID3\x04\x00\x00\x00\x00\x80\x01"), Tag::None);
        assert_eq!(tag(b"ID3\x04\x00\x00\x00\x00\x02"), Tag::Short);
        assert_eq!(tag(b"IDE"), Tag::None);
        assert_eq!(tag(b""), Tag::Short);
    }
}
