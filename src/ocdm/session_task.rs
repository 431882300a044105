// SPDX-License-Identifier: MIT OR Apache-2.0

//! The task of a session: it does what the state machine wants done, and brings it what comes of
//! that.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::AbortHandle;

use super::callbacks::{Listener, Said};
use super::cdm_session::CdmSession;
use super::control;
use super::library::Library;
use super::license_life::{Answer, license_for};
use super::machine::Machine;
use super::message::Challenge;
use super::requesters::Requesters;
use super::session_events::{Effect, Event};
use super::session_view::{Order, Origin, View};
use crate::error::Failure;
use crate::problem_details::cleaned;
use crate::wait::lock;

/// What the application has not been told yet: of more nobody could make anything.
const MAX_NOTICES: usize = 64;

/// Characters of a CDM's complaint that are shown.
const MAX_WORDS: usize = 200;

/// What keeps one session going, until nobody has it.
pub struct Task {
    origin: Origin,
    view: Arc<Mutex<View>>,
    requesters: Arc<Mutex<Requesters>>,
    orders: UnboundedSender<Order>,
    /// Orders of the CDM's that have not been taken in.
    queued: Arc<AtomicUsize>,
    /// The token's that the challenge may hold.
    generation: u32,
    request: Option<AbortHandle>,
}

impl Task {
    pub fn new(
        origin: Origin,
        view: Arc<Mutex<View>>,
        requesters: Arc<Mutex<Requesters>>,
        orders: UnboundedSender<Order>,
    ) -> Self {
        Self {
            origin,
            view,
            requesters,
            orders,
            queued: Arc::default(),
            generation: 0,
            request: None,
        }
    }

    pub async fn run(mut self, mut orders: UnboundedReceiver<Order>) {
        self.perform(vec![Effect::Construct]);
        loop {
            let wake_at = lock(&self.view).machine.wake_at();
            let order = match wake_at {
                None => Ok(orders.recv().await),
                Some(at) => tokio::time::timeout_at(at.into(), orders.recv()).await,
            };
            let effects = match order {
                Ok(None | Some(Order::End)) => break,
                Ok(Some(order)) => self.take(order),
                Err(_) => self.change(|machine| machine.on_time(Instant::now())),
            };
            self.perform(effects);
            let wakers = std::mem::take(&mut lock(&self.view).wakers);
            wakers.into_iter().for_each(Waker::wake);
        }
        if let Some(request) = self.request.take() {
            request.abort();
        }
        // Else it would stay as long as a decryption lasts that somebody has begun.
        lock(&self.view).cdm = None;
    }

    fn change(&self, change: impl FnOnce(&mut Machine) -> Vec<Effect>) -> Vec<Effect> {
        change(&mut lock(&self.view).machine)
    }

    fn round(&self) -> u32 {
        lock(&self.view).round
    }

    fn take(&mut self, order: Order) -> Vec<Effect> {
        let now = Instant::now();
        match order {
            Order::Event(round, event) if round == self.round() => {
                self.change(|machine| machine.on(event, now))
            }
            Order::Made(round, made, generation) if round == self.round() => {
                self.generation = generation;
                let event = match made {
                    Ok(cdm) => {
                        lock(&self.view).cdm = Some(cdm);
                        Event::Constructed
                    }
                    Err(failure) => Event::NotConstructed(failure),
                };
                self.change(|machine| machine.on(event, now))
            }
            Order::Said(round, said) => {
                self.queued.fetch_sub(1, Ordering::Relaxed);
                match round == self.round() {
                    true => self.hear(said, now),
                    false => Vec::new(),
                }
            }
            Order::Unasked(round, challenge) if round == self.round() => {
                // Somebody has come meanwhile.
                if !lock(&self.requesters).is_empty() {
                    return vec![Effect::Request(challenge)];
                }
                let mut effects = self.change(|machine| machine.on(Event::NobodyAsks, now));
                effects.extend(self.on_challenge(challenge, now));
                effects
            }
            Order::Broken(round, failure) if round == self.round() => {
                let mut view = lock(&self.view);
                view.machine.give_up(failure, now);
                view.cdm = None;
                Vec::new()
            }
            Order::Expired(key_id) => self.change(|machine| machine.on_expired(key_id, now)),
            _ => Vec::new(),
        }
    }

