// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a stream waits for: a license, or another token to ask for it with. One leads to the other
//! until there is an answer.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::cenc::KeyId;
use crate::error::Failure;
use crate::http::REFUSALS;
use crate::shared_result::{SharedResult, deadline};

use super::context::PollContext;
use super::key_request::KeyRequest;
use super::policy::LicensePolicy;
use super::request::{Granted, LicenseRequest, LicenseResult};
use super::token_store::Renewal;

/// What is under way.
pub struct LicenseAcquisition {
    /// The keys that it is for.
    key_ids: Vec<KeyId>,
    until: Instant,
    what: What,
}

enum What {
    License {
        result: Arc<SharedResult<LicenseResult>>,
        is_shared: bool,
    },
    /// The token was refused.
    Token {
        result: Arc<SharedResult<Renewal>>,
        refusal: Failure,
    },
}

/// What comes next.
pub enum Step {
    Wait(LicenseAcquisition),
    /// The license server said no, and another token is under way.
    Refused(LicenseAcquisition),
    /// There is another token: ask again for these keys.
    AnotherToken(Vec<KeyId>),
    Granted {
        granted: Arc<Granted>,
        result: Arc<SharedResult<LicenseResult>>,
        key_ids: Vec<KeyId>,
        /// Another decryptor had asked for it.
        is_shared: bool,
    },
    Failed(Failure),
}

impl LicenseAcquisition {
    /// A license that is ordered now, and is not one of those that the stream has already.
    pub fn license(
        of: LicenseRequest,
        not: &[Arc<SharedResult<LicenseResult>>],
        context: &PollContext,
    ) -> Self {
        let key_ids = of.key_ids.clone();
        let (result, is_shared) = context.fetcher.request(of, not, context);
        Self {
            key_ids,
            until: deadline(context.policy.timeout, context.now.steady),
            what: What::License { result, is_shared },
        }
    }

    /// Another token for a license for these keys, where that at hand is not valid any more. `None`
    /// where nobody can be asked for one.
    pub fn token(key_ids: &[KeyId], request: &KeyRequest, context: &PollContext) -> Option<Self> {
        let refusal = Failure::denied("the session token is not valid any more");
        let result = request.store()?.reject(request.generation(), 0)?;
        Some(Self {
            key_ids: key_ids.to_vec(),
            until: deadline(context.policy.timeout, context.now.steady),
            what: What::Token { result, refusal },
        })
    }

    /// Whether it brings this key, if it brings anything.
    pub fn is_for(&self, key_id: &KeyId) -> bool {
        self.key_ids.contains(key_id)
    }

    /// When the wait is over.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Looks whether there is an answer, or has the waiter woken when there is. `request` is that
    /// of the stream, and gets the other token where there is one.
    pub fn step(self, request: &mut KeyRequest, stopping: bool, context: &PollContext) -> Step {
        let Self {
            key_ids,
            until,
            what,
        } = self;
        let what = match what {
            What::License { result, is_shared } => match result.poll(context.waker) {
                Poll::Ready(Ok(granted)) => {
                    return Step::Granted {
                        granted,
                        result,
                        key_ids,
                        is_shared,
                    };
                }
                Poll::Ready(Err(refusal)) => {
                    return after_refusal(refusal, key_ids, request, context);
                }
                Poll::Pending => What::License { result, is_shared },
            },
            What::Token { result, refusal } => match result.poll(context.waker) {
                Poll::Ready(Some(fields)) => {
                    request.renew(fields);
                    return Step::AnotherToken(key_ids);
                }
                // The element is about to stop, and nobody is to hear of what it gave up.
                Poll::Ready(None) if !stopping => {
                    let why = request.store().and_then(|store| store.failure());
                    return Step::Failed(without_another_token(refusal, why));
                }
                _ => What::Token { result, refusal },
            },
        };
        if context.now.steady >= until {
            return Step::Failed(overdue(&what, context.policy));
        }
        Step::Wait(Self {
            key_ids,
            until,
            what,
        })
    }
}

/// What there is to wait for after the license server said no: another token, if that is what it
/// may have said no to.
fn after_refusal(
    refusal: Failure,
    key_ids: Vec<KeyId>,
    request: &KeyRequest,
    context: &PollContext,
) -> Step {
    // Whoever was not sent the token has not refused it.
    let is_of_token = |status: &u16| REFUSALS.contains(status) && !refusal.is_without_token;
    let status = refusal.http_status.filter(is_of_token);
    let (Some(status), Some(store)) = (status, request.store()) else {
        let is_bare = status.is_some() && request.token().is_none();
        return Step::Failed(match is_bare {
            true => without_metadata(refusal),
            false => refusal,
        });
    };
    match store.reject(request.generation(), status) {
        Some(result) => Step::Refused(LicenseAcquisition {
            key_ids,
            until: deadline(context.policy.timeout, context.now.steady),
            what: What::Token { result, refusal },
        }),
        None => Step::Failed(refusal),
    }
}

/// The refusal, where its usual advice is not the right one. `why` is the token's own failure.
fn without_another_token(refusal: Failure, why: Option<String>) -> Failure {
    let why = why.unwrap_or_else(|| "the message `session-token` on the bus says why".to_owned());
    advised(
        refusal,
        &format!(", and there is no other session token: {why}"),
    )
}

/// The refusal of a request that had no token, because none came with the stream.
fn without_metadata(refusal: Failure) -> Failure {
    advised(
        refusal,
        ", and no session token came with the stream: put `sessiontoken` before this element, or in a player raise its rank (GST_PLUGIN_FEATURE_RANK=sessiontoken:PRIMARY)",
    )
}

/// The refusal with another advice.
fn advised(mut refusal: Failure, advice: &str) -> Failure {
    // The advice stands behind the first colon. None in a URL has a space behind it.
    let refused = refusal.what.split(": ").next().unwrap_or_default();
    refusal.what = format!("{refused}{advice}");
    refusal
}

fn overdue(what: &What, policy: &LicensePolicy) -> Failure {
    let (what, who) = match what {
        What::License { .. } => ("license", "license server"),
        What::Token { .. } => ("other session token", "auth service"),
    };
    let mut failure = Failure::timed_out(format!(
        "no {what} within {} ms: check that the {who} runs, or raise `timeout`",
        policy.timeout.as_millis()
    ));
    failure.attempts = 1;
    failure.elapsed = policy.timeout;
    failure
}
