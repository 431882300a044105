// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists and init segments for the demuxer inside, over HTTP on 127.0.0.1: fetched from where they are when they are asked for, and rewritten.
//! Nothing else is there, and nothing of it any longer than the element has the server.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use http_body_util::channel::Sender;
use http_body_util::{Channel, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, RANGE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use url::Url;

use super::places::{Directory, Place};
use crate::failure::{Failure, Kind};
use crate::hls::{ByteRange, InitSegment, Lost, Rewritten, moved, splice};
use crate::http::{Downloaded, Opened, Source, Wanted, download, open, refused};
use crate::runtime;
use crate::wait::lock;

/// Largest playlist: a day in segments of two seconds, with long names and key tags.
pub const MAX_PLAYLIST: usize = 16 * 1024 * 1024;

/// Largest init segment. They have some kilobytes.
const MAX_INIT_SEGMENT: usize = 1024 * 1024;

/// A box with nothing in it.
const SMALLEST_BOX: u32 = 8;

/// Connections at a time. A demuxer has two, or one for each stream.
const MAX_CONNECTIONS: usize = 64;

/// Pieces of a segment that are on their way. One has some kilobytes.
const PIECES: usize = 8;

/// How long the demuxer may take to put away an answer that ends it, before the application hears of it and stops the demuxer.
const GRACE: Duration = Duration::from_millis(100);

/// How long after its last attempt at something a demuxer may fail for it: as long as some attempts with pauses take.
const RECENT: Duration = Duration::from_secs(20);

/// After an error that is no connection's (out of descriptors, say).
const PAUSE: Duration = Duration::from_millis(50);

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const SEGMENT_TYPE: &str = "video/mp4";

type Body = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

/// A running server. It ends when this is dropped. Connections that are open then get no more from it; they are left to the demuxer to close, because
/// libsoup before 3.4 crashes now and then when that is done under a download that it has not put away yet.
pub struct PlaylistServer {
    shared: Arc<Shared>,
    accepting: tokio::task::AbortHandle,
}

impl Drop for PlaylistServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.accepting.abort();
    }
}

struct Shared {
    source: Source,
    directory: Directory,
    was_asked: AtomicBool,
    /// What is wrong, as long as nobody has been told.
    complaint: Mutex<Option<Failure>>,
    trouble: Mutex<Option<Trouble>>,
    /// The element is through with it. Requests may still be under way.
    is_over: AtomicBool,
    /// Told what is wrong and stays so, and what that means.
    complain: Box<Complain>,
}

/// Tells the application.
type Complain = dyn Fn(&Failure, Verdict) + Send + Sync;

/// What a complaint means for the presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is nothing to play.
    Fatal,
    /// The demuxer may go on with something else.
    Passing,
}

/// Something that the demuxer may do without.
struct Trouble {
    path: String,
    failure: Failure,
    since: Instant,
}

impl PlaylistServer {
    /// Starts one on a port of the system's choice. `reads_one_map` says that the demuxer reads an init segment only where it begins with a
    /// rendition.
    ///
    /// # Errors
    ///
    /// `Transient` where the system has no thread, socket or port left.
    pub fn start(
        source: Source,
        reads_one_map: bool,
        complain: impl Fn(&Failure, Verdict) + Send + Sync + 'static,
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
        let shared = Arc::new(Shared {
            source,
            directory: Directory::new(format!("http://127.0.0.1:{port}"), reads_one_map),
            was_asked: AtomicBool::new(false),
            complaint: Mutex::default(),
            trouble: Mutex::default(),
            is_over: AtomicBool::new(false),
            complain: Box::new(complain),
        });
        let accepting = runtime.spawn(accept(listener, Arc::downgrade(&shared)));
        Ok(Self {
            shared,
            accepting: accepting.abort_handle(),
        })
    }

    /// What the demuxer gets in the place of the presentation's first playlist.
    ///
    /// # Errors
    ///
    /// `Malformed`, with what is wrong.
    ///
    /// It was asked for at `url`, and is at `base` in the end.
    pub fn first(&self, playlist: &[u8], url: &Url, base: &Url) -> Result<String, Failure> {
        let rewritten = self.shared.directory.rewrite(playlist, base)?;
        self.shared.multivariant(rewritten, url)
    }

    /// Where the demuxer gets that again.
    ///
    /// # Errors
    ///
    /// `Malformed` where there are too many playlists already.
    pub fn first_url(&self, url: &Url) -> Result<String, Failure> {
        self.shared.directory.url(Place::First(url.clone()))
    }

    /// What is wrong with what the demuxer was to get, if that has not been told yet.
    pub fn complaint(&self) -> Option<Failure> {
        let complaint = lock(&self.shared.complaint).take();
        complaint.or_else(|| {
            let trouble = lock(&self.shared.trouble).take();
            // Of what was longer ago it is not the reason.
            let recent = trouble.filter(|trouble| trouble.since.elapsed() < RECENT);
            recent.map(|trouble| trouble.failure)
        })
    }

    /// Whether any request has come.
    pub fn was_asked(&self) -> bool {
        self.shared.was_asked.load(Ordering::Relaxed)
    }
}

