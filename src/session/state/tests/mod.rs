// SPDX-License-Identifier: MIT OR Apache-2.0

//! A session by hand: its tests make its requests and set its clock themselves.

mod change_notices;
mod refresh;
mod rejection;
mod requests;

use super::super::testing::{NoFetcher, failed, granted};
use super::*;
use crate::error::Kind;

const SECOND: Duration = Duration::from_secs(1);

fn later(now: ClockReading, seconds: u64) -> ClockReading {
    now.after(Duration::from_secs(seconds)).expect("a time")
}

fn fetcher() -> Arc<dyn TokenFetcher> {
    Arc::new(NoFetcher)
}

/// A token of that text that has no end.
fn endless(text: &str) -> Fetched {
    granted(text, None)
}

/// A token that is valid for so long, unlike any other.
fn for_seconds(seconds: u64) -> Fetched {
    granted(
        &crate::random::uuid().to_string(),
        Some(Duration::from_secs(seconds)),
    )
}

impl State {
    /// Asks as a caller does.
    fn asked(&mut self, now: ClockReading) -> Answer {
        self.ask(&fetcher(), now)
    }

    /// The request that the task makes now.
    fn started(&mut self, now: ClockReading) -> Ticket {
        match self.next_step(now) {
            Step::Fetch(_, ticket, _) => ticket,
            _ => panic!("no request is to be made"),
        }
    }

    /// The request that begins because somebody asks.
    fn began(&mut self, now: ClockReading) -> Ticket {
        let answer = self.asked(now);
        assert!(matches!(answer, Answer::Pending { began: true, .. }));
        self.started(now)
    }

    fn granted(&mut self, fetched: Fetched, now: ClockReading) -> Token {
        let ticket = self.began(now);
        self.finished(ticket, fetched, now).expect("a token")
    }

    fn finished(
        &mut self,
        ticket: Ticket,
        fetched: Fetched,
        now: ClockReading,
    ) -> Result<Token, String> {
        let outcome = self.finish(&ticket, fetched, now);
        ticket.complete(outcome.clone());
        match outcome {
            Outcome::Token(token) => Ok(token),
            Outcome::Failed(failure) => Err(failure.what),
            Outcome::Cleared => Err("cleared".to_owned()),
        }
    }

    /// The generation of the token that is handed out without a request.
    fn at_hand(&mut self, now: ClockReading) -> Option<u32> {
        match self.asked(now) {
            Answer::Token(token) => Some(token.generation()),
            _ => None,
        }
    }

    /// What everybody is told instead of a token.
    fn told(&mut self, now: ClockReading) -> Option<Failure> {
        match self.asked(now) {
            Answer::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    fn fetches(&mut self, now: ClockReading) -> bool {
        matches!(self.next_step(now), Step::Fetch(..))
    }
}

/// A session with a token without an end, and somebody who uses it.
fn in_use(now: ClockReading) -> (State, Token) {
    let mut state = State::default();
    let token = state.granted(endless("first"), now);
    state.add_user(fetcher(), None);
    (state, token)
}
