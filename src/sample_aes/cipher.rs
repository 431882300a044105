// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which bytes of a sample are encrypted ("MPEG-2 Stream Encryption Format for HTTP Live
//! Streaming", 2.2 and 2.3).

use ciphers::{Period, decrypt_range};

use crate::cenc::ContentKey;

const BLOCK: usize = 16;

/// Of a NAL unit, these first bytes are clear (2.2).
const NAL_LEADER: usize = 32;

/// One block of ten is encrypted (2.2).
const NAL_PERIOD: Period = Period::ONE_OF_TEN;

/// Of an audio frame, these bytes behind its header are clear (2.3.1).
const FRAME_LEADER: usize = 16;

/// The key and the vector of one segment. The vector begins anew in each protected block (2.1).
pub struct SampleCipher {
    key: ContentKey,
    iv: [u8; BLOCK],
}

impl SampleCipher {
    pub fn new(key: &ContentKey, iv: [u8; BLOCK]) -> Self {
        let key = key.clone();
        Self { key, iv }
    }

    /// Decrypts a NAL unit from its type byte on, without the outer emulation prevention.
    pub fn decrypt_nal(&self, nal: &mut [u8]) {
        // A block is encrypted where more than its sixteen bytes remain, so the last byte never is.
        let protected = nal.split_last_mut().map(|(_, nal)| nal);
        let Some(protected) = protected.and_then(|nal| nal.get_mut(NAL_LEADER..)) else {
            return;
        };
        decrypt_range(&self.key, self.iv, NAL_PERIOD, protected.into());
    }

    /// Decrypts an audio frame behind its header: every whole block behind the leader.
    pub fn decrypt_frame(&self, payload: &mut [u8]) {
        let Some(protected) = payload.get_mut(FRAME_LEADER..) else {
            return;
        };
        decrypt_range(&self.key, self.iv, Period::ALL, protected.into());
    }
}
