// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a session is about, and what is said where the CDM takes too long for it.

use std::time::Duration;

use crate::error::{Failure, Fault};

pub enum Phase {
    Constructing,
    AwaitingChallenge,
    Requesting,
    Updating,
    AwaitingKeys,
    /// Nothing is under way.
    Settled,
    /// A session is made anew then.
    Pausing,
    Failed(Failure),
}

impl Phase {
    /// What is said when the phase has not come to its end within that time. `complaint` is what
    /// the CDM said before.
    pub fn overdue(&self, complaint: &str, timeout: Duration) -> Failure {
        let what = match self {
            Phase::Constructing => {
                "the CDM made no session (`opencdm_construct_session` has not returned)"
            }
            Phase::AwaitingChallenge if complaint.is_empty() => {
                "the CDM made no challenge for a license request: check that its service runs and that the stream is for it"
            }
            Phase::AwaitingChallenge => &format!(
                "the CDM made no challenge for a license request (it says \"{complaint}\")"
            ),
            Phase::Updating => {
                "the CDM did not take the license (`opencdm_session_update` has not returned)"
            }
            _ => {
                "the CDM made no key usable with what the license server sent: check that it is a license for this device"
            }
        };
        let ms = timeout.as_millis();
        let mut failure = Failure::timed_out(format!("{what} within {ms} ms"));
        failure.elapsed = timeout;
        failure.with_fault(Fault::Key)
    }
}
