// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys of one session, as its CDM tells of them.

use std::collections::BTreeMap;

use super::key_status::KeyStatus;
use crate::cenc::KeyId;

/// Keys that are remembered.
const MAX_KEYS: usize = 256;

#[derive(Default)]
pub struct SessionKeys {
    known: BTreeMap<KeyId, Known>,
    /// The CDM has said that these are all.
    pub are_all: bool,
}

/// What is known of a key.
#[derive(Clone, Copy)]
struct Known {
    status: KeyStatus,
    /// It could be used once.
    was_usable: bool,
}

impl SessionKeys {
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub fn status(&self, key_id: &KeyId) -> Option<KeyStatus> {
        self.find(key_id).map(|(_, known)| known.status)
    }

    /// Whether it could be used, and has ended.
    pub fn has_ended(&self, key_id: &KeyId) -> bool {
        self.find(key_id)
            .is_some_and(|(_, known)| known.was_usable && known.status == KeyStatus::Expired)
    }

    pub fn has_usable(&self) -> bool {
        self.known.values().any(|known| known.status.is_usable())
    }

    /// Whether one could be used once.
    pub fn were_usable(&self) -> bool {
        self.known.values().any(|known| known.was_usable)
    }

    /// Takes in what can be done with a key. `true` where that is news.
    pub fn insert(&mut self, key_id: KeyId, status: KeyStatus) -> bool {
        let found = self.find(&key_id);
        if found.is_none() && self.known.len() >= MAX_KEYS {
            return false;
        }
        let name = found.map_or(key_id, |(name, _)| name);
        let before = found.map(|(_, known)| known);
        let was_usable = before.is_some_and(|known| known.was_usable) || status.is_usable();
        self.known.insert(name, Known { status, was_usable });
        before.map(|known| known.status) != Some(status)
    }

    /// PlayReady CDMs name keys in either order of a GUID's bytes.
    fn find(&self, key_id: &KeyId) -> Option<(KeyId, Known)> {
        let names = [*key_id, in_guid_order(key_id)];
        names
            .into_iter()
            .find_map(|name| Some((name, *self.known.get(&name)?)))
    }
}

/// The key id with the bytes of its first three fields the other way round, as GUIDs have them in
/// memory.
fn in_guid_order(key_id: &KeyId) -> KeyId {
    let mut bytes = key_id.0;
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    KeyId(bytes)
}