fn refuse(lost: Option<Lost>) -> Result<(), Failure> {
    match lost {
        Some(lost) => Err(Failure::malformed(format!("the playlist {}", lost.what()))),
        None => Ok(()),
    }
}

async fn accept(listener: tokio::net::TcpListener, shared: Weak<Shared>) {
    let connections = Arc::new(());
    loop {
        let Ok((connection, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if Arc::strong_count(&connections) > MAX_CONNECTIONS {
            continue;
        }
        let (shared, counted) = (shared.clone(), connections.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let shared = shared.clone();
                async move { Ok::<_, Infallible>(answer(shared, request).await) }
            });
            // The demuxer may go away at any time.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
            drop(counted);
        });
    }
}

async fn answer(shared: Weak<Shared>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    let found = shared.upgrade().and_then(|shared| {
        let place = shared.directory.at(path)?;
        Some((shared, place))
    });
    let Some((shared, place)) = found else {
        return status(404);
    };
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return status(405);
    }
    shared.was_asked.store(true, Ordering::Relaxed);
    let answer = match place {
        Place::First(url) => shared.first(path, url).await,
        Place::Playlist(url) => {
            let url = with_directives(url, request.uri().query());
            shared.playlist(path, url).await
        }
        Place::InitSegment(segment) => shared.init_segment(path, &segment).await,
        Place::Segment(init, url) => {
            let from = range_start(request.headers());
            shared.segment(path, &init, &url, from).await
        }
    };
    match answer {
        Ok(response) => {
            let mut trouble = lock(&shared.trouble);
            trouble.take_if(|trouble| trouble.path == path);
            response
        }
        Err(failure) => shared.refuse(path, failure),
    }
}

