// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a stream waits for: a license, or another token to ask for it with. One leads to the other
//! until there is an answer.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::error::Failure;
use crate::http::REFUSALS;
use crate::shared_result::{SharedResult, deadline};

use super::context::Waiting;
use super::key_request::KeyRequest;
use super::policy::LicensePolicy;
use super::token_store::Renewal;

/// What is under way: a license `L` for `K`, the keys that it is for or whatever else tells it from
/// others.
pub struct LicenseAcquisition<K, L: Clone> {
    of: K,
    until: Instant,
    what: What<L>,
}

/// Where the answer to a license request will be.
pub type Pending<L> = Arc<SharedResult<Result<L, Failure>>>;

enum What<L: Clone> {
    License {
        result: Pending<L>,
        is_shared: bool,
        /// Of the token that it was asked for with; the stream may have brought another since.
        generation: u32,
    },
    /// The token was refused.
    Token {
        result: Arc<SharedResult<Renewal>>,
        refusal: Failure,
    },
}

/// What comes next.
pub enum Step<K, L: Clone> {
    Wait(LicenseAcquisition<K, L>),
    /// The license server said no, and another token is under way.
    Refused(LicenseAcquisition<K, L>),
    /// There is another token: ask again for this.
    AnotherToken(K),
    Granted {
        granted: L,
        result: Pending<L>,
        of: K,
        /// Another decryptor had asked for it.
        is_shared: bool,
    },
    Failed(Failure),
}

impl<K, L: Clone> LicenseAcquisition<K, L> {
    /// A license that has been asked for with what that request has.
    pub fn license(
        of: K,
        request: &KeyRequest,
        (result, is_shared): (Pending<L>, bool),
        waiting: Waiting<'_>,
    ) -> Self {
        Self {
            of,
            until: deadline(waiting.policy.timeout, waiting.now.steady),
            what: What::License {
                result,
                is_shared,
                generation: request.generation(),
            },
        }
    }

    /// Another token for such a license, where that at hand is not valid any more. The other way
    /// round where nobody can be asked for one.
    pub fn token(of: K, request: &KeyRequest, waiting: Waiting<'_>) -> Result<Self, K> {
        let refusal = Failure::denied("the session token is not valid any more");
        let store = request.store();
        let Some(result) = store.and_then(|store| store.reject(request.generation(), 0)) else {
            return Err(of);
        };
        Ok(Self {
            of,
            until: deadline(waiting.policy.timeout, waiting.now.steady),
            what: What::Token { result, refusal },
        })
    }

    /// What it is for.
    pub fn of(&self) -> &K {
        &self.of
    }

    /// When the wait is over.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// Looks whether there is an answer, or has the waiter woken when there is. `request` is that
    /// of the stream, and gets the other token where there is one.
    pub fn step(
        self,
        request: &mut KeyRequest,
        stopping: bool,
        waiting: Waiting<'_>,
    ) -> Step<K, L> {
        let Self { of, until, what } = self;
        let what = match what {
            What::License {
                result,
                is_shared,
                generation,
            } => match result.poll(waiting.waker) {
                Poll::Ready(Ok(granted)) => {
                    return Step::Granted {
                        granted,
                        result,
                        of,
                        is_shared,
                    };
                }
                Poll::Ready(Err(refusal)) => {
                    return after_refusal(refusal, of, request, generation, waiting);
                }
                Poll::Pending => What::License {
                    result,
                    is_shared,
                    generation,
                },
            },
            What::Token { result, refusal } => match result.poll(waiting.waker) {
                Poll::Ready(Some(fields)) => {
                    request.renew(fields);
                    return Step::AnotherToken(of);
                }
                // The element is about to stop, and nobody is to hear of what it gave up.
                Poll::Ready(None) if !stopping => {
                    let why = request.store().and_then(|store| store.failure());
                    return Step::Failed(without_another_token(refusal, why));
                }
                _ => What::Token { result, refusal },
            },
        };
        if waiting.now.steady >= until {
            return Step::Failed(overdue(&what, waiting.policy));
        }
        Step::Wait(Self { of, until, what })
    }
}

/// What there is to wait for after the license server said no: another token, if that is what it
/// may have said no to.
fn after_refusal<K, L: Clone>(
    refusal: Failure,
    of: K,
    request: &KeyRequest,
    generation: u32,
    waiting: Waiting<'_>,
) -> Step<K, L> {
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
    match store.reject(generation, status) {
        Some(result) => Step::Refused(LicenseAcquisition {
            of,
            until: deadline(waiting.policy.timeout, waiting.now.steady),
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

fn overdue<L: Clone>(what: &What<L>, policy: &LicensePolicy) -> Failure {
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
