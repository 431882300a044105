// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists, keys, init segments and segments for the demuxer inside, over HTTP on 127.0.0.1:
//! what its playlists name, as long as the element has the server.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::{Either as Selected, select};
use http_body_util::{Channel, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use url::Url;

use super::connections::{Connection, Connections};
use super::directives::{is_blocking, with_directives};
use super::init_segments;
use super::inside::Inside;
use super::keys::{KeyPolicy, KeyStore, TokenSource};
use super::paths::Resource;
use super::playlists;
use super::presentation::{Closing, Host, Presentation, Refusal, Verdict};
use super::segments;
use super::troubles::{Troubles, complain, end};
use super::turns::Turns;
use super::url_map::PresentationMap;
use crate::error::{Failure, Kind};
use crate::http::Source;
use crate::runtime;

/// How long a new connection may take to begin a request. Demuxers open one when they need it.
const FIRST_REQUEST: Duration = Duration::from_secs(5);

/// How long a request's head may take, and a connection do nothing: longer than demuxers keep one.
const HEAD: Duration = Duration::from_secs(60);

/// After an error that is no connection's (out of descriptors, say).
const PAUSE: Duration = Duration::from_millis(50);

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const MEDIA_TYPE: &str = "video/mp4";
const KEY_TYPE: &str = "application/octet-stream";

/// Of a film of one segment that nobody will play.
const LAST_PLAYLIST: &str =
    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nnothing\n#EXT-X-ENDLIST\n";

type Body = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

/// A running server. It ends when this is dropped. Open connections get no more from it; they are
/// left to the demuxer to close: libsoup before 3.4 may crash where that is done under its
/// download.
pub struct Server {
    shared: Arc<Shared>,
    accepting: tokio::task::AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close(Closing::Nothing);
        self.accepting.abort();
    }
}

struct Shared {
    presentation: Arc<Presentation>,
    trouble: Arc<Troubles>,
    was_asked: AtomicBool,
}

impl Server {
    /// Starts one on a port of the system's choice, for a stock demuxer with these ways.
    ///
    /// # Errors
    ///
    /// `Transient` where the system has no thread, socket or port left.
    pub fn start(
        source: Source,
        inside: Inside,
        policy: KeyPolicy,
        tokens: Arc<dyn TokenSource>,
        host: Arc<dyn Host>,
    ) -> Result<Self, Failure> {
        let runtime = runtime::get()?;
        let no_socket = |error: io::Error| {
            Failure::transient(format!("no socket for playlists on this machine: {error}"))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no_socket)?;
        listener.set_nonblocking(true).map_err(no_socket)?;
        let port = listener.local_addr().map_err(no_socket)?.port();
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(no_socket)?
        };
        let origin = format!("http://127.0.0.1:{port}");
        let map = PresentationMap::new(origin, inside.reads_one_map)?;
        let turns = Turns::new(inside.may_abort);
        let keys = KeyStore::new(source.clone(), policy, tokens);
        let shared = Arc::new(Shared {
            presentation: Arc::new(Presentation::new(source, map, keys, host, turns)),
            trouble: Arc::default(),
            was_asked: AtomicBool::new(false),
        });
        let accepting = runtime.spawn(accept(listener, Arc::downgrade(&shared)));
        Ok(Self {
            shared,
            accepting: accepting.abort_handle(),
        })
    }

    /// What the demuxer gets in the place of the presentation's first playlist, which was asked for
    /// at `url` and is at `base` in the end.
    ///
    /// # Errors
    ///
    /// `Malformed`, with what is wrong.
    pub fn first(&self, playlist: &[u8], url: &Url, base: &Url) -> Result<String, Failure> {
        let presentation = &self.shared.presentation;
        let text = playlists::first(presentation, playlist, url, base)?;
        let resource = Resource::First(url.clone());
        presentation
            .map
            .record_first(&resource, &text.as_str().into());
        Ok(text)
    }

    /// Where the demuxer gets that again.
    ///
    /// # Errors
    ///
    /// `Malformed` where the URL is too long.
    pub fn first_url(&self, url: &Url) -> Result<String, Failure> {
        self.shared
            .presentation
            .map
            .url(&Resource::First(url.clone()))
    }

    /// Whether key tags of DRM systems are known already.
    pub fn has_keys(&self) -> bool {
        self.shared.presentation.map.first_key().is_some()
    }

    /// From here on every answer is this, also for those who wait for one: the demuxer waits for
    /// them when it is stopped.
    pub fn close(&self, answers: Closing) {
        self.shared.presentation.close(answers);
    }

    /// What is wrong with what the demuxer was to get, if that has not been told yet.
    pub fn complaint(&self) -> Option<Failure> {
        self.shared.trouble.take()
    }

    /// Whether any request has come.
    pub fn was_asked(&self) -> bool {
        self.shared.was_asked.load(Ordering::Relaxed)
    }
}

async fn accept(listener: tokio::net::TcpListener, shared: Weak<Shared>) {
    let connections = Arc::<Connections>::default();
    loop {
        let Ok((connection, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if let Some(place) = connections.open() {
            tokio::spawn(serve(connection, shared.clone(), place));
        }
    }
}

async fn serve(connection: tokio::net::TcpStream, shared: Weak<Shared>, place: Connection) {
    let evicted = pin!(place.evicted());
    select(evicted, pin!(serve_here(connection, shared, &place))).await;
}

async fn serve_here(connection: tokio::net::TcpStream, shared: Weak<Shared>, place: &Connection) {
    // An answer's end would else wait for the acknowledgement of what is before it (RFC 1122,
    // 4.2.3.4), which the demuxer's side delays by 40 ms.
    let _ = connection.set_nodelay(true);
    // Who says nothing has no place here that others need.
    let first = tokio::time::timeout(FIRST_REQUEST, connection.readable()).await;
    if !matches!(first, Ok(Ok(()))) {
        return;
    }
    let service = service_fn(|request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(shared, place, request).await) }
    });
    // The demuxer may go away at any time.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(connection), service)
        .await;
}

