// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long a tune's events have been held for tokens.

use std::time::{Duration, Instant};

use crate::shared_result::deadline;
use crate::token::Token;

/// The waits of one tune.
#[derive(Default)]
pub struct WaitTime {
    since: Option<Instant>,
    total: Duration,
    /// When the last wait began that the application has not been told of.
    unreported_since: Option<Instant>,
}

impl WaitTime {
    /// Waits, from now on or as before. Until when, at the latest; `None` where that time is over.
    pub fn wait(&mut self, timeout: Duration, now: Instant) -> Option<Instant> {
        let until = deadline(timeout, *self.since.get_or_insert(now));
        (now < until).then_some(until)
    }

    /// The wait is over, if there was one.
    pub fn end(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.unreported_since = Some(since);
            self.total += now.saturating_duration_since(since);
        }
    }

    pub fn total(&self) -> Duration {
        self.total
    }

    /// The part of the token's request during which no event was held.
    pub fn take_overlap(&mut self, token: &Token) -> Duration {
        let latency = token.origin().latency;
        let unheld = |since: Instant| since.saturating_duration_since(token.origin().started);
        self.unreported_since
            .take()
            .map_or(latency, |since| unheld(since).min(latency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn wait_time_keeps_first_deadline_across_calls() {
        let (mut wait, now) = (WaitTime::default(), Instant::now());
        let until = wait.wait(5 * SECOND, now).expect("it has just begun");
        assert_eq!(wait.wait(5 * SECOND, now + SECOND), Some(until));
        assert_eq!(wait.wait(5 * SECOND, until), None);
    }

    #[test]
    fn next_wait_has_a_deadline_of_its_own() {
        let (mut wait, now) = (WaitTime::default(), Instant::now());
        let first = wait.wait(SECOND, now).expect("it has just begun");
        wait.end(now + SECOND / 2);
        let second = wait.wait(SECOND, now + 10 * SECOND).expect("a new one");
        assert_eq!(second - first, 10 * SECOND);
        wait.end(now + 11 * SECOND);
        assert_eq!(wait.total(), SECOND + SECOND / 2);
    }

    #[test]
    fn end_without_a_wait_is_nothing() {
        let mut wait = WaitTime::default();
        wait.end(Instant::now());
        assert_eq!(wait.total(), Duration::ZERO);
    }
}
