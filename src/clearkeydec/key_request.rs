// SPDX-License-Identifier: MIT OR Apache-2.0

//! What `sessiontoken` wants on license requests, and how that changes with the token.

use std::collections::BTreeSet;

use crate::cenc::KeyId;
use crate::secret::Secret;
use crate::sessiontoken::key_request;

use super::token_store::TokenStore;

#[derive(Default)]
pub struct KeyRequest {
    headers: Vec<(String, Secret)>,
    /// The session token that stands in them.
    token: Option<Secret>,
    generation: u32,
    /// Those that the token is for, where the others may need another one.
    key_ids: Option<BTreeSet<KeyId>>,
    /// Where there are newer ones.
    store: Option<TokenStore>,
}

impl KeyRequest {
    /// The one on a protection event, if there is one. To be called without a lock held.
    pub fn of(event: &gst::event::Protection, sinkpad: &gst::Pad) -> Option<Self> {
        let request = key_request::find(event)?;
        Some(Self {
            headers: key_request::headers(&request),
            token: key_request::token(&request),
            generation: request.get("generation").unwrap_or(0),
            key_ids: key_request::key_ids(&request),
            store: TokenStore::find(sinkpad),
        })
    }

    pub fn headers(&self) -> &[(String, Secret)] {
        &self.headers
    }

    pub fn token(&self) -> Option<&Secret> {
        self.token.as_ref()
    }

    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether a license for that key may be asked for with this token, and together with others.
    pub fn covers(&self, key_id: &KeyId) -> bool {
        let listed = self.key_ids.as_ref();
        listed.is_none_or(|key_ids| key_ids.contains(key_id))
    }

    pub fn store(&self) -> Option<&TokenStore> {
        self.store.as_ref()
    }

    /// Puts another token in the place of the old one.
    pub fn renew(&mut self, token: Secret, generation: u32) {
        if let Some(old) = self.token.replace(token.clone()) {
            for (_, value) in &mut self.headers {
                *value = Secret::new(value.expose().replace(old.expose(), token.expose()));
            }
        }
        self.generation = generation;
    }

    /// Takes the newest token: the one of the last event may have been replaced since, ahead of its end.
    pub fn use_newest_token(&mut self) {
        let newest = |store: &TokenStore| store.newest_of(self.generation);
        if let Some((token, generation)) = self.store.as_ref().and_then(newest)
            && generation > self.generation
        {
            self.renew(token, generation);
        }
    }
}
