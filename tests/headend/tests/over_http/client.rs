// SPDX-License-Identifier: MIT OR Apache-2.0

//! The least HTTP client that will do, independent of the library that the head-end is made with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use headend::Headend;

/// Longer than anything here takes, so that a mistake fails a test instead of stopping it.
pub const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// All headers, as they came.
    pub fn headers(&self) -> Vec<&str> {
        let lines = self.head.lines().skip(1);
        lines.take_while(|line| !line.is_empty()).collect()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body of text")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("a body of JSON")
    }
}

/// A connection to a head-end that stays open for several requests.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn to(headend: &Headend) -> Self {
        Self::to_origin(&headend.url(""))
    }

    pub fn to_origin(origin: &str) -> Self {
        let address = origin.strip_prefix("http://").expect("an http URL");
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self(BufReader::new(stream))
    }

    /// Sends a request; `head` is the request line without the version, and any headers.
    pub fn send(&mut self, head: &str, body: &str) {
        let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
        let mut request = format!("{line} HTTP/1.1\r\nHost: headend\r\n");
        for header in headers.lines() {
            request += &format!("{}\r\n", header.trim());
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += &format!("\r\n{body}");
        self.0
            .get_mut()
            .write_all(request.as_bytes())
            .expect("to send");
    }

    /// Receives the answer, or `None` if the connection ends instead.
    pub fn receive(&mut self, has_body: bool) -> Option<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut answer = Answer {
            status,
            head,
            body: Vec::new(),
        };
        if has_body {
            let length = answer.header("content-length").expect("a length");
            answer.body = vec![0; length.parse().expect("a number")];
            self.0.read_exact(&mut answer.body).expect("a whole body");
        }
        Some(answer)
    }

    /// Sends and receives bytes once there is another protocol than HTTP.
    pub fn into_inner(self) -> BufReader<TcpStream> {
        self.0
    }

    pub fn ask(&mut self, head: &str, body: &str) -> Answer {
        self.send(head, body);
        self.receive(!head.starts_with("HEAD ")).expect("an answer")
    }
}

/// Asks on a connection of its own.
pub fn ask(headend: &Headend, head: &str, body: &str) -> Answer {
    Connection::to(headend).ask(head, body)
}
