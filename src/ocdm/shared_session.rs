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
use super::key_system::Family;
use super::library::Library;
use super::license_life::{Answer, license_for};
use super::machine::Machine;
use super::message::Challenge;
use super::requester::Requester;
use super::requesters::{Member, Requesters};
use super::session_events::{Effect, Event, KeyState, Notice};
use crate::cenc::KeyId;
use crate::error::Failure;
use crate::problem_details::cleaned;
use crate::runtime;
use crate::token::logouts;
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
    pub family: Family,
}

/// A session.
pub struct SharedSession {
    orders: UnboundedSender<Order>,
    view: Arc<Mutex<View>>,
    requesters: Arc<Mutex<Requesters>>,
    /// How often somebody had logged out before.
    logouts: u64,
}

/// What everybody sees of it.
struct View {
    machine: Machine,
    cdm: Option<Arc<CdmSession>>,
    notices: Vec<Notice>,
    wakers: Vec<Waker>,
    /// No stream has it: nothing is asked for.
    is_idle: bool,
    /// What the CDM wanted meanwhile, and of which one of its sessions.
    idle_challenge: Option<(u32, Challenge)>,
}

/// What the task is told.
enum Order {
    /// Of that one of the sessions that it has had.
    Event(u32, Event),
    Said(u32, Said),
    Made(u32, Result<Arc<CdmSession>, Failure>, u32),
    Expired(KeyId),
    Broken(Failure),
    End,
}

impl SharedSession {
    /// Begins a session.
    ///
    /// # Errors
    ///
    /// `Transient` where there is no thread left.
    pub fn begin(origin: Origin, requester: Requester) -> Result<(Arc<Self>, Member), Failure> {
        let (orders, received) = unbounded_channel();
        let machine = Machine::new(requester.policy.timeout, Instant::now());
        let view = Arc::new(Mutex::new(View {
            machine,
            cdm: None,
            notices: Vec::new(),
            wakers: Vec::new(),
            is_idle: false,
            idle_challenge: None,
        }));
        let requesters = Arc::<Mutex<Requesters>>::default();
        let member = lock(&requesters).join(requester);
        let task = Task {
            origin,
            view: view.clone(),
            requesters: requesters.clone(),
            orders: orders.clone(),
            queued: Arc::default(),
            round: 0,
            generation: 0,
            request: None,
        };
        drop(runtime::get()?.spawn(task.run(received)));
        let session = Self {
            orders,
            view,
            requesters,
            logouts: logouts(),
        };
        Ok((Arc::new(session), member))
    }

    /// A stream takes part in it, with what it brings.
    pub fn join(&self, requester: Requester) -> Member {
        let member = lock(&self.requesters).join(requester);
        let mut view = lock(&self.view);
        view.is_idle = false;
        if let Some((round, challenge)) = view.idle_challenge.take() {
            let event = Event::Challenge(challenge);
            let _ = self.orders.send(Order::Event(round, event));
        }
        member
    }

    /// A stream asks for nothing any more.
    pub fn leave(&self, member: Member) {
        lock(&self.requesters).leave(member);
    }

    /// No stream has it any more. Whether it is worth keeping.
    pub fn rest(&self) -> bool {
        let mut view = lock(&self.view);
        view.is_idle = true;
        view.machine.has_usable_key() && self.logouts == logouts()
    }

    pub fn has_failed(&self) -> bool {
        lock(&self.view).machine.has_failed()
    }

    /// What can be done with a key; the waker is woken when that may have changed.
    pub fn poll_key(&self, key_id: &KeyId, waker: &Waker) -> KeyState {
        let mut view = lock(&self.view);
        let mut state = view.machine.key(key_id);
        if state == KeyState::Ended {
            let _ = self.orders.send(Order::Expired(*key_id));
            state = KeyState::Pending;
        }
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

    /// The CDM did not decrypt with a key that is good: nobody is to come back to the session.
    pub fn on_broken(&self, failure: Failure) {
        let _ = self.orders.send(Order::Broken(failure));
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
    requesters: Arc<Mutex<Requesters>>,
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
            Order::Broken(failure) => {
                let mut view = lock(&self.view);
                view.machine.give_up(failure, now);
                view.cdm = None;
                Vec::new()
            }
            Order::Expired(key_id) => self.change(|machine| machine.on_expired(key_id, now)),
            Order::Event(..) | Order::Made(..) | Order::End => Vec::new(),
        }
    }

    fn hear(&self, said: Said, now: Instant) -> Vec<Effect> {
        let event = match said {
            Said::Challenge { url, message } => {
                let challenge = Challenge::read(self.origin.family, &url, &message);
                let mut view = lock(&self.view);
                if view.is_idle {
                    view.idle_challenge = Some((self.round, challenge));
                    return Vec::new();
                }
                Event::Challenge(challenge)
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
        let (round, orders) = (self.round, self.orders.clone());
        let is_first = !lock(&self.view).machine.has_usable_key();
        let requesters = self.requesters.clone();
        let answer = license_for(requesters, challenge, self.generation, is_first);
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
