// SPDX-License-Identifier: MIT OR Apache-2.0

//! The one HTTP client: bounded in time and size, and quiet about what it carries.
//!
//! No error text from below is passed on as it is: it could hold a URL with credentials.

mod broken;
mod client;
mod download;
mod endpoint;
pub mod headers;
mod reply;
mod retry;
mod tls;
mod websocket;

use std::time::{Duration, Instant, SystemTime};

use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Method, Response, StatusCode};
use zeroize::Zeroizing;

pub use download::{Downloaded, Opened, Source, Wanted, download, open, refused};
pub use endpoint::Endpoint;
pub use reply::Reply;
pub use tls::{Trust, TrustSettings};
pub use websocket::Opening;

use crate::chance::chance;
use crate::failure::Failure;
use crate::problem::{self, Problem};
use crate::secret::Secret;

use broken::Broken;

/// Largest reply that is read. A token is at most 16 KiB and a licence a few hundred bytes a key,
/// so more is a mistake or an attack.
pub const MAX_REPLY: usize = 64 * 1024;

/// Redirects that are followed in a row. A sign-on in between takes two or three.
const MAX_REDIRECTS: u32 = 5;

/// One request: a POST where it has a body, else a GET.
pub struct Request {
    pub url: Endpoint,
    /// What stands in the URL's query besides, in the place of what has that name there. No secret.
    pub parameter: Option<(&'static str, String)>,
    pub headers: Vec<(String, Secret)>,
    /// Content type and bytes.
    pub body: Option<(&'static str, Zeroizing<Vec<u8>>)>,
    pub trust: Trust,
    /// Whether a GET goes on where a redirect leads.
    pub redirects: Redirects,
    /// What the request holds that the server must not be quoted with, besides what stands in the URL.
    pub secrets: Vec<Secret>,
}

/// What becomes of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// It is the reply.
    Refused,
    /// It is followed, to a place that is as safe as the one before; to cleartext elsewhere only where that is allowed anyway.
    Followed { allow_cleartext: bool },
}

/// How long an answer is waited for, and how often it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    timeout: Duration,
    until: Instant,
    retries: u32,
}

impl Patience {
    /// From now on, for `timeout` all in all.
    pub fn new(timeout: Duration, retries: u32) -> Self {
        Self {
            timeout,
            until: Instant::now() + timeout,
            retries,
        }
    }

    /// For one connection, its look-up and its TLS handshake: three fifths, as AAMP has it (3 s of 5 s), so that
    /// another attempt fits in.
    fn connect(&self) -> Duration {
        self.timeout.mul_f64(0.6)
    }

