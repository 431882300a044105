// SPDX-License-Identifier: MIT OR Apache-2.0

//! The server over real sockets: whoever may connect, and whatever an origin says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::*;
use crate::cenc::pssh;
use crate::hls::{ByteRange, KeyBoxes, SharedBox};
use crate::hlsdrmdemux::connections::MAX_CONNECTIONS;
use crate::hlsdrmdemux::keys::KeyToken;
use crate::hlsdrmdemux::paths::{InitPath, PathProtection, SegmentPath};
use crate::hlsdrmdemux::settings::KeyRequestToken;
use crate::http::{TlsConfig, TokenHosts};
use crate::wait::lock;

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// What decryptors are asked for waits until a test goes on.
struct Application {
    asked: Mutex<Sender<()>>,
    goes_on: Mutex<Receiver<()>>,
}

impl Host for Application {
    fn complain(&self, _failure: &Failure, _verdict: Verdict) {}

    fn can_decrypt(&self, _systems: &[u128]) -> bool {
        let asked = lock(&self.asked).send(());
        asked.is_ok() && lock(&self.goes_on).recv_timeout(PATIENCE).is_ok()
    }

    fn warm_up(&self) {}
}

struct NoTokens;

impl TokenSource for NoTokens {
    fn newest(&self) -> Result<KeyToken, Failure> {
        Err(Failure::transient("there is none"))
    }

    fn after_rejection(&self, _generation: u32, _http_status: u16) -> Option<KeyToken> {
        None
    }
}

struct Fixture {
    server: Server,
    asked: Mutex<Receiver<()>>,
    go_on: Sender<()>,
}

impl Fixture {
    /// For a presentation of that origin.
    fn start(origin: &Url) -> Self {
        let (sender, asked) = channel();
        let (go_on, goes_on) = channel();
        let urls = [origin.clone(), origin.clone()];
        let policy = KeyPolicy {
            token: KeyRequestToken::Never,
            hosts: TokenHosts::default(),
            allow_cleartext: false,
        };
        let host = Application {
            asked: Mutex::new(sender),
            goes_on: Mutex::new(goes_on),
        };
        let source = Source::new(urls, Vec::new(), &[], TlsConfig::default());
        let server = Server::start(
            source,
            Inside::of("hlsdemux2", (1, 22, 0, 0)),
            policy,
            Arc::new(NoTokens),
            Arc::new(host),
        );
        Self {
            server: server.expect("a server"),
            asked: Mutex::new(asked),
            go_on,
        }
    }

    fn url(&self, resource: &Resource) -> Url {
        let url = self.server.shared.presentation.map.url(resource);
        Url::parse(&url.expect("short enough")).expect("a URL")
    }

    fn connect(&self) -> TcpStream {
        let url = self.url(&a_key());
        let port = url.port().expect("one");
        let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
        connection.set_read_timeout(Some(PATIENCE)).expect("a time");
        connection
    }

    /// The whole answer.
    fn get(&self, resource: &Resource) -> String {
        let mut connection = self.connect();
        let path = self.url(resource).path().to_owned();
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        connection
            .write_all(request.as_bytes())
            .expect("it listens");
        let mut answer = Vec::new();
        // What ends too soon has been read as far as it goes.
        let _ = connection.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// A key that stands in its URL.
fn a_key() -> Resource {
    Resource::Key(Url::parse("data:,sixteen%20bytes%21%21%21").expect("a URL"))
}

/// A server that gives this answer to every request, and then says nothing more.
fn origin(answer: Vec<u8>) -> Url {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let url = format!("http://{}/file", listener.local_addr().expect("one"));
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let _ = connection.write_all(&answer);
        }
    });
    Url::parse(&url).expect("a URL")
}

#[test]
fn silent_connections_keep_nobody_out() {
    let fixture = Fixture::start(&Url::parse("http://127.0.0.1:9/").expect("a URL"));
    let silent: Vec<_> = (0..2 * MAX_CONNECTIONS)
        .map(|_| fixture.connect())
        .collect();
    let answer = fixture.get(&a_key());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Those that were dropped are closed, and not only forgotten.
    for mut connection in &silent[..MAX_CONNECTIONS] {
        assert!(matches!(connection.read(&mut [0]), Ok(0) | Err(_)));
    }
}

