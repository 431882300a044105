// SPDX-License-Identifier: MIT OR Apache-2.0

//! Scheme `cbcs`: AES with chained blocks, of which a pattern leaves some in the clear (ISO/IEC
//! 23001-7, 10.4).

use cipher::inout::InOutBuf;
use cipher::{BlockModeDecrypt, InnerIvInit};

use crate::content_key::ContentKey;
use crate::pattern::Pattern;
use crate::sample_error::SampleError;

const BLOCK: usize = 16;

/// What is encrypted of each period, in bytes.
#[derive(Clone, Copy)]
pub struct Period {
    encrypted: usize,
    /// Never zero.
    whole: usize,
}

impl Period {
    /// No pattern: one part, whose blocks are decrypted several at a time.
    pub const ALL: Self = Self {
        encrypted: usize::MAX,
        whole: usize::MAX,
    };

    /// One block of ten.
    pub const ONE_OF_TEN: Self = Self::blocks(1, 9);

    const fn blocks(encrypted: usize, clear: usize) -> Self {
        Self {
            encrypted: BLOCK * encrypted,
            whole: BLOCK * (encrypted + clear),
        }
    }
}

impl TryFrom<Pattern> for Period {
    type Error = SampleError;

    fn try_from(pattern: Pattern) -> Result<Self, SampleError> {
        // Each has four bits in `tenc` (8.2).
        match (pattern.crypt, pattern.skip) {
            (0..16, 0) => Ok(Self::ALL),
            (1..16, 1..16) => Ok(Self::blocks(pattern.crypt as usize, pattern.skip as usize)),
            _ => Err(SampleError::Pattern(pattern)),
        }
    }
}

/// Decrypts the protected ranges of one sample. The chain and the pattern begin anew in
/// each of them, and what does not fill a block at the end is in the clear (9.6.1).
pub fn decrypt<'inp, 'out>(
    key: &ContentKey,
    iv: [u8; 16],
    pattern: Pattern,
    ranges: impl Iterator<Item = InOutBuf<'inp, 'out, u8>>,
) -> Result<(), SampleError> {
    let period = Period::try_from(pattern)?;
    for range in ranges {
        decrypt_range(key, iv, period, range);
    }
    Ok(())
}

/// Decrypts one range, with a chain and a pattern of its own. What does not fill a block is in the
/// clear.
pub fn decrypt_range(key: &ContentKey, iv: [u8; 16], period: Period, range: InOutBuf<'_, '_, u8>) {
    let mut chain = cbc::Decryptor::inner_iv_init(key.cipher(), &iv.into());
    let mut rest = range;
    while !rest.is_empty() {
        let size = rest.len().min(period.whole);
        let (part, after) = rest.split_at(size);
        let (encrypted, clear) = part.split_at(size.min(period.encrypted));
        let (blocks, tail) = encrypted.into_chunks();
        chain.decrypt_blocks_inout(blocks);
        for kept in [tail, clear] {
            // It may have to be copied.
            let _ = kept.into_out_with_copied_in();
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::vectors::{CBC as CIPHERTEXT, CBC_IV as IV, KEY, PLAINTEXT};

    fn decrypted(pattern: Pattern, mut ranges: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, SampleError> {
        let key = ContentKey::from_slice(&KEY).expect("sixteen bytes");
        let mut others: Vec<_> = ranges.iter().map(|range| vec![0xee; range.len()]).collect();
        let across = ranges.iter().zip(&mut others);
        let across = across.map(|(from, to)| InOutBuf::new(from, to).expect("as long"));
        let across = decrypt(&key, IV, pattern, across);
        let in_place = ranges.iter_mut().map(|range| range.as_mut_slice().into());
        let in_place = decrypt(&key, IV, pattern, in_place);
        assert_eq!(across, in_place);
        if in_place.is_ok() {
            assert_eq!(ranges, others);
        }
        in_place.map(|()| ranges)
    }

    #[test]
    fn cbcs_without_pattern_decrypts_every_whole_block() {
        for pattern in [(0, 0), (1, 0), (10, 0)] {
            let (crypt, skip) = pattern;
            let sample = [&CIPHERTEXT.concat()[..], b"the rest"].concat();
            let plain = [&PLAINTEXT.concat()[..], b"the rest"].concat();
            let pattern = Pattern { crypt, skip };
            assert_eq!(decrypted(pattern, vec![sample]), Ok(vec![plain]));
        }
    }

    #[test]
    fn cbcs_pattern_skips_clear_blocks_and_keeps_chain() {
        // One encrypted, two in the clear: 0 - - 1 - - 2, and a rest of fifteen bytes where the
        // fourth would be.
        let clear = [[b'c'; 16]; 2].concat();
        let interleave = |blocks: &[[u8; 16]; 4]| {
            let parts = [
                &blocks[0],
                &clear[..],
                &blocks[1],
                &clear,
                &blocks[2],
                &clear,
            ];
            [&parts.concat()[..], &[b'r'; 15]].concat()
        };
        let pattern = Pattern { crypt: 1, skip: 2 };
        assert_eq!(
            decrypted(pattern, vec![interleave(&CIPHERTEXT)]),
            Ok(vec![interleave(&PLAINTEXT)])
        );
    }

    #[test]
    fn each_range_has_a_chain_and_a_pattern_of_its_own() {
        let range = |blocks: &[[u8; 16]; 4]| [&blocks[0], &[b'c'; 16][..], &[b'c'; 7]].concat();
        let pattern = Pattern { crypt: 1, skip: 9 };
        assert_eq!(
            decrypted(pattern, vec![range(&CIPHERTEXT), range(&CIPHERTEXT)]),
            Ok(vec![range(&PLAINTEXT), range(&PLAINTEXT)])
        );
    }

    #[test]
    fn pattern_that_no_file_can_have_is_refused() {
        for (crypt, skip) in [(0, 1), (16, 0), (1, 16), (u32::MAX, u32::MAX)] {
            let pattern = Pattern { crypt, skip };
            let sample = CIPHERTEXT.concat();
            let refused = decrypted(pattern, vec![sample]);
            assert_eq!(refused, Err(SampleError::Pattern(pattern)));
        }
    }
}
