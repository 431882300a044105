// SPDX-License-Identifier: MIT OR Apache-2.0

//! H.264 in byte-stream form (ISO/IEC 14496-10, Annex B).
//!
//! The encryptor takes a NAL unit as it is, with its own emulation prevention, encrypts it, and
//! applies emulation prevention to the result once more. So the outer layer is removed, the blocks
//! are decrypted, and what comes out is the original NAL unit, which needs nothing more. It is
//! never longer. What the outer layer took becomes `trailing_zero_8bits` (B.1.1).

use super::SampleAesError;
use super::cipher::SampleCipher;
use super::held::{Payload, Queue};

/// A NAL unit of this many bytes has nothing encrypted ("MPEG-2 Stream Encryption Format for HTTP
/// Live Streaming", 2.2).
const MAX_CLEAR: usize = 48;

/// Bytes of one NAL unit. A picture of 3840×2160 has at most 6.2 MB (ISO/IEC 14496-10, A.3.1).
const MAX_NAL: usize = 8 << 20;

const START_CODE: [u8; 3] = [0, 0, 1];

/// One H.264 stream of a segment.
#[derive(Default)]
pub struct NalStream {
    payload: Payload,
    /// Whether the payload begins with the type byte of a NAL unit that may be encrypted.
    is_in_nal: bool,
    /// No start code begins in front of this byte of the payload.
    scanned: usize,
}

impl NalStream {
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    pub fn append(&mut self, position: u64, bytes: &[u8]) {
        self.payload.append(position, bytes);
    }

    /// Decrypts every NAL unit whose end is here.
    pub fn advance(
        &mut self,
        cipher: &SampleCipher,
        queue: &mut Queue,
    ) -> Result<(), SampleAesError> {
        while let Some(end) = find(self.payload.bytes(), self.scanned, START_CODE) {
            let Some(header) = self.payload.bytes().get(end + START_CODE.len()) else {
                // The next byte says whether the unit that begins here may be encrypted.
                self.scanned = end;
                self.leave_last(START_CODE.len());
                return self.check_size();
            };
            // The type is in the low five bits: 1 and 5 are the slices that may be encrypted.
            let is_slice = matches!(header & 0x1f, 1 | 5);
            self.end_nal(end, cipher, queue);
            self.payload.pass(START_CODE.len());
            self.is_in_nal = is_slice;
            self.scanned = 0;
        }
        let len = self.payload.bytes().len();
        self.scanned = len.saturating_sub(START_CODE.len() - 1);
        self.leave_last(START_CODE.len() - 1);
        self.check_size()
    }

    /// Ends the NAL unit here: nothing of it follows, or what follows is not known.
    pub fn cut(&mut self, cipher: &SampleCipher, queue: &mut Queue) {
        let len = self.payload.bytes().len();
        self.end_nal(len, cipher, queue);
        self.is_in_nal = false;
        self.scanned = 0;
    }

    /// Lets all but the last bytes go where they are no part of an encrypted unit.
    fn leave_last(&mut self, count: usize) {
        if !self.is_in_nal {
            let passed = self.payload.bytes().len().saturating_sub(count);
            self.payload.pass(passed);
            self.scanned = self.scanned.saturating_sub(passed);
        }
    }

    fn check_size(&self) -> Result<(), SampleAesError> {
        if self.payload.bytes().len() > MAX_NAL {
            return Err(SampleAesError::NalTooLarge);
        }
        Ok(())
    }

    /// Settles the bytes in front of the next start code.
    fn end_nal(&mut self, end: usize, cipher: &SampleCipher, queue: &mut Queue) {
        let bytes = self.payload.bytes_mut().get_mut(..end);
        if let Some(bytes) = bytes.filter(|_| self.is_in_nal)
            && decrypt(bytes, cipher)
        {
            self.payload.replace(end, queue);
        } else {
            self.payload.pass(end);
        }
    }
}

/// Decrypts one NAL unit and the zero bytes behind it. Returns whether there was anything to do.
fn decrypt(bytes: &mut [u8], cipher: &SampleCipher) -> bool {
    // A NAL unit does not end with a zero byte (7.4.1).
    let len = bytes.iter().rposition(|byte| *byte != 0);
    let len = len.map_or(0, |last| last + 1);
    let nal = &mut bytes[..len];
    if nal.len() <= MAX_CLEAR {
        return false;
    }
    let len = remove_emulation_prevention(nal);
    let (nal, freed) = nal.split_at_mut(len);
    cipher.decrypt_nal(nal);
    freed.fill(0);
    true
}

/// Removes each third byte of `00 00 03` (7.3.1), and returns how many bytes are left.
fn remove_emulation_prevention(nal: &mut [u8]) -> usize {
    let (mut read, mut write) = (0, 0);
    while let Some(at) = find(nal, read, [0, 0, 3]) {
        if read != write {
            nal.copy_within(read..at + 2, write);
        }
        write += at + 2 - read;
        read = at + 3;
    }
    if read != write {
        nal.copy_within(read.., write);
    }
    write + (nal.len() - read)
}

/// Bytes that are looked at together for a zero: one vector register or two.
const CHUNK: usize = 32;

/// Where two zero bytes and a third that is not zero come first, at `from` or behind it.
fn find(bytes: &[u8], from: usize, pattern: [u8; 3]) -> Option<usize> {
    let mut at = from;
    loop {
        // A match begins with a zero byte, which few chunks have.
        let ahead = bytes.get(at..).unwrap_or_default();
        let chunks = ahead.as_chunks::<CHUNK>().0.iter();
        let has_no_zero = |chunk: &&[u8; CHUNK]| {
            let zeros = chunk
                .iter()
                .fold(0, |zeros, byte| zeros | u8::from(*byte == 0));
            zeros == 0
        };
        at += chunks.take_while(has_no_zero).count() * CHUNK;
        let end = at.saturating_add(CHUNK);
        while at < end {
            let window = bytes.get(at..at.saturating_add(3))?;
            // Any third byte but zero rules out that one of the three bytes begins another match.
            if window[2] == 0 {
                at += 1;
            } else if window == pattern {
                return Some(at);
            } else {
                at += 3;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn find_finds_what_every_place_would() {
        let mut bytes = vec![7; 3 * CHUNK];
        for place in 0..bytes.len() - 3 {
            for zeros in 2..5 {
                let end = (place + zeros).min(bytes.len() - 1);
                bytes[place..end].fill(0);
                bytes[end] = 1;
                // Zero bytes that begin nothing.
                for other in [0, 31, 32, 33, 64] {
                    let before = std::mem::replace(&mut bytes[other], 0);
                    for from in [0, 1, place, place + 1, end, bytes.len(), bytes.len() + 1] {
                        let expected =
                            (from..bytes.len()).find(|at| bytes[*at..].starts_with(&START_CODE));
                        assert_eq!(find(&bytes, from, START_CODE), expected);
                    }
                    bytes[other] = before;
                }
                bytes[place..=end].fill(7);
            }
        }
    }
}
