// SPDX-License-Identifier: MIT OR Apache-2.0

//! Keys that a demuxer of ours has for a decryptor of ours, in one process. A `pssh` box of a
//! private system names a key by a random handle, so that the same key id may stand for different
//! keys in two presentations, and no key is ever in a box.

use std::collections::HashMap;
use std::sync::Mutex;

use once_cell::sync::Lazy;

use super::pssh;
use super::{ContentKey, KeyId};
use crate::random;
use crate::wait::lock;

/// The private system. Nobody else knows it, and no server is asked for its keys.
pub const PRIVATE_SYSTEM: &str = "5e551047-0ce5-4f7b-9d7e-6b5f0c1d2e3a";
pub const PRIVATE_SYSTEM_ID: u128 = 0x5e551047_0ce5_4f7b_9d7e_6b5f0c1d2e3a;

/// Every key that a demuxer has now. A demuxer takes its own away when it stops.
static KEYS: Lazy<Mutex<HashMap<Handle, ContentKey>>> = Lazy::new(Mutex::default);

type Handle = [u8; 16];

/// A key that decryptors find as long as this lives.
pub struct PrivateKey {
    handle: Handle,
}

impl PrivateKey {
    pub fn new(key: ContentKey) -> Self {
        let handle = random::bytes();
        lock(&KEYS).insert(handle, key);
        Self { handle }
    }

    /// The box that names it as that of samples with one of these key ids.
    pub fn pssh(&self, key_ids: &[KeyId]) -> Vec<u8> {
        pssh::write(PRIVATE_SYSTEM_ID, key_ids, &self.handle)
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        lock(&KEYS).remove(&self.handle);
    }
}

/// A box that names no key: what is behind it is clear.
pub fn clear_pssh() -> Vec<u8> {
    pssh::write(PRIVATE_SYSTEM_ID, &[], &[])
}

/// The keys that boxes of the private system name, by the ids that samples have.
pub fn private_keys(init_data: &[u8]) -> Vec<(KeyId, ContentKey)> {
    let keys = lock(&KEYS);
    let mut found = Vec::new();
    for one in pssh::boxes(init_data) {
        let handle = Handle::try_from(one.data).ok();
        let is_ours = one.system == PRIVATE_SYSTEM_ID;
        if let Some(key) = handle.filter(|_| is_ours).and_then(|at| keys.get(&at)) {
            found.extend(one.key_ids().map(|key_id| (key_id, key.clone())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_found_by_its_box_as_long_as_it_lives() {
        let key = |byte| ContentKey::from_slice(&[byte; 16]).expect("sixteen bytes");
        let (one, other) = (PrivateKey::new(key(1)), PrivateKey::new(key(2)));
        let id = KeyId([7; 16]);
        let (one_box, other_box) = (one.pssh(&[id]), other.pssh(&[id, KeyId([8; 16])]));
        assert_ne!(one_box, other_box);
        let ids = |init_data: &[u8]| -> Vec<KeyId> {
            let keys = private_keys(init_data).into_iter();
            keys.map(|(id, _)| id).collect()
        };
        assert_eq!(ids(&one_box), [id]);
        // The picture's and the sound's.
        assert_eq!(ids(&other_box), [id, KeyId([8; 16])]);
        drop(one);
        assert_eq!(ids(&one_box), []);
        assert_eq!(ids(&[one_box, other_box].concat()), [id, KeyId([8; 16])]);
        assert_eq!(ids(&clear_pssh()), []);
    }
}
