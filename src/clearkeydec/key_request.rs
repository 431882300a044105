// SPDX-License-Identifier: MIT OR Apache-2.0

//! What `sessiontoken` wants on license requests, and how that changes with the token.

use std::collections::BTreeSet;

use crate::cenc::KeyId;
use crate::sessiontoken::key_request_meta::{self, KeyRequestFields};
use crate::token::Secret;

use super::token_store::TokenStore;

#[derive(Default)]
pub struct KeyRequest {
    fields: KeyRequestFields,
    /// Those that the token is for, where the others may need another one.
    key_ids: Option<BTreeSet<KeyId>>,
    /// Where there are newer ones.
    store: Option<TokenStore>,
}

impl KeyRequest {
    /// The one on a protection event, if there is one. To be called without a lock held.
    pub fn of(event: &gst::event::Protection, sinkpad: &gst::Pad) -> Option<Self> {
        let request = key_request_meta::find(event)?;
        let store = TokenStore::find(sinkpad);
        if let Some(store) = &store {
            // It is as the last tune left it.
            store.set_flushing(false);
        }
        Some(Self {
            fields: KeyRequestFields::read(&request),
            key_ids: key_request_meta::key_ids(&request),
            store,
        })
    }

    pub fn headers(&self) -> &[(String, Secret)] {
        &self.fields.headers
    }

    pub fn token(&self) -> Option<&Secret> {
        self.fields.token.as_ref()
    }

    pub fn generation(&self) -> u32 {
        self.fields.generation
    }

    /// Whether a license for that key may be asked for with this token, and together with others.
    pub fn covers(&self, key_id: &KeyId) -> bool {
        let listed = self.key_ids.as_ref();
        listed.is_none_or(|key_ids| key_ids.contains(key_id))
    }

    pub fn store(&self) -> Option<&TokenStore> {
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
