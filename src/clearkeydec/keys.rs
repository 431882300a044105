// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys of one stream: which ones its init data names, who gives them, which ones are here.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::cenc::{ContentKey, InitData, KeyId, Licence};
use crate::failure::Failure;
use crate::flight::{Flight, Wake};
use crate::http::Endpoint;
use crate::secret::Secret;

use super::licences::{Order, Outcome, order};
use super::settings::Policy;

/// Key ids that a stream may name before it is taken for an attack; a licence request for all of
/// them is still below 8 KiB.
const MAX_KEY_IDS: usize = 256;

/// What a sample's key is.
pub enum Lookup<'a> {
    Here(&'a ContentKey),
    /// A licence is under way; at the latest until then.
    Wait(Instant),
    /// The licence server, or the way to it, failed.
    Failed(Failure),
    /// The licence server answered and left this key out.
    NotInLicence(KeyId),
}

#[derive(Default)]
pub struct Keys {
    named: Vec<KeyId>,
    licence_url: Option<String>,
    headers: Vec<(String, Secret)>,
    /// Licences that have come. They stay shared with other decryptors as long as we have them.
    flights: Vec<Arc<Flight<Outcome>>>,
    licences: Vec<Arc<Licence>>,
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

    /// What `sessiontoken` wants on licence requests from now on.
    pub fn set_headers(&mut self, headers: Vec<(String, Secret)>) {
        self.headers = headers;
    }

    fn name(&mut self, key_id: KeyId) {
        if !self.named.contains(&key_id) && self.named.len() < MAX_KEY_IDS {
            self.named.push(key_id);
        }
    }

    /// The key, or what has to happen first. Asks for all keys that were named and not asked for.
    pub fn lookup(
        &mut self,
        key_id: KeyId,
        policy: &Policy,
        waiter: &Weak<dyn Wake>,
        now: Instant,
    ) -> Lookup<'_> {
        if self.holder(&key_id).is_none()
            && let Err(instead) = self.fetch(key_id, policy, waiter, now)
        {
            return instead;
        }
        match self
            .holder(&key_id)
            .and_then(|at| self.licences[at].get(&key_id))
        {
            Some(key) => Lookup::Here(key),
            None => Lookup::NotInLicence(key_id),
        }
    }

    fn holder(&self, key_id: &KeyId) -> Option<usize> {
        self.licences
            .iter()
            .position(|licence| licence.contains_key(key_id))
    }

    fn fetch(
        &mut self,
        key_id: KeyId,
        policy: &Policy,
        waiter: &Weak<dyn Wake>,
        now: Instant,
    ) -> Result<(), Lookup<'static>> {
        let pending = match self.pending.take() {
            Some(pending) => pending,
            None if self.asked.contains(&key_id) => return Ok(()),
            None => self.begin(key_id, policy, now).map_err(Lookup::Failed)?,
        };
        match pending.flight.poll(waiter) {
            Some(Ok(licence)) => {
                self.licences.push(licence);
                self.flights.push(pending.flight);
                Ok(())
            }
            Some(Err(failure)) => Err(Lookup::Failed(failure)),
            None if now >= pending.until => Err(Lookup::Failed(Failure::timed_out(format!(
                "no licence within {} ms: check that the licence server runs, or raise `timeout`",
                policy.timeout.as_millis()
            )))),
            None => {
                let until = pending.until;
                self.pending = Some(pending);
                Err(Lookup::Wait(until))
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
        if !key_ids.contains(&key_id) {
            key_ids.push(key_id);
        }
        key_ids.sort_unstable();
        self.asked.extend(&key_ids);
        let flight = order(
            Order {
                url,
                key_ids,
                headers: self.headers.clone(),
            },
            policy.timeout,
        );
        /// The request's own deadline comes first: its failure says more.
        const GRACE: Duration = Duration::from_millis(250);
        Ok(Pending {
            flight,
            until: now + policy.timeout.saturating_add(GRACE),
        })
    }
}
