// SPDX-License-Identifier: MIT OR Apache-2.0

//! From a CDM's challenge to the license, with another token where one is refused.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use zeroize::Zeroizing;

use super::message::Challenge;
use super::requesters::Requesters;
use crate::error::Failure;
use crate::license::{LicenseAcquisition, LicensePolicy, Step, Waiting};
use crate::shared_result::SharedResult;
use crate::token::ClockReading;
use crate::wait::lock;

/// What came of a challenge.
pub enum Answer {
    License(Zeroizing<Vec<u8>>),
    /// The challenge holds a token that has been replaced.
    StaleChallenge,
    /// Nobody has the session any more who could ask.
    NobodyAsks,
    Failed(Failure),
}

fn waiting_by<'a>(policy: &'a LicensePolicy, waker: &'a Waker) -> Waiting<'a> {
    Waiting {
        policy,
        waker,
        now: ClockReading::now(),
    }
}

/// Sends the challenge, which was made with the token of that generation, until there is a license
/// or no point in asking. Another token that it takes stays with the stream. `is_first` is whether
/// there is no license yet: then a challenge whose token has been replaced is not sent.
pub async fn license_for(
    requesters: Arc<Mutex<Requesters>>,
    challenge: Challenge,
    generation: u32,
    is_first: bool,
) -> Answer {
    let mut is_valid = true;
    loop {
        let Some((member, mut now)) = lock(&requesters).newest() else {
            return Answer::NobodyAsks;
        };
        let policy = now.policy.clone();
        if std::mem::take(&mut is_valid) {
            // The store is code of another element's.
            let newest = tokio::task::spawn_blocking(move || {
                let is_valid = now.request.use_newest_token();
                (now, is_valid)
            });
            match newest.await {
                Ok((newest, valid)) => (now, is_valid) = (newest, valid),
                Err(_) => return Answer::Failed(Failure::transient("the token's store failed")),
            }
        } else {
            is_valid = true;
        }
        if is_valid && is_first && now.is_stale(generation) {
            lock(&requesters).set_request(member, now.request);
            return Answer::StaleChallenge;
        }
        let noop = Waker::noop();
        let token = match is_valid {
            true => None,
            false => LicenseAcquisition::token((), &now.request, waiting_by(&policy, noop)).ok(),
        };
        let mut acquisition = match token {
            Some(acquisition) => acquisition,
            None => {
                let (result, completer) = SharedResult::pending(Err(Failure::transient("")));
                completer.complete(now.ask(&challenge).await);
                let waiting = waiting_by(&policy, noop);
                LicenseAcquisition::license((), &now.request, (result, false), waiting)
            }
        };
        let step = loop {
            let until = tokio::time::Instant::from_std(acquisition.until());
            let mut waiting = Some(acquisition);
            let stepped = poll_fn(|context| {
                let Some(one) = waiting.take() else {
                    return Poll::Pending;
                };
                match one.step(
                    &mut now.request,
                    false,
                    waiting_by(&policy, context.waker()),
                ) {
                    Step::Wait(one) => {
                        waiting = Some(one);
                        Poll::Pending
                    }
                    step => Poll::Ready(step),
                }
            });
            match tokio::time::timeout_at(until, stepped).await {
                Ok(Step::Refused(one) | Step::Wait(one)) => acquisition = one,
                Ok(step) => break step,
                Err(_) => match waiting.take() {
                    // It is overdue, and says so.
                    Some(one) => acquisition = one,
                    None => return Answer::Failed(Failure::timed_out("no license in time")),
                },
            }
        };
        lock(&requesters).set_request(member, now.request.clone());
        match step {
            Step::Granted { granted, .. } => return Answer::License(granted),
            // The stream that asked has ended, and its store with it.
            Step::Failed(_) if lock(&requesters).has_another(member) => is_valid = true,
            Step::Failed(_) if lock(&requesters).is_empty() => return Answer::NobodyAsks,
            Step::Failed(failure) => return Answer::Failed(failure),
            // It is the newest, and has been taken over above.
            _ if now.is_stale(generation) => return Answer::StaleChallenge,
            _ => is_valid = true,
        }
    }
}
