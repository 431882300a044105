// SPDX-License-Identifier: MIT OR Apache-2.0

//! The message `session-token`.

use super::{Reason, fields, reason, structure_of};

/// What has become of a session token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenState {
    /// The first event of a tune has its token.
    Acquired,
    /// An event has another token in the same tune.
    Refreshed,
    /// The license side has refused a token.
    Rejected,
    /// There is no token.
    Failed,
    /// A warm-up has its token.
    Ready,
    /// Another token is here, ahead of the end of the one before.
    Renewed,
    /// There is no other token yet; the one at hand is used on.
    RenewalFailed,
}

/// An element message `session-token` of `sessiontoken`. It never holds the token.
#[derive(Clone, Copy, Debug)]
pub struct TokenMessage<'a>(&'a gst::StructureRef);

impl<'a> TokenMessage<'a> {
    /// That of a message on the bus, if it is one.
    pub fn of(message: &'a gst::Message) -> Option<Self> {
        structure_of(message, "session-token").map(Self)
    }

    /// What has become of the token.
    pub fn state(&self) -> Option<TokenState> {
        Some(match self.0.get("state").ok()? {
            "acquired" => TokenState::Acquired,
            "refreshed" => TokenState::Refreshed,
            "rejected" => TokenState::Rejected,
            "failed" => TokenState::Failed,
            "ready" => TokenState::Ready,
            "renewed" => TokenState::Renewed,
            "renewal-failed" => TokenState::RenewalFailed,
            _ => return None,
        })
    }

    /// Why there is no token.
    pub fn reason(&self) -> Option<Reason> {
        reason(self.0)
    }

    fields! {
        /// The service's nick, `application` or `file`.
        service: &'a str = "service";
        /// What happened, in a sentence.
        text: &'a str = "text";
        /// The token's generation: unique in the process, higher for a newer one.
        generation: u32 = "generation";
        /// Host and port that answered.
        location: &'a str = "location";
        /// Finds the request in the service's log.
        correlation_id: &'a str = "correlation-id";
        /// How many requests were made.
        attempts: u32 = "attempts";
        /// Whether another element had asked for it.
        cached: bool = "cached";
        /// How long the request took.
        latency: gst::ClockTime = "latency";
        /// How much of that ran while no event was held for it.
        overlap: gst::ClockTime = "overlap";
        /// How long events were held in this tune.
        waited: gst::ClockTime = "waited";
        /// The HTTP status of a failure or a rejection.
        http_status: u32 = "http-status";
    }
}
