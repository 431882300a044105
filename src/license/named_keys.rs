// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which keys the init data of a stream names.

use crate::cenc::KeyId;

/// Key ids that a stream may name before it is taken for an attack; a license request for all of
/// them is still below 8 KiB.
pub const MAX_KEY_IDS: usize = 256;

/// Origin of the protection events that come from a fragment (`qtdemux.c`).
pub const FRAGMENT: &str = "isobmff/moof";

/// What a track whose keys change has as its default key id: the samples' own stand in sample
/// groups of the type `seig` (ISO/IEC 23001-7, 6), which qtdemux reads since GStreamer 1.24.
const NO_KEY_ID: KeyId = KeyId([0; 16]);

#[derive(Default)]
pub struct NamedKeys {
    /// Those that have not been asked for, the newest last.
    unasked: Vec<KeyId>,
    /// All that the newest init data names: that between which no data came.
    current: Vec<KeyId>,
    /// Those of them that come from the newest fragment.
    of_fragment: Vec<KeyId>,
    /// Data, or a new segment, has come since the last init data.
    data_came: bool,
    /// Init data names the id that means none otherwise.
    zero_is_an_id: bool,
}

impl NamedKeys {
    /// Data, or a new segment, has come: the next init data is for what comes behind it.
    pub fn on_data(&mut self) {
        self.data_came = true;
    }

    /// Takes in what init data of that origin names. `is_covered` says whether the token is for a
    /// key, `is_at_hand` whether there is no need to ask for it.
    pub fn add(
        &mut self,
        key_ids: &[KeyId],
        origin: Option<&str>,
        is_covered: impl Fn(&KeyId) -> bool,
        is_at_hand: impl Fn(&KeyId) -> bool,
    ) {
        if key_ids.is_empty() {
            return;
        }
        if std::mem::take(&mut self.data_came) {
            self.current.clear();
            self.of_fragment.clear();
        }
        let is_of_fragment = origin == Some(FRAGMENT);
        for key_id in key_ids {
            // Those that fragments name come under a key that the token is for.
            if !is_of_fragment && !is_covered(key_id) {
                continue;
            }
            remember(&mut self.current, *key_id);
            match is_of_fragment {
                true => remember(&mut self.of_fragment, *key_id),
                false => self.zero_is_an_id |= *key_id == NO_KEY_ID,
            }
            if !is_at_hand(key_id) {
                remember(&mut self.unasked, *key_id);
            }
        }
    }

    /// The id of the key that a sample of this key id needs. `None` where neither the sample nor
    /// its fragment says.
    pub fn resolve(&self, key_id: KeyId) -> Option<KeyId> {
        match (key_id, &self.of_fragment[..]) {
            (NO_KEY_ID, [only]) => Some(*only),
            (NO_KEY_ID, _) if !self.zero_is_an_id => None,
            (key_id, _) => Some(key_id),
        }
    }

    /// Whether the newest init data names it.
    pub fn is_current(&self, key_id: &KeyId) -> bool {
        self.current.contains(key_id)
    }

    /// Whether a key is to be asked for now. `is_covered` says whether the token is for it.
    pub fn has_unasked(&self, is_covered: impl Fn(&KeyId) -> bool) -> bool {
        let mut unasked = self.unasked.iter();
        unasked.any(|key_id| is_covered(key_id) || self.of_fragment.contains(key_id))
    }

    /// Those keys, the newest last.
    pub fn unasked(&self) -> &[KeyId] {
        &self.unasked
    }

    /// These need not be asked for.
    pub fn forget_unasked(&mut self, is_at_hand: impl Fn(&KeyId) -> bool) {
        self.unasked.retain(|key_id| !is_at_hand(key_id));
    }

    /// Those that are to be asked for now, of which `is_covered` says whether the token is for
    /// them: others that init data has named before may take another token.
    pub fn take_unasked(&mut self, is_covered: impl Fn(&KeyId) -> bool) -> Vec<KeyId> {
        let unasked = std::mem::take(&mut self.unasked);
        let is_wanted = |key_id: &KeyId| is_covered(key_id) || self.of_fragment.contains(key_id);
        let (wanted, others) = unasked.into_iter().partition(is_wanted);
        self.unasked = others;
        wanted
    }
}

fn remember(key_ids: &mut Vec<KeyId>, key_id: KeyId) {
    if !key_ids.contains(&key_id) {
        if key_ids.len() == MAX_KEY_IDS {
            key_ids.remove(0);
        }
        key_ids.push(key_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: KeyId = KeyId([1; 16]);
    const TWO: KeyId = KeyId([2; 16]);

    fn named(steps: &[(&[KeyId], Option<&str>)]) -> NamedKeys {
        let mut named = NamedKeys::default();
        for (key_ids, origin) in steps {
            named.add(key_ids, *origin, |_| true, |_| false);
        }
        named
    }

    #[test]
    fn sample_without_key_id_uses_key_of_its_fragment() {
        let fragment = Some(FRAGMENT);
        let mut named = named(&[(&[ONE], fragment)]);
        assert_eq!(named.resolve(NO_KEY_ID), Some(ONE));
        assert_eq!(named.resolve(TWO), Some(TWO));
        // The next fragment has two.
        named.on_data();
        named.add(&[ONE, TWO], fragment, |_| true, |_| false);
        assert_eq!(named.resolve(NO_KEY_ID), None);
    }

    #[test]
    fn zero_is_a_key_id_where_the_manifest_says_so() {
        assert_eq!(named(&[]).resolve(NO_KEY_ID), None);
        let named = named(&[(&[NO_KEY_ID], Some("dash/mpd"))]);
        assert_eq!(named.resolve(NO_KEY_ID), Some(NO_KEY_ID));
    }

    #[test]
    fn init_data_behind_data_replaces_what_was_before() {
        let mut named = named(&[(&[ONE], None), (&[TWO], None)]);
        assert!(named.is_current(&ONE) && named.is_current(&TWO));
        named.on_data();
        named.add(&[TWO], None, |_| true, |_| false);
        assert!(!named.is_current(&ONE) && named.is_current(&TWO));
        // Nothing that was named is forgotten before it was asked for.
        assert_eq!(named.take_unasked(|_| true), [ONE, TWO]);
        assert_eq!(named.take_unasked(|_| true), []);
    }

    #[test]
    fn only_keys_of_the_token_are_asked_for() {
        let mut named = NamedKeys::default();
        let is_covered = |key_id: &KeyId| *key_id == ONE;
        named.add(&[ONE, TWO], Some("dash/mpd"), is_covered, |_| false);
        assert_eq!(named.take_unasked(is_covered), [ONE]);
        named.add(&[TWO], Some(FRAGMENT), is_covered, |_| false);
        assert_eq!(named.take_unasked(is_covered), [TWO]);
    }

    #[test]
    fn key_at_hand_is_not_asked_for() {
        let mut named = NamedKeys::default();
        named.add(&[ONE, TWO], None, |_| true, |key_id| *key_id == ONE);
        assert!(named.is_current(&ONE));
        assert_eq!(named.take_unasked(|_| true), [TWO]);
    }

    #[test]
    fn newest_key_ids_are_kept_of_too_many() {
        let many: Vec<_> = (0..=MAX_KEY_IDS as u128)
            .map(|number| KeyId(number.to_be_bytes()))
            .collect();
        let mut named = named(&[(&many, None)]);
        assert!(!named.is_current(&many[0]) && named.is_current(&many[MAX_KEY_IDS]));
        assert_eq!(named.take_unasked(|_| true), many[1..]);
    }
}
