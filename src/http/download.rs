// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files over HTTP, for hlsdrmdemux: playlists and init segments, bounded in size and time.

use std::time::Duration;

use once_cell::sync::OnceCell;
use reqwest::header::{HeaderMap, LOCATION, RANGE};
use reqwest::{Client, Response};
use url::Url;

use crate::failure::Failure;
use crate::secret::Secret;

use super::client::{builder, built};
use super::endpoint::is_loopback;
use super::{Trust, header_map, text};

/// How often a server may send us on.
const REDIRECTS: usize = 10;

/// For the whole of a file. Demuxers ask again.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What goes to every host that a presentation names. Credentials go to its own alone.
const FOR_ALL: [&str; 1] = ["user-agent"];

/// The headers of a player's source.
#[derive(Clone)]
pub struct SourceHeaders {
    /// Where the source had the presentation from.
    pub origin: url::Origin,
    pub headers: Vec<(String, Secret)>,
}

impl SourceHeaders {
    fn for_url(&self, url: &Url) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.headers {
            let is_public = FOR_ALL
                .iter()
                .any(|public| public.eq_ignore_ascii_case(name));
            // One that no request of ours can carry is not worth the others.
            if (is_public || url.origin() == self.origin)
                && let Ok(one) = header_map(&[(name.clone(), value.clone())])
            {
                map.extend(one);
            }
        }
        map
    }
}

/// What is wanted.
pub struct Wanted<'a> {
    pub url: &'a Url,
    pub headers: &'a SourceHeaders,
    /// First and last byte.
    pub range: Option<(u64, u64)>,
    /// The most that is read.
    pub max: usize,
}

/// What came.
pub struct Downloaded {
    /// Where it was in the end.
    pub url: Url,
    pub status: u16,
    pub body: Vec<u8>,
}

/// Fetches a file, whatever the status is.
///
/// # Errors
///
/// `Transient` and `TimedOut` where nothing came, `Malformed` for what is too large or leads nowhere, `Misconfigured` for a URL that is none for this. They
/// name the server and no more of the URL.
pub async fn download(wanted: Wanted<'_>) -> Result<Downloaded, Failure> {
    let place = place_of(wanted.url)?;
    tokio::time::timeout(TIMEOUT, follow(&wanted, &place))
        .await
        .map_err(|_| late(&place))?
}

async fn follow(wanted: &Wanted<'_>, place: &str) -> Result<Downloaded, Failure> {
    let mut url = wanted.url.clone();
    for _ in 0..=REDIRECTS {
        let mut response = send(wanted, &url).await?;
        let target = response
            .status()
            .is_redirection()
            .then(|| text(response.headers(), LOCATION).and_then(|to| url.join(to).ok()));
        if let Some(Some(target)) = target {
            place_of(&target)?;
            if url.scheme() == "https" && target.scheme() != "https" {
                return Err(Failure::malformed(format!(
                    "{place} leads away from TLS, which is not followed"
                )));
            }
            url = target;
            continue;
        }
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| broken(place, &error))?
        {
            if body.len() + chunk.len() > wanted.max {
                return Err(Failure::malformed(format!(
                    "{place} sent a file of more than {} bytes",
                    wanted.max
                )));
            }
            body.extend_from_slice(&chunk);
        }
        return Ok(Downloaded { url, status, body });
    }
    Err(Failure::malformed(format!(
        "{place} leads from one place to the next, more than {REDIRECTS} times"
    )))
}

async fn send(wanted: &Wanted<'_>, url: &Url) -> Result<Response, Failure> {
    let mut request = client(url).await?.get(url.clone());
    request = request.headers(wanted.headers.for_url(url));
    if let Some((first, last)) = wanted.range {
        request = request.header(RANGE, format!("bytes={first}-{last}"));
    }
    let place = place_of(url)?;
    request.send().await.map_err(|error| broken(&place, &error))
}

fn broken(place: &str, error: &reqwest::Error) -> Failure {
    match error.is_timeout() {
        true => late(place),
        false => Failure::transient(format!(
            "no answer from {place}: check that it can be reached"
        )),
    }
}

fn late(place: &str) -> Failure {
    Failure::timed_out(format!("{place} did not send a file in time"))
}

/// Scheme, host and port.
fn place_of(url: &Url) -> Result<String, Failure> {
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(_)) => Ok(url.origin().ascii_serialization()),
        (scheme, _) => Err(Failure::misconfigured(format!(
            "a playlist names a `{scheme}` URL, where only http and https are read"
        ))),
    }
}

async fn client(url: &Url) -> Result<Client, Failure> {
    static CLIENTS: [OnceCell<Client>; 2] = [OnceCell::new(), OnceCell::new()];
    let is_loopback = is_loopback(url);
    let kept = &CLIENTS[usize::from(is_loopback)];
    if let Some(known) = kept.get() {
        return Ok(known.clone());
    }
    // Reads the system's roots, which takes long enough to hold up the other requests.
    let built = tokio::task::spawn_blocking(move || {
        kept.get_or_try_init(|| built(builder(Trust::default().config()?, is_loopback)))
            .cloned()
    });
    built
        .await
        .map_err(|_| Failure::transient("the HTTP client could not be set up"))?
}
