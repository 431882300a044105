// SPDX-License-Identifier: MIT OR Apache-2.0

//! Another license ahead of the end of the one at hand, beside the stream.

use super::super::context::PollContext;
use super::super::held::HeldLicense;
use super::super::notice::LicenseNotice;
use super::{BackgroundRequest, Driven, LicenseSession};
use crate::cenc::KeyId;
use crate::error::Failure;
use crate::session::{pause_after, renewal_pause};
use crate::token::ClockReading;

/// No license is requested ahead of another one's end until then.
#[derive(Clone, Copy)]
pub(super) struct RenewalPause {
    /// Whose renewal has failed. It knows how long it can wait.
    key_id: KeyId,
    of_key: ClockReading,
    of_all: ClockReading,
}

impl RenewalPause {
    fn is_over(self, key_id: KeyId, now: ClockReading) -> bool {
        let is_its = key_id == self.key_id;
        let until = if is_its { self.of_key } else { self.of_all };
        until.has_come(now)
    }
}

impl LicenseSession {
    /// Does what can be done now for another license. Whatever comes of it, the one at hand is
    /// still good.
    pub(super) fn renew(&mut self, key_id: KeyId, again: &[KeyId], context: &PollContext) {
        let BackgroundRequest {
            pending,
            is_renewal,
        } = match self.background.take() {
            Some(beside) => beside,
            None if self
                .pause
                .is_some_and(|pause| !pause.is_over(key_id, context.now)) =>
            {
                return;
            }
            None => match self.begin(again, context) {
                Ok(pending) => BackgroundRequest {
                    pending,
                    is_renewal: true,
                },
                Err(failure) => return self.renewal_failed(failure, &key_id, context),
            },
        };
        let is_for_it = pending.of().key_ids.contains(&key_id);
        match self.drive(pending, is_renewal, context) {
            Driven::Waits(pending) => {
                self.background = Some(BackgroundRequest {
                    pending,
                    is_renewal,
                });
            }
            Driven::Failed(failure) if is_renewal => {
                self.renewal_failed(failure, &key_id, context);
            }
            Driven::Granted if is_for_it => {
                let is_stale = |held: &HeldLicense| held.validity_of(&key_id).is_stale(context.now);
                if self.held.with_key(&key_id).is_some_and(is_stale) {
                    let left_out = format!("the license server left out the key id {key_id}");
                    self.renewal_failed(Failure::denied(left_out), &key_id, context);
                } else {
                    self.renewals_may_go_on();
                }
            }
            Driven::Granted | Driven::Failed(_) => {}
        }
    }

    pub(super) fn renewals_may_go_on(&mut self) {
        self.failed_renewals = 0;
        self.pause = None;
    }

    fn renewal_failed(&mut self, failure: Failure, key_id: &KeyId, context: &PollContext) {
        self.failed_renewals = self.failed_renewals.saturating_add(1);
        let held = self.held.with_key(key_id);
        let left = held.and_then(|held| held.validity_of(key_id).left(context.now));
        let after = |pause| context.now.after(pause).unwrap_or(context.now);
        let pause = pause_after(&failure, self.failed_renewals);
        self.pause = Some(RenewalPause {
            key_id: *key_id,
            of_key: after(renewal_pause(pause, left)),
            of_all: after(pause),
        });
        self.notices.push(LicenseNotice::RenewalFailed(failure));
    }
}
