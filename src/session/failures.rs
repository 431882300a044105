// SPDX-License-Identifier: MIT OR Apache-2.0

//! The failures of a session since its last token: whom they answer, and what they put off.

use std::time::{Duration, Instant};

use super::refresh_policy::{pause_after, renewal_pause};
use crate::error::Failure;
use crate::token::ClockReading;

#[derive(Default)]
pub struct Failures(Option<Last>);

struct Last {
    failure: Failure,
    in_a_row: u32,
    /// Until then it is the answer for who asks.
    answers_until: ClockReading,
    /// Until then a token at hand that is about to end is not renewed.
    renews_at: ClockReading,
}

impl Failures {
    /// A request has failed. `left` is how long the token at hand is still good.
    pub fn add(&mut self, failure: Failure, left: Option<Duration>, now: ClockReading) {
        let in_a_row = self.0.as_ref().map_or(0, |last| last.in_a_row) + 1;
        let after = |pause| now.after(pause).unwrap_or(now);
        let pause = pause_after(&failure, in_a_row);
        self.0 = Some(Last {
            in_a_row,
            answers_until: after(pause),
            renews_at: after(renewal_pause(pause, left)),
            failure,
        });
    }

    pub fn forget(&mut self) {
        self.0 = None;
    }

    /// The failure that is everybody's answer now.
    pub fn answer(&self, now: ClockReading) -> Option<&Failure> {
        let last = self.0.as_ref()?;
        (!last.answers_until.has_come(now)).then_some(&last.failure)
    }

    /// Whether a token that is about to end may be renewed now.
    pub fn allow_renewal(&self, now: ClockReading) -> bool {
        let last = self.0.as_ref();
        last.is_none_or(|last| last.renews_at.has_come(now))
    }

    /// From when on nobody gets it as an answer.
    pub fn answers_until(&self) -> Option<Instant> {
        self.0.as_ref().map(|last| last.answers_until.steady)
    }

    /// From when on a token that is about to end may be renewed.
    pub fn renews_at(&self) -> Option<Instant> {
        self.0.as_ref().map(|last| last.renews_at.steady)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(now: ClockReading, seconds: u64) -> ClockReading {
        now.after(Duration::from_secs(seconds)).expect("a time")
    }

    /// A token that is rejected leaves nothing at hand, and its viewer is not to wait for what a
    /// renewal would have waited for.
    #[test]
    fn failed_renewal_answers_no_longer_than_another_failure() {
        let (mut failures, now) = (Failures::default(), ClockReading::now());
        let left = Duration::from_secs(600);
        failures.add(Failure::transient("no connection"), Some(left), now);
        assert!(failures.answer(now).is_some());
        assert!(failures.answer(later(now, 2)).is_none());
        assert!(!failures.allow_renewal(now));
        assert!(failures.allow_renewal(later(now, 600)));
        failures.forget();
        assert!(failures.allow_renewal(now) && failures.answer(now).is_none());
    }
}
