// SPDX-License-Identifier: MIT OR Apache-2.0

//! Licence requests of the whole process: decryptors that want the same keys with the same
//! headers from the same server share one answer, as long as one of them has it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use once_cell::sync::Lazy;
use zeroize::Zeroizing;

use crate::cenc::{KeyId, Licence, read_licence, request_body};
use crate::failure::Failure;
use crate::flight::Flight;
use crate::http::{self, Endpoint, Patience, Request, Trust};
use crate::runtime;
use crate::secret::Secret;
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

pub type Outcome = Result<Arc<Licence>, Failure>;

static ORDERS: Lazy<Mutex<HashMap<Order, Weak<Flight<Outcome>>>>> = Lazy::new(Mutex::default);

/// The flight of that order: one that others began, or a new one.
pub fn order(order: Order, patience: Patience) -> Arc<Flight<Outcome>> {
    let (flight, landing) = {
        let mut orders = lock(&ORDERS);
        if let Some(flight) = orders.get(&order).and_then(Weak::upgrade) {
            // A failure is not handed on: who asks now may be another tune.
            if !matches!(flight.peek(), Some(Err(_))) {
                return flight;
            }
        }
        let (flight, landing) = Flight::start(Err(Failure::transient(
            "the licence request was given up before it had an answer",
        )));
        orders.insert(order.clone(), Arc::downgrade(&flight));
        (flight, landing)
    };
    let runtime = match runtime::get() {
        Ok(runtime) => runtime,
        Err(failure) => {
            landing.land(Err(failure));
            return flight;
        }
    };
    let started = Instant::now();
    drop(runtime.spawn(async move {
        let result = fetch(order, patience).await.map_err(|mut failure| {
            failure.elapsed = started.elapsed();
            failure
        });
        landing.land(result.map(Arc::new));
    }));
    flight
}

/// Forgets the orders whose answer nobody has any more: their headers hold tokens.
pub fn forget_unused() {
    lock(&ORDERS).retain(|_, flight| flight.strong_count() > 0);
}

async fn fetch(order: Order, patience: Patience) -> Result<Licence, Failure> {
    // The scheme before a token (`Bearer`) is none.
    let in_headers = order.headers.iter().map(|(_, value)| {
        let value = value.expose();
        Secret::from(value.split_once(' ').map_or(value, |(_, token)| token))
    });
    let request = Request {
        url: order.url,
        secrets: in_headers.chain(order.token).collect(),
        headers: order.headers,
        body: Some((
            "application/json",
            Zeroizing::new(request_body(&order.key_ids)),
        )),
        trust: order.trust,
    };
    let (licence, _) = http::exchange(&request, &patience, read_licence).await?;
    Ok(licence)
}
