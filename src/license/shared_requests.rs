// SPDX-License-Identifier: MIT OR Apache-2.0

//! License requests of the whole process: decryptors that want the same keys with the same
//! headers from the same server share one answer, as long as one of them has it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use once_cell::sync::Lazy;
use zeroize::Zeroizing;

use super::context::{LicenseFetcher, PollContext};
use super::request::{Granted, LicenseRequest, LicenseResult};
use super::servers_in_turn::{Deadlines, ask};
use crate::cenc::{read_license, request_body};
use crate::error::Failure;
use crate::runtime;
use crate::shared_result::SharedResult;
use crate::token::ClockReading;
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
        let body = Zeroizing::new(request_body(&key_ids));
        let request = |url: &_| order.parts.to(url, "application/json".into(), body.clone());
        let result = ask(&order.parts.urls, request, &deadlines, read_license).await;
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