/// The demuxer will say that it has got nothing. Then, or where it does not, the application is told why.
async fn complain(shared: Weak<Shared>) {
    tokio::time::sleep(GRACE).await;
    if let Some(shared) = shared.upgrade()
        && !shared.is_over.load(Ordering::Relaxed)
        && let Some(failure) = { lock(&shared.complaint).take() }
    {
        (shared.complain)(&failure, Verdict::Fatal);
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

fn whole(content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    reply(content_type, Either::Left(Full::new(body.into())))
}

impl Shared {
    /// The answer where there is nothing, for a reason that the application should know.
    fn refuse(self: &Arc<Self>, path: &str, failure: Failure) -> Response<Body> {
        let answer = status(failure.http_status.unwrap_or(502));
        let lasts = match failure.kind {
            Kind::Misconfigured => true,
            Kind::Malformed if self.directory.is_good(path) => false,
            Kind::Malformed => {
                let is_only_one = !self.directory.has_good_playlist();
                if !is_only_one && self.is_new_trouble(path) {
                    (self.complain)(&failure, Verdict::Passing);
                }
                is_only_one
            }
            // The demuxer asks again, and says so when it gives up.
            Kind::Denied | Kind::Transient | Kind::TimedOut => false,
        };
        match lasts {
            true => {
                *lock(&self.complaint) = Some(failure);
                tokio::spawn(complain(Arc::downgrade(self)));
            }
            false => {
                *lock(&self.trouble) = Some(Trouble {
                    path: path.to_owned(),
                    failure,
                    since: Instant::now(),
                });
            }
        }
        answer
    }

    /// Whether something else was the trouble last.
    fn is_new_trouble(&self, path: &str) -> bool {
        let known = lock(&self.trouble);
        known.as_ref().is_none_or(|trouble| trouble.path != path)
    }

    /// The multivariant playlist for what the presentation's first playlist was rewritten to. That was asked for at `url`.
    fn multivariant(&self, rewritten: Rewritten, url: &Url) -> Result<String, Failure> {
        if rewritten.is_multivariant {
            self.directory.set_variables(rewritten.variables);
            return Ok(rewritten.text);
        }
        refuse(rewritten.lost)?;
        // The demuxer would ask the origin for a media playlist again, so it gets one that names it.
        let place = self.directory.url(Place::Playlist(url.clone()))?;
        Ok(format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{place}\n"))
    }

    async fn first(self: &Arc<Self>, path: &str, url: Url) -> Result<Response<Body>, Failure> {
        match self.rewritten(&url).await {
            Ok(rewritten) => {
                let text = self.multivariant(rewritten, &url)?;
                Ok(whole(PLAYLIST_TYPE, text))
            }
            Err(failure) => self.repeated(path, failure),
        }
    }

    /// The playlist from before, if there is one.
    fn repeated(&self, path: &str, failure: Failure) -> Result<Response<Body>, Failure> {
        match self.directory.repeated(path) {
            Some(playlist) => Ok(whole(PLAYLIST_TYPE, playlist)),
            None => Err(failure),
        }
    }

    async fn playlist(self: &Arc<Self>, path: &str, url: Url) -> Result<Response<Body>, Failure> {
        let rewritten = match self.rewritten(&url).await {
            Ok(rewritten) => rewritten,
            Err(failure) => return self.repeated(path, failure),
        };
        refuse(rewritten.lost)?;
        let text = rewritten.text;
        self.directory.went_well(path, Some(text.clone()));
        Ok(whole(PLAYLIST_TYPE, text))
    }

    /// The playlist that is at a URL.
    async fn rewritten(self: &Arc<Self>, url: &Url) -> Result<Rewritten, Failure> {
        let downloaded = download(Wanted {
            url,
            source: &self.source,
            range: None,
            max: MAX_PLAYLIST,
        })
        .await?;
        if downloaded.status != 200 {
            return refused(&downloaded.url, downloaded.status);
        }
        // A long one takes a while, and tokens are fetched on this thread too.
        let shared = self.clone();
        let rewriting = tokio::task::spawn_blocking(move || {
            let Downloaded { url, body, .. } = downloaded;
            shared.directory.rewrite(&body, &url)
        });
        rewriting
            .await
            .map_err(|_| Failure::malformed("the playlist could not be rewritten"))?
    }

    async fn init_segment(
        &self,
        path: &str,
        segment: &InitSegment,
    ) -> Result<Response<Body>, Failure> {
        let spliced = self.spliced(segment).await?;
        self.directory.went_well(path, None);
        Ok(whole(SEGMENT_TYPE, spliced))
    }

    /// The init segment with its boxes.
    async fn spliced(&self, segment: &InitSegment) -> Result<Vec<u8>, Failure> {
        let last = |range: ByteRange| range.offset.saturating_add(range.length).saturating_sub(1);
        let downloaded = download(Wanted {
            url: &segment.url,
            source: &self.source,
            range: segment.range.map(|range| (range.offset, Some(last(range)))),
            max: MAX_INIT_SEGMENT,
        })
        .await?;
        let whole = match (downloaded.status, segment.range) {
            (206, _) | (200, None) => &downloaded.body[..],
            // A server that knows no ranges.
            (200, Some(range)) => part(&downloaded.body, range).ok_or_else(|| {
                Failure::malformed("the init segment is shorter than the playlist says")
            })?,
            (code, _) => return refused(&downloaded.url, code),
        };
        let spliced = splice(whole, &segment.boxes)
            .map_err(|what| Failure::malformed(format!("the init segment {what}")))?;
        Ok(match self.directory.number(segment) {
            Some(number) => moved(&spliced, number * SMALLEST_BOX),
            None => spliced,
        })
    }

    /// A media segment behind its init segment, as it comes, `from` one of its bytes on: a demuxer whose connection broke goes on where it was.
    async fn segment(
        &self,
        path: &str,
        init: &InitSegment,
        url: &Url,
        from: u64,
    ) -> Result<Response<Body>, Failure> {
        let spliced = Bytes::from(self.spliced(init).await?);
        let head = spliced.len() as u64;
        let behind = from.saturating_sub(head);
        let opened = open(Wanted {
            url,
            source: &self.source,
            range: (behind > 0).then_some((behind, None)),
            max: 0,
        })
        .await?;
        let skipped = match (opened.status, behind) {
            (206, 1..) => 0,
            // A server that knows no ranges.
            (200, behind) => behind,
            (status, _) => return refused(url, status),
        };
        self.directory.went_well(path, None);
        // What the demuxer has of the init segment already.
        let first = spliced.slice(usize::try_from(from.min(head)).unwrap_or_default()..);
        let total = opened.length.map(|length| head + behind - skipped + length);
        let (sender, body) = Channel::new(PIECES);
        tokio::spawn(pump(sender, first, opened, skipped));
        let mut response = reply(SEGMENT_TYPE, Either::Right(body));
        let headers = response.headers_mut();
        if let Some(total) = total {
            headers.insert(CONTENT_LENGTH, total.saturating_sub(from).into());
            let range = format!("bytes {from}-{}/{total}", total.saturating_sub(1));
            if from > 0
                && let Ok(range) = HeaderValue::try_from(range)
            {
                headers.insert(CONTENT_RANGE, range);
            }
        }
        if from > 0 {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        Ok(response)
    }
}

/// The first byte that a request wants (RFC 9110, 14.2): demuxers leave the end open.
fn range_start(headers: &HeaderMap) -> u64 {
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let start = range
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.strip_suffix('-'));
    start.and_then(|start| start.parse().ok()).unwrap_or(0)
}

/// Sends one after the other, the segment without its first bytes. It ends when nobody takes it any more.
async fn pump(mut to: Sender<Bytes, io::Error>, init: Bytes, mut segment: Opened, skipped: u64) {
    let mut skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
    let mut next = init;
    loop {
        if to.send_data(next).await.is_err() {
            return;
        }
        next = match segment.chunk().await {
            Ok(Some(mut chunk)) => {
                let known = chunk.len().min(skipped);
                skipped -= known;
                chunk.split_off(known)
            }
            Ok(None) => return,
            // The demuxer sees that the end is missing.
            Err(failure) => return to.abort(io::Error::other(failure.what)),
        };
    }
}

fn part(file: &[u8], range: ByteRange) -> Option<&[u8]> {
    let offset = usize::try_from(range.offset).ok()?;
    let end = offset.checked_add(usize::try_from(range.length).ok()?)?;
    file.get(offset..end)
}
