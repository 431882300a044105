// SPDX-License-Identifier: MIT OR Apache-2.0

//! Licence requests of the whole process: decryptors that want the same keys with the same
//! headers from the same server share one answer, as long as one of them has it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use once_cell::sync::Lazy;
use zeroize::Zeroizing;

use crate::cenc::{KeyId, Licence, read_licence, request_body};
use crate::failure::Failure;
use crate::flight::Flight;
use crate::http::{self, Endpoint, Patience, Redirects, Request, Trust};
use crate::runtime;
use crate::secret::Secret;
use crate::session::{Life, Moment};
use crate::wait::lock;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Order {
    pub url: Endpoint,
    /// Ascending, each once.
    pub key_ids: Vec<KeyId>,
    pub headers: Vec<(String, Secret)>,
    /// The session token that stands in them.
    pub token: Option<Secret>,
    pub trust: Trust,
}

/// What came of it, and how.
pub struct Granted {
    pub licence: Licence,
    pub life: Life,
    /// How long the request took.
    pub latency: Duration,
    /// Requests made for it.
    pub attempts: u32,
}

pub type Outcome = Result<Arc<Granted>, Failure>;

type Orders = HashMap<Order, Weak<Flight<Outcome>>>;

static ORDERS: Lazy<Mutex<Orders>> = Lazy::new(Mutex::default);

/// Keys are used for a second at the least, whatever the licence says: a server whose licences end as they come would else be asked without a pause.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// The flight of that order: one that others began (and then true), or a new one. None of these in `not`.
pub fn order(
    order: Order,
    not: &[Arc<Flight<Outcome>>],
    patience: Patience,
    now: Moment,
) -> (Arc<Flight<Outcome>>, bool) {
    let (flight, landing) = {
        let mut orders = lock(&ORDERS);
        if let Some(flight) = orders.get(&order).and_then(Weak::upgrade)
            && !not.iter().any(|one| Arc::ptr_eq(one, &flight))
        {
            let is_good = match flight.peek() {
                None => true,
                // Who asks now, ahead of its end, wants the next one.
                Some(Ok(granted)) => granted.life.is_valid(now) && !granted.life.is_stale(now),
                // Who asks now may be another tune.
                Some(Err(_)) => false,
            };
            if is_good {
                return (flight, true);
            }
        }
        let (flight, landing) = Flight::start(Err(Failure::transient(
            "the licence request was given up before it had an answer",
        )));
        forget_unused_of(&mut orders);
        orders.insert(order.clone(), Arc::downgrade(&flight));
        (flight, landing)
    };
    let runtime = match runtime::get() {
        Ok(runtime) => runtime,
        Err(failure) => {
            landing.land(Err(failure));
            return (flight, false);
        }
    };
    let started = now.steady;
    let key_ids = order.key_ids.clone();
    drop(runtime.spawn(async move {
        let result = fetch(order, patience).await;
        let latency = started.elapsed();
        landing.land(match result {
            Ok((licence, attempts)) => {
                let now = Moment::now();
                let end = licence.end(&key_ids, now.wall);
                let end = end.map(|end| end.max(now.wall + SHORTEST_LIFE));
                Ok(Arc::new(Granted {
                    licence,
                    life: Life::new(None, end, now),
                    latency,
                    attempts,
                }))
            }
            Err(mut failure) => {
                failure.elapsed = latency;
                Err(failure)
            }
        });
    }));
    (flight, false)
}

/// Forgets the orders whose answer nobody has any more: their headers hold tokens.
pub fn forget_unused() {
    forget_unused_of(&mut lock(&ORDERS));
}

fn forget_unused_of(orders: &mut Orders) {
    orders.retain(|_, flight| flight.strong_count() > 0);
}

/// The licence, and how many requests it took.
async fn fetch(order: Order, patience: Patience) -> Result<(Licence, u32), Failure> {
    // The scheme before a token (`Bearer`) is none.
    let in_headers = order.headers.iter().map(|(_, value)| {
        let value = value.expose();
        Secret::from(value.split_once(' ').map_or(value, |(_, token)| token))
    });
    let request = Request {
        secrets: in_headers.chain(order.token).collect(),
        headers: order.headers,
        body: Some((
            "application/json",
            Zeroizing::new(request_body(&order.key_ids)),
        )),
        redirects: Redirects::Refused,
        ..Request::new(order.url, order.trust)
    };
    http::exchange(&request, &patience, read_licence).await
}
