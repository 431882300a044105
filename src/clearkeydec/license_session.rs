// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys of one stream: which ones its init data names, which licenses are here, and when there has to be another one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::cenc::{ContentKey, InitData, KeyId};
use crate::error::Failure;
use crate::session::pause_after;
use crate::shared_result::SharedResult;

use super::key_request::KeyRequest;
use super::license_acquisition::{LicenseAcquisition, Step};
use super::license_notice::LicenseNotice;
use super::license_servers::ManifestServers;
use super::licenses::{Granted, LicenseRequest, LicenseResult, forget_unused};
use super::poll_context::PollContext;
use super::token_store::TokenStore;

/// Key ids that a stream may name before it is taken for an attack; a license request for all of
/// them is still below 8 KiB.
const MAX_KEY_IDS: usize = 256;

/// Licenses that a stream keeps. With keys that change every ten seconds they reach back ten minutes, as far as a
/// viewer is likely to seek; older ones are asked for again.
const MAX_LICENSES: usize = 64;

/// Origin of the protection events that come from a fragment (`qtdemux.c`).
const FRAGMENT: &str = "isobmff/moof";

/// What a track whose keys change has as its default key id: the samples' own stand in sample groups of the type `seig`
/// (ISO/IEC 23001-7, 6), which qtdemux does not read.
const NO_KEY_ID: KeyId = KeyId([0; 16]);

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

#[derive(Default)]
pub struct LicenseSession {
    /// Key ids that the init data names and that have not been asked for, the newest last.
    named: Vec<KeyId>,
    /// All that the newest init data names: that between which no data came.
    current: Vec<KeyId>,
    /// Those of them that come from the newest fragment.
    of_fragment: Vec<KeyId>,
    /// Data, or a new segment, has come since the last init data.
    data_came: bool,
    /// Init data names the id that means none otherwise.
    zero_is_an_id: bool,
    servers: ManifestServers,
    /// Keys that a demuxer of this process has handed over, which no license is asked for.
    private: HashMap<KeyId, ContentKey>,
    request: KeyRequest,
    /// Data has come since that was brought.
    request_is_past: bool,
    /// The newest last.
    held: Vec<HeldLicense>,
    /// What the stream waits for.
    pending: Option<LicenseAcquisition>,
    /// What comes beside the stream.
    background: Option<BackgroundRequest>,
    failed_renewals: u32,
    /// Until then no license is asked for ahead of another one's end.
    pause: Option<Instant>,
    notices: Vec<LicenseNotice>,
    stopping: bool,
}

/// A license that the stream does not wait for.
struct BackgroundRequest {
    pending: LicenseAcquisition,
    /// It is to take the place of one at hand. Otherwise it was waited for before a seek.
    is_renewal: bool,
}

/// A license that has come.
struct HeldLicense {
    granted: Arc<Granted>,
    /// All that were asked for with it, whether it has them or not.
    key_ids: Vec<KeyId>,
    /// Keys that nobody asked for and that have ended since.
    ended: Vec<KeyId>,
    /// As long as we have that, other decryptors share the license.
    result: Arc<SharedResult<LicenseResult>>,
}

impl HeldLicense {
    fn has(&self, key_id: &KeyId) -> bool {
        self.granted.license.keys.contains_key(key_id) && !self.ended.contains(key_id)
    }
}

impl LicenseSession {
    /// What the manifest says of license servers.
    pub fn servers_mut(&mut self) -> &mut ManifestServers {
        &mut self.servers
    }

    /// Takes in what a protection event of that origin says.
    pub fn add_init_data(&mut self, init_data: InitData, origin: Option<&str>) {
        if init_data.key_ids.is_empty() {
            return;
        }
        if std::mem::take(&mut self.data_came) {
            self.current.clear();
            self.of_fragment.clear();
        }
        for key_id in init_data.key_ids {
            // Those that fragments name come under a key that the token is for.
            if origin != Some(FRAGMENT) && !self.request.covers(&key_id) {
                continue;
            }
            remember(&mut self.current, key_id);
            match origin {
                Some(FRAGMENT) => remember(&mut self.of_fragment, key_id),
                _ => self.zero_is_an_id |= key_id == NO_KEY_ID,
            }
            let is_pending = |pending: &LicenseAcquisition| pending.is_for(&key_id);
            if self.held_for(&key_id).is_none() && !self.pending.as_ref().is_some_and(is_pending) {
                remember(&mut self.named, key_id);
            }
        }
    }

    /// Takes keys that a demuxer of this process hands over. Of one key id the newest counts.
    pub fn add_private(&mut self, keys: Vec<(KeyId, ContentKey)>) {
        for (key_id, key) in keys {
            if self.private.len() < MAX_KEY_IDS || self.private.contains_key(&key_id) {
                self.private.insert(key_id, key);
            }
        }
    }

    /// What comes now is no part of what came before: a seek may have taken the data away that stood between one fragment and another.
    pub fn begin_segment(&mut self) {
        self.data_came = true;
    }

