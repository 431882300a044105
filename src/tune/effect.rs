// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an element does besides what becomes of an event: without a lock, in this order.

use std::time::Duration;

use crate::error::Failure;
use crate::shared_result::Completer;
use crate::token::{Secret, Token, TokenOrigin};

/// What is to be done.
pub enum Effect {
    /// Emit `request-token` on a thread of its own, and complete this with what comes back.
    AskApplication(Completer<Option<Secret>>),
    /// A token is here that the application has not been told of.
    Acquired {
        service: &'static str,
        token: Token,
        report: Report,
    },
    /// A token is here, before any stream needs it.
    Ready {
        service: &'static str,
        token: Token,
        /// It was there without a request.
        cached: bool,
    },
    /// There is another token, ahead of the end of the one before.
    Renewed { service: &'static str, token: Token },
    /// There is no other one, and the one at hand is used on.
    RenewalFailed {
        service: &'static str,
        failure: Failure,
    },
    /// The license side has rejected a token.
    Rejected {
        service: &'static str,
        generation: u32,
        http_status: u32,
        /// The token's, where that is known.
        origin: Option<TokenOrigin>,
    },
    /// There is no token.
    Failed {
        service: &'static str,
        failure: Failure,
        severity: Severity,
    },
}

/// As what a failure is posted, besides the element message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    /// The stream goes on.
    Warning,
    /// A decryptor posts the error, or has no use for it.
    MessageOnly,
}

/// What the application is told of a token.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// How long this tune's events have been held for tokens.
    pub waited: Duration,
    /// How long the request for this one took.
    pub latency: Duration,
    /// That part of it for which no event was held, because it ran beside other work, or before.
    pub overlap: Duration,
    /// The token was there without a request by this tune.
    pub cached: bool,
    /// It replaces another one of this tune.
    pub refreshed: bool,
}
