// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files over HTTP, for hlsdrmdemux: playlists and init segments, bounded in size and time.

use std::time::Duration;

use once_cell::sync::OnceCell;
use reqwest::header::RANGE;
use reqwest::{Client, redirect};
use url::Url;

use crate::failure::Failure;
use crate::secret::Secret;

use super::endpoint::is_loopback;
use super::{Trust, header_map};

/// How often a server may send us on.
const REDIRECTS: usize = 10;

/// For the whole of a file. Demuxers ask again.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is wanted.
pub struct Wanted<'a> {
    pub url: &'a Url,
    /// Those of the player's source.
    pub headers: &'a [(String, Secret)],
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
/// `Transient` and `TimedOut` where nothing came, `Malformed` for what is too large, `Misconfigured` for a URL that is none for this. They name the
/// server and no more of the URL.
pub async fn download(wanted: Wanted<'_>) -> Result<Downloaded, Failure> {
    let place = place_of(wanted.url)?;
    let mut request = client(wanted.url)?.get(wanted.url.clone());
    request = request.headers(header_map(wanted.headers)?);
    if let Some((first, last)) = wanted.range {
        request = request.header(RANGE, format!("bytes={first}-{last}"));
    }
    let broken = |error: reqwest::Error| match error.is_timeout() {
        true => Failure::timed_out(format!("{place} did not send a file in time")),
        false => Failure::transient(format!(
            "no answer from {place}: check that it can be reached"
        )),
    };
    let mut response = request.send().await.map_err(broken)?;
    let (url, status) = (response.url().clone(), response.status().as_u16());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > wanted.max {
            return Err(Failure::malformed(format!(
                "{place} sent a file of more than {} bytes",
                wanted.max
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Downloaded { url, status, body })
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

fn client(url: &Url) -> Result<Client, Failure> {
    static CLIENTS: [OnceCell<Client>; 2] = [OnceCell::new(), OnceCell::new()];
    let is_loopback = is_loopback(url);
    let build = || {
        let mut builder = Client::builder()
            .http1_only()
            .redirect(redirect::Policy::limited(REDIRECTS))
            .referer(false)
            .timeout(TIMEOUT)
            .tls_backend_preconfigured(Trust::default().config()?);
        if is_loopback {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|error| {
            Failure::misconfigured(format!(
                "the HTTP client cannot be set up: {}",
                error.without_url()
            ))
        })
    };
    CLIENTS[usize::from(is_loopback)]
        .get_or_try_init(build)
        .cloned()
}
