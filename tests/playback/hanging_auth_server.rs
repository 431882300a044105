// SPDX-License-Identifier: MIT OR Apache-2.0

//! An auth service that keeps its one client waiting, and then answers whatever the test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use support::player_harness::at_once;

pub struct HangingAuthServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl HangingAuthServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a socket");
        let address = listener.local_addr().expect("it is bound");
        Self { listener, address }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn location(&self) -> String {
        format!("http://{}/authService/getSessionToken", self.address)
    }

    /// Answers the request that waits, and closes.
    pub fn answer(self, status: u16, content_type: &str, body: &str) {
        let mut client = self.client();
        write!(
            client,
            "HTTP/1.1 {status} As The Test Wants\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("the client listens");
    }

    /// Hangs up on the request that waits, and closes.
    pub fn hang_up(self) {
        drop(self.client());
    }

    fn client(self) -> TcpStream {
        let (client, _) = at_once("a request", move || self.listener.accept()).expect("a client");
        let mut head = BufReader::new(&client).lines();
        let ends = head.any(|line| line.expect("the client speaks").is_empty());
        assert!(ends, "the client hung up in the middle of its request");
        client
    }
}
