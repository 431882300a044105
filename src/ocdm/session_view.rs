// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a session's task and those who have the session share, and what they tell it.

use std::sync::Arc;
use std::task::Waker;

use super::callbacks::Said;
use super::cdm_session::CdmSession;
use super::key_system::Family;
use super::machine::Machine;
use super::message::Challenge;
use super::session_events::{Event, Notice};
use crate::cenc::KeyId;
use crate::error::Failure;

/// What a session is made of.
#[derive(Clone)]
pub struct Origin {
    /// Name of the library; `None` for the box's.
    pub library: Option<String>,
    pub key_system: String,
    pub init_data: Vec<u8>,
    pub family: Family,
}

/// What everybody sees of it.
pub struct View {
    pub machine: Machine,
    pub cdm: Option<Arc<CdmSession>>,
    /// Counts the CDM's sessions: what one of before says is of no interest.
    pub round: u32,
    /// What nobody has told the application yet.
    pub notices: Vec<Notice>,
    pub wakers: Vec<Waker>,
    /// No stream has it: nothing is asked for.
    pub is_idle: bool,
    /// What the CDM wanted meanwhile, and of which one of its sessions.
    pub idle_challenge: Option<(u32, Challenge)>,
}

impl View {
    /// Wakes it when something may have changed.
    pub fn wake_later(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }
}

/// What the task is told.
pub enum Order {
    /// Of that one of the sessions that it has had.
    Event(u32, Event),
    Said(u32, Said),
    Made(u32, Result<Arc<CdmSession>, Failure>, u32),
    /// Nobody was there to have that sent.
    Unasked(u32, Challenge),
    Expired(KeyId),
    Broken(u32, Failure),
    End,
}
