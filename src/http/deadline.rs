// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long a reply is waited for.

use std::time::{Duration, Instant};

use super::retry;
use crate::backoff::chance;

/// How long a reply is waited for, and how often it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    pub(super) timeout: Duration,
    until: Instant,
    pub(super) retries: u32,
    /// Whether the user can set `timeout`.
    is_setting: bool,
}

impl Deadline {
    /// From now on, for `timeout` all in all. A property `timeout` says how long that is.
    pub fn new(timeout: Duration, retries: u32) -> Self {
        Self {
            timeout,
            until: Instant::now() + timeout,
            retries,
            is_setting: true,
        }
    }

    /// From now on, for one attempt and a timeout that no property sets.
    pub(super) fn fixed(timeout: Duration) -> Self {
        Self {
            is_setting: false,
            ..Self::new(timeout, 0)
        }
    }

    /// For one connection, its look-up and its TLS handshake: three fifths, as AAMP has it
    /// (3 s of 5 s), so that another attempt fits in. All of it where there is but one attempt
    /// in a fixed time.
    pub(super) fn connect(&self) -> Duration {
        match self.is_setting {
            true => self.timeout.mul_f64(0.6),
            false => self.timeout,
        }
    }

    /// Whether there may be another attempt.
    pub(super) fn has_retries(&self) -> bool {
        self.retries > 0
    }

    /// The pause before another attempt after so many, where there is to be one.
    pub(super) fn pause_after(
        &self,
        attempts: u32,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        retry::pause(attempts, self.retries, retry_after, self.left(), chance())
    }

    /// The part of it that is for the next one of `servers`, of which `left` have not been asked
    /// yet.
    pub fn share(&self, servers: u32, left: u32) -> Self {
        Self {
            // The same for each of them, so that their connections share a client.
            timeout: self.timeout / servers.max(1),
            until: Instant::now() + self.left() / left.max(1),
            ..*self
        }
    }

    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// For the end of a sentence about time that ran out.
    pub(super) fn advice(&self) -> &'static str {
        match self.is_setting {
            true => ", or raise `timeout`",
            false => "",
        }
    }
}
