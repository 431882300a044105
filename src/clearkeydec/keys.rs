// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys of one stream: which ones its init data names, who gives them, which ones are here.

use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::cenc::{ContentKey, InitData, KeyId, Licence};
use crate::failure::Failure;
use crate::flight::{Flight, Wake, deadline};
use crate::http::{Endpoint, Patience};
use crate::secret::Secret;

use super::licences::{Order, Outcome, forget_unused, order};
use super::settings::Policy;

/// Key ids that a stream may name before it is taken for an attack; a licence request for all of
/// them is still below 8 KiB.
const MAX_KEY_IDS: usize = 256;

/// Licences that a stream keeps. With keys that change every ten seconds they reach back ten minutes, as far as a
/// viewer is likely to seek; older ones are asked for again.
const MAX_LICENCES: usize = 64;

/// Why a sample's key is not here.
pub enum Missing {
    /// A licence is under way; at the latest until then.
    Wait(Instant),
    /// The licence server, or the way to it, failed.
    Failed(Failure),
    /// The licence server answered and left this key out.
    NotInLicence(KeyId),
}

#[derive(Default)]
pub struct Keys {
    /// The newest last, in all of these.
    named: Vec<KeyId>,
    licence_url: Option<String>,
    headers: Vec<(String, Secret)>,
    token: Option<Secret>,
    /// Licences that have come, each with its flight: as long as we have that, other decryptors share it.
    licences: Vec<(Arc<Licence>, Arc<Flight<Outcome>>)>,
    pending: Option<Pending>,
    asked: Vec<KeyId>,
}

struct Pending {
    flight: Arc<Flight<Outcome>>,
    until: Instant,
}

impl Keys {
    /// Takes in what a protection event says.
    pub fn learn(&mut self, init_data: InitData) {
        for key_id in init_data.key_ids {
            self.name(key_id);
        }
        if init_data.licence_url.is_some() {
            self.licence_url = init_data.licence_url;
        }
    }

    /// What `sessiontoken` wants on licence requests from now on, and the token in it.
    pub fn set_headers(&mut self, headers: Vec<(String, Secret)>, token: Option<Secret>) {
        self.headers = headers;
        self.token = token;
    }

    fn name(&mut self, key_id: KeyId) {
        if !self.named.contains(&key_id) {
            if self.named.len() == MAX_KEY_IDS {
                self.named.remove(0);
            }
            self.named.push(key_id);
        }
    }

    /// The key, if it is here.
    pub fn get(&self, key_id: &KeyId) -> Option<&ContentKey> {
        self.licences
            .iter()
            .rev()
            .find_map(|(licence, _)| licence.get(key_id))
    }

    /// Gets a key here that is missing. Asks for all keys that were named and not asked for.
    pub fn obtain(
        &mut self,
        key_id: KeyId,
        policy: &Policy,
        waiter: &Weak<dyn Wake>,
        now: Instant,
    ) -> Result<(), Missing> {
        self.fetch(key_id, policy, waiter, now)?;
        match self.get(&key_id) {
            Some(_) => Ok(()),
            None => Err(Missing::NotInLicence(key_id)),
        }
    }

    fn fetch(
        &mut self,
        key_id: KeyId,
        policy: &Policy,
        waiter: &Weak<dyn Wake>,
        now: Instant,
    ) -> Result<(), Missing> {
        let pending = match self.pending.take() {
            Some(pending) => pending,
            None if self.asked.contains(&key_id) => return Ok(()),
            None => self.begin(key_id, policy, now).map_err(Missing::Failed)?,
        };
        match pending.flight.poll(waiter) {
            Some(Ok(licence)) => {
                if self.licences.len() == MAX_LICENCES {
                    let (oldest, _) = self.licences.remove(0);
                    self.asked.retain(|key_id| !oldest.contains_key(key_id));
                }
                self.licences.push((licence, pending.flight));
                Ok(())
            }
            Some(Err(failure)) => Err(Missing::Failed(failure)),
            None if now >= pending.until => Err(Missing::Failed(Failure::timed_out(format!(
                "no licence within {} ms: check that the licence server runs, or raise `timeout`",
                policy.timeout.as_millis()
            )))),
            None => {
                let until = pending.until;
                self.pending = Some(pending);
                Err(Missing::Wait(until))
            }
        }
    }

    fn begin(&mut self, key_id: KeyId, policy: &Policy, now: Instant) -> Result<Pending, Failure> {
        let url = match (&policy.license_url, &self.licence_url) {
            (Some(url), _) => url.clone(),
            (None, Some(url)) => Endpoint::parse(url, "dashif:Laurl", policy.allow_cleartext)?,
            (None, None) => {
                return Err(Failure::misconfigured(
                    "nobody says where the licence server is: set `license-url`, or have the MPD name it in dashif:Laurl",
                ));
            }
        };
        self.name(key_id);
        let mut key_ids = self
            .named
            .iter()
            .filter(|named| !self.asked.contains(named))
            .copied()
            .collect::<Vec<_>>();
        key_ids.sort_unstable();
        self.asked.extend(&key_ids);
        let flight = order(
            Order {
                url,
                key_ids,
                headers: self.headers.clone(),
                token: self.token.clone(),
                trust: policy.trust.clone(),
            },
            Patience::new(policy.timeout, policy.retries),
        );
        Ok(Pending {
            flight,
            until: deadline(policy.timeout, now),
        })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.licences.clear();
        self.pending = None;
        forget_unused();
    }
}
