// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys of one session, as its CDM tells of them.

use super::key_status::KeyStatus;
use crate::cenc::KeyId;

/// Keys that are remembered.
const MAX_KEYS: usize = 256;

/// What a CDM calls a key: its id, in either order of a GUID's bytes, or nothing.
pub type KeyName = Option<KeyId>;

/// What some CDMs call a key that they do not name.
pub const NO_ID: KeyId = KeyId([0; 16]);

#[derive(Default)]
pub struct SessionKeys {
    /// By what the CDM calls them, the newest last.
    known: Vec<(KeyName, Known)>,
    /// The keys that the session was made for, where its init data says.
    listed: Vec<KeyId>,
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
    /// Those of a session that is made for these keys; for any, where there are none.
    pub fn new(listed: Vec<KeyId>) -> Self {
        Self {
            listed,
            ..Self::default()
        }
    }

    /// Forgets what the CDM has told.
    pub fn clear(&mut self) {
        *self = Self::new(std::mem::take(&mut self.listed));
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub fn status(&self, key_id: &KeyId) -> Option<KeyStatus> {
        self.find(key_id).map(|(_, known)| known.status)
    }

    /// What the CDM calls that key.
    pub fn name(&self, key_id: &KeyId) -> KeyName {
        let found = self.find_named(key_id).or_else(|| self.find_unnamed());
        found.map_or(Some(*key_id), |(name, _)| name)
    }

    /// Whether the CDM has something without a name that can be used, of which nobody says that it
    /// is that key.
    pub fn may_have(&self, key_id: &KeyId) -> bool {
        self.find(key_id).is_none()
            && self
                .find_unnamed()
                .is_some_and(|(_, known)| known.status.is_usable())
    }

    /// Whether it could be used, and has ended.
    pub fn has_ended(&self, key_id: &KeyId) -> bool {
        self.find(key_id)
            .is_some_and(|(_, known)| known.was_usable && known.status == KeyStatus::Expired)
    }

    pub fn has_usable(&self) -> bool {
        self.known.iter().any(|(_, known)| known.status.is_usable())
    }

    /// Whether one could be used once.
    pub fn were_usable(&self) -> bool {
        self.known.iter().any(|(_, known)| known.was_usable)
    }

    /// Takes in what can be done with a key of that name. `true` where that is news.
    pub fn insert(&mut self, name: KeyName, status: KeyStatus) -> bool {
        let is_usable = status.is_usable();
        let named = name.and_then(|key_id| self.find_named(&key_id));
        let name = named.map_or(name, |(name, _)| name);
        if let Some((_, known)) = self.known.iter_mut().find(|(known, _)| *known == name) {
            known.was_usable |= is_usable;
            return std::mem::replace(&mut known.status, status) != status;
        }
        if self.known.len() == MAX_KEYS {
            self.known.remove(0);
        }
        let was_usable = is_usable;
        self.known.push((name, Known { status, was_usable }));
        true
    }

    /// What is known of that key, or of those that the CDM does not name.
    fn find(&self, key_id: &KeyId) -> Option<(KeyName, Known)> {
        let is_listed = self.listed.is_empty() || self.listed.contains(key_id);
        self.find_named(key_id)
            .or_else(|| self.find_unnamed().filter(|_| is_listed))
    }

    /// PlayReady CDMs name keys in either order of a GUID's bytes.
    fn find_named(&self, key_id: &KeyId) -> Option<(KeyName, Known)> {
        let names = [*key_id, key_id.in_guid_order()];
        names.into_iter().find_map(|name| self.get(Some(name)))
    }

    /// PlayReady modules of Thunder's tell of the license as a whole: with no key id, or with one
    /// of zeros. That is of the keys which the session was made for.
    fn find_unnamed(&self) -> Option<(KeyName, Known)> {
        let zeros = (!self.listed.contains(&NO_ID)).then_some(Some(NO_ID));
        let names = zeros.into_iter().chain([None]);
        names.into_iter().find_map(|name| self.get(name))
    }

    fn get(&self, name: KeyName) -> Option<(KeyName, Known)> {
        let mut known = self.known.iter();
        known.find(|(known, _)| *known == name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: KeyId = KeyId([1; 16]);
    const TWO: KeyId = KeyId([2; 16]);

    #[test]
    fn status_without_a_name_is_that_of_keys_without_their_own() {
        for unnamed in [None, Some(NO_ID)] {
            let mut keys = SessionKeys::new(vec![ONE, TWO]);
            assert!(keys.insert(unnamed, KeyStatus::Usable), "{unnamed:?}");
            assert!(!keys.insert(unnamed, KeyStatus::Usable));
            assert_eq!(keys.status(&ONE), Some(KeyStatus::Usable));
            assert_eq!(keys.name(&ONE), unnamed);
            assert!(keys.insert(Some(TWO), KeyStatus::OutputRestricted));
            assert_eq!(keys.status(&TWO), Some(KeyStatus::OutputRestricted));
            assert_eq!(keys.name(&TWO), Some(TWO));
            assert!(keys.insert(unnamed, KeyStatus::Expired));
            assert!(keys.has_ended(&ONE));
            // Another session is for that one, if there is one.
            let three = KeyId([3; 16]);
            assert_eq!(keys.status(&three), None);
            assert!(!keys.may_have(&three));
            keys.insert(unnamed, KeyStatus::Usable);
            assert!(keys.may_have(&three));
            assert!(!keys.may_have(&ONE));
            assert_eq!(keys.name(&three), unnamed);
        }
    }

    #[test]
    fn status_without_a_name_is_that_of_any_key_where_none_is_listed() {
        let mut keys = SessionKeys::default();
        keys.insert(None, KeyStatus::Usable);
        assert_eq!(keys.status(&ONE), Some(KeyStatus::Usable));
        keys.clear();
        assert_eq!(keys.status(&ONE), None);
        assert_eq!(keys.name(&ONE), Some(ONE));
    }

    #[test]
    fn newest_of_many_keys_are_known() {
        let key_id = |number: usize| KeyId((number as u128).to_be_bytes());
        let mut keys = SessionKeys::default();
        for number in 1..=2 * MAX_KEYS {
            assert!(keys.insert(Some(key_id(number)), KeyStatus::Usable));
            assert!(keys.status(&key_id(number)).is_some(), "{number}");
        }
        assert_eq!(keys.status(&key_id(1)), None);
    }

    #[test]
    fn zeros_are_a_name_where_they_are_listed() {
        let mut keys = SessionKeys::new(vec![ONE, NO_ID]);
        keys.insert(Some(NO_ID), KeyStatus::Usable);
        assert_eq!(keys.status(&NO_ID), Some(KeyStatus::Usable));
        assert_eq!(keys.status(&ONE), None);
        keys.clear();
        keys.insert(Some(NO_ID), KeyStatus::Usable);
        assert_eq!(keys.status(&ONE), None);
    }
}