    /// A sample has come that needs no key.
    pub fn on_clear_sample(&mut self) {
        self.data_came = true;
    }

    /// What `sessiontoken` wants on license requests from now on, as an event of that origin says. Where the events that come after data bring nothing of
    /// that kind, what those before it brought is for other content.
    pub fn set_key_request(&mut self, request: Option<KeyRequest>, origin: Option<&str>) {
        match request {
            Some(request) => {
                self.request = request;
                self.request_is_past = false;
            }
            None if self.request_is_past && origin != Some(FRAGMENT) => {
                self.request = KeyRequest::default();
            }
            None => {}
        }
    }

    /// The element is about to stop. Gives the store, to be told that nobody waits for another token any more.
    pub fn stop(&mut self) -> Option<TokenStore> {
        self.stopping = true;
        self.request.store().cloned()
    }

    /// What the application has not been told yet.
    pub fn take_notices(&mut self) -> Vec<LicenseNotice> {
        std::mem::take(&mut self.notices)
    }

    /// The id of the key that a sample of this key id needs.
    fn resolve_key_id(&self, key_id: KeyId) -> Option<KeyId> {
        match (key_id, &self.of_fragment[..]) {
            (NO_KEY_ID, [only]) => Some(*only),
            (NO_KEY_ID, _) if !self.zero_is_an_id => None,
            (key_id, _) => Some(key_id),
        }
    }

    fn held_for(&self, key_id: &KeyId) -> Option<&HeldLicense> {
        self.held.iter().rev().find(|held| held.has(key_id))
    }

    /// The key, if it is here.
    pub fn get(&self, key_id: KeyId) -> Option<&ContentKey> {
        if let Some(key) = self.private.get(&key_id) {
            return Some(key);
        }
        let key_id = self.resolve_key_id(key_id)?;
        let held = self.held_for(&key_id)?;
        held.granted.license.keys.get(&key_id)
    }

    /// A sample that needs this key has come. Whether the key is here for good, so that there is no need to look at the clock.
    pub fn is_settled(&mut self, key_id: KeyId) -> bool {
        self.data_came = true;
        self.request_is_past = true;
        if self.private.contains_key(&key_id) {
            return true;
        }
        self.resolve_key_id(key_id)
            .and_then(|key_id| Some((key_id, self.held_for(&key_id)?)))
            .is_some_and(|(key_id, held)| held.granted.validity_of(&key_id).is_endless())
    }

    /// Gets a key here that is missing or whose license has ended. Asks for all keys that were named and not asked for. A license that is
    /// close to its end is asked for anew beside the stream, which goes on.
    pub fn obtain(&mut self, key_id: KeyId, context: &PollContext) -> Result<(), Missing> {
        let key_id = self.resolve_key_id(key_id).ok_or(Missing::Unnamed)?;
        let Some(held) = self.held_for(&key_id) else {
            return self.fetch(key_id, &[key_id], context);
        };
        let validity = *held.granted.validity_of(&key_id);
        if validity.is_valid(context.now) && !validity.is_stale(context.now) {
            return Ok(());
        }
        // With those that came with it and are in use too, but for keys that are no longer.
        let is_wanted = |one: &&KeyId| **one == key_id || self.current.contains(one);
        let mut again: Vec<_> = held.key_ids.iter().filter(is_wanted).copied().collect();
        if !again.contains(&key_id) {
            // It came without having been asked for.
            again.push(key_id);
        }
        if validity.is_valid(context.now) {
            self.renew(key_id, &again, context);
            return Ok(());
        }
        self.held
            .retain(|held| held.granted.validity().is_valid(context.now));
        for held in &mut self.held {
            let has_ended = !held.granted.validity_of(&key_id).is_valid(context.now);
            if has_ended && held.has(&key_id) {
                held.ended.push(key_id);
            }
        }
        self.fetch(key_id, &again, context)
    }

    /// Gets a key here that the stream waits for, and these with it.
    fn fetch(
        &mut self,
        key_id: KeyId,
        with: &[KeyId],
        context: &PollContext,
    ) -> Result<(), Missing> {
        let is_for_it = |pending: &mut LicenseAcquisition| pending.is_for(&key_id);
        let waited_for = self.pending.take_if(is_for_it).or_else(|| {
            let background = self
                .background
                .take_if(|background| background.pending.is_for(&key_id));
            background.map(|background| background.pending)
        });
        if let Some(pending) = self.pending.take() {
            // Somebody may seek back to it.
            self.background.get_or_insert(BackgroundRequest {
                pending,
                is_renewal: false,
            });
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
            Driven::Granted if self.held_for(&key_id).is_none() => {
                let newest = self.held.last();
                let ignored = newest.and_then(|held| held.granted.license.ignored.clone());
                Err(Missing::NotInLicense { key_id, ignored })
            }
            Driven::Granted => {
                self.renewals_may_go_on();
                Ok(())
            }
        }
    }

