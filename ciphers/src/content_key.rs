// SPDX-License-Identifier: MIT OR Apache-2.0

//! Keys, which are secrets.

use std::fmt;
use std::sync::Arc;

use aes::Aes128;
use cipher::KeyInit;

/// An AES-128 key, expanded once and shared by its clones. Its round keys are wiped when the last
/// of them is dropped.
#[derive(Clone)]
pub struct ContentKey(Arc<Aes128>);

impl ContentKey {
    /// `None` where there are not sixteen bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let cipher = Aes128::new_from_slice(bytes).ok()?;
        Some(Self(Arc::new(cipher)))
    }

    pub(crate) fn cipher(&self) -> &Aes128 {
        &self.0
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContentKey(…)")
    }
}
