// SPDX-License-Identifier: MIT OR Apache-2.0

//! What comes in and goes out of a provider.

use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::effect::Report;
use super::policy::Policy;
use super::state::Tune;
use crate::error::Failure;
use crate::key_request::Flow;
use crate::token::Token;

/// A protection event, as the element sees it.
pub struct Protection<'a, E> {
    pub event: &'a E,
    /// Tells events apart as long as they live.
    pub id: usize,
    pub system: &'a str,
    pub origin: Option<&'a str>,
    /// By the demuxer that the stream comes from.
    pub flow_of_elements: &'a dyn Fn() -> Flow,
    /// Data, or a new segment, has come since the last protection event.
    pub after_data: bool,
}

/// What becomes of an item.
pub enum Action<E> {
    /// It goes as it is.
    Pass,
    /// The event goes with this token.
    Attach(Attachment),
    /// These events go again with this token, and then the item.
    Replay(Vec<E>, Attachment),
    /// It waits, at the latest until then.
    Hold(Instant),
    /// The stream ends.
    Fail,
}

/// What a key request is made of.
pub struct Attachment {
    pub token: Token,
    pub flow: Flow,
    /// The keys that the token is for, where others may need another one.
    pub key_ids: Option<String>,
    pub policy: Arc<Policy>,
}

/// What there is for a decryptor that asks for another token.
pub type Newer = Poll<Result<Attachment, Option<Failure>>>;

/// What an element has done since it went to PAUSED.
#[derive(Clone, Copy, Default)]
pub struct Stats {
    pub events: u64,
    pub generation: u32,
    pub waited: Duration,
    pub report: Option<Report>,
}

impl Attachment {
    /// For an event of the tune's present description.
    pub fn for_event<E: Clone>(tune: &Tune<E>, token: Token) -> Self {
        let authz = tune.authz.as_ref();
        Self {
            token,
            flow: tune.flow,
            key_ids: authz.and_then(|authz| authz.key_ids()),
            policy: tune.policy().clone(),
        }
    }

    /// For whoever asks in the store, who knows which keys it is about.
    pub fn for_store<E: Clone>(tune: &Tune<E>, token: Token) -> Self {
        Self {
            key_ids: None,
            ..Self::for_event(tune, token)
        }
    }
}
