// SPDX-License-Identifier: MIT OR Apache-2.0

//! One session with a CDM, shared by the streams of a presentation: a task that does what the state
//! machine wants done, and a view for those who wait for keys.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use super::callbacks::{Listener, Said};
use super::cdm_session::CdmSession;
use super::control;
use super::library::Library;
use super::machine::Machine;
use super::message::Challenge;
use super::requester::{Answer, Requester, license_for};
use super::session_events::{Effect, Event, KeyState, Notice};
use crate::cenc::KeyId;
use crate::error::Failure;
use crate::problem_details::cleaned;
use crate::runtime;
use crate::wait::lock;

/// What the application has not been told yet: of more nobody could make anything.
const MAX_NOTICES: usize = 64;

/// Characters of a CDM's complaint that are shown.
const MAX_WORDS: usize = 200;

/// What a session is made of.
#[derive(Clone)]
pub struct Origin {
    /// Name of the library; `None` for the box's.
    pub library: Option<String>,
    pub key_system: String,
    pub init_data: Vec<u8>,
}

/// A session.
pub struct SharedSession {
    orders: UnboundedSender<Order>,
    view: Arc<Mutex<View>>,
    requester: Arc<Mutex<Requester>>,
}

/// What everybody sees of it.
struct View {
    machine: Machine,
    cdm: Option<Arc<CdmSession>>,
    notices: Vec<Notice>,
    wakers: Vec<Waker>,
    /// No stream has it: nothing is asked for.
    is_idle: bool,
}

/// What the task is told.
enum Order {
    /// Of that one of the sessions that it has had.
    Event(u32, Event),
    Said(u32, Said),
    Made(u32, Result<Arc<CdmSession>, Failure>, u32),
    Expired(KeyId),
    End,
}

impl SharedSession {
    /// Begins a session.
    ///
    /// # Errors
    ///
    /// `Transient` where there is no thread left.
    pub fn begin(origin: Origin, requester: Requester) -> Result<Arc<Self>, Failure> {
        let (orders, received) = unbounded_channel();
        let machine = Machine::new(requester.policy.timeout, Instant::now());
        let view = Arc::new(Mutex::new(View {
            machine,
            cdm: None,
            notices: Vec::new(),
            wakers: Vec::new(),
            is_idle: false,
        }));
        let requester = Arc::new(Mutex::new(requester));
        let task = Task {
            origin,
            view: view.clone(),
            requester: requester.clone(),
            orders: orders.clone(),
            queued: Arc::default(),
            round: 0,
            generation: 0,
            request: None,
        };
        drop(runtime::get()?.spawn(task.run(received)));
        Ok(Arc::new(Self {
            orders,
            view,
            requester,
        }))
    }

    /// A stream takes part in it, with what it brings.
    pub fn join(&self, requester: Requester) {
        *lock(&self.requester) = requester;
        lock(&self.view).is_idle = false;
    }

    /// No stream has it any more. Whether it is worth keeping.
    pub fn leave(&self) -> bool {
        let mut view = lock(&self.view);
        view.is_idle = true;
        view.machine.has_usable_key()
    }

    pub fn has_failed(&self) -> bool {
        lock(&self.view).machine.has_failed()
    }

    /// What can be done with a key; the waker is woken when that may have changed.
    pub fn poll_key(&self, key_id: &KeyId, waker: &Waker) -> KeyState {
        let mut view = lock(&self.view);
        let state = view.machine.key(key_id);
        if state != KeyState::Usable && !view.wakers.iter().any(|known| known.will_wake(waker)) {
            view.wakers.push(waker.clone());
        }
        state
    }

    /// The CDM's session.
    pub fn cdm(&self) -> Option<Arc<CdmSession>> {
        lock(&self.view).cdm.clone()
    }

    /// What nobody has told the application yet.
    pub fn take_notices(&self) -> Vec<Notice> {
        let mut view = lock(&self.view);
        match view.notices.is_empty() {
            true => Vec::new(),
            false => std::mem::take(&mut view.notices),
        }
    }

    /// The CDM did not decrypt with a key, and says that it has ended.
    pub fn on_expired(&self, key_id: KeyId) {
        let _ = self.orders.send(Order::Expired(key_id));
    }
}

impl Drop for SharedSession {
    fn drop(&mut self) {
        // The task may have ended with the runtime.
        let _ = self.orders.send(Order::End);
    }
}

struct Task {
    origin: Origin,
    view: Arc<Mutex<View>>,
    requester: Arc<Mutex<Requester>>,
    orders: UnboundedSender<Order>,
    /// Orders of the CDM's that have not been taken in.
    queued: Arc<AtomicUsize>,
    /// Counts the CDM's sessions: what one of before says is of no interest.
    round: u32,
    /// The token's that the challenge may hold.
    generation: u32,
    request: Option<AbortHandle>,
}

impl Task {
    async fn run(mut self, mut orders: UnboundedReceiver<Order>) {
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

    fn take(&mut self, order: Order) -> Vec<Effect> {
        let now = Instant::now();
        match order {
            Order::Event(round, event) if round == self.round => {
                self.change(|machine| machine.on(event, now))
            }
            Order::Made(round, made, generation) if round == self.round => {
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
                match round == self.round {
                    true => self.hear(said, now),
                    false => Vec::new(),
                }
            }
            Order::Expired(key_id) => self.change(|machine| machine.on_expired(key_id, now)),
            Order::Event(..) | Order::Made(..) | Order::End => Vec::new(),
        }
    }

    fn hear(&self, said: Said, now: Instant) -> Vec<Effect> {
        let family = lock(&self.requester).family;
        let event = match said {
            Said::Challenge { .. } if lock(&self.view).is_idle => return Vec::new(),
            Said::Challenge { url, message } => {
                Event::Challenge(Challenge::read(family, &url, &message))
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
        self.round += 1;
        lock(&self.view).cdm = None;
        let round = self.round;
        let (origin, orders) = (self.origin.clone(), self.orders.clone());
        let (requester, queued) = (self.requester.clone(), self.queued.clone());
        let posted = control::post(move || {
            let mut now = lock(&requester).clone();
            let (cdm_data, generation) = now.cdm_data();
            lock(&requester).request = now.request;
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
        let (round, orders) = (self.round, self.orders.clone());
        let answer = license_for(self.requester.clone(), challenge, self.generation);
        let task = tokio::spawn(async move {
            let event = match answer.await {
                Answer::License(license) => Event::License(license),
                Answer::StaleChallenge => Event::StaleChallenge,
                Answer::Failed(failure) => Event::NoLicense(failure),
            };
            let _ = orders.send(Order::Event(round, event));
        });
        self.request = Some(task.abort_handle());
    }

    fn update(&mut self, license: zeroize::Zeroizing<Vec<u8>>) {
        let (round, orders) = (self.round, self.orders.clone());
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
