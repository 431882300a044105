// SPDX-License-Identifier: MIT OR Apache-2.0

//! License requests of the whole process: decryptors that want the same keys with the same
//! headers from the same server share one answer, as long as one of them has it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use once_cell::sync::Lazy;
use zeroize::Zeroizing;

use super::context::{LicenseFetcher, PollContext};
use super::request::{Granted, LicenseRequest, LicenseResult};
use crate::cenc::{License, read_license, request_body};
use crate::error::{Failure, Kind};
use crate::http::{self, Deadline, Endpoint, Method, Purpose, Redirects, Request};
use crate::runtime;
use crate::session::failover;
use crate::shared_result::SharedResult;
use crate::token::{ClockReading, Secret};
use crate::wait::lock;

type Requests = HashMap<LicenseRequest, Weak<SharedResult<LicenseResult>>>;

static REQUESTS: Lazy<Mutex<Requests>> = Lazy::new(Mutex::default);

/// The requests of the process.
pub struct SharedRequests;

impl LicenseFetcher for SharedRequests {
    fn request(
        &self,
        request: LicenseRequest,
        not: &[Arc<SharedResult<LicenseResult>>],
        context: &PollContext<'_>,
    ) -> (Arc<SharedResult<LicenseResult>>, bool) {
        let policy = context.policy;
        let deadlines = Deadlines::new(policy.timeout, policy.retries);
        request_license(request, not, deadlines, context.now)
    }
}

fn request_license(
    order: LicenseRequest,
    not: &[Arc<SharedResult<LicenseResult>>],
    deadlines: Deadlines,
    now: ClockReading,
) -> (Arc<SharedResult<LicenseResult>>, bool) {
    let (result, completer) = {
        let mut orders = lock(&REQUESTS);
        if let Some(result) = orders.get(&order).and_then(Weak::upgrade)
            && !not.iter().any(|one| Arc::ptr_eq(one, &result))
        {
            let is_good = match result.peek() {
                None => true,
                // Who asks now, ahead of its end, wants the next one.
                Some(Ok(granted)) => {
                    granted.validity().is_valid(now) && !granted.validity().is_stale(now)
                }
                // Who asks now may be another tune.
                Some(Err(_)) => false,
            };
            if is_good {
                return (result, true);
            }
        }
        let (result, completer) = SharedResult::pending(Err(Failure::transient(
            "the license request was given up before it had an answer",
        )));
        forget_unused_of(&mut orders);
        orders.insert(order.clone(), Arc::downgrade(&result));
        (result, completer)
    };
    let runtime = match runtime::get() {
        Ok(runtime) => runtime,
        Err(failure) => {
            completer.complete(Err(failure));
            return (result, false);
        }
    };
    let started = now.steady;
    let key_ids = order.key_ids.clone();
    drop(runtime.spawn(async move {
        let result = fetch(order, &deadlines).await;
        let latency = started.elapsed();
        completer.complete(match result {
            Ok((license, attempts)) => {
                let now = ClockReading::now();
                let mut granted = Granted::new(license, &key_ids, now);
                granted.latency = latency;
                granted.attempts = attempts;
                Ok(Arc::new(granted))
            }
            Err(mut failure) => {
                failure.elapsed = latency;
                Err(failure)
            }
        });
    }));
    (result, false)
}

/// Forgets the orders whose answer nobody has any more: their headers hold tokens.
pub fn forget_unused() {
    forget_unused_of(&mut lock(&REQUESTS));
}

fn forget_unused_of(orders: &mut Requests) {
    orders.retain(|_, result| result.strong_count() > 0);
}

/// How long a license is waited for.
struct Deadlines {
    /// Where there is no other server to ask.
    last: Deadline,
    /// Where there is one: it is a better second attempt than the same server.
    others: Deadline,
}

impl Deadlines {
    /// From now on, for `timeout` all in all.
    fn new(timeout: Duration, retries: u32) -> Self {
        Self {
            last: Deadline::new(timeout, retries),
            others: Deadline::new(timeout, 0),
        }
    }
}

