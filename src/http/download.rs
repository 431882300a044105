// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files over HTTP, for hlsdrmdemux: playlists and init segments, bounded in size and time, and segments as they come.

use std::time::Duration;

use hyper::body::Bytes;
use reqwest::Response;
use reqwest::header::{HeaderMap, LOCATION, RANGE};
use url::Url;

use crate::failure::Failure;
use crate::secret::Secret;

use super::client::for_files;
use super::{Trust, header_map, text};

/// How often a server may send us on.
const REDIRECTS: usize = 10;

/// For the whole of a file, or the next piece of one that comes in pieces. Demuxers ask again.
const TIMEOUT: Duration = Duration::from_secs(10);

const COOKIE: &str = "cookie";
const REFERER: &str = "referer";

/// What goes to every host that a presentation names. Credentials go to its own alone.
const FOR_ALL: [&str; 1] = ["user-agent"];

/// What a player's source is set to.
#[derive(Clone)]
pub struct Source {
    /// Where it asked for the presentation, and where that was in the end.
    pub urls: [Url; 2],
    pub headers: Vec<(String, Secret)>,
    pub trust: Trust,
}

impl Source {
    fn for_url(&self, url: &Url) -> HeaderMap {
        let is_own = self.urls.iter().any(|own| own.origin() == url.origin());
        let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| {
                !is(name, COOKIE) && (is_own || FOR_ALL.iter().any(|public| is(name, public)))
            })
            .cloned()
            .collect();
        if is_own && let Some(cookies) = self.cookies() {
            headers.push((COOKIE.to_owned(), cookies));
        }
        if !headers.iter().any(|(name, _)| is(name, REFERER))
            && let Some(referer) = self.referer(url)
        {
            headers.push((REFERER.to_owned(), referer));
        }
        let mut map = HeaderMap::new();
        // One that no request of ours can carry is not worth the others.
        for one in headers
            .into_iter()
            .filter_map(|one| header_map(&[one]).ok())
        {
            for (name, value) in one.iter() {
                map.append(name, value.clone());
            }
        }
        map
    }

    /// All cookies in one header (RFC 6265, 5.4). Of one name the last counts.
    fn cookies(&self) -> Option<Secret> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        let headers = self
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(COOKIE));
        for pair in headers.flat_map(|(_, value)| value.expose().split(';')) {
            let pair = pair.trim();
            let name = pair.split('=').next().unwrap_or(pair);
            pairs.retain(|(known, _)| *known != name);
            pairs.push((name, pair));
        }
        let all: Vec<_> = pairs.iter().map(|(_, pair)| *pair).collect();
        (!all.is_empty()).then(|| Secret::new(all.join("; ")))
    }

    /// Where the presentation is from, as demuxers say it. Other hosts need not know more than whose it is.
    fn referer(&self, url: &Url) -> Option<Secret> {
        let [_, from] = &self.urls;
        if from.scheme() == "https" && url.scheme() != "https" {
            return None;
        }
        let mut referer = from.clone();
        // Fails only for URLs that can have neither.
        let _ = referer.set_username("");
        let _ = referer.set_password(None);
        referer.set_fragment(None);
        if from.origin() != url.origin() {
            referer.set_path("/");
            referer.set_query(None);
        }
        Some(Secret::new(referer.to_string()))
    }
}

/// What is wanted.
pub struct Wanted<'a> {
    pub url: &'a Url,
    pub source: &'a Source,
    /// First and last byte, or all from one on.
    pub range: Option<(u64, Option<u64>)>,
    /// The most that is read of what comes as a whole.
    pub max: usize,
}

/// What came.
pub struct Downloaded {
    /// Where it was in the end.
    pub url: Url,
    pub status: u16,
    pub body: Vec<u8>,
}

/// What it means that a file was not to be had.
///
/// # Errors
///
/// `Denied` for 401 and 403, else `Transient`, with the status.
pub fn refused<T>(url: &Url, status: u16) -> Result<T, Failure> {
    let place = place_of(url)?;
    let failure = match status {
        401 | 403 => Failure::denied(format!(
            "{place} refused a file of the presentation (HTTP {status}): check the headers and cookies that the player's source sends"
        )),
        404 | 410 => Failure::transient(format!(
            "{place} does not have a file that the presentation names (HTTP {status})"
        )),
        status => Failure::transient(format!(
            "{place} did not hand out a file of the presentation (HTTP {status})"
        )),
    };
    Err(failure.with_http_status(status))
}

/// Fetches a file, whatever the status is.
///
/// # Errors
///
/// `Transient` and `TimedOut` where nothing came, `Malformed` for what is too large or leads nowhere, `Misconfigured` for a URL that is none for this. They
/// name the server and no more of the URL.
pub async fn download(wanted: Wanted<'_>) -> Result<Downloaded, Failure> {
    let place = place_of(wanted.url)?;
    tokio::time::timeout(TIMEOUT, whole(&wanted, &place))
        .await
        .map_err(|_| late(&place))?
}

