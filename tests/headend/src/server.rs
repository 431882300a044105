// SPDX-License-Identifier: MIT OR Apache-2.0

//! Connections, and which service a request is for.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::key_server::KEYS_PATH;
use crate::record::Service;
use crate::reply::{self, Reply};
use crate::shared::Shared;
use crate::{auth_service, discovery, events, key_server, license_server, media};

/// Where RDK's auth service has it.
pub(crate) const AUTH_PATH: &str = "/authService/getSessionToken";
/// Where Thunder has everything.
pub(crate) const THUNDER_PATH: &str = "/jsonrpc";
/// Where AGS grants session tokens, and what it has beside it.
pub(crate) const AGS_PATH: &str = "/ags/getSessionToken";
const DISCOVERY_PATH: &str = "/ags/servicediscovery";
/// Where the OAuth 2.0 authorization server grants tokens.
pub(crate) const OAUTH2_PATH: &str = "/oauth2/token";
/// Where an operator's own service has it, and the token alone below.
pub(crate) const LOGIN_PATH: &str = "/login";
/// Where DASH-IF's authorization services are, each at a path of its own below.
pub(crate) const AUTHZ_PATH: &str = "/authz";

/// Why a request gets no answer: the behaviour chosen by the test is to close the connection.
#[derive(Debug)]
pub(crate) struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed without an answer, as the test wants it")
    }
}

impl Error for NoAnswer {}

/// Accepts connections for ever, each with a task of its own so that none waits for another.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                shared.update(|state| state.connections += 1);
                tokio::spawn(admit(stream, tls.clone(), Arc::clone(&shared)));
            }
            // The client was gone before it was let in, or there are too many connections: then
            // the others have to get their turn before one more can be accepted.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Agrees on TLS first, if that is what the head-end speaks.
async fn admit(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // Only a matter of speed: the answers are small, and nobody should wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    match tls {
        None => converse(stream, &shared).await,
        Some(tls) => {
            // Where they do not agree the client has been told why, and a test looks at the client.
            if let Ok(stream) = tls.accept(stream).await {
                converse(stream, &shared).await;
            }
        }
    }
}

/// Answers the requests of one connection until the client goes away.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: &Arc<Shared>,
) {
    let service = service_fn(|request| answer(shared, request));
    // It fails when the client goes away or talks nonsense, and when a service gives no answer.
    // The tests know which of these they provoke, and the record says the rest.
    let _ = http1::Builder::new()
        // A test that says which headers an answer has gets no other.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

async fn answer(shared: &Arc<Shared>, request: Request<Incoming>) -> Result<Reply, NoAnswer> {
    let reply = match (request.method(), request.uri().path()) {
        (_, AUTH_PATH) => return auth_service::answer(shared, Service::Rdk, request).await,
        (&Method::GET, THUNDER_PATH) if events::is_asked(request.headers()) => {
            events::answer(shared, request)
        }
        (&Method::POST, THUNDER_PATH) => {
            return auth_service::answer(shared, Service::Thunder, request).await;
        }
        (&Method::POST, AGS_PATH) => {
            return auth_service::answer(shared, Service::Ags, request).await;
        }
        (&Method::POST, OAUTH2_PATH) => {
            return auth_service::answer(shared, Service::OAuth2, request).await;
        }
        (_, path) if path.starts_with(LOGIN_PATH) => {
            return auth_service::answer(shared, Service::Login, request).await;
        }
        (&Method::GET, path) if path.starts_with(AUTHZ_PATH) => {
            return auth_service::answer(shared, Service::DashIf, request).await;
        }
        (&Method::GET, DISCOVERY_PATH) => discovery::answer(shared, request).await,
        (&Method::POST, "/license") => license_server::answer(shared, request).await,
        (&Method::GET, path) if path.starts_with(KEYS_PATH) => {
            key_server::answer(shared, request.uri(), request.headers()).await
        }
        (&Method::GET | &Method::HEAD, path)
            if path.starts_with("/dash/") || path.starts_with("/hls/") =>
        {
            media::answer(shared, request.uri(), request.headers()).await
        }
        (&Method::GET, "/record") => reply::text(200, shared.state().record.to_string()),
        (&Method::GET, "/record/timeline") => reply::text(200, shared.state().record.timeline()),
        (&Method::POST, "/record/clear") => {
            shared.update(|state| state.record.clear());
            reply::text(200, "")
        }
        (&Method::POST, "/revoke") => {
            shared.update(|state| state.tokens.revoke());
            reply::text(200, "")
        }
        _ => reply::text(404, "There is nothing here.\n"),
    };
    Ok(reply)
}
