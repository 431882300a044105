// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys of one stream: which ones its init data names, which licenses are here, and when there
//! has to be another one.

use std::sync::Arc;
use std::time::Instant;

use super::acquisition::{LicenseAcquisition, Step};
use super::context::PollContext;
use super::held::{HeldLicense, HeldLicenses};
use super::kept;
use super::key_request::KeyRequest;
use super::named_keys::{MAX_KEY_IDS, NamedKeys};
use super::notice::LicenseNotice;
use super::owner::Owner;
use super::request::{Granted, LicenseRequest, RequestParts};
use super::servers::ManifestServers;
use super::shared_requests::forget_unused;
use super::token_store::TokenStore;
use crate::bounded_map::BoundedMap;
use crate::cenc::{ContentKey, InitData, KeyId};
use crate::error::Failure;

/// Why a sample's key is not here.
pub enum Missing {
    /// A license is under way; at the latest until then.
    Wait(Instant),
    /// The license server, or the way to it, failed.
    Failed(Failure),
    /// The license server answered and left this key out.
    NotInLicense {
        key_id: KeyId,
        /// What was wrong with a key that the license holds.
        ignored: Option<String>,
    },
    /// The sample names no key, and its fragment not exactly one.
    Unnamed,
}

/// What is asked for, and for whom.
struct Wanted {
    key_ids: Vec<KeyId>,
    owner: Owner,
}

/// A license that is under way.
type Acquisition = LicenseAcquisition<Wanted, Arc<Granted>>;

#[derive(Default)]
pub struct LicenseSession {
    named: NamedKeys,
    servers: ManifestServers,
    /// Keys that a demuxer of this process has handed over, which no license is asked for.
    private: BoundedMap<KeyId, ContentKey, MAX_KEY_IDS>,
    request: KeyRequest,
    held: HeldLicenses,
    /// What the stream waits for.
    pending: Option<Acquisition>,
    /// What comes beside the stream.
    background: Option<BackgroundRequest>,
    failed_renewals: u32,
    pause: Option<renewing::RenewalPause>,
    notices: Vec<LicenseNotice>,
    stopping: bool,
    /// Licenses go on when the stream has ended.
    keeps_licenses: bool,
}

/// A license that the stream does not wait for.
struct BackgroundRequest {
    pending: Acquisition,
    /// It is to take the place of one at hand. Otherwise it was waited for before a seek.
    is_renewal: bool,
}

impl LicenseSession {
    /// What the manifest says of license servers.
    pub fn servers_mut(&mut self) -> &mut ManifestServers {
        &mut self.servers
    }

    /// Takes in which keys a protection event of that origin names.
    pub fn add_init_data(&mut self, init_data: &InitData, origin: Option<&str>) {
        let Self {
            named,
            private,
            request,
            held,
            pending,
            ..
        } = self;
        let is_at_hand = |key_id: &KeyId| {
            let is_pending = pending
                .as_ref()
                .is_some_and(|one| one.of().key_ids.contains(key_id));
            is_pending || private.get(key_id).is_some() || held.with_key(key_id).is_some()
        };
        let is_covered = |key_id: &KeyId| request.covers(key_id);
        named.add(&init_data.key_ids, origin, is_covered, is_at_hand);
    }

    /// Takes keys that a demuxer of this process hands over. Of one key id the newest counts.
    pub fn add_private(&mut self, keys: Vec<(KeyId, ContentKey)>) {
        for (key_id, key) in keys {
            self.private.insert(key_id, key);
        }
    }

    /// What comes now is no part of what came before: a seek may have taken the data away that
    /// stood between one fragment and another.
    pub fn begin_segment(&mut self) {
        self.named.on_data();
    }

    /// A sample has come that needs no key.
    pub fn on_clear_sample(&mut self) {
        self.named.on_data();
    }

    /// What `sessiontoken` wants on license requests from now on, as an event of that origin says.
    pub fn set_key_request(&mut self, request: Option<KeyRequest>, origin: Option<&str>) {
        self.request.take_event(request, origin);
    }

    /// The element is about to stop. Gives the store, to be told that nobody waits for another
    /// token any more.
    pub fn stop(&mut self) -> Option<Arc<dyn TokenStore>> {
        self.stopping = true;
        self.request.store().cloned()
    }

    /// What the application has not been told yet.
    pub fn take_notices(&mut self) -> Vec<LicenseNotice> {
        std::mem::take(&mut self.notices)
    }

    /// The key, if it is here.
    pub fn get(&self, key_id: KeyId) -> Option<ContentKey> {
        if let Some(key) = self.private.get(&key_id) {
            return Some(key.clone());
        }
        let key_id = self.named.resolve(key_id)?;
        self.held.with_key(&key_id)?.key(&key_id).cloned()
    }

    /// A sample that needs this key has come. The key, if it is here for good, so that there is no
    /// need to look at the clock.
    pub fn settled(&mut self, key_id: KeyId) -> Option<ContentKey> {
        self.named.on_data();
        self.request.on_sample();
        if let Some(key) = self.private.get(&key_id) {
            return Some(key.clone());
        }
        let key_id = self.named.resolve(key_id)?;
        let held = self.held.with_key(&key_id)?;
        let key = held.key(&key_id)?;
        held.validity_of(&key_id).is_endless().then(|| key.clone())
    }