    /// Does what can be done now for another license. Whatever comes of it, the one at hand is still good.
    fn renew(&mut self, key_id: KeyId, again: &[KeyId], context: &PollContext) {
        let BackgroundRequest {
            pending,
            is_renewal,
        } = match self.background.take() {
            Some(beside) => beside,
            None if self.pause.is_some_and(|until| context.now.steady < until) => return,
            None => match self.begin(again, context) {
                Ok(pending) => BackgroundRequest {
                    pending,
                    is_renewal: true,
                },
                Err(failure) => return self.renewal_failed(failure, context),
            },
        };
        let is_for_it = pending.is_for(&key_id);
        match self.drive(pending, is_renewal, context) {
            Driven::Waits(pending) => {
                self.background = Some(BackgroundRequest {
                    pending,
                    is_renewal,
                });
            }
            Driven::Failed(failure) if is_renewal => self.renewal_failed(failure, context),
            Driven::Granted if is_for_it => {
                let is_stale =
                    |held: &HeldLicense| held.granted.validity_of(&key_id).is_stale(context.now);
                if self.held_for(&key_id).is_some_and(is_stale) {
                    let left_out = format!("the license server left out the key id {key_id}");
                    self.renewal_failed(Failure::denied(left_out), context);
                } else {
                    self.renewals_may_go_on();
                }
            }
            Driven::Granted | Driven::Failed(_) => {}
        }
    }

    fn renewals_may_go_on(&mut self) {
        self.failed_renewals = 0;
        self.pause = None;
    }

    fn renewal_failed(&mut self, failure: Failure, context: &PollContext) {
        self.failed_renewals = self.failed_renewals.saturating_add(1);
        let pause = pause_after(&failure, self.failed_renewals);
        self.pause = context.now.steady.checked_add(pause);
        self.notices.push(LicenseNotice::RenewalFailed(failure));
    }

    /// Takes what is under way as far as it goes.
    fn drive(
        &mut self,
        mut pending: LicenseAcquisition,
        is_renewal: bool,
        context: &PollContext,
    ) -> Driven {
        // Each turn is an answer of the license server's or of the store's, and the store gives up after some.
        loop {
            pending = match pending.step(&mut self.request, self.stopping, context) {
                Step::Wait(pending) => return Driven::Waits(pending),
                Step::Refused(pending) => pending,
                Step::AnotherToken(key_ids) => match self.begin(&key_ids, context) {
                    Ok(pending) => pending,
                    Err(failure) => return Driven::Failed(failure),
                },
                Step::Granted {
                    granted,
                    result,
                    key_ids,
                    is_shared,
                } => {
                    self.take(granted, result, key_ids);
                    self.note_grant(is_shared, is_renewal);
                    return Driven::Granted;
                }
                Step::Failed(failure) => return Driven::Failed(failure),
            };
        }
    }

    fn take(
        &mut self,
        granted: Arc<Granted>,
        result: Arc<SharedResult<LicenseResult>>,
        key_ids: Vec<KeyId>,
    ) {
        let new = HeldLicense {
            granted,
            key_ids,
            ended: Vec::new(),
            result,
        };
        let is_replaced = |old: &HeldLicense| {
            let mut keys = old.granted.license.keys.keys();
            keys.all(|key_id| new.has(key_id))
        };
        self.held.retain(|old| !is_replaced(old));
        if self.held.len() == MAX_LICENSES {
            self.held.remove(0);
        }
        self.held.push(new);
    }

    fn note_grant(&mut self, is_shared: bool, is_renewal: bool) {
        if let Some(held) = self.held.last()
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
    fn begin(
        &mut self,
        again: &[KeyId],
        context: &PollContext,
    ) -> Result<LicenseAcquisition, Failure> {
        let policy = context.policy;
        let urls = self.servers.endpoints(policy)?;
        let (request, of_fragment) = (&self.request, &self.of_fragment);
        let is_covered = |key_id: &KeyId| request.covers(key_id) || of_fragment.contains(key_id);
        // Others that init data has named before may take another token.
        let named = self.named.drain(..).filter(is_covered);
        let mut key_ids: Vec<_> = named.chain(again.iter().copied()).collect();
        key_ids.sort_unstable();
        key_ids.dedup();
        if !self.request.use_newest_token()
            && let Some(pending) = LicenseAcquisition::token(&key_ids, &self.request, context)
        {
            return Ok(pending);
        }
        let ours: Vec<_> = self.held.iter().map(|held| held.result.clone()).collect();
        Ok(LicenseAcquisition::license(
            LicenseRequest {
                key_ids,
                headers: self.request.headers().to_vec(),
                token_hosts: policy.token_hosts(&urls),
                allow_cleartext: policy.allow_cleartext,
                token: self.request.token().cloned(),
                tls: policy.tls.clone(),
                urls,
            },
            &ours,
            context,
        ))
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

/// How far it went.
enum Driven {
    Waits(LicenseAcquisition),
    Granted,
    Failed(Failure),
}

impl Drop for LicenseSession {
    fn drop(&mut self) {
        self.held.clear();
        self.pending = None;
        self.background = None;
        forget_unused();
    }
}