    /// What the CDM wants while nobody could ask is for who comes next.
    fn on_challenge(&self, challenge: Challenge, now: Instant) -> Vec<Effect> {
        let mut view = lock(&self.view);
        // The last one leaves before it rests; who joins does so before it looks here.
        if view.is_idle || lock(&self.requesters).is_empty() {
            view.idle_challenge = Some((view.round, challenge));
            return Vec::new();
        }
        view.machine.on(Event::Challenge(challenge), now)
    }

    fn hear(&self, said: Said, now: Instant) -> Vec<Effect> {
        let event = match said {
            Said::Challenge { url, message } => {
                let challenge = Challenge::read(self.origin.family, &url, &message);
                return self.on_challenge(challenge, now);
            }
            Said::Key(key_id, status) => Event::Key(key_id, status),
            Said::Complaint(words) => Event::Complaint(cleaned(&words, MAX_WORDS)),
            Said::AllKeys => Event::AllKeys,
        };
        self.change(|machine| machine.on(event, now))
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Construct => self.construct(),
                Effect::Request(challenge) => self.request(challenge),
                Effect::Update(license) => self.update(license),
                Effect::Tell(notice) => {
                    let mut view = lock(&self.view);
                    if view.notices.len() < MAX_NOTICES {
                        view.notices.push(notice);
                    }
                }
            }
        }
    }

    fn construct(&mut self) {
        if let Some(request) = self.request.take() {
            request.abort();
        }
        let round = {
            let mut view = lock(&self.view);
            view.cdm = None;
            view.round += 1;
            view.round
        };
        let (origin, orders) = (self.origin.clone(), self.orders.clone());
        let (requesters, queued) = (self.requesters.clone(), self.queued.clone());
        let posted = control::post(move || {
            // The viewer may have gone on while another call has not returned.
            if orders.is_closed() {
                return;
            }
            let newest = lock(&requesters).newest();
            let Some((member, mut now)) = newest else {
                let gone = Failure::transient("nobody wants the session any more");
                let _ = orders.send(Order::Made(round, Err(gone), 0));
                return;
            };
            let (cdm_data, generation) = now.cdm_data();
            lock(&requesters).set_request(member, now.request);
            let hear = orders.clone();
            let made = Library::open(origin.library.as_deref()).and_then(|library| {
                let listener = Listener::register(
                    library.clone(),
                    queued,
                    Box::new(move |said| {
                        let _ = hear.send(Order::Said(round, said));
                    }),
                );
                CdmSession::construct(
                    library,
                    &origin.key_system,
                    &origin.init_data,
                    cdm_data.as_ref().map(|data| &data[..]),
                    listener,
                )
            });
            // Where nobody listens any more it is closed again.
            let _ = orders.send(Order::Made(round, made.map(Arc::new), generation));
        });
        if let Err(failure) = posted {
            let _ = self.orders.send(Order::Made(round, Err(failure), 0));
        }
    }

    fn request(&mut self, challenge: Challenge) {
        let (round, orders) = (self.round(), self.orders.clone());
        let is_first = !lock(&self.view).machine.has_usable_key();
        let requesters = self.requesters.clone();
        let answer = license_for(requesters, challenge.clone(), self.generation, is_first);
        let task = tokio::spawn(async move {
            let order = match answer.await {
                Answer::License(license) => Order::Event(round, Event::License(license)),
                Answer::StaleChallenge => Order::Event(round, Event::StaleChallenge),
                Answer::NobodyAsks => Order::Unasked(round, challenge),
                Answer::Failed(failure) => Order::Event(round, Event::NoLicense(failure)),
            };
            let _ = orders.send(order);
        });
        self.request = Some(task.abort_handle());
    }

    fn update(&mut self, license: zeroize::Zeroizing<Vec<u8>>) {
        let (round, orders) = (self.round(), self.orders.clone());
        let Some(cdm) = lock(&self.view).cdm.clone() else {
            return;
        };
        let failed = self.orders.clone();
        let posted = control::post(move || {
            let event = match cdm.update(&license) {
                Ok(()) => Event::Updated,
                Err(failure) => Event::NotUpdated(failure),
            };
            let _ = orders.send(Order::Event(round, event));
        });
        if let Err(failure) = posted {
            let _ = failed.send(Order::Event(round, Event::NotUpdated(failure)));
        }
    }
}