#[test]
fn requests_for_nothing_keep_nobody_out() {
    let fixture = Fixture::start(&Url::parse("http://127.0.0.1:9/").expect("a URL"));
    let strangers: Vec<_> = (0..MAX_CONNECTIONS)
        .map(|_| {
            let mut connection = fixture.connect();
            let request = b"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n";
            connection.write_all(request).expect("it listens");
            let mut answer = [0; 12];
            connection.read_exact(&mut answer).expect("an answer");
            assert_eq!(&answer, b"HTTP/1.1 404");
            connection
        })
        .collect();
    assert!(fixture.get(&a_key()).starts_with("HTTP/1.1 200"));
    drop(strangers);
}

#[test]
fn length_beyond_all_files_overflows_nothing() {
    for length in [u64::MAX - 2, u64::MAX, 1 << 63] {
        for range in [
            None,
            Some(ByteRange {
                offset: u64::MAX - 10,
                length: 10,
            }),
        ] {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let url = origin([head.as_bytes(), b"\x47some bytes"].concat());
            let fixture = Fixture::start(&url);
            for resource in [
                Resource::Segment(Box::new(SegmentPath {
                    url: url.clone(),
                    range,
                    init: None,
                    cipher: None,
                })),
                Resource::InitSegment(Box::new(InitPath {
                    url: url.clone(),
                    range,
                    cipher: None,
                    protection: PathProtection::None,
                })),
                Resource::Playlist(url.clone()),
            ] {
                let answer = fixture.get(&resource);
                assert!(answer.starts_with("HTTP/1.1 "), "{resource:?}: {answer:?}");
            }
        }
    }
}

/// Tokens and keys are fetched on the runtime's only worker: they would wait for it.
#[test]
fn init_segment_is_treated_beside_other_requests() {
    let free = (1_u32 << 20) - 32;
    let moov = [
        &16_u32.to_be_bytes()[..],
        b"moov",
        &8_u32.to_be_bytes(),
        b"mvhd",
    ]
    .concat();
    let mut init = [&moov[..], &free.to_be_bytes(), b"free"].concat();
    init.resize(moov.len() + free as usize, 0);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", init.len());
    let url = origin([head.as_bytes(), &init].concat());
    let fixture = Fixture::start(&url);
    let boxes = KeyBoxes::new(vec![SharedBox::new(pssh::write(7, &[], b"x").into())], "");
    let digest = fixture.server.shared.presentation.map.insert_boxes(&boxes);
    let resource = Resource::InitSegment(Box::new(InitPath {
        url,
        range: None,
        cipher: None,
        protection: PathProtection::Drm(digest),
    }));
    thread::scope(|scope| {
        let treated = scope.spawn(|| fixture.get(&resource));
        let asked = lock(&fixture.asked).recv_timeout(PATIENCE);
        asked.expect("the init segment is being treated");
        assert!(fixture.get(&a_key()).starts_with("HTTP/1.1 200"));
        fixture.go_on.send(()).expect("it waits");
        let answer = treated.join().expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{:.200}", answer);
    });
}

/// hlsdemux2 reads on as long as it gets none (`gst_adaptive_demux2_stream_wait_prepared`).
#[test]
fn closing_server_answers_pending_playlist_request() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let url = format!("http://{}/file", silent.local_addr().expect("one"));
    let url = Url::parse(&url).expect("a URL");
    for (answers, expected) in [(Closing::APlaylist, "200"), (Closing::Nothing, "503")] {
        let fixture = Fixture::start(&url);
        let playlist = Resource::Playlist(url.clone());
        let begins = format!("HTTP/1.1 {expected}");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| fixture.get(&playlist));
            // It waits for the origin.
            let _origin = silent.accept().expect("a request");
            fixture.server.close(answers);
            let waiting = waiting.join().expect("an answer");
            let later = fixture.get(&playlist);
            for answer in [&waiting, &later] {
                assert!(answer.starts_with(&begins), "{answers:?}: {answer}");
                assert_eq!(answer.contains("#EXTINF"), answers == Closing::APlaylist);
            }
        });
        let answer = fixture.get(&a_key());
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
}
