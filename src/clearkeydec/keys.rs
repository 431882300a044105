// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys of one stream: which ones its init data names, which licences are here, and when there has to be another one.

use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::cenc::{ContentKey, InitData, KeyId};
use crate::chance::chance;
use crate::failure::Failure;
use crate::flight::{Flight, Wake};
use crate::http::Endpoint;
use crate::session::{Moment, backoff};

use super::key_request::KeyRequest;
use super::licences::{Granted, Order, Outcome, forget_unused};
use super::pending::{Pending, Step};
use super::settings::Policy;
use super::telling::News;
use super::token_store::TokenStore;

/// Key ids that a stream may name before it is taken for an attack; a licence request for all of
/// them is still below 8 KiB.
const MAX_KEY_IDS: usize = 256;

/// Licences that a stream keeps. With keys that change every ten seconds they reach back ten minutes, as far as a
/// viewer is likely to seek; older ones are asked for again.
const MAX_LICENCES: usize = 64;

/// Origin of the protection events that come from a fragment (`qtdemux.c`).
const FRAGMENT: &str = "isobmff/moof";

/// What a track whose keys change has as its default key id: the samples' own stand in sample groups of the type `seig`
/// (ISO/IEC 23001-7, 6), which qtdemux does not read.
const NO_KEY_ID: KeyId = KeyId([0; 16]);

/// Why a sample's key is not here.
pub enum Missing {
    /// A licence is under way; at the latest until then.
    Wait(Instant),
    /// The licence server, or the way to it, failed.
    Failed(Failure),
    /// The licence server answered and left this key out.
    NotInLicence(KeyId),
    /// The sample names no key, and its fragment not exactly one.
    Unnamed,
}

/// What it takes to get a key.
pub struct Means<'a> {
    pub policy: &'a Policy,
    /// Woken when there is something new.
    pub waiter: &'a Weak<dyn Wake>,
    pub now: Moment,
}

#[derive(Default)]
pub struct Keys {
    /// Key ids that have not been asked for, the newest last.
    named: Vec<KeyId>,
    /// The only one that the newest fragment names.
    of_fragment: Option<KeyId>,
    licence_url: Option<String>,
    request: KeyRequest,
    /// The newest last.
    held: Vec<Held>,
    pending: Option<Pending>,
    failed_renewals: u32,
    /// Until then no licence is asked for ahead of another one's end.
    pause: Option<Instant>,
    news: Vec<News>,
    stopping: bool,
}

/// A licence that has come.
struct Held {
    granted: Arc<Granted>,
    /// All that were asked for with it, whether it has them or not.
    key_ids: Vec<KeyId>,
    /// As long as we have that, other decryptors share the licence.
    flight: Arc<Flight<Outcome>>,
}

impl Held {
    fn has(&self, key_id: &KeyId) -> bool {
        self.granted.licence.keys.contains_key(key_id)
    }
}

impl Keys {
    /// Takes in what a protection event of that origin says.
    pub fn learn(&mut self, init_data: InitData, origin: Option<&str>) {
        if origin == Some(FRAGMENT) {
            self.of_fragment = match init_data.key_ids[..] {
                [only] => Some(only),
                _ => None,
            };
        }
        for key_id in init_data.key_ids {
            self.name(key_id);
        }
        if init_data.licence_url.is_some() {
            self.licence_url = init_data.licence_url;
        }
    }

    /// What `sessiontoken` wants on licence requests from now on.
    pub fn set_request(&mut self, request: KeyRequest) {
        self.request = request;
    }

    /// The element is about to stop. Gives the store, to be told that nobody waits for another token any more.
    pub fn stop(&mut self) -> Option<TokenStore> {
        self.stopping = true;
        self.request.store().cloned()
    }

