// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether a request went out on a connection that had been there before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

/// Counts the connections that a client opens.
#[derive(Clone, Debug, Default)]
pub struct ConnectionCount(Arc<AtomicU64>);

impl ConnectionCount {
    /// How many there have been, with those that are being opened.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S> Layer<S> for ConnectionCount {
    type Service = CountingConnector<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CountingConnector {
            inner,
            count: self.clone(),
        }
    }
}

/// What opens the connections of a client, and counts them.
#[derive(Clone)]
pub struct CountingConnector<S> {
    inner: S,
    count: ConnectionCount,
}

impl<S: Service<R>, R> Service<R> for CountingConnector<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.count.0.fetch_add(1, Ordering::Relaxed);
        self.inner.call(request)
    }
}
