// SPDX-License-Identifier: MIT OR Apache-2.0

//! Details of errors and warnings.

use super::{Reason, fields, reason};
use crate::messages::DETAILS;

/// The structure `session-token-error` of an error or a warning.
#[derive(Clone, Copy, Debug)]
pub struct ErrorDetails<'a>(&'a gst::StructureRef);

impl<'a> ErrorDetails<'a> {
    /// Those of an error, if one of this plugin's elements posted it
    /// (`gst_message_parse_error_details`).
    pub fn of(error: &'a gst::message::Error) -> Option<Self> {
        Self::read(error.details()?)
    }

    /// Those of a warning, likewise.
    pub fn of_warning(warning: &'a gst::message::Warning) -> Option<Self> {
        Self::read(warning.details()?)
    }

    fn read(details: &'a gst::StructureRef) -> Option<Self> {
        (details.name() == DETAILS).then_some(Self(details))
    }

    /// Why it failed.
    pub fn reason(&self) -> Option<Reason> {
        reason(self.0)
    }

    fields! {
        /// How many requests were made.
        attempts: u32 = "attempts";
        /// From the first request to the failure.
        elapsed: gst::ClockTime = "elapsed";
        /// The HTTP status of the answer.
        http_status: u32 = "http-status";
        /// The status in the answer's body: RDK's `status`, or the code of a JSON-RPC error.
        service_status: i64 = "service-status";
        /// Host and port that were asked.
        location: &'a str = "location";
        /// Finds the request in the server's log.
        correlation_id: &'a str = "correlation-id";
        /// What the server says, in a few words.
        title: &'a str = "title";
        /// What the server says, in more words.
        detail: &'a str = "detail";
    }
}