    /// What the application has not been told yet.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    fn name(&mut self, key_id: KeyId) {
        let is_pending = |pending: &Pending| pending.is_for(&key_id);
        let is_known = self.is_asked(&key_id) || self.pending.as_ref().is_some_and(is_pending);
        if !is_known && !self.named.contains(&key_id) {
            if self.named.len() == MAX_KEY_IDS {
                self.named.remove(0);
            }
            self.named.push(key_id);
        }
    }

    /// The id of the key that a sample of this key id needs.
    fn meant(&self, key_id: KeyId) -> Option<KeyId> {
        match key_id {
            NO_KEY_ID => self.of_fragment,
            other => Some(other),
        }
    }

    fn held_for(&self, key_id: &KeyId) -> Option<&Held> {
        self.held.iter().rev().find(|held| held.has(key_id))
    }

    /// The key, if it is here.
    pub fn get(&self, key_id: KeyId) -> Option<&ContentKey> {
        let key_id = self.meant(key_id)?;
        let held = self.held_for(&key_id)?;
        held.granted.licence.keys.get(&key_id)
    }

    /// Whether the key is here for good, so that there is no need to look at the clock.
    pub fn is_settled(&self, key_id: KeyId) -> bool {
        self.meant(key_id)
            .and_then(|key_id| self.held_for(&key_id))
            .is_some_and(|held| held.granted.life.ends_at().is_none())
    }

    /// Gets a key here that is missing or whose licence has ended. Asks for all keys that were named and not asked for. A licence that is
    /// close to its end is asked for anew beside the stream, which goes on.
    pub fn obtain(&mut self, key_id: KeyId, means: &Means) -> Result<(), Missing> {
        let key_id = self.meant(key_id).ok_or(Missing::Unnamed)?;
        let (life, key_ids) = match self.held_for(&key_id) {
            Some(held) => (Some(held.granted.life), held.key_ids.clone()),
            None => (None, vec![key_id]),
        };
        self.held
            .retain(|held| held.granted.life.is_valid(means.now));
        match life {
            Some(life) if life.is_valid(means.now) => {
                if life.is_stale(means.now) {
                    self.renew(key_id, &key_ids, means);
                }
                Ok(())
            }
            _ => self.fetch(key_id, &key_ids, means),
        }
    }

    /// Gets a key here that the stream waits for, and these with it.
    fn fetch(&mut self, key_id: KeyId, with: &[KeyId], means: &Means) -> Result<(), Missing> {
        loop {
            let is_for_it = match &self.pending {
                Some(pending) => pending.is_for(&key_id),
                None if self.is_asked(&key_id) => return Err(Missing::NotInLicence(key_id)),
                None => {
                    self.pending = Some(self.begin(with, means).map_err(Missing::Failed)?);
                    true
                }
            };
            match self.drive(means) {
                Driven::Waits(until) => return Err(Missing::Wait(until)),
                Driven::Failed(failure) if is_for_it => return Err(Missing::Failed(failure)),
                // That was for others, which will be asked for when they are needed.
                Driven::Failed(failure) => self.renewal_failed(failure, means),
                Driven::Granted if self.held_for(&key_id).is_none() => {}
                Driven::Granted => return Ok(()),
            }
        }
    }

    /// Does what can be done now for another licence. Whatever comes of it, the one at hand is still good.
    fn renew(&mut self, key_id: KeyId, again: &[KeyId], means: &Means) {
        let is_for_it = match &self.pending {
            Some(pending) => pending.is_for(&key_id),
            None if self.pause.is_some_and(|until| means.now.steady < until) => return,
            None => match self.begin(again, means) {
                Ok(pending) => {
                    self.pending = Some(pending);
                    true
                }
                Err(failure) => return self.renewal_failed(failure, means),
            },
        };
        match self.drive(means) {
            Driven::Failed(failure) => self.renewal_failed(failure, means),
            Driven::Granted if is_for_it => {
                let is_stale = |held: &Held| held.granted.life.is_stale(means.now);
                if self.held_for(&key_id).is_some_and(is_stale) {
                    // It came without the key.
                    self.pause_renewals(means);
                } else {
                    self.failed_renewals = 0;
                }
            }
            Driven::Waits(_) | Driven::Granted => {}
        }
    }

    fn renewal_failed(&mut self, failure: Failure, means: &Means) {
        self.pause_renewals(means);
        self.news.push(News::RenewalFailed(failure));
    }

    fn pause_renewals(&mut self, means: &Means) {
        self.failed_renewals = self.failed_renewals.saturating_add(1);
        let pause = backoff(self.failed_renewals, chance());
        self.pause = means.now.steady.checked_add(pause);
    }

    /// Whether a licence that is here was asked for it.
    fn is_asked(&self, key_id: &KeyId) -> bool {
        self.held.iter().any(|held| held.key_ids.contains(key_id))
    }

    /// Takes what is under way as far as it goes.
    fn drive(&mut self, means: &Means) -> Driven {
        while let Some(pending) = self.pending.take() {
            // Each turn is an answer of the licence server's or of the store's, and the store gives up after some.
            match pending.step(&mut self.request, self.stopping, means) {
                Step::Wait(pending) => {
                    let until = pending.until();
                    self.pending = Some(pending);
                    return Driven::Waits(until);
                }
                Step::Refused(pending) => self.pending = Some(pending),
                Step::AnotherToken(key_ids) => match self.begin(&key_ids, means) {
                    Ok(pending) => self.pending = Some(pending),
                    Err(failure) => return Driven::Failed(failure),
                },
                Step::Granted {
                    granted,
                    flight,
                    key_ids,
                    is_shared,
                } => {
                    self.take(
                        Held {
                            granted,
                            key_ids,
                            flight,
                        },
                        is_shared,
                    );
                    return Driven::Granted;
                }
                Step::Failed(failure) => return Driven::Failed(failure),
            }
        }
        Driven::Granted
    }

    fn take(&mut self, new: Held, is_shared: bool) {
        let is_replaced = |old: &Held| {
            old.granted
                .licence
                .keys
                .keys()
                .all(|key_id| new.has(key_id))
        };
        let before = self.held.len();
        self.held.retain(|old| !is_replaced(old));
        self.news.push(News::Granted {
            granted: new.granted.clone(),
            is_shared,
            is_renewal: self.held.len() < before,
        });
        if self.held.len() == MAX_LICENCES {
            self.held.remove(0);
        }
        self.held.push(new);
    }

    /// Asks for all keys that were named and not asked for, and for these `again`.
    fn begin(&mut self, again: &[KeyId], means: &Means) -> Result<Pending, Failure> {
        let policy = means.policy;
        let url = match (&policy.license_url, &self.licence_url) {
            (Some(url), _) => url.clone(),
            (None, Some(url)) => Endpoint::parse(url, "dashif:Laurl", policy.allow_cleartext)?,
            (None, None) => {
                return Err(Failure::misconfigured(
                    "nobody says where the licence server is: set `license-url`, or have the MPD name it in dashif:Laurl",
                ));
            }
        };
        let mut key_ids: Vec<_> = self.named.iter().chain(again).copied().collect();
        key_ids.sort_unstable();
        key_ids.dedup();
        self.named.clear();
        self.request.catch_up();
        let ours: Vec<_> = self.held.iter().map(|held| held.flight.clone()).collect();
        Ok(Pending::licence(
            Order {
                url,
                key_ids,
                headers: self.request.headers().to_vec(),
                token: self.request.token().cloned(),
                trust: policy.trust.clone(),
            },
            &ours,
            means,
        ))
    }
}

/// How far it went.
enum Driven {
    /// At the latest until then.
    Waits(Instant),
    Granted,
    Failed(Failure),
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.held.clear();
        self.pending = None;
        forget_unused();
    }
}
