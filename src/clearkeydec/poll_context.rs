// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who waits for a key, and when.

use std::task::Waker;

use super::settings::Policy;
use crate::token::ClockReading;

/// What it takes to get a key.
pub struct PollContext<'a> {
    pub policy: &'a Policy,
    /// Woken when there is something new.
    pub waker: &'a Waker,
    pub now: ClockReading,
}
