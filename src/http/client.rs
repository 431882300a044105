// SPDX-License-Identifier: MIT OR Apache-2.0

//! The clients, one for each kind of server that is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};
use rustls::ClientConfig;

use crate::error::Failure;
use crate::token::{self, ClockReading};
use crate::wait::lock;

use super::connections::NoteConnections;
use super::tls::TlsConfig;
use super::{Deadline, Endpoint};

/// Clients that are kept. A player has up to six: the auth service's, the license server's, one for
/// each timeout, and those for playlists and for keys, with TLS and without. Some of them have
/// another one, which keeps no connection.
const KEPT: usize = 12;

/// How long a connection for playlists is kept for the next one. A live playlist comes again after
/// its target duration, which is seldom more than ten seconds.
const FILES_IDLE: Duration = Duration::from_secs(20);

/// How long one for tokens and licenses may be used again: by a viewer who goes through the
/// channels. Load balancers close theirs after a minute (AWS's by default).
const SECRETS_IDLE: Duration = Duration::from_secs(50);

/// By how much the clocks have to be apart for the system to have been suspended: they are not read
/// at the very same time.
const SUSPENDED: Duration = Duration::from_secs(1);

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
    connection: Connection,
}

/// Which connection a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// One that is kept from a request before, which the server may have closed.
    Kept,
    /// Its own, which is closed behind it.
    New,
}

/// What a client fetches.
#[derive(Clone, PartialEq, Eq)]
enum Purpose {
    /// Tokens and licenses.
    Secrets,
    /// Files that playlists name, keys included.
    Files,
}

/// A client for later.
struct Kept {
    kind: Kind,
    client: Client,
    /// None where there is no TLS.
    config: Option<ClientConfig>,
    /// Logouts before it was made.
    logouts: u64,
    /// When it was used last.
    used: ClockReading,
}

static CLIENTS: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

/// The client for that server. `is_file` says whether it is asked for what a playlist names.
pub async fn client(
    url: &Endpoint,
    tls: &TlsConfig,
    deadline: &Deadline,
    is_file: bool,
    connection: Connection,
) -> Result<Client, Failure> {
    kept(Kind {
        tls: url.is_tls().then(|| tls.clone()),
        is_loopback: url.is_loopback(),
        connect: deadline.connect(),
        purpose: match is_file {
            true => Purpose::Files,
            false => Purpose::Secrets,
        },
        connection,
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

/// The one that is there. After the system was suspended there is none: servers have closed their
/// connections meanwhile, and nobody has heard of it.
fn find(kind: &Kind) -> Option<Client> {
    let now = ClockReading::now();
    let mut clients = lock(&CLIENTS);
    let at = clients.iter().position(|kept| kept.kind == *kind)?;
    if was_suspended(clients[at].used, now) {
        let _before = clients.swap_remove(at);
        drop(clients);
        return None;
    }
    clients[at].used = now;
    Some(clients[at].client.clone())
}

/// Whether the time since boot has gone on while the steady clock stood still.
fn was_suspended(then: ClockReading, now: ClockReading) -> bool {
    let whole = now.boottime.saturating_sub(then.boottime);
    whole.saturating_sub(now.steady - then.steady) > SUSPENDED
}

async fn kept(kind: Kind) -> Result<Client, Failure> {
    if let Some(client) = find(&kind) {
        return Ok(client);
    }
    if kind.tls.is_none() {
        return keep(kind);
    }
    // Reads the system's roots, which takes long enough to hold up the other requests.
    let build = tokio::task::spawn_blocking(move || keep(kind));
    build
        .await
        .map_err(|_| Failure::transient("the HTTP client could not be set up"))?
}

/// A new one, which is there from now on.
fn keep(kind: Kind) -> Result<Client, Failure> {
    let logouts = token::logouts();
    let config = config_of(&kind, logouts)?;
    let client = build(&kind, config.clone())?;
    let mut clients = lock(&CLIENTS);
    // One from before a logout is for this request alone.
    if logouts == token::logouts() {
        let oldest = (0..clients.len()).min_by_key(|at| clients[*at].used.steady);
        let oldest = oldest.filter(|_| clients.len() >= KEPT);
        let _gone = oldest.map(|at| clients.swap_remove(at));
        clients.push(Kept {
            kind,
            client: client.clone(),
            config,
            logouts,
            used: ClockReading::now(),
        });
        drop(clients);
    }
    Ok(client)
}

/// That of a client that trusts the same, with the sessions that servers resume, or a new one: also
/// after a logout, and after the system was suspended.
fn config_of(kind: &Kind, logouts: u64) -> Result<Option<ClientConfig>, Failure> {
    let Some(tls) = &kind.tls else {
        return Ok(None);
    };
    let now = ClockReading::now();
    let clients = lock(&CLIENTS);
    let known = clients.iter().find(|kept| {
        kept.kind.tls == kind.tls && kept.logouts == logouts && !was_suspended(kept.used, now)
    });
    if let Some(config) = known.and_then(|kept| kept.config.clone()) {
        return Ok(Some(config));
    }
    drop(clients);
    tls.config().map(Some)
}

fn build(kind: &Kind, config: Option<ClientConfig>) -> Result<Client, Failure> {
    let config = match config {
        Some(config) => config,
        None => TlsConfig::nobody()?,
    };
    let builder = builder(config, kind.is_loopback)
        .connect_timeout(kind.connect)
        .connector_layer(NoteConnections);
    let builder = match kind.purpose {
        Purpose::Secrets => builder
            .gzip(false)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(SECRETS_IDLE)
            .user_agent(concat!(
                env!("CARGO_PKG_NAME"),
                "/",
                env!("CARGO_PKG_VERSION")
            )),
        // Playlists are long, and full of what is nearly the same.
        Purpose::Files => builder.gzip(true).pool_idle_timeout(FILES_IDLE),
    };
    let builder = match kind.connection {
        Connection::Kept => builder,
        Connection::New => builder.pool_max_idle_per_host(0),
    };
    // A peer that has vanished takes no longer to notice than one that never was there.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    let builder = match kind.purpose {
        Purpose::Secrets => builder.tcp_user_timeout(kind.connect),
        Purpose::Files => builder,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspend_shows_in_the_clocks() {
        let then = ClockReading::now();
        let hour = Duration::from_secs(3600);
        let awake = then.after(hour).expect("a time");
        assert!(!was_suspended(then, awake));
        let suspended = ClockReading {
            boottime: awake.boottime + Duration::from_secs(2),
            ..awake
        };
        assert!(was_suspended(then, suspended));
    }
}
