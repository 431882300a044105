// SPDX-License-Identifier: MIT OR Apache-2.0

//! The clients, one for each kind of server that is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};
use rustls::ClientConfig;

use crate::error::Failure;
use crate::wait::lock;

use super::tls::TlsConfig;
use super::{Deadline, Endpoint};

/// Clients that are kept. A player has up to six: the auth service's, the license server's, one for
/// each timeout, and those for playlists and for keys, with TLS and without.
const KEPT: usize = 12;

/// How long a connection for playlists is kept for the next one. A live playlist comes again after
/// its target duration, which is seldom more than ten seconds.
const IDLE: Duration = Duration::from_secs(20);

/// This machine, at whatever port.
const LOCALHOST: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 0),
];

/// What makes two requests share a client.
#[derive(Clone, PartialEq, Eq)]
struct Kind {
    /// None where there is no TLS.
    tls: Option<TlsConfig>,
    is_loopback: bool,
    connect: Duration,
    purpose: Purpose,
}

/// What a client fetches.
#[derive(Clone, PartialEq, Eq)]
enum Purpose {
    /// Tokens and licenses.
    Secrets,
    /// Files that playlists name, keys included.
    Files,
}

/// The newest last.
static CLIENTS: Mutex<Vec<(Kind, Client)>> = Mutex::new(Vec::new());

/// The client for that server. `is_file` says whether it is asked for what a playlist names.
pub async fn client(
    url: &Endpoint,
    tls: &TlsConfig,
    deadline: &Deadline,
    is_file: bool,
) -> Result<Client, Failure> {
    kept(Kind {
        tls: url.is_tls().then(|| tls.clone()),
        is_loopback: url.is_loopback(),
        connect: deadline.connect(),
        purpose: match is_file {
            true => Purpose::Files,
            false => Purpose::Secrets,
        },
    })
    .await
}

/// Forgets all clients, with their connections and client certificates: somebody has logged out.
/// Requests that are pending go on.
pub fn forget_clients() {
    let before = std::mem::take(&mut *lock(&CLIENTS));
    // Without the lock: connections are closed here.
    drop(before);
}

async fn kept(kind: Kind) -> Result<Client, Failure> {
    let known = lock(&CLIENTS)
        .iter()
        .find_map(|(known, client)| (*known == kind).then(|| client.clone()));
    if let Some(client) = known {
        return Ok(client);
    }
    // Reads the system's roots where there is TLS, which takes long enough to hold up the other
    // requests.
    let build = tokio::task::spawn_blocking(move || {
        let client = build(&kind)?;
        let mut clients = lock(&CLIENTS);
        if clients.len() >= KEPT {
            clients.remove(0);
        }
        clients.push((kind, client.clone()));
        Ok(client)
    });
    build
        .await
        .map_err(|_| Failure::transient("the HTTP client could not be set up"))?
}

fn build(kind: &Kind) -> Result<Client, Failure> {
    let config = match &kind.tls {
        Some(tls) => tls.config()?,
        None => TlsConfig::nobody()?,
    };
    let builder = builder(config, kind.is_loopback).connect_timeout(kind.connect);
    let builder = match kind.purpose {
        Purpose::Secrets => builder
            .gzip(false)
            // No connection is kept: a tune makes one request, and on a connection that a server
            // has closed meanwhile (restarted, say) that one would fail.
            .pool_max_idle_per_host(0)
            .user_agent(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION")
            )),
        // Playlists are long, and full of what is nearly the same.
        Purpose::Files => builder.gzip(true).pool_idle_timeout(IDLE),
    };
    builder.build().map_err(|error| {
        Failure::misconfigured(format!(
            "the HTTP client cannot be set up: {}",
            error.without_url()
        ))
    })
}

/// What all our clients have in common.
fn builder(config: ClientConfig, is_loopback: bool) -> ClientBuilder {
    let builder = Client::builder()
        .http1_only()
        .redirect(redirect::Policy::none())
        .referer(false)
        .tls_backend_preconfigured(config);
    match is_loopback {
        // No resolver is asked, which might say that it is elsewhere.
        true => builder.no_proxy().resolve_to_addrs("localhost", &LOCALHOST),
        false => builder,
    }
}
