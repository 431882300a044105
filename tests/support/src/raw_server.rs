// SPDX-License-Identifier: MIT OR Apache-2.0

//! A server that does on its connections exactly what a script says, right or wrong.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::rig::{PATIENCE, on_unused_port};

/// Between two pieces of what comes slowly.
const PACE: Duration = Duration::from_millis(1);

type Answer = Box<dyn Fn(&str) -> Vec<u8> + Send + Sync>;

/// What happens on a connection, one after the other. After the last step the server hangs up.
pub enum Step {
    /// Reads a request, head and body.
    Read,
    /// Waits until there is something to read and leaves it there, so that hanging up resets the
    /// connection.
    Peek,
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends what this makes of the request.
    Answer(Answer),
    /// Sends these bytes once, so many at a time.
    Pieces(Vec<u8>, usize),
    /// Sends these bytes again and again, one at a time, until the client hangs up.
    Drip(Vec<u8>),
    /// Sends these bytes again and again, as fast as they are taken, until the client hangs up.
    Flood(Vec<u8>),
    /// Says nothing until the client hangs up.
    Silence,
}

/// All that happens on a connection.
pub type Script = Vec<Step>;

#[derive(Default)]
struct Seen {
    connections: usize,
    requests: usize,
    open: HashMap<usize, TcpStream>,
    is_over: bool,
}

struct Shared {
    /// One for each connection; the last one also for all that come after it.
    scripts: Vec<Script>,
    seen: Mutex<Seen>,
    grown: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a connection and gives its number; `None` where the server stops.
    fn open(&self, stream: &TcpStream) -> Option<usize> {
        let mut seen = self.lock();
        if seen.is_over {
            return None;
        }
        let number = seen.connections;
        seen.connections += 1;
        let clone = stream.try_clone().expect("a handle to the connection");
        seen.open.insert(number, clone);
        self.grown.notify_all();
        Some(number)
    }

    fn serve(&self, mut stream: TcpStream, number: usize) {
        let script = self.scripts.get(number).or(self.scripts.last());
        let mut request = String::new();
        for step in script.into_iter().flatten() {
            // Fails where the client has hung up, or the server stops.
            if self.step(step, &mut stream, &mut request).is_err() {
                break;
            }
        }
        // Both handles, or nothing is closed.
        self.lock().open.remove(&number);
    }

    fn step(
        &self,
        step: &Step,
        stream: &mut TcpStream,
        request: &mut String,
    ) -> std::io::Result<()> {
        match step {
            Step::Read => {
                *request = read_request(stream)?;
                self.lock().requests += 1;
                self.grown.notify_all();
                Ok(())
            }
            Step::Peek => stream.peek(&mut [0]).map(drop),
            Step::Send(bytes) => stream.write_all(bytes),
            Step::Answer(answer) => stream.write_all(&answer(request)),
            Step::Pieces(bytes, size) => slowly(stream, bytes, *size),
            Step::Drip(bytes) => loop {
                slowly(stream, bytes, 1)?;
            },
            Step::Flood(bytes) => loop {
                stream.write_all(bytes)?;
            },
            Step::Silence => {
                while stream.read(&mut [0; 1024])? > 0 {}
                Ok(())
            }
        }
    }
}

fn slowly(stream: &mut TcpStream, bytes: &[u8], size: usize) -> std::io::Result<()> {
    for piece in bytes.chunks(size) {
        stream.write_all(piece)?;
        thread::sleep(PACE);
    }
    Ok(())
}

fn read_request(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().expect("our client counts right"))
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok(text.into_owned());
            }
        }
        let mut more = [0; 4096];
        let count = stream.read(&mut more)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&more[..count]);
    }
}

/// A server on the loopback interface, which stops when it is dropped.
pub struct RawServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl RawServer {
    /// Starts one, with a script for each connection; the last one also for all that come after it.
    pub fn new(scripts: Vec<Script>) -> Self {
        Self::on(Ipv4Addr::LOCALHOST.into(), scripts)
    }

    /// The same on IPv6.
    pub fn on_ipv6(scripts: Vec<Script>) -> Self {
        Self::on(Ipv6Addr::LOCALHOST.into(), scripts)
    }

    fn on(address: IpAddr, scripts: Vec<Script>) -> Self {
        let listener = on_unused_port(|port| TcpListener::bind((address, port)));
        let address = listener.local_addr().expect("a bound socket has one");
        let shared = Arc::new(Shared {
            scripts,
            seen: Mutex::default(),
            grown: Condvar::new(),
        });
        let acceptor = thread::spawn({
            let shared = shared.clone();
            move || {
                thread::scope(|scope| {
                    for stream in listener.incoming() {
                        let stream = stream.expect("a connection");
                        let Some(number) = shared.open(&stream) else {
                            break;
                        };
                        // So that pieces stay pieces.
                        stream.set_nodelay(true).expect("a TCP connection");
                        let shared = &shared;
                        scope.spawn(move || shared.serve(stream, number));
                    }
                });
            }
        });
        Self {
            address,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// Host and port, as in a URL.
    pub fn place(&self) -> String {
        self.address.to_string()
    }

    /// Waits for so many connections, and says how many there were.
    pub fn connections(&self, expected: usize) -> usize {
        self.count(expected, |seen| seen.connections)
    }

    /// Waits for so many whole requests, and says how many there were.
    pub fn requests(&self, expected: usize) -> usize {
        self.count(expected, |seen| seen.requests)
    }

    fn count(&self, expected: usize, count: impl Fn(&Seen) -> usize) -> usize {
        let (seen, _) = self
            .shared
            .grown
            .wait_timeout_while(self.shared.lock(), PATIENCE, |seen| count(seen) < expected)
            .unwrap_or_else(PoisonError::into_inner);
        count(&seen)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        let open = {
            let mut seen = self.shared.lock();
            seen.is_over = true;
            std::mem::take(&mut seen.open)
        };
        for stream in open.into_values() {
            // Fails where the client has hung up.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        let ended = self.acceptor.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(ended, Some(Ok(()))), "the server has panicked");
        }
    }
}