    /// The part of it that is for the next one of `servers`, of which `left` have not been asked yet.
    pub fn share(&self, servers: u32, left: u32) -> Self {
        Self {
            // The same for each of them, so that their connections share a client.
            timeout: self.timeout / servers.max(1),
            until: Instant::now() + self.left() / left.max(1),
            ..*self
        }
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

/// Asks until there is an answer that `read` can make something of, or no point in asking again. Says how many requests
/// were made.
///
/// # Errors
///
/// What `read` says of the last reply, with the server's own words where it has some. Without a reply: `TimedOut`
/// at the deadline, `Transient` where none came, `Malformed` for one that is too large or no HTTP,
/// `Misconfigured` for what cannot be sent. `attempts` is set.
pub async fn exchange<T>(
    request: &Request,
    patience: &Patience,
    read: impl Fn(&Reply) -> Result<T, Failure>,
) -> Result<(T, u32), Failure> {
    let mut attempts = 0;
    loop {
        let broken = match send(request, patience).await {
            Ok(reply) => match read(&reply) {
                Ok(answer) => return Ok((answer, attempts + 1)),
                Err(failure) => {
                    let mut failure = explained(failure, request, &reply);
                    failure.retry_after = reply.retry_after;
                    let again = retry::is_worth_a_retry(reply.status);
                    Broken::sent(failure, again)
                }
            },
            Err(broken) => broken,
        };
        attempts += u32::from(broken.was_sent);
        let (left, wish) = (patience.left(), broken.failure.retry_after);
        let pause = retry::pause(attempts, patience.retries, wish, left, chance());
        match pause.filter(|_| broken.again) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(broken.failure.after_attempts(attempts)),
        }
    }
}

/// The failure with what the server says of it.
fn explained(failure: Failure, request: &Request, reply: &Reply) -> Failure {
    let failure = if reply.media_type.as_deref() == Some(problem::MEDIA_TYPE) {
        failure.with_problem(Problem::read(&reply.body))
    } else {
        failure
    };
    let mut secrets = request.url.secrets();
    secrets.extend(request.secrets.iter().chain(&reply.secrets).cloned());
    failure.without(&secrets)
}

/// The reply at the end of all redirects that are followed.
async fn send(request: &Request, patience: &Patience) -> Result<Reply, Broken> {
    let mut url = match &request.parameter {
        Some((name, value)) => request.url.with_parameter(name, value),
        None => request.url.clone(),
    };
    let mut secrets = Vec::new();
    for _ in 0..=MAX_REDIRECTS {
        let mut response = send_once(request, &url, patience).await?;
        let status = response.status();
        let target = text(response.headers(), LOCATION).filter(|_| is_redirect(status));
        let (Redirects::Followed { allow_cleartext }, None, Some(target)) =
            (request.redirects, &request.body, target)
        else {
            let mut reply = read(&mut response, &url, patience).await?;
            reply.secrets = secrets;
            return Ok(reply);
        };
        url = url
            .follow(target, allow_cleartext)
            .map_err(|failure| Broken::sent(failure.with_http_status(status.as_u16()), false))?;
        secrets.extend(url.secrets());
    }
    Err(Broken::sent(
        Failure::malformed(format!(
            "{} answered with more than {MAX_REDIRECTS} redirects in a row",
            request.url.place()
        )),
        false,
    ))
}

/// Statuses by which a GET is sent elsewhere (RFC 9110, 15.4).
fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The request, to `url`. Another server than the one that was meant gets none of the headers, which may be credentials.
async fn send_once(
    request: &Request,
    url: &Endpoint,
    patience: &Patience,
) -> Result<Response, Broken> {
    let headers = match url.is_same_origin(&request.url) {
        true => header_map(&request.headers)?,
        false => HeaderMap::new(),
    };
    let client = client::client(url, &request.trust, patience);
    let client = tokio::time::timeout(patience.left(), client)
        .await
        .map_err(|_| Failure::timed_out("the HTTP client was not set up in time"))??;
    let mut builder = match &request.body {
        Some((content_type, body)) => client
            .request(Method::POST, url.url().clone())
            .header(CONTENT_TYPE, *content_type)
            // reqwest has no way to wipe it.
            .body(body.to_vec()),
        None => client.request(Method::GET, url.url().clone()),
    };
    builder = builder.timeout(patience.left());
    // These take the place of ours where they have the same name.
    builder
        .headers(headers)
        .send()
        .await
        .map_err(|error| Broken::by(url, patience, &error, None))
}

async fn read(
    response: &mut Response,
    url: &Endpoint,
    patience: &Patience,
) -> Result<Reply, Broken> {
    let status = response.status().as_u16();
    let body = match read_body(response, url, patience).await {
        Ok(body) => body,
        Err(broken) if response.status().is_success() => return Err(broken),
        // The status has said it: a refusal is one without its explanation too.
        Err(_) => Zeroizing::default(),
    };
    let headers = response.headers();
    Ok(Reply {
        status,
        media_type: text(headers, CONTENT_TYPE).map(|value| {
            let media_type = value.split(';').next().unwrap_or_default();
            media_type.trim().to_ascii_lowercase()
        }),
        redirect: text(headers, LOCATION).and_then(|target| url.redirected(target)),
        retry_after: retry_after(headers),
        secrets: Vec::new(),
        body,
    })
}

async fn read_body(
    response: &mut Response,
    url: &Endpoint,
    patience: &Patience,
) -> Result<Zeroizing<Vec<u8>>, Broken> {
    let place = url.place();
    let status = response.status().as_u16();
    let malformed =
        |what: String| Broken::sent(Failure::malformed(what).with_http_status(status), false);
    let encoding = text(response.headers(), CONTENT_ENCODING);
    // None was asked for, and what would come out of it has no bound.
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(malformed(format!(
            "{place} answered with a compressed reply, which it was not asked for: check that the URL names the right service"
        )));
    }
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_REPLY));
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Broken::by(url, patience, &error, Some(status)))?
    {
        if body.len() + chunk.len() > MAX_REPLY {
            return Err(malformed(format!(
                "{place} answered with more than {MAX_REPLY} bytes: check that the URL names the right service"
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// How long the server wants to be left alone. Where it names a time, that is by its own clock, which it may have shown: ours may be that of a box that does
/// not know the year.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let shown = text(headers, DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let now = shown.unwrap_or_else(SystemTime::now);
    retry::retry_after(text(headers, RETRY_AFTER)?, now)
}

fn header_map(headers: &[(String, Secret)]) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let unsendable =
            || Failure::misconfigured("a header for the request is not a valid HTTP header");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| unsendable())?;
        value.set_sensitive(true);
        map.append(name, value);
    }
    Ok(map)
}