    /// Gets a key here that is missing or whose license has ended. Asks for all keys that were
    /// named and not asked for. A license that is close to its end is asked for anew beside the
    /// stream, which goes on.
    pub fn obtain(&mut self, key_id: KeyId, context: &PollContext) -> Result<(), Missing> {
        let key_id = self.named.resolve(key_id).ok_or(Missing::Unnamed)?;
        self.take_kept(&key_id, context);
        let Some(held) = self.held.with_key(&key_id) else {
            return self.fetch(key_id, &[key_id], context);
        };
        let validity = *held.validity_of(&key_id);
        if validity.is_valid(context.now) && !validity.is_stale(context.now) {
            return Ok(());
        }
        // With those that came with it and are in use too, but for keys that are no longer.
        let is_wanted = |one: &&KeyId| **one == key_id || self.named.is_current(one);
        let mut again: Vec<_> = held.key_ids.iter().filter(is_wanted).copied().collect();
        if !again.contains(&key_id) {
            // It came without having been asked for.
            again.push(key_id);
        }
        if validity.is_valid(context.now) {
            self.renew(key_id, &again, context);
            return Ok(());
        }
        self.held.drop_ended(&key_id, context.now);
        self.fetch(key_id, &again, context)
    }

    /// Gets a key here that the stream waits for, and these with it.
    fn fetch(
        &mut self,
        key_id: KeyId,
        with: &[KeyId],
        context: &PollContext,
    ) -> Result<(), Missing> {
        let is_for_it = |pending: &mut Acquisition| pending.of().key_ids.contains(&key_id);
        let mut waited_for = self.pending.take_if(is_for_it);
        let background = self
            .background
            .take_if(|one| waited_for.is_none() && one.pending.of().key_ids.contains(&key_id));
        if let Some(pending) = self.pending.take() {
            // Somebody may seek back to it.
            self.background.get_or_insert(BackgroundRequest {
                pending,
                is_renewal: false,
            });
        }
        if let Some(BackgroundRequest { pending, .. }) = background {
            waited_for = match self.drive(pending, false, context) {
                Driven::Waits(pending) => Some(pending),
                // It may have failed long ago, while nobody looked.
                Driven::Failed(_) => None,
                Driven::Granted => return self.granted(key_id),
            };
        }
        let pending = match waited_for {
            Some(pending) => pending,
            None => self.begin(with, context).map_err(Missing::Failed)?,
        };
        match self.drive(pending, false, context) {
            Driven::Waits(pending) => {
                let until = pending.until();
                self.pending = Some(pending);
                Err(Missing::Wait(until))
            }
            Driven::Failed(failure) => Err(Missing::Failed(failure)),
            Driven::Granted => self.granted(key_id),
        }
    }

    /// A license has come that the stream waited for, for that key.
    fn granted(&mut self, key_id: KeyId) -> Result<(), Missing> {
        if self.held.with_key(&key_id).is_some() {
            self.renewals_may_go_on();
            return Ok(());
        }
        let newest = self.held.newest();
        let ignored = newest.and_then(|held| held.granted.license.ignored.clone());
        Err(Missing::NotInLicense { key_id, ignored })
    }

    /// Takes what is under way as far as it goes.
    fn drive(
        &mut self,
        mut pending: Acquisition,
        is_renewal: bool,
        context: &PollContext,
    ) -> Driven {
        // Each turn is an answer of the license server's or of the store's, and the store gives up
        // after some.
        loop {
            pending = match pending.step(&mut self.request, self.stopping, context.waiting()) {
                Step::Wait(pending) => return Driven::Waits(pending),
                Step::Refused(pending) => pending,
                Step::AnotherToken(wanted) => match self.begin(&wanted.key_ids, context) {
                    Ok(pending) => pending,
                    Err(failure) => return Driven::Failed(failure),
                },
                Step::Granted {
                    granted,
                    result,
                    of: Wanted { key_ids, owner },
                    is_shared,
                } => {
                    let held = HeldLicense::new(granted, key_ids, owner, result);
                    self.held.insert(held);
                    self.note_grant(is_shared, is_renewal);
                    return Driven::Granted;
                }
                Step::Failed(failure) => return Driven::Failed(failure),
            };
        }
    }

    fn note_grant(&mut self, is_shared: bool, is_renewal: bool) {
        if let Some(held) = self.held.newest()
            // One without a key is told of as what it is: a failed renewal, or an error.
            && !held.granted.license.keys.is_empty()
        {
            self.notices.push(LicenseNotice::Granted {
                granted: held.granted.clone(),
                is_shared,
                is_renewal,
            });
        }
    }

    /// Asks for all keys that were named and not asked for, and for these `again`.
    fn begin(&mut self, again: &[KeyId], context: &PollContext) -> Result<Acquisition, Failure> {
        let policy = context.policy;
        let urls = self.servers.endpoints(policy)?;
        let mut key_ids = self
            .named
            .take_unasked(|key_id| self.request.covers(key_id));
        key_ids.extend_from_slice(again);
        key_ids.sort_unstable();
        key_ids.dedup();
        let is_valid = self.request.use_newest_token();
        let mut wanted = Wanted {
            key_ids,
            owner: self.owner(urls.clone()),
        };
        if !is_valid {
            match LicenseAcquisition::token(wanted, &self.request, context.waiting()) {
                Ok(pending) => return Ok(pending),
                Err(back) => wanted = back,
            }
        }
        let order = LicenseRequest {
            key_ids: wanted.key_ids.clone(),
            parts: RequestParts::new(urls, &self.request, policy),
        };
        let ours = self.held.results();
        let result = context.fetcher.request(order, &ours, context);
        Ok(LicenseAcquisition::license(
            wanted,
            &self.request,
            result,
            context.waiting(),
        ))
    }
}

/// How far it went.
enum Driven {
    Waits(Acquisition),
    Granted,
    Failed(Failure),
}

impl Drop for LicenseSession {
    fn drop(&mut self) {
        let held = self.held.take();
        if self.keeps_licenses {
            held.into_iter().for_each(kept::keep);
        }
        self.pending = None;
        self.background = None;
        forget_unused();
    }
}

mod ahead;
mod renewing;
#[cfg(test)]
mod tests;
