// SPDX-License-Identifier: MIT OR Apache-2.0

//! One session with a CDM, shared by the streams of a presentation, as those see it that wait for
//! its keys.

use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::cdm_session::CdmSession;
use super::control;
use super::init_data::keys_of;
use super::machine::Machine;
use super::requester::Requester;
use super::requesters::{Member, Requesters};
use super::session_events::{Event, KeyState, Notice};
use super::session_keys::KeyName;
use super::session_task::Task;
use super::session_view::{Order, Origin, View};
use crate::cenc::KeyId;
use crate::error::Failure;
use crate::runtime;
use crate::token::logouts;
use crate::wait::lock;

/// A session.
pub struct SharedSession {
    orders: UnboundedSender<Order>,
    view: Arc<Mutex<View>>,
    requesters: Arc<Mutex<Requesters>>,
    /// How often somebody had logged out before.
    logouts: u64,
}

/// What a key takes to be used.
pub struct KeyAccess {
    pub cdm: Arc<CdmSession>,
    /// What the CDM calls the key.
    pub name: KeyName,
    /// Counts the CDM's sessions that there were.
    pub round: u32,
}

impl SharedSession {
    /// Begins a session.
    ///
    /// # Errors
    ///
    /// `Transient` where there is no thread left.
    pub fn begin(origin: Origin, requester: Requester) -> Result<(Arc<Self>, Member), Failure> {
        let (orders, received) = unbounded_channel();
        let listed = keys_of(&origin.init_data);
        let machine = Machine::new(requester.policy.timeout, listed, Instant::now());
        let view = Arc::new(Mutex::new(View {
            machine,
            cdm: None,
            round: 0,
            notices: Vec::new(),
            wakers: Vec::new(),
            is_idle: false,
            idle_challenge: None,
        }));
        let requesters = Arc::<Mutex<Requesters>>::default();
        let member = lock(&requesters).join(requester);
        let task = Task::new(origin, view.clone(), requesters.clone(), orders.clone());
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
        // They are of no interest to who comes next.
        view.notices.clear();
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
        if state != KeyState::Usable {
            view.wake_later(waker);
        }
        state
    }

    /// The CDM's session, for that key.
    pub fn access(&self, key_id: &KeyId) -> Option<KeyAccess> {
        let view = lock(&self.view);
        Some(KeyAccess {
            cdm: view.cdm.clone()?,
            name: view.machine.name(key_id),
            round: view.round,
        })
    }

    /// The CDM's session, once there is one. `Ready(None)` where there will be none. The waker is
    /// woken when that may have changed.
    pub fn poll_cdm(&self, waker: &Waker) -> Poll<Option<Arc<CdmSession>>> {
        let mut view = lock(&self.view);
        match &view.cdm {
            Some(cdm) => Poll::Ready(Some(cdm.clone())),
            None if view.machine.has_failed() => Poll::Ready(None),
            None => {
                view.wake_later(waker);
                Poll::Pending
            }
        }
    }

    /// Asks the CDM what can be done with a key: what it has said of it may be old, or not have
    /// come.
    pub fn look_at(&self, key_id: &KeyId) {
        let Some(KeyAccess { cdm, name, round }) = self.access(key_id) else {
            return;
        };
        let orders = self.orders.clone();
        // Where there is no thread, what was said stays.
        let _ = control::post(move || {
            let event = Event::Key(name, cdm.status(name));
            let _ = orders.send(Order::Event(round, event));
        });
    }

    /// What nobody has told the application yet.
    pub fn take_notices(&self) -> Vec<Notice> {
        let mut view = lock(&self.view);
        match view.notices.is_empty() {
            true => Vec::new(),
            false => std::mem::take(&mut view.notices),
        }
    }

    /// The CDM's session of that round did not decrypt with a key that is good: nobody is to come
    /// back to it.
    pub fn on_broken(&self, round: u32, failure: Failure) {
        let _ = self.orders.send(Order::Broken(round, failure));
    }
}

impl Drop for SharedSession {
    fn drop(&mut self) {
        // The task may have ended with the runtime.
        let _ = self.orders.send(Order::End);
    }
}
