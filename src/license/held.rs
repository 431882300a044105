// SPDX-License-Identifier: MIT OR Apache-2.0

//! The licenses that a stream has.

use std::sync::Arc;

use super::owner::Owner;
use super::request::{Granted, LicenseResult};
use crate::cenc::{ContentKey, KeyId};
use crate::shared_result::SharedResult;
use crate::token::{ClockReading, Validity};

/// Licenses that a stream keeps. With keys that change every ten seconds they reach back ten
/// minutes, as far as a viewer is likely to seek; older ones are asked for again.
const MAX_LICENSES: usize = 64;

/// A license that has come.
pub struct HeldLicense {
    pub granted: Arc<Granted>,
    /// All that were asked for with it, whether it has them or not.
    pub key_ids: Vec<KeyId>,
    pub owner: Owner,
    /// Keys that nobody asked for and that have ended since.
    ended: Vec<KeyId>,
    /// As long as we have that, other decryptors share the license.
    result: Arc<SharedResult<LicenseResult>>,
}

impl HeldLicense {
    pub fn new(
        granted: Arc<Granted>,
        key_ids: Vec<KeyId>,
        owner: Owner,
        result: Arc<SharedResult<LicenseResult>>,
    ) -> Self {
        Self {
            granted,
            key_ids,
            owner,
            ended: Vec::new(),
            result,
        }
    }

    pub fn key(&self, key_id: &KeyId) -> Option<&ContentKey> {
        let key = self.granted.license.keys.get(key_id);
        key.filter(|_| !self.ended.contains(key_id))
    }

    fn has(&self, key_id: &KeyId) -> bool {
        self.key(key_id).is_some()
    }

    pub fn validity_of(&self, key_id: &KeyId) -> &Validity {
        self.granted.validity_of(key_id)
    }
}

/// The newest last.
#[derive(Default)]
pub struct HeldLicenses(Vec<HeldLicense>);

impl HeldLicenses {
    /// The newest with that key.
    pub fn with_key(&self, key_id: &KeyId) -> Option<&HeldLicense> {
        self.0.iter().rev().find(|held| held.has(key_id))
    }

    pub fn newest(&self) -> Option<&HeldLicense> {
        self.0.last()
    }

    /// Takes one in the place of those all of whose keys it has.
    pub fn insert(&mut self, new: HeldLicense) {
        let is_replaced = |old: &HeldLicense| {
            let mut keys = old.granted.license.keys.keys();
            keys.all(|key_id| new.has(key_id))
        };
        self.0.retain(|old| !is_replaced(old));
        if self.0.len() == MAX_LICENSES {
            self.0.remove(0);
        }
        self.0.push(new);
    }

    /// Drops what has ended, of which the key is wanted.
    pub fn drop_ended(&mut self, key_id: &KeyId, now: ClockReading) {
        self.0.retain(|held| held.granted.validity().is_valid(now));
        for held in &mut self.0 {
            let has_ended = !held.granted.validity_of(key_id).is_valid(now);
            if has_ended && held.has(key_id) {
                held.ended.push(*key_id);
            }
        }
    }

    pub fn results(&self) -> Vec<Arc<SharedResult<LicenseResult>>> {
        self.0.iter().map(|held| held.result.clone()).collect()
    }

    /// Gives all of them away.
    pub fn take(&mut self) -> Vec<HeldLicense> {
        std::mem::take(&mut self.0)
    }
}
