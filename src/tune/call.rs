// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who asks, and when.

use std::task::Waker;

use super::effect::Effect;
use crate::token::ClockReading;

/// Who asks, and when.
pub struct Call<'a> {
    /// Woken when there is something new.
    pub waker: &'a Waker,
    /// Whether the application listens to `request-token`.
    pub has_handler: &'a dyn Fn() -> bool,
    pub now: ClockReading,
    /// What is to be done besides.
    pub effects: &'a mut Vec<Effect>,
}
