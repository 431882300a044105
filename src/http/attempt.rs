// SPDX-License-Identifier: MIT OR Apache-2.0

//! What became of each request, for the log. It is written by whoever has one.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Token,
    License,
    /// For a CDM's challenge.
    CdmLicense,
    /// Of HLS.
    Key,
}

/// One request of several for the same, and what comes next.
#[derive(Debug)]
pub struct Attempt<'a> {
    pub purpose: Purpose,
    /// Host and port that were asked first.
    pub server: String,
    /// Counts from 1.
    pub number: u32,
    /// The HTTP status of the reply.
    pub status: Option<u16>,
    /// Why the reply is of no use, or why there is none.
    pub failure: Option<&'a str>,
    /// Until the head of the reply was here.
    pub first_byte: Option<Duration>,
    pub elapsed: Duration,
    /// The pause before the next attempt, where there is one.
    pub next: Option<Duration>,
    pub correlation_id: Option<Arc<str>>,
}

static LOG: OnceLock<fn(&Attempt<'_>)> = OnceLock::new();

/// Has each attempt logged by that function, unless there is one already.
pub fn set_attempt_log(log: fn(&Attempt<'_>)) {
    let _ = LOG.set(log);
}

pub(super) fn log(attempt: &Attempt<'_>) {
    if let Some(log) = LOG.get() {
        log(attempt);
    }
}