async fn whole(wanted: &Wanted<'_>, place: &str) -> Result<Downloaded, Failure> {
    let mut opened = follow(wanted, place).await?;
    let mut body = Vec::new();
    while let Some(chunk) = opened.chunk().await? {
        if body.len() + chunk.len() > wanted.max {
            return Err(Failure::malformed(format!(
                "{place} sent a file of more than {} bytes",
                wanted.max
            )));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Downloaded {
        url: opened.url,
        status: opened.status,
        body,
    })
}

/// A file that comes in pieces.
pub struct Opened {
    url: Url,
    pub status: u16,
    /// As the server says.
    pub length: Option<u64>,
    place: String,
    response: Response,
}

impl Opened {
    /// The next piece, or `None` at the end.
    ///
    /// # Errors
    ///
    /// `Transient` and `TimedOut` where no more comes.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        tokio::time::timeout(TIMEOUT, self.response.chunk())
            .await
            .map_err(|_| late(&self.place))?
            .map_err(|error| broken(&self.place, &error))
    }
}

/// Begins to fetch a file, however large and whatever the status is.
///
/// # Errors
///
/// As for [`download`].
pub async fn open(wanted: Wanted<'_>) -> Result<Opened, Failure> {
    let place = place_of(wanted.url)?;
    tokio::time::timeout(TIMEOUT, follow(&wanted, &place))
        .await
        .map_err(|_| late(&place))?
}

async fn follow(wanted: &Wanted<'_>, place: &str) -> Result<Opened, Failure> {
    let mut url = wanted.url.clone();
    for _ in 0..=REDIRECTS {
        let response = send(wanted, &url).await?;
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
        return Ok(Opened {
            url,
            status: response.status().as_u16(),
            length: response.content_length(),
            place: place.to_owned(),
            response,
        });
    }
    Err(Failure::malformed(format!(
        "{place} leads from one place to the next, more than {REDIRECTS} times"
    )))
}

async fn send(wanted: &Wanted<'_>, url: &Url) -> Result<Response, Failure> {
    let client = for_files(url, &wanted.source.trust).await?;
    let mut request = client.get(url.clone());
    request = request.headers(wanted.source.for_url(url));
    if let Some((first, last)) = wanted.range {
        let last = last.map(|last| last.to_string()).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn source(from: &str, to: &str, headers: &[(&str, &str)]) -> Source {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let secret = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::from(*value));
        Source {
            urls: [url(from), url(to)],
            headers: headers.iter().map(secret).collect(),
            trust: Trust::default(),
        }
    }

    fn sent(source: &Source, url: &str) -> Vec<String> {
        let map = source.for_url(&Url::parse(url).expect("a URL"));
        let line =
            |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
                format!("{name}: {}", value.to_str().expect("text"))
            };
        let mut lines: Vec<_> = map.iter().map(line).collect();
        lines.sort_unstable();
        lines
    }

    // An operator that hands on to a CDN by a redirect still wants to know who asks, and so does the CDN, which has signed its cookies.
    #[test]
    fn both_ends_of_a_redirect_get_all_headers_and_all_cookies() {
        let headers = [
            ("User-Agent", "Box"),
            ("X-Device", "7"),
            ("Cookie", "a=1; b=2"),
            ("cookie", "b=3"),
            ("Cookie", "c=4"),
        ];
        let source = source(
            "https://op/live?k=1",
            "https://u:p@cdn/x/live?s=2#f",
            &headers,
        );
        for (url, referer) in [
            ("https://op/live", "https://cdn/"),
            ("https://cdn/x/video", "https://cdn/x/live?s=2"),
        ] {
            let expected = [
                "cookie: a=1; b=3; c=4".to_owned(),
                format!("referer: {referer}"),
                "user-agent: Box".to_owned(),
                "x-device: 7".to_owned(),
            ];
            assert_eq!(sent(&source, url), expected, "{url}");
        }
        let elsewhere = ["referer: https://cdn/", "user-agent: Box"];
        assert_eq!(sent(&source, "https://other/x"), elsewhere);
        assert_eq!(sent(&source, "http://other/x"), ["user-agent: Box"]);
    }

    #[test]
    fn the_sources_own_referer_stays_with_its_own_hosts() {
        let source = source(
            "https://op/a",
            "https://op/a",
            &[("Referer", "https://tv/")],
        );
        assert_eq!(sent(&source, "https://op/b"), ["referer: https://tv/"]);
        assert_eq!(sent(&source, "https://cdn/b"), ["referer: https://op/"]);
    }
}
