// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who waits for a key, when, and by whom licenses are fetched.

use std::sync::Arc;
use std::task::Waker;

use super::policy::LicensePolicy;
use super::request::{LicenseRequest, LicenseResult};
use crate::shared_result::SharedResult;
use crate::token::ClockReading;

/// Who waits for an answer, as the user wants it, and when it is now.
#[derive(Clone, Copy)]
pub struct Waiting<'a> {
    pub policy: &'a LicensePolicy,
    /// Woken when there is something new.
    pub waker: &'a Waker,
    pub now: ClockReading,
}

/// What it takes to get a key.
pub struct PollContext<'a> {
    pub policy: &'a LicensePolicy,
    pub fetcher: &'a dyn LicenseFetcher,
    /// Woken when there is something new.
    pub waker: &'a Waker,
    pub now: ClockReading,
}

impl<'a> PollContext<'a> {
    pub fn waiting(&self) -> Waiting<'a> {
        Waiting {
            policy: self.policy,
            waker: self.waker,
            now: self.now,
        }
    }
}

/// Makes license requests.
pub trait LicenseFetcher: Send + Sync {
    /// The result of that request: one that others began (and then `true`), or a new one. None of
    /// these in `not`.
    fn request(
        &self,
        request: LicenseRequest,
        not: &[Arc<SharedResult<LicenseResult>>],
        context: &PollContext<'_>,
    ) -> (Arc<SharedResult<LicenseResult>>, bool);
}
