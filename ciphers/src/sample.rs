// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decrypting one sample, in place or into other memory, whatever its scheme (ISO/IEC 23001-7).

use cipher::inout::InOutBuf;

use crate::cbcs;
use crate::content_key::ContentKey;
use crate::ctr;
use crate::pattern::Pattern;
use crate::sample_error::{SUBSAMPLE_ENTRY, SampleError};

/// How protected bytes are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Cenc,
    Cbcs(Pattern),
}

/// Decrypts a sample, in place or into other memory in one pass. `subsamples` is the table as
/// `senc` holds it; an empty one means that the whole sample is protected. Gives back how many
/// bytes the table says nothing of: they are left as they are.
///
/// # Errors
///
/// Where the stream contradicts itself; the sample is then unchanged, except after
/// `CounterExhausted`.
pub fn decrypt(
    key: &ContentKey,
    scheme: Scheme,
    iv: &[u8],
    subsamples: &[u8],
    sample: InOutBuf<'_, '_, u8>,
) -> Result<u64, SampleError> {
    check_iv(iv.len())?;
    let mut whole_iv = [0; 16];
    whole_iv[..iv.len()].copy_from_slice(iv);
    let uncovered = check_subsamples(subsamples, sample.len())?;
    let ranges = Ranges {
        // Without a table all of it is one range.
        whole: subsamples.is_empty(),
        entries: subsamples.chunks_exact(SUBSAMPLE_ENTRY),
        rest: Some(sample),
    };
    match scheme {
        Scheme::Cenc => ctr::decrypt(key, whole_iv, ranges)?,
        Scheme::Cbcs(pattern) => cbcs::decrypt(key, whole_iv, pattern, ranges)?,
    }
    Ok(uncovered)
}

/// The protected ranges of a sample. What is between them is copied where that takes a copy.
struct Ranges<'a, 'inp, 'out> {
    whole: bool,
    entries: std::slice::ChunksExact<'a, u8>,
    /// `None` behind the last one.
    rest: Option<InOutBuf<'inp, 'out, u8>>,
}

impl<'inp, 'out> Iterator for Ranges<'_, 'inp, 'out> {
    type Item = InOutBuf<'inp, 'out, u8>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        if std::mem::take(&mut self.whole) {
            return Some(rest);
        }
        let next = self.entries.next().map(sizes);
        // Cannot be beyond the end: `check_subsamples` added up the same numbers.
        let next = next.filter(|(clear, protected)| clear + protected <= rest.len());
        let Some((clear, protected)) = next else {
            keep(rest);
            return None;
        };
        let (before, rest) = rest.split_at(clear);
        keep(before);
        let (range, after) = rest.split_at(protected);
        self.rest = Some(after);
        Some(range)
    }
}

/// Leaves bytes as they are.
fn keep(bytes: InOutBuf<'_, '_, u8>) {
    let _ = bytes.into_out_with_copied_in();
}

/// Checks the size of an initialization vector (ISO/IEC 23001-7, 9.1).
///
/// # Errors
///
/// Where it is neither 8 nor 16.
pub fn check_iv(size: usize) -> Result<(), SampleError> {
    match size {
        8 | 16 => Ok(()),
        size => Err(SampleError::IvSize(size)),
    }
}

fn covered(subsamples: &[u8]) -> u64 {
    subsamples
        .chunks_exact(SUBSAMPLE_ENTRY)
        .map(sizes)
        .map(|(clear, protected)| clear as u64 + protected as u64)
        .sum()
}

/// Checks that this is a table for a sample of that size. Gives back how many bytes it says nothing
/// of, though it must add up to the whole sample (ISO/IEC 23001-7, 7.2).
///
/// # Errors
///
/// Where it covers more than the sample, or is none.
pub fn check_subsamples(subsamples: &[u8], sample: usize) -> Result<u64, SampleError> {
    if !subsamples.len().is_multiple_of(SUBSAMPLE_ENTRY) {
        return Err(SampleError::SubsampleTable(subsamples.len()));
    }
    if subsamples.is_empty() {
        return Ok(0);
    }
    let covered = covered(subsamples);
    (sample as u64)
        .checked_sub(covered)
        .ok_or(SampleError::SubsamplesBeyondSample { covered, sample })
}