async fn answer(
    shared: Weak<Shared>,
    place: &Connection,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path();
    let found = shared.upgrade().and_then(|shared| {
        let resource = shared.presentation.map.at(path)?;
        Some((shared, resource))
    });
    let Some((shared, resource)) = found else {
        return status(404);
    };
    place.record_known();
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return status(405);
    }
    shared.was_asked.store(true, Ordering::Relaxed);
    let presentation = shared.presentation.clone();
    let response = {
        let closed = pin!(presentation.closed());
        let response = pin!(resource_response(&presentation, &resource, &request));
        // Whoever waits when the element is stopped would keep the demuxer from stopping.
        match select(closed, response).await {
            Selected::Left((closing, _)) => match (closing, &resource) {
                (Closing::APlaylist, Resource::Playlist(_)) => {
                    return whole(PLAYLIST_TYPE, LAST_PLAYLIST);
                }
                _ => Err(Refusal::Gone),
            },
            Selected::Right((response, _)) => response,
        }
    };
    match response {
        Ok(response) => {
            shared.trouble.is_over(&resource);
            response
        }
        Err(refusal) => refuse(&shared, &resource, refusal),
    }
}

async fn resource_response(
    presentation: &Arc<Presentation>,
    resource: &Resource,
    request: &Request<Incoming>,
) -> Result<Response<Body>, Refusal> {
    let turns = &presentation.turns;
    match resource {
        Resource::First(_) | Resource::Playlist(_) => {}
        Resource::InitSegment(_) => turns.init_segment().await,
        Resource::Key(_) | Resource::Segment(_) => turns.others().await,
    }
    let response = match resource {
        Resource::First(url) => {
            let text = playlists::first_again(presentation, resource, url);
            let text = turns.playlist(text).await?;
            return Ok(whole(PLAYLIST_TYPE, Bytes::from_owner(Text(text))));
        }
        Resource::Playlist(url) => {
            let url = with_directives(url.clone(), request.uri().query());
            let is_blocking = is_blocking(&url);
            let text = playlists::media(presentation, resource, url);
            let text = match is_blocking {
                true => text.await,
                false => turns.playlist(text).await,
            }?;
            return Ok(whole(PLAYLIST_TYPE, Bytes::from_owner(Text(text))));
        }
        Resource::Key(url) => {
            let key = presentation.keys.get(url).await.map_err(Refusal::Key)?;
            whole(KEY_TYPE, key.to_vec())
        }
        Resource::InitSegment(init) => {
            let init = init_segments::init_segment(presentation, init).await?;
            whole(MEDIA_TYPE, init)
        }
        Resource::Segment(segment) => {
            let from = range_start(request.headers());
            let streamed = segments::segment(presentation, segment, from).await?;
            streamed_response(streamed)
        }
    };
    presentation.map.record_good(resource);
    Ok(response)
}

fn streamed_response(streamed: segments::Streamed) -> Response<Body> {
    let segments::Streamed { body, from, total } = streamed;
    let mut response = reply(MEDIA_TYPE, Either::Right(body));
    if let Some(total) = total {
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, (total - from).into());
        let range = HeaderValue::try_from(format!("bytes {from}-{}/{total}", total - 1));
        if from > 0
            && let Ok(range) = range
        {
            headers.insert(CONTENT_RANGE, range);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
    }
    response
}

/// The answer where there is nothing, for a reason that the application should know.
fn refuse(shared: &Arc<Shared>, resource: &Resource, refusal: Refusal) -> Response<Body> {
    let presentation = &shared.presentation;
    let (failure, is_fatal) = match refusal {
        Refusal::Gone => return status(503),
        // The element is being stopped, and nobody is to hear of what that broke.
        _ if presentation.is_closing() => return status(503),
        Refusal::Key(failure) => {
            let is_fatal = !presentation.map.was_good(resource)
                || !matches!(failure.kind, Kind::Transient | Kind::TimedOut);
            (failure, is_fatal)
        }
        Refusal::File(failure) => {
            let is_fatal = match failure.kind {
                Kind::Misconfigured => true,
                Kind::Malformed if presentation.map.was_good(resource) => false,
                Kind::Malformed => {
                    let is_only_one = !presentation.map.has_good_playlist();
                    if !is_only_one && shared.trouble.is_new(resource) {
                        complain(presentation, failure.clone(), Verdict::Passing);
                    }
                    is_only_one
                }
                // The demuxer asks again, and says so when it gives up.
                Kind::Denied | Kind::Transient | Kind::TimedOut => false,
            };
            (failure, is_fatal)
        }
    };
    let answer = status(
        failure
            .http_status
            .filter(|status| *status >= 400)
            .unwrap_or(502),
    );
    match is_fatal {
        true => end(shared.trouble.clone(), presentation.clone(), failure),
        false => shared.trouble.remember(resource, failure),
    }
    answer
}

/// The first byte that a request wants (RFC 9110, 14.2): demuxers leave the end open.
fn range_start(headers: &HeaderMap) -> u64 {
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let start = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.strip_suffix('-'));
    start.and_then(|start| start.parse().ok()).unwrap_or(0)
}

fn status(code: u16) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::default()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
    response
}

fn reply(content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// A playlist that is shared with whoever gets it again.
struct Text(Arc<str>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn whole(content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    reply(content_type, Either::Left(Full::new(body.into())))
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
