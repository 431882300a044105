// SPDX-License-Identifier: MIT OR Apache-2.0

//! What `sessiontoken` wants on license requests, and how that changes with the token.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::key_request_fields::KeyRequestFields;
use super::named_keys::FRAGMENT;
use super::token_store::TokenStore;
use crate::cenc::KeyId;
use crate::token::{Secret, lineage};

#[derive(Clone, Default)]
pub struct KeyRequest {
    fields: KeyRequestFields,
    /// Those that the token is for, where the others may need another one.
    key_ids: Option<BTreeSet<KeyId>>,
    /// Where there are newer ones.
    store: Option<Arc<dyn TokenStore>>,
    /// Data has come since that was brought.
    is_past: bool,
}

impl KeyRequest {
    /// What an event brought. The store is as the last tune left it.
    pub fn new(
        fields: KeyRequestFields,
        key_ids: Option<BTreeSet<KeyId>>,
        store: Option<Arc<dyn TokenStore>>,
    ) -> Self {
        if let Some(store) = &store {
            store.set_flushing(false);
        }
        Self {
            fields,
            key_ids,
            store,
            is_past: false,
        }
    }

    /// Takes what an event of that origin brings. Where the events that come after data bring
    /// nothing of that kind, what those before it brought is for other content.
    pub fn take_event(&mut self, brought: Option<Self>, origin: Option<&str>) {
        match brought {
            Some(request) => *self = request,
            None if self.is_past && origin != Some(FRAGMENT) => *self = Self::default(),
            None => {}
        }
    }

    /// A sample has come that needs a key.
    pub fn on_sample(&mut self) {
        self.is_past = true;
    }

    pub fn headers(&self) -> &[(String, Secret)] {
        &self.fields.headers
    }

    pub fn query(&self) -> Option<&Secret> {
        self.fields.query.as_ref()
    }

    pub fn custom_data(&self) -> Option<&Secret> {
        self.fields.custom_data.as_ref()
    }

    pub fn token(&self) -> Option<&Secret> {
        self.fields.token.as_ref()
    }

    /// Whose token it is: the same for all tokens of one login, 0 where there is none.
    pub fn account(&self) -> u32 {
        match (self.fields.generation, &self.fields.token) {
            // Of another element's making: its text is all that tells it from others.
            (0, Some(token)) => {
                let mut hasher = DefaultHasher::new();
                token.hash(&mut hasher);
                1 << 31 | hasher.finish() as u32
            }
            (generation, _) => lineage(generation),
        }
    }

    pub fn generation(&self) -> u32 {
        self.fields.generation
    }

    /// Whether a license for that key may be asked for with this token, and together with others.
    pub fn covers(&self, key_id: &KeyId) -> bool {
        let listed = self.key_ids.as_ref();
        listed.is_none_or(|key_ids| key_ids.contains(key_id))
    }

    pub fn store(&self) -> Option<&Arc<dyn TokenStore>> {
        self.store.as_ref()
    }

    /// Goes on with another token.
    pub fn renew(&mut self, fields: KeyRequestFields) {
        self.fields = fields;
    }

    /// Takes the newest token: the one of the last event may have been replaced since, ahead of its
    /// end. `false` where that is not valid any more, and there is no other: it has ended, or
    /// somebody has logged out.
    pub fn use_newest_token(&mut self) -> bool {
        let Some(store) = self.store.as_ref().filter(|_| self.fields.token.is_some()) else {
            return true;
        };
        match store.newest_of(self.fields.generation) {
            Some(newest) => {
                self.renew(newest);
                true
            }
            None => false,
        }
    }
}
