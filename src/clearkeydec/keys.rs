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
use super::token_store::{Renewal, TokenStore};

/// Key ids that a stream may name before it is taken for an attack; a licence request for all of
/// them is still below 8 KiB.
const MAX_KEY_IDS: usize = 256;

/// Licences that a stream keeps. With keys that change every ten seconds they reach back ten minutes, as far as a
/// viewer is likely to seek; older ones are asked for again.
const MAX_LICENCES: usize = 64;

/// Statuses by which licence servers refuse a token (AAMP takes 412 for one, DASH-IF's model 401 and 403).
const REFUSALS: [u16; 3] = [401, 403, 412];

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
    request: KeyRequest,
    /// Licences that have come, each with its flight: as long as we have that, other decryptors share it.
    licences: Vec<(Arc<Licence>, Arc<Flight<Outcome>>)>,
    pending: Option<Pending>,
    asked: Vec<KeyId>,
    stopping: bool,
}

/// What `sessiontoken` wants on licence requests.
#[derive(Default)]
pub struct KeyRequest {
    pub headers: Vec<(String, Secret)>,
    /// The session token that stands in them.
    pub token: Option<Secret>,
    pub generation: u32,
    /// Where there are newer ones.
    pub store: Option<TokenStore>,
}

impl KeyRequest {
    /// With another token in the place of the old one.
    fn renew(&mut self, token: Secret, generation: u32) {
        if let Some(old) = self.token.replace(token.clone()) {
            for (_, value) in &mut self.headers {
                *value = Secret::new(value.expose().replace(old.expose(), token.expose()));
            }
        }
        self.generation = generation;
    }
}

enum Pending {
    Licence {
        flight: Arc<Flight<Outcome>>,
        key_ids: Vec<KeyId>,
        until: Instant,
    },
    /// The token was refused, and with it these keys.
    Token {
        flight: Arc<Flight<Renewal>>,
        key_ids: Vec<KeyId>,
        refusal: Failure,
        until: Instant,
    },
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
    pub fn set_request(&mut self, request: KeyRequest) {
        self.request = request;
    }

    /// The element is about to stop. Gives the store, to be told that nobody waits for another token any more.
    pub fn stop(&mut self) -> Option<TokenStore> {
        self.stopping = true;
        self.request.store.clone()
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
        let mut pending = match self.pending.take() {
            Some(pending) => pending,
            None if self.asked.contains(&key_id) => return Ok(()),
            None => self.begin(key_id, policy, now).map_err(Missing::Failed)?,
        };
        loop {
            let until = pending.until();
            // Each turn is an answer of the licence server's or of the store's, and the store gives up after some.
            let next = match pending {
                Pending::Licence {
                    flight,
                    key_ids,
                    until,
                } => match flight.poll(waiter) {
                    Some(Ok(licence)) => {
                        self.take(licence, flight);
                        return Ok(());
                    }
                    Some(Err(refusal)) => Ok(self.after_refusal(refusal, key_ids, policy, now)?),
                    None => Err(Pending::Licence {
                        flight,
                        key_ids,
                        until,
                    }),
                },
                Pending::Token {
                    flight,
                    key_ids,
                    refusal,
                    until,
                } => match flight.poll(waiter) {
                    Some(Some((token, generation))) => {
                        self.request.renew(token, generation);
                        self.asked.retain(|asked| !key_ids.contains(asked));
                        Ok(self.begin(key_id, policy, now).map_err(Missing::Failed)?)
                    }
                    // The element is about to stop, and nobody is to hear of what it gave up.
                    Some(None) if self.stopping => Err(Pending::Token {
                        flight,
                        key_ids,
                        refusal,
                        until,
                    }),
                    Some(None) => return Err(Missing::Failed(without_another_token(refusal))),
                    None => Err(Pending::Token {
                        flight,
                        key_ids,
                        refusal,
                        until,
                    }),
                },
            };
            pending = match next {
                Ok(next) => next,
                Err(waiting) if now >= until => {
                    let (what, who) = match waiting {
                        Pending::Licence { .. } => ("licence", "licence server"),
                        Pending::Token { .. } => ("other session token", "auth service"),
                    };
                    return Err(Missing::Failed(Failure::timed_out(format!(
                        "no {what} within {} ms: check that the {who} runs, or raise `timeout`",
                        policy.timeout.as_millis()
                    ))));
                }
                Err(waiting) => {
                    self.pending = Some(waiting);
                    return Err(Missing::Wait(until));
                }
            };
        }
    }

    fn take(&mut self, licence: Arc<Licence>, flight: Arc<Flight<Outcome>>) {
        if self.licences.len() == MAX_LICENCES {
            let (oldest, _) = self.licences.remove(0);
            self.asked.retain(|key_id| !oldest.contains_key(key_id));
        }
        self.licences.push((licence, flight));
    }

    /// What there is to wait for after the licence server said no: another token, if that is what it may have said no to.
    fn after_refusal(
        &mut self,
        refusal: Failure,
        key_ids: Vec<KeyId>,
        policy: &Policy,
        now: Instant,
    ) -> Result<Pending, Missing> {
        let status = refusal
            .http_status
            .filter(|status| REFUSALS.contains(status));
        let (Some(status), Some(store)) = (status, &self.request.store) else {
            return Err(Missing::Failed(refusal));
        };
        match store.reject(self.request.generation, status) {
            Some(flight) => Ok(Pending::Token {
                flight,
                key_ids,
                refusal,
                until: deadline(policy.timeout, now),
            }),
            None => Err(Missing::Failed(refusal)),
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
                key_ids: key_ids.clone(),
                headers: self.request.headers.clone(),
                token: self.request.token.clone(),
                trust: policy.trust.clone(),
            },
            Patience::new(policy.timeout, policy.retries),
        );
        Ok(Pending::Licence {
            flight,
            key_ids,
            until: deadline(policy.timeout, now),
        })
    }
}

/// The refusal, where its usual advice is not the right one.
fn without_another_token(mut refusal: Failure) -> Failure {
    refusal.what = format!(
        "the licence server refused the keys (HTTP {}), and there is no other session token: the message `session-token` on the bus says why",
        refusal.http_status.unwrap_or_default()
    );
    refusal
}

impl Pending {
    fn until(&self) -> Instant {
        match self {
            Pending::Licence { until, .. } | Pending::Token { until, .. } => *until,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.licences.clear();
        self.pending = None;
        forget_unused();
    }
}
