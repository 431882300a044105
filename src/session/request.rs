// SPDX-License-Identifier: MIT OR Apache-2.0

//! A request for a token: what it is while it is pending, how it ends, and what the task does.

use std::sync::Arc;
use std::time::Instant;

use super::fetcher::{Discovered, FetchReason, SessionEvent, TokenFetcher};
use crate::error::Failure;
use crate::shared_result::{Completer, SharedResult};
use crate::token::Token;

/// Tokens rejected one after the other, after which there is something else wrong than the token.
pub const MAX_REJECTIONS: usize = 3;

/// How a request ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Token(Token),
    Failed(Failure),
    /// The session was cleared meanwhile: whoever still wants a token asks again.
    Cleared,
}

/// What a session says to who asks for its token.
pub enum Answer {
    /// Hand it out.
    Token(Token),
    /// Everybody gets this failure now.
    Failed(Failure),
    /// A request is pending.
    Pending {
        result: Arc<SharedResult<Outcome>>,
        /// It began with this call.
        began: bool,
    },
}

/// A request.
pub struct Pending {
    pub(super) result: Arc<SharedResult<Outcome>>,
    /// Until the task has it.
    pub(super) start: Option<(Arc<dyn TokenFetcher>, Ticket)>,
}

impl Pending {
    /// Tells who waits. The ticket, which would tell of a request that was abandoned, goes after
    /// that.
    pub fn complete(self, outcome: Outcome) {
        self.result.complete(outcome);
    }
}

/// The duty to finish a request.
pub struct Ticket {
    pub(super) completer: Completer<Outcome>,
    pub(super) started: Instant,
    /// Why it is made.
    pub(super) reason: FetchReason,
    /// What `ChangeNotices::requested` gave.
    pub(super) notices: u64,
}

/// Who may listen for changes.
pub struct Listener {
    pub fetcher: Arc<dyn TokenFetcher>,
    /// Listening ends with the last user. In another round others listen, by a connection of their
    /// own.
    pub round: u64,
}

/// What the task does next.
pub enum Step {
    /// Make this request.
    Fetch(Arc<dyn TokenFetcher>, Ticket, Option<Discovered>),
    /// Wait for a change, at the latest until then. Meanwhile listen, where somebody may.
    Wait {
        until: Option<Instant>,
        listener: Option<Listener>,
    },
    /// End: there is nothing to do.
    Stop,
}

impl Ticket {
    /// Tells who waits.
    pub fn complete(self, outcome: Outcome) {
        self.completer.complete(outcome);
    }

    /// What to tell those who use the session.
    pub fn event(&self, outcome: &Outcome) -> Option<SessionEvent> {
        let result = match outcome {
            Outcome::Token(token) => Ok(token.clone()),
            Outcome::Failed(failure) => Err(failure.clone()),
            Outcome::Cleared => return None,
        };
        Some(match self.reason {
            FetchReason::Renewal { .. } => SessionEvent::Renewed(result),
            _ => SessionEvent::Fetched(result),
        })
    }

    pub fn reason(&self) -> FetchReason {
        self.reason
    }
}

pub fn abandoned() -> Failure {
    Failure::transient("the request for a session token was given up before it had an answer")
}

pub fn all_rejected() -> Failure {
    Failure::denied(format!(
        "the license server refused {MAX_REJECTIONS} session tokens in a row: check that auth service and license server belong together, and that this account may watch"
    ))
}

pub fn rejected_again() -> Failure {
    Failure::denied(
        "the auth service hands out the token that the license server has refused: check that they belong together, and their clocks",
    )
}
