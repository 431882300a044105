// SPDX-License-Identifier: MIT OR Apache-2.0

//! Licenses before their first sample: asked for when a key is named, or left by an earlier stream.

use super::super::context::PollContext;
use super::super::kept;
use super::super::owner::Owner;
use super::LicenseSession;
use crate::cenc::KeyId;
use crate::http::Endpoint;
use crate::token::logouts;

impl LicenseSession {
    /// Asks for what has been named, where it is known whom, so that the license is under way when
    /// the first sample comes. What stands in the way is told of then.
    pub fn ask_ahead(&mut self, context: &PollContext) {
        let is_known = self.servers.endpoints(context.policy).is_ok();
        if self.pending.is_some() || !is_known || self.named.unasked().is_empty() {
            return;
        }
        for key_id in self.named.unasked().to_vec() {
            self.take_kept(&key_id, context);
        }
        let Self {
            named,
            held,
            request,
            ..
        } = self;
        named.forget_unasked(|key_id| held.with_key(key_id).is_some());
        if named.has_unasked(|key_id| request.covers(key_id)) {
            self.pending = self.begin(&[], context).ok();
        }
    }

    /// Takes a license that a stream of before has left, if it has this key.
    pub(super) fn take_kept(&mut self, key_id: &KeyId, context: &PollContext) {
        self.keeps_licenses = context.policy.keep_licenses;
        if !self.keeps_licenses || self.held.with_key(key_id).is_some() {
            return;
        }
        let Ok(urls) = self.servers.endpoints(context.policy) else {
            return;
        };
        if let Some(license) = kept::find(&self.owner(urls), key_id, context.now) {
            self.held.insert(license);
            self.note_grant(true, false);
        }
    }

    pub(super) fn owner(&self, urls: Vec<Endpoint>) -> Owner {
        Owner {
            account: self.request.account(),
            urls,
            logouts: logouts(),
        }
    }
}
