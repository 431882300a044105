// SPDX-License-Identifier: MIT OR Apache-2.0

//! Scheme `cbcs`: AES with chained blocks, of which a pattern leaves some in the clear (ISO/IEC
//! 23001-7, 10.4).

use cipher::inout::InOutBuf;
use cipher::{BlockModeDecrypt, InnerIvInit};

use crate::content_key::ContentKey;
use crate::pattern::Pattern;
use crate::sample_error::SampleError;

const BLOCK: usize = 16;

impl Pattern {
    /// Sizes of the encrypted part and of the whole, in bytes.
    fn sizes(self) -> Result<(usize, usize), SampleError> {
        // Each has four bits in `tenc` (8.2).
        match (self.crypt, self.skip) {
            // No pattern: one part, whose blocks are decrypted several at a time.
            (0..16, 0) => Ok((usize::MAX, usize::MAX)),
            (1..16, 1..16) => {
                let crypt = BLOCK * self.crypt as usize;
                Ok((crypt, crypt + BLOCK * self.skip as usize))
            }
            _ => Err(SampleError::Pattern(self)),
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
    let (crypt, whole) = pattern.sizes()?;
    for range in ranges {
        let mut chain = cbc::Decryptor::inner_iv_init(key.cipher(), &iv.into());
        let mut rest = range;
        while !rest.is_empty() {
            let size = rest.len().min(whole);
            let (part, after) = rest.split_at(size);
            let (encrypted, clear) = part.split_at(size.min(crypt));
            let (blocks, tail) = encrypted.into_chunks();
            chain.decrypt_blocks_inout(blocks);
            for kept in [tail, clear] {
                // It may have to be copied.
                let _ = kept.into_out_with_copied_in();
            }
            rest = after;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST SP 800-38A, F.2.1, CBC-AES128.Encrypt.
    const KEY: [u8; 16] = 0x2b7e151628aed2a6abf7158809cf4f3c_u128.to_be_bytes();
    const IV: [u8; 16] = 0x000102030405060708090a0b0c0d0e0f_u128.to_be_bytes();
    const CIPHERTEXT: [[u8; 16]; 4] = [
        0x7649abac8119b246cee98e9b12e9197d_u128.to_be_bytes(),
        0x5086cb9b507219ee95db113a917678b2_u128.to_be_bytes(),
        0x73bed6b8e3c1743b7116e69e22229516_u128.to_be_bytes(),
        0x3ff1caa1681fac09120eca307586e1a7_u128.to_be_bytes(),
    ];
    const PLAINTEXT: [[u8; 16]; 4] = [
        0x6bc1bee22e409f96e93d7e117393172a_u128.to_be_bytes(),
        0xae2d8a571e03ac9c9eb76fac45af8e51_u128.to_be_bytes(),
        0x30c81c46a35ce411e5fbc1191a0a52ef_u128.to_be_bytes(),
        0xf69f2445df4f9b17ad2b417be66c3710_u128.to_be_bytes(),
    ];

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