/// The license, and how many requests it took: from the first server that has an answer. One that
/// failed lately comes last.
async fn fetch(order: LicenseRequest, deadlines: &Deadlines) -> Result<(License, u32), Failure> {
    let names: Vec<_> = order.urls.iter().map(server_name).collect();
    let servers = failover::order(&names, 0, Instant::now());
    let many = u32::try_from(servers.len()).unwrap_or(u32::MAX);
    let mut attempts = 0_u32;
    let mut failures: Vec<Failure> = Vec::new();
    for (left, server) in (1..=many).rev().zip(servers) {
        let deadline = match left {
            1 => &deadlines.last,
            _ => &deadlines.others,
        };
        let request = request(&order, &order.urls[server]);
        let share = deadline.share(many, left);
        match http::exchange(&request, &share, read_license).await {
            Ok((license, made)) => {
                failover::answered(&names[server]);
                return Ok((license, attempts.saturating_add(made)));
            }
            Err(failure) => {
                attempts = attempts.saturating_add(failure.attempts);
                let is_worth_another = is_worth_another_server(&failure);
                if many > 1 && is_worth_another {
                    failover::failed(&names[server], failure.retry_after, Instant::now());
                }
                failures.push(failure);
                if !is_worth_another {
                    break;
                }
            }
        }
    }
    let failure = failures.into_iter().reduce(|before, mut last| {
        last.what = format!("{}; before that, {}", last.what, before.what);
        last
    });
    let failure = failure.unwrap_or_else(|| Failure::misconfigured("there is no license server"));
    Err(failure.after_attempts(attempts))
}

/// What tells a server from others, for the memory of those that failed. A path may be another
/// service.
fn server_name(url: &Endpoint) -> String {
    format!("licenses of {}", Endpoint::redacted(url.as_str()))
}

/// Whether another server may do better: this one is not there, has no time, or has no such thing.
/// A refusal is one everywhere.
fn is_worth_another_server(failure: &Failure) -> bool {
    match failure.http_status {
        Some(404 | 408 | 410 | 429 | 500..=599) => true,
        Some(_) => false,
        None => matches!(failure.kind, Kind::Transient | Kind::TimedOut),
    }
}

fn request(order: &LicenseRequest, url: &Endpoint) -> Request {
    // The scheme before a token (`Bearer`) is none.
    let secrets = order.headers.iter().map(|(_, value)| {
        let value = value.expose();
        Secret::from(value.split_once(' ').map_or(value, |(_, token)| token))
    });
    Request {
        secrets: secrets.chain(order.token.clone()).collect(),
        // All of them: which ones are credentials, whoever put them there knows.
        token_headers: order.headers.clone(),
        token_query: order.query.clone(),
        token_hosts: order.token_hosts.clone(),
        token_in_cleartext: order.allow_cleartext,
        purpose: Some(Purpose::License),
        method: Method::Post,
        body: Some((
            "application/json".into(),
            Zeroizing::new(request_body(&order.key_ids)),
        )),
        redirects: Redirects::Followed {
            allow_cleartext: order.allow_cleartext,
        },
        ..Request::new(url.clone(), order.tls.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_server_is_asked_unless_one_refuses() {
        let with = |status| Failure::malformed("").with_http_status(status);
        for (failure, another) in [
            (Failure::transient("no connection"), true),
            (Failure::timed_out(""), true),
            (with(404), true),
            (with(410), true),
            (with(429), true),
            (with(503), true),
            (with(401), false),
            (with(403), false),
            (with(412), false),
            (with(400), false),
            (with(307), false),
            (with(200), false),
            (Failure::malformed("no HTTP"), false),
            (Failure::misconfigured(""), false),
        ] {
            assert_eq!(is_worth_another_server(&failure), another, "{failure:?}");
        }
    }
}
