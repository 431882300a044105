// SPDX-License-Identifier: MIT OR Apache-2.0

//! Everything that a flight waits for, and a way to have it wait there without end.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use gst::element_factory::ElementBuilder;
use support::raw_server::{RawServer, Step};
use support::rig::*;
use tokio::net::TcpSocket;
use tokio::runtime;

use crate::machine::{Machine, SERVICE};
use crate::tokens::at;

/// Milliseconds, for what never comes.
pub const SHORT: u32 = 1500;

/// What a flight waits for.
#[derive(Clone, Copy, Debug)]
pub enum Wait {
    /// The address of the host.
    Name,
    /// The server takes the connection.
    Connection,
    /// The server agrees on TLS.
    Tls,
    /// The status line of the reply.
    Reply,
    /// The rest of its body.
    Body,
    /// The server wants to be left alone, and does not answer the next request.
    Retry,
}

pub const WAITS: [Wait; 6] = [
    Wait::Name,
    Wait::Connection,
    Wait::Tls,
    Wait::Reply,
    Wait::Body,
    Wait::Retry,
];

/// A place where a flight waits for that.
pub struct Place {
    wait: Wait,
    server: Option<RawServer>,
    /// Keeps the connections that wait before ours.
    full: Option<Full>,
}

impl Place {
    pub fn new(wait: Wait, machine: Option<&Machine>) -> Self {
        let answer = |bytes: &str| vec![Step::Read, Step::Send(bytes.into()), Step::Silence];
        let server = |scripts| Some(RawServer::new(scripts));
        let (server, full) = match wait {
            Wait::Name => {
                machine
                    .expect("this test runs in a process of its own")
                    .lookups_hang(true);
                (None, None)
            }
            Wait::Connection => (None, Some(Full::new())),
            Wait::Tls => (server(vec![vec![Step::Silence]]), None),
            Wait::Reply => (server(vec![vec![Step::Read, Step::Silence]]), None),
            Wait::Body => {
                let half = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"token\":";
                (server(vec![answer(half)]), None)
            }
            Wait::Retry => {
                let busy = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
                let silent = vec![Step::Read, Step::Silence];
                (server(vec![answer(busy), silent]), None)
            }
        };
        Self { wait, server, full }
    }

    /// An element that asks there, and gives up soon.
    pub fn element(&self) -> ElementBuilder<'static> {
        let place = match (&self.server, &self.full) {
            (Some(server), _) => server.place(),
            (None, Some(full)) => full.place.to_string(),
            (None, None) => nobody().replace("127.0.0.1", SERVICE),
        };
        let scheme = match self.wait {
            Wait::Tls => "https",
            _ => "http",
        };
        at(&format!("{scheme}://{place}/getSessionToken"))
            .property("timeout", SHORT)
            .property("ssl-strict", !matches!(self.wait, Wait::Tls))
            .property("allow-cleartext", true)
            .property("max-held-bytes", 1_u64)
    }

    /// Waits until a flight is there, as far as anybody can see that from outside.
    pub fn wait_for_flight(&self) {
        let Some(server) = &self.server else {
            return;
        };
        match self.wait {
            Wait::Tls => assert!(server.connections(1) >= 1),
            _ => assert!(server.requests(1) >= 1),
        }
    }
}

/// A server that has more connections waiting than it takes: the system drops what else is asked of
/// it, as a network does that is gone.
struct Full {
    _runtime: runtime::Runtime,
    _listener: tokio::net::TcpListener,
    _waiting: Vec<TcpStream>,
    place: SocketAddr,
}

impl Full {
    fn new() -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_io().build();
        let runtime = runtime.expect("a runtime");
        let listener = {
            let _context = runtime.enter();
            on_unused_port(|port| {
                let socket = TcpSocket::new_v4()?;
                socket.bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
                socket.listen(1)
            })
        };
        let place = listener.local_addr().expect("a bound socket has one");
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&place, Duration::from_millis(400)) {
            waiting.push(stream);
        }
        Self {
            _runtime: runtime,
            _listener: listener,
            _waiting: waiting,
            place,
        }
    }
}
