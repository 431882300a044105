// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists and init segments for the demuxer inside, over HTTP on 127.0.0.1: fetched from where they are when they are asked for, and rewritten.
//! Only what the presentation names is there, each at a path that nobody can guess, as long as the element has the server.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use url::Url;
use uuid::Uuid;

use crate::failure::{Failure, Kind};
use crate::hls::{ByteRange, InitSegment, Places, Rewritten, Variables, rewrite, splice};
use crate::http::{SourceHeaders, Wanted, download};
use crate::runtime;
use crate::wait::lock;

/// Largest playlist: a day in segments of two seconds, with long names and key tags.
pub const MAX_PLAYLIST: usize = 16 * 1024 * 1024;

/// Largest init segment. They have some kilobytes.
const MAX_INIT_SEGMENT: usize = 1024 * 1024;

/// Places that one playlist may name. A presentation has some dozens.
const MAX_NAMED: usize = 1000;

/// Init segments that are kept. Live presentations name new ones for ever.
const MAX_INIT_SEGMENTS: usize = 2 * MAX_NAMED;

/// Playlists that are kept.
const MAX_PLAYLISTS: usize = 2 * MAX_NAMED;

/// After an error that is no connection's (out of descriptors, say).
const PAUSE: Duration = Duration::from_millis(50);

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";

/// A running server. It ends when this is dropped.
pub struct PlaylistServer {
    shared: Arc<Shared>,
    accepting: tokio::task::AbortHandle,
}

impl Drop for PlaylistServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Shared {
    origin: String,
    headers: SourceHeaders,
    places: Mutex<Directory>,
    /// Told what is wrong and stays so.
    complain: Box<dyn Fn(&Failure) + Send + Sync>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Place {
    Playlist(Url),
    InitSegment(Arc<InitSegment>),
}

#[derive(Default)]
struct Directory {
    places: HashMap<String, Place>,
    paths: HashMap<Place, String>,
    /// Paths of init segments in the order in which they were named first.
    init_segments: VecDeque<String>,
    /// Paths of playlists that have been fine once. What goes wrong with one of them may be over when the demuxer asks again.
    good: HashSet<String>,
    /// Those of the multivariant playlist.
    variables: Variables,
}

impl PlaylistServer {
    /// Starts one on a port of the system's choice.
    ///
    /// # Errors
    ///
    /// `Transient` where the system has no thread, socket or port left.
    pub fn start(
        headers: SourceHeaders,
        complain: impl Fn(&Failure) + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        let runtime = runtime::get()?;
        let no_socket = |error: std::io::Error| {
            Failure::transient(format!("no socket for playlists on this machine: {error}"))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no_socket)?;
        listener.set_nonblocking(true).map_err(no_socket)?;
        let port = listener.local_addr().map_err(no_socket)?.port();
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(no_socket)?
        };
        let shared = Arc::new(Shared {
            origin: format!("http://127.0.0.1:{port}"),
            headers,
            places: Mutex::default(),
            complain: Box::new(complain),
        });
        let weak = Arc::downgrade(&shared);
        let accepting = runtime.spawn(accept(listener, weak)).abort_handle();
        Ok(Self { shared, accepting })
    }

    /// What the demuxer gets in the place of the presentation's first playlist.
    ///
    /// # Errors
    ///
    /// `Malformed`, with what is wrong.
    ///
    /// It was asked for at `url`, and is at `base` in the end.
    pub fn first(&self, playlist: &[u8], url: &Url, base: &Url) -> Result<String, Failure> {
        let text = utf8(playlist)?;
        let rewritten = self.shared.rewrite(text, base)?;
        if rewritten.is_multivariant {
            lock(&self.shared.places).variables = rewritten.variables;
            return Ok(rewritten.text);
        }
        // The demuxer would ask the origin for a media playlist again, so it gets one that names it.
        let place = self.shared.place(Place::Playlist(url.clone()))?;
        Ok(format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{place}\n"))
    }
}

fn utf8(playlist: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(playlist)
        .map_err(|_| Failure::malformed("the playlist is no text in UTF-8"))
}

async fn accept(listener: tokio::net::TcpListener, shared: Weak<Shared>) {
    while let Some(shared) = Weak::upgrade(&shared) {
        let weak = Arc::downgrade(&shared);
        drop(shared);
        let Ok((connection, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let weak = weak.clone();
                async move { Ok::<_, Infallible>(answer(weak, request).await) }
            });
            // The demuxer may go away at any time.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn answer(shared: Weak<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let place = shared.upgrade().and_then(|shared| {
        let place = lock(&shared.places)
            .places
            .get(request.uri().path())
            .cloned();
        place.map(|place| (shared, place))
    });
    let Some((shared, place)) = place else {
        return status(404);
    };
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return status(405);
    }
    let path = request.uri().path().to_owned();
    let answer = match place {
        Place::Playlist(url) => {
            let url = with_directives(url, request.uri().query());
            shared.clone().playlist(url).await
        }
        Place::InitSegment(segment) => shared.init_segment(&segment).await,
    };
    match answer {
        Ok(response) => {
            if response.status().is_success() {
                lock(&shared.places).good.insert(path);
            }
            response
        }
        Err(failure) => {
            let lasts = match failure.kind {
                Kind::Misconfigured => true,
                Kind::Malformed => !lock(&shared.places).good.contains(&path),
                // The demuxer asks again, and says so when it gives up.
                Kind::Denied | Kind::Transient | Kind::TimedOut => false,
            };
            if lasts {
                (shared.complain)(&failure);
            }
            status(502)
        }
    }
}

