// SPDX-License-Identifier: MIT OR Apache-2.0

//! Chained blocks (NIST SP 800-38A, 6.2) that come piece by piece, as files of HLS do.

use cipher::array::Array;
use cipher::{BlockModeDecrypt, InnerIvInit, IvState};

use crate::content_key::ContentKey;

/// Decrypts blocks of which each depends on the one before it.
pub struct Chain {
    key: ContentKey,
    /// The block before the next one.
    last: [u8; 16],
}

impl Chain {
    /// A chain that begins with that vector.
    pub fn new(key: &ContentKey, iv: [u8; 16]) -> Self {
        let key = key.clone();
        Self { key, last: iv }
    }

    /// Decrypts the whole blocks that come next, of sixteen bytes each. What does not fill one is
    /// left as it is, and is no part of the chain.
    pub fn decrypt(&mut self, bytes: &mut [u8]) {
        let mut chain = cbc::Decryptor::inner_iv_init(self.key.cipher(), &self.last.into());
        let (blocks, _) = Array::slice_as_chunks_mut(bytes);
        chain.decrypt_blocks(blocks);
        self.last = chain.iv_state().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::vectors::{CBC as CIPHERTEXT, CBC_IV as IV, KEY, PLAINTEXT};

    #[test]
    fn chain_is_the_same_however_its_blocks_are_cut() {
        let key = ContentKey::from_slice(&KEY).expect("sixteen bytes");
        for at in 0..=CIPHERTEXT.len() {
            let mut bytes = CIPHERTEXT.concat();
            let (first, second) = bytes.split_at_mut(16 * at);
            let mut chain = Chain::new(&key, IV);
            chain.decrypt(first);
            chain.decrypt(second);
            assert_eq!(bytes, PLAINTEXT.concat(), "cut at block {at}");
        }
    }

    #[test]
    fn bytes_that_fill_no_block_are_left() {
        let key = ContentKey::from_slice(&KEY).expect("sixteen bytes");
        let mut chain = Chain::new(&key, IV);
        let mut bytes = [&CIPHERTEXT[0][..], b"the rest"].concat();
        chain.decrypt(&mut bytes);
        assert_eq!(bytes, [&PLAINTEXT[0][..], b"the rest"].concat());
        let mut next = CIPHERTEXT[1];
        chain.decrypt(&mut next);
        assert_eq!(next, PLAINTEXT[1]);
    }
}
