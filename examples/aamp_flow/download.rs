// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists and segments over HTTP, bounded in size and time. Nothing here carries the session
//! token.

use std::fmt;
use std::time::Duration;

use reqwest::header::RANGE;
use reqwest::{Client, Response, StatusCode, redirect};
use tokio::runtime::{self, Runtime};
use url::Url;

/// A playlist of a day has some megabytes.
pub const MAX_PLAYLIST: usize = 16 * 1024 * 1024;

/// Ten seconds of a very good picture.
pub const MAX_SEGMENT: usize = 64 * 1024 * 1024;

/// For a connection, and for each next piece of what comes.
const PATIENCE: Duration = Duration::from_secs(10);

/// For all of it.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(60);

const MAX_REDIRECTS: usize = 5;

/// Where a segment, or an init segment, is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub url: Url,
    /// Offset and length, where it is a part of a file.
    pub range: Option<(u64, u64)>,
}

impl Place {
    pub fn file(url: Url) -> Self {
        Self { url, range: None }
    }
}

/// Without what may hold credentials: those in front of the host, and the query.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        // What has no host has no credentials either.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        match self.range {
            Some((offset, length)) => write!(f, "{url} ({length} bytes from {offset})"),
            None => write!(f, "{url}"),
        }
    }
}

/// One for each thread that downloads, as AAMP has a fetcher thread a track.
pub struct Downloader {
    runtime: Runtime,
    client: Client,
}

impl Downloader {
    pub fn new() -> Result<Self, String> {
        // For https. Fails where the process has chosen one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .timeout(PATIENCE_IN_ALL)
            .redirect(redirect::Policy::limited(MAX_REDIRECTS))
            .referer(false)
            .build()
            .map_err(|_| "the HTTP client cannot be set up: are root certificates installed?")?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("the HTTP client cannot be set up: {error}"))?;
        Ok(Self { runtime, client })
    }

    /// What is there, at most `max` bytes, and the URL where it was in the end.
    pub fn get(&self, place: &Place, max: usize) -> Result<(Vec<u8>, Url), String> {
        let fetched = self.runtime.block_on(self.fetch(place, max));
        fetched.map_err(|why| format!("{place}: {why}"))
    }

    async fn fetch(&self, place: &Place, max: usize) -> Result<(Vec<u8>, Url), String> {
        if !["http", "https"].contains(&place.url.scheme()) {
            return Err("only http and https are played".to_owned());
        }
        let mut request = self.client.get(place.url.clone());
        let mut wanted = StatusCode::OK;
        if let Some((offset, length)) = place.range {
            let last = offset.saturating_add(length).saturating_sub(1);
            request = request.header(RANGE, format!("bytes={offset}-{last}"));
            wanted = StatusCode::PARTIAL_CONTENT;
        }
        let response = request.send().await.map_err(|error| reason(&error))?;
        match response.status() {
            status if status == wanted => {}
            StatusCode::OK => return Err("the server gives no part of a file".to_owned()),
            status => return Err(format!("HTTP {}: check the URL", status.as_u16())),
        }
        let url = response.url().clone();
        Ok((body(response, max).await?, url))
    }
}

async fn body(mut response: Response, max: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| reason(&error))? {
        if body.len() + piece.len() > max {
            return Err(format!("more than {} MiB came", max / (1024 * 1024)));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Not reqwest's own words, which may quote the whole URL.
fn reason(error: &reqwest::Error) -> String {
    let reason = if error.is_timeout() {
        "no answer in time: check the network, or try again"
    } else if error.is_redirect() {
        "the server sends us on and on: check the URL"
    } else if error.is_connect() {
        "no connection: check host and port, with https the certificate, and whether the server runs"
    } else {
        "the connection broke: try again"
    };
    reason.to_owned()
}