/// The URL with what a low-latency demuxer wants to know (draft-pantos-hls-rfc8216bis, 6.2.5), but for `_HLS_skip`: a playlist without its beginning
/// would lack what is said there of keys, so that the whole one is asked for.
fn with_directives(mut url: Url, query: Option<&str>) -> Url {
    let query = query.unwrap_or_default();
    let directives: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name.starts_with("_HLS_") && name != "_HLS_skip")
        .collect();
    if !directives.is_empty() {
        url.query_pairs_mut().extend_pairs(directives);
    }
    url
}

fn status(code: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
    response
}

fn body(content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    response.headers_mut().insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static(content_type),
    );
    response
}

impl Shared {
    /// The URL of a place.
    fn place(&self, place: Place) -> Result<String, Failure> {
        let mut directory = lock(&self.places);
        let path = match directory.paths.get(&place) {
            Some(known) => known.clone(),
            None => {
                let path = format!("/{}", Uuid::new_v4().simple());
                match &place {
                    Place::InitSegment(_) => {
                        if directory.init_segments.len() >= MAX_INIT_SEGMENTS {
                            directory.forget_oldest();
                        }
                        directory.init_segments.push_back(path.clone());
                    }
                    Place::Playlist(_) => {
                        let playlists = directory.places.len() - directory.init_segments.len();
                        if playlists >= MAX_PLAYLISTS {
                            return Err(Failure::malformed(format!(
                                "the presentation has more than {MAX_PLAYLISTS} playlists"
                            )));
                        }
                    }
                }
                directory.places.insert(path.clone(), place.clone());
                directory.paths.insert(place, path.clone());
                path
            }
        };
        Ok(format!("{}{path}", self.origin))
    }

    fn rewrite(&self, playlist: &str, url: &Url) -> Result<Rewritten, Failure> {
        let imported = lock(&self.places).variables.clone();
        let mut desk = Desk {
            shared: self,
            named: 0,
            failure: None,
        };
        let rewritten = rewrite(playlist, url, &imported, &mut desk)
            .map_err(|what| Failure::malformed(format!("the playlist {what}")))?;
        match desk.failure {
            Some(failure) => Err(failure),
            None => Ok(rewritten),
        }
    }

    async fn playlist(self: Arc<Self>, url: Url) -> Result<Response<Full<Bytes>>, Failure> {
        let downloaded = download(Wanted {
            url: &url,
            headers: &self.headers,
            range: None,
            max: MAX_PLAYLIST,
        })
        .await?;
        if downloaded.status != 200 {
            // The demuxer says what that means, or asks again.
            return Ok(status(downloaded.status));
        }
        // A long one takes a while, and tokens are fetched on this thread too.
        let rewriting = tokio::task::spawn_blocking(move || {
            self.rewrite(utf8(&downloaded.body)?, &downloaded.url)
        });
        let rewritten = rewriting
            .await
            .map_err(|_| Failure::malformed("the playlist could not be rewritten"))??;
        if rewritten.has_lost_keys {
            return Err(Failure::malformed(
                "the playlist has DRM keys for segments without an init segment (EXT-X-MAP), which this element cannot play: package them as fragmented MP4",
            ));
        }
        Ok(body(PLAYLIST_TYPE, rewritten.text))
    }

    async fn init_segment(&self, segment: &InitSegment) -> Result<Response<Full<Bytes>>, Failure> {
        let last = |range: ByteRange| range.offset.saturating_add(range.length).saturating_sub(1);
        let downloaded = download(Wanted {
            url: &segment.url,
            headers: &self.headers,
            range: segment.range.map(|range| (range.offset, last(range))),
            max: MAX_INIT_SEGMENT,
        })
        .await?;
        let whole = match (downloaded.status, segment.range) {
            (206, _) | (200, None) => &downloaded.body[..],
            // A server that knows no ranges.
            (200, Some(range)) => usize::try_from(range.offset)
                .ok()
                .and_then(|offset| {
                    let end = offset.checked_add(usize::try_from(range.length).ok()?)?;
                    downloaded.body.get(offset..end)
                })
                .ok_or_else(|| {
                    Failure::malformed("the init segment is shorter than the playlist says")
                })?,
            (code, _) => return Ok(status(code)),
        };
        let spliced = splice(whole, &segment.boxes)
            .map_err(|what| Failure::malformed(format!("the init segment {what}")))?;
        Ok(body("video/mp4", spliced))
    }
}

impl Directory {
    /// Of a live presentation old ones are of no use.
    fn forget_oldest(&mut self) {
        if let Some(path) = self.init_segments.pop_front() {
            self.good.remove(&path);
            if let Some(place) = self.places.remove(&path) {
                self.paths.remove(&place);
            }
        }
    }
}

/// Where one playlist finds places.
struct Desk<'a> {
    shared: &'a Shared,
    named: usize,
    failure: Option<Failure>,
}

impl Desk<'_> {
    fn place(&mut self, place: Place) -> String {
        self.named += 1;
        let found = match self.named > MAX_NAMED {
            true => Err(Failure::malformed(format!(
                "the playlist names more than {MAX_NAMED} playlists and init segments"
            ))),
            false => self.shared.place(place),
        };
        found.unwrap_or_else(|failure| {
            self.failure.get_or_insert(failure);
            String::new()
        })
    }
}

impl Places for Desk<'_> {
    fn playlist(&mut self, url: &Url) -> String {
        self.place(Place::Playlist(url.clone()))
    }

    fn known_playlist(&mut self, url: &Url) -> Option<String> {
        let directory = lock(&self.shared.places);
        let path = directory.paths.get(&Place::Playlist(url.clone()))?;
        Some(format!("{}{path}", self.shared.origin))
    }

    fn init_segment(&mut self, segment: InitSegment) -> String {
        self.place(Place::InitSegment(Arc::new(segment)))
    }
}
