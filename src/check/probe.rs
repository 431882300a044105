// SPDX-License-Identifier: MIT OR Apache-2.0

//! How far the way to a server goes, step by step, beside the request itself.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ProtocolVersion};
use url::Url;

use crate::http::{TlsConfig, is_loopback};

/// A step and how long it took, or that it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub name: &'static str,
    pub time: Duration,
    pub works: bool,
}

/// What was found on the way.
#[derive(Debug, Default)]
pub struct Probe {
    pub steps: Vec<Step>,
    /// `TLS 1.3`, where there is TLS.
    pub tls: Option<&'static str>,
    /// Where requests go by a proxy, the variable that says so.
    pub proxy: Option<&'static str>,
}

/// Looks up the host, connects, and shakes hands. Each step has this time. Where a proxy stands in
/// between, that does it.
pub fn probe(url: &Url, tls: &TlsConfig, timeout: Duration) -> Probe {
    let mut probe = Probe {
        proxy: proxy(url),
        ..Probe::default()
    };
    if probe.proxy.is_some() {
        return probe;
    }
    let _ = probe.go(url, tls, timeout);
    probe
}

impl Probe {
    fn go(&mut self, url: &Url, tls: &TlsConfig, timeout: Duration) -> Option<()> {
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default()?;
        let addresses = self.step("look-up", || match host.as_str() {
            "localhost" => Some(vec![SocketAddr::from(([127, 0, 0, 1], port))]),
            host => Some((host, port).to_socket_addrs().ok()?.collect()),
        })?;
        let mut stream = self.step("connection", || {
            let mut connections = addresses.iter();
            connections.find_map(|address| TcpStream::connect_timeout(address, timeout).ok())
        })?;
        if url.scheme() != "https" {
            return Some(());
        }
        stream.set_read_timeout(Some(timeout)).ok()?;
        stream.set_write_timeout(Some(timeout)).ok()?;
        let name = ServerName::try_from(host).ok()?;
        let config = Arc::new(tls.config().ok()?);
        let version = self.step("TLS", || {
            let mut connection = ClientConnection::new(config, name).ok()?;
            while connection.is_handshaking() {
                connection.complete_io(&mut stream).ok()?;
            }
            connection.protocol_version()
        })?;
        self.tls = Some(match version {
            ProtocolVersion::TLSv1_3 => "TLS 1.3",
            ProtocolVersion::TLSv1_2 => "TLS 1.2",
            _ => "TLS",
        });
        Some(())
    }

    fn step<T>(&mut self, name: &'static str, act: impl FnOnce() -> Option<T>) -> Option<T> {
        let begun = Instant::now();
        let result = act();
        self.steps.push(Step {
            name,
            time: begun.elapsed(),
            works: result.is_some(),
        });
        result
    }
}

/// The variable that sends requests for that URL to a proxy.
fn proxy(url: &Url) -> Option<&'static str> {
    if is_loopback(url) {
        return None;
    }
    let names: [&str; 4] = match url.scheme() {
        "https" => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    names.into_iter().find(is_set)
}
