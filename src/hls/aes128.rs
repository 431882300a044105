// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files that are encrypted as a whole (METHOD=AES-128; RFC 8216, 4.3.2.4): AES-128 with chained
//! blocks and the padding of PKCS #7.

use ciphers::Chain;

use crate::cenc::ContentKey;

const BLOCK: usize = 16;

/// Why a file cannot be decrypted, to go on after "the segment".
pub type Damage = &'static str;

const LENGTH: Damage = "is not as long as encrypted files are (a multiple of 16 bytes): it was cut, or is not encrypted";
const PADDING: Damage = "does not end as decrypted files do: its key or its IV is another one";

/// Decrypts one file as it comes.
pub struct Aes128Decryptor {
    chain: Chain,
    /// What is no whole block yet, and the last block, which may be padding.
    held: Vec<u8>,
}

impl Aes128Decryptor {
    pub fn new(key: &ContentKey, iv: [u8; BLOCK]) -> Self {
        Self {
            chain: Chain::new(key, iv),
            held: Vec::with_capacity(2 * BLOCK),
        }
    }

    /// Decrypts what comes next, behind what is in `out`.
    pub fn push(&mut self, data: &[u8], out: &mut Vec<u8>) {
        // One block at the least is held back, where there are data.
        let whole = (self.held.len() + data.len()).saturating_sub(1) / BLOCK * BLOCK;
        let Some(new) = whole.checked_sub(self.held.len()).filter(|_| whole > 0) else {
            return self.held.extend_from_slice(data);
        };
        let start = out.len();
        out.append(&mut self.held);
        out.extend_from_slice(&data[..new]);
        self.chain.decrypt(&mut out[start..]);
        self.held.extend_from_slice(&data[new..]);
    }

    /// Decrypts the end.
    ///
    /// # Errors
    ///
    /// What is wrong with the file; the key may be another one.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), Damage> {
        let Ok(mut block) = <[u8; BLOCK]>::try_from(self.held.as_slice()) else {
            return Err(LENGTH);
        };
        self.chain.decrypt(&mut block);
        let padding = usize::from(block[BLOCK - 1]);
        let (data, padded) = BLOCK
            .checked_sub(padding)
            .filter(|_| padding > 0)
            .map(|length| block.split_at(length))
            .ok_or(PADDING)?;
        if padded.iter().any(|byte| usize::from(*byte) != padding) {
            return Err(PADDING);
        }
        out.extend_from_slice(data);
        Ok(())
    }
}

/// Decrypts a whole file.
///
/// # Errors
///
/// As [`Aes128Decryptor::finish`].
pub fn decrypt(key: &ContentKey, iv: [u8; BLOCK], file: &[u8]) -> Result<Vec<u8>, Damage> {
    let mut decryptor = Aes128Decryptor::new(key, iv);
    let mut out = Vec::with_capacity(file.len());
    decryptor.push(file, &mut out);
    decryptor.finish(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    use cipher::array::Array;
    use cipher::{BlockModeEncrypt, KeyIvInit};

    const KEY: [u8; 16] = [7; 16];
    const IV: [u8; 16] = [9; 16];

    fn key() -> ContentKey {
        ContentKey::from_slice(&KEY).expect("sixteen bytes")
    }

    fn encrypted(mut data: Vec<u8>) -> Vec<u8> {
        let padding = BLOCK - data.len() % BLOCK;
        data.resize(data.len() + padding, padding as u8);
        let (blocks, _) = Array::slice_as_chunks_mut(&mut data);
        cbc::Encryptor::<aes::Aes128>::new(&KEY.into(), &IV.into()).encrypt_blocks(blocks);
        data
    }

    #[test]
    fn push_gives_the_same_however_a_file_is_cut() {
        for length in [0, 1, 15, 16, 17, 31, 32, 33, 200] {
            let data: Vec<u8> = (0..length).map(|number| number as u8).collect();
            let file = encrypted(data.clone());
            for size in [1, 7, 15, 16, 17, 32, 1000] {
                let mut decryptor = Aes128Decryptor::new(&key(), IV);
                let mut out = Vec::new();
                for piece in file.chunks(size) {
                    decryptor.push(piece, &mut out);
                }
                assert_eq!(decryptor.finish(&mut out), Ok(()), "{length} {size}");
                assert_eq!(out, data, "{length} in pieces of {size}");
            }
        }
    }

    #[test]
    fn finish_refuses_what_is_cut_or_has_another_key() {
        let file = encrypted(vec![b'x'; 100]);
        for cut in 0..file.len() {
            assert!(decrypt(&key(), IV, &file[..cut]).is_err(), "{cut}");
        }
        let other = ContentKey::from_slice(&[8; 16]).expect("sixteen bytes");
        assert_eq!(decrypt(&other, IV, &file), Err(PADDING));
    }
}
