// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether a request went out on a connection that had been there before it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    /// Whether the request of this task has opened a connection. The client opens one while it
    /// waits for a kept one to be free. Where the kept one is first, it goes on with the other one
    /// elsewhere, and nothing is noted.
    static OPENED: Arc<AtomicBool>;
}

/// Waits for a request to be sent, and says whether it has opened a connection.
pub async fn noted<F: Future>(sent: F) -> (F::Output, bool) {
    let opened = Arc::new(AtomicBool::new(false));
    let output = OPENED.scope(opened.clone(), sent).await;
    (output, opened.load(Ordering::Relaxed))
}

/// Notes the connections that a client opens.
#[derive(Clone, Debug)]
pub struct NoteConnections;

impl<S> Layer<S> for NoteConnections {
    type Service = NotingConnector<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NotingConnector(inner)
    }
}

/// What opens the connections of a client, and notes them.
#[derive(Clone)]
pub struct NotingConnector<S>(S);

impl<S, R> Service<R> for NotingConnector<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let connection = self.0.call(request);
        Box::pin(async {
            let connection = connection.await;
            // Fails where nobody waits for it.
            let _ = OPENED.try_with(|opened| opened.store(true, Ordering::Relaxed));
            connection
        })
    }
}