/// Clear and protected size of a subsample, big endian.
fn sizes(entry: &[u8]) -> (usize, usize) {
    let clear = u16::from_be_bytes([entry[0], entry[1]]);
    let protected = u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]]);
    (usize::from(clear), protected as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::vectors::{self, KEY};

    /// NIST SP 800-38A, F.5.1, CTR-AES128.Encrypt. Its counter begins fcfdfeff in the low bytes
    /// and does not pass 2^64, so it is the same with a counter of 64 bits.
    const COUNTER: [u8; 16] = 0xf0f1f2f3f4f5f6f7f8f9fafbfcfdfeff_u128.to_be_bytes();
    const CIPHERTEXT: [[u8; 16]; 2] = [
        0x874d6191b620e3261bef6864990db6ce_u128.to_be_bytes(),
        0x9806f66b7970fdff8617187bb9fffdff_u128.to_be_bytes(),
    ];
    const PLAINTEXT: [[u8; 16]; 2] = [vectors::PLAINTEXT[0], vectors::PLAINTEXT[1]];

    fn key() -> ContentKey {
        ContentKey::from_slice(&KEY).expect("sixteen bytes")
    }

    /// In place, and the same into other memory.
    fn decrypted(iv: &[u8], subsamples: &[u8], sample: &mut [u8]) -> Result<u64, SampleError> {
        let mut other = vec![0xee; sample.len()];
        let across = InOutBuf::new(sample, &mut other).expect("as long");
        let across = decrypt(&key(), Scheme::Cenc, iv, subsamples, across);
        let result = decrypt(&key(), Scheme::Cenc, iv, subsamples, sample.into());
        assert_eq!(across, result);
        if result.is_ok() {
            assert_eq!(sample, other);
        }
        result
    }

    fn entry(clear: u16, protected: u32) -> Vec<u8> {
        [&clear.to_be_bytes()[..], &protected.to_be_bytes()[..]].concat()
    }

    #[test]
    fn whole_sample_matches_the_standards_vector() {
        let mut sample = CIPHERTEXT.concat();
        decrypted(&COUNTER, &[], &mut sample).expect("decrypted");
        assert_eq!(sample, PLAINTEXT.concat());
    }

    #[test]
    fn ctr_spans_protected_ranges_and_keeps_clear_bytes() {
        // 5 clear, 7 protected, 0 clear, 20 protected, 3 clear, 5 protected, 2 beyond the table.
        let ciphertext = CIPHERTEXT.concat();
        let mut sample = b"clear".to_vec();
        sample.extend(&ciphertext[..27]);
        sample.extend(b"abc");
        sample.extend(&ciphertext[27..]);
        sample.extend(b"yz");
        let table = [entry(5, 7), entry(0, 20), entry(3, 5)].concat();
        assert_eq!(decrypted(&COUNTER, &table, &mut sample), Ok(2));
        let plaintext = PLAINTEXT.concat();
        assert_eq!(&sample[..5], b"clear");
        assert_eq!(sample[5..32], plaintext[..27]);
        assert_eq!(&sample[32..35], b"abc");
        assert_eq!(sample[35..40], plaintext[27..]);
        assert_eq!(&sample[40..], b"yz");
        assert_eq!(check_subsamples(&table, sample.len() - 2), Ok(0));
    }

    #[test]
    fn counter_wraps_without_carry_into_iv() {
        let iv = |low: u64| [7_u64.to_be_bytes(), low.to_be_bytes()].concat();
        let mut two_blocks = [0; 32];
        decrypted(&iv(u64::MAX), &[], &mut two_blocks).expect("decrypted");
        let mut after_the_wrap = [0; 16];
        decrypted(&iv(0), &[], &mut after_the_wrap).expect("decrypted");
        assert_eq!(two_blocks[16..], after_the_wrap);
        let mut short_iv = [0; 16];
        decrypted(&7_u64.to_be_bytes(), &[], &mut short_iv).expect("decrypted");
        assert_eq!(short_iv, after_the_wrap);
    }

    #[test]
    fn invalid_sample_info_fails_before_any_change() {
        let untouched = CIPHERTEXT.concat();
        for (iv, table, error) in [
            (&COUNTER[..7], vec![], SampleError::IvSize(7)),
            (&COUNTER[..0], vec![], SampleError::IvSize(0)),
            (&COUNTER[..], vec![0; 7], SampleError::SubsampleTable(7)),
            (
                &COUNTER[..],
                [entry(16, 16), entry(0, 1)].concat(),
                SampleError::SubsamplesBeyondSample {
                    covered: 33,
                    sample: 32,
                },
            ),
            (
                &COUNTER[..],
                entry(u16::MAX, u32::MAX).repeat(3),
                SampleError::SubsamplesBeyondSample {
                    covered: 3 * (u64::from(u16::MAX) + u64::from(u32::MAX)),
                    sample: 32,
                },
            ),
        ] {
            let mut sample = untouched.clone();
            assert_eq!(decrypted(iv, &table, &mut sample), Err(error));
            assert_eq!(sample, untouched);
        }
    }
}
