// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a player's source sends, and which server may see what of it.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use reqwest::header::{HeaderMap, SET_COOKIE};
use url::Url;

use crate::token::Secret;
use crate::wait::lock;

use super::cookies::CookieJar;
use super::{TlsConfig, header_map};

/// A shorter value of a cookie is a setting and no secret.
const SHORTEST_SECRET: usize = 8;

const COOKIE: &str = "cookie";
const REFERER: &str = "referer";

/// What goes to every host that a presentation names. Credentials go to its own alone.
const FOR_ALL: [&str; 1] = ["user-agent"];

/// What a player's source is set to, and the cookies of its presentation. Clones share those.
#[derive(Clone)]
pub struct Source {
    /// Where it asked for the presentation, and where that was in the end.
    urls: [Url; 2],
    headers: Arc<[(String, Secret)]>,
    pub tls: TlsConfig,
    cookies: Arc<Mutex<CookieJar>>,
}

impl Source {
    /// * `urls`: where the source asked for the presentation, and where that was in the end;
    /// * `headers`: what the source sent, `Cookie` included;
    /// * `set_cookies`: the `Set-Cookie` lines of the response that it got.
    pub fn new(
        urls: [Url; 2],
        headers: Vec<(String, Secret)>,
        set_cookies: &[Secret],
        tls: TlsConfig,
    ) -> Self {
        let mut cookies = CookieJar::default();
        let now = SystemTime::now();
        for line in set_cookies {
            cookies.store(&urls[1], line.expose(), now);
        }
        Self {
            urls,
            headers: headers.into(),
            tls,
            cookies: Arc::new(Mutex::new(cookies)),
        }
    }

    /// The headers that a request for `url` has.
    pub(super) fn headers_for(&self, url: &Url) -> HeaderMap {
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
        if let Some(cookies) = self.cookies_for(url, is_own) {
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

    /// Stores the cookies of a response from `url`.
    pub(super) fn store_cookies(&self, url: &Url, headers: &HeaderMap) {
        let mut lines = headers.get_all(SET_COOKIE).iter().peekable();
        if lines.peek().is_none() {
            return;
        }
        let now = SystemTime::now();
        let mut cookies = lock(&self.cookies);
        for line in lines {
            if let Ok(line) = line.to_str() {
                cookies.store(url, line, now);
            }
        }
    }

    /// All cookies in one header (RFC 6265, 5.4): those that the player set itself, for its own
    /// servers, and those that servers have set. The latter take the place of the former.
    fn cookies_for(&self, url: &Url, is_own: bool) -> Option<Secret> {
        let stored = lock(&self.cookies).matching(url, SystemTime::now());
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for pair in self.players_cookies().filter(|_| is_own) {
            let name = name_of(pair);
            // Of one name the last counts.
            pairs.retain(|(known, _)| *known != name);
            pairs.push((name, pair));
        }
        pairs.retain(|(name, _)| stored.iter().all(|pair| name_of(pair.expose()) != *name));
        let players = pairs.into_iter().map(|(_, pair)| pair);
        let all: Vec<_> = players.chain(stored.iter().map(Secret::expose)).collect();
        (!all.is_empty()).then(|| Secret::new(all.join("; ")))
    }

    /// The pairs in the source's own `Cookie` headers.
    fn players_cookies(&self) -> impl Iterator<Item = &str> {
        let headers = self
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(COOKIE));
        let pairs = headers.flat_map(|(_, value)| value.expose().split(';'));
        pairs.map(str::trim).filter(|pair| !pair.is_empty())
    }

    /// What no server may be quoted with: all header values but public ones, and cookies' values.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let public = [FOR_ALL[0], REFERER, COOKIE, "accept", "accept-language"];
        let headers = self.headers.iter().filter(|(name, _)| {
            !public
                .iter()
                .any(|public| name.eq_ignore_ascii_case(public))
        });
        let mut secrets: Vec<_> = headers.map(|(_, value)| value.clone()).collect();
        let stored = lock(&self.cookies).pairs();
        let pairs = self
            .players_cookies()
            .chain(stored.iter().map(Secret::expose));
        let values = pairs.filter_map(|pair| pair.split_once('='));
        let values = values.map(|(_, value)| Secret::from(value));
        secrets.extend(values.filter(|value| value.expose().len() >= SHORTEST_SECRET));
        secrets
    }

    /// Where the presentation is from, as demuxers say it. Other hosts need not know more than
    /// whose it is.
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

fn name_of(pair: &str) -> &str {
    pair.split('=').next().unwrap_or(pair).trim()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect(text)
    }

    fn source(from: &str, to: &str, headers: &[(&str, &str)], set_cookies: &[&str]) -> Source {
        let secret = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::from(*value));
        let lines: Vec<_> = set_cookies.iter().map(|line| Secret::from(*line)).collect();
        Source::new(
            [url(from), url(to)],
            headers.iter().map(secret).collect(),
            &lines,
            TlsConfig::default(),
        )
    }

    fn sent(source: &Source, to: &str) -> Vec<String> {
        let map = source.headers_for(&url(to));
        let line =
            |(name, value): (_, &HeaderValue)| format!("{name}: {}", value.to_str().expect("text"));
        let mut lines: Vec<_> = map.iter().map(line).collect();
        lines.sort_unstable();
        lines
    }

    // An operator that hands on to a CDN by a redirect still wants to know who asks, and so does
    // the CDN, which has signed its cookies.
    #[test]
    fn source_headers_go_to_both_ends_of_a_redirect() {
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
            &[],
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
    fn source_referer_stays_with_its_own_hosts() {
        let source = source(
            "https://op/a",
            "https://op/a",
            &[("Referer", "https://tv/")],
            &[],
        );
        assert_eq!(sent(&source, "https://op/b"), ["referer: https://tv/"]);
        assert_eq!(sent(&source, "https://cdn/b"), ["referer: https://op/"]);
    }

    #[test]
    fn set_cookies_go_where_their_attributes_say() {
        let source = source(
            "https://op.example/live",
            "https://cdn.example/x/live",
            &[("Cookie", "own=1; signed=old")],
            &[
                "signed=new; Secure; Path=/",
                "wide=2; Domain=cdn.example; Path=/",
                "deep=3; Path=/x/y",
            ],
        );
        let cookie = |to: &str| {
            let lines = sent(&source, to).into_iter();
            let mut cookies = lines.filter_map(|line| {
                let value = line.strip_prefix("cookie: ");
                value.map(str::to_owned)
            });
            cookies.next()
        };
        for (to, cookies) in [
            ("https://op.example/", Some("own=1; signed=old")),
            ("https://cdn.example/x", Some("own=1; signed=new; wide=2")),
            (
                "https://cdn.example/x/y/z",
                Some("own=1; deep=3; signed=new; wide=2"),
            ),
            ("https://a.cdn.example/", Some("wide=2")),
            ("http://cdn.example/", Some("wide=2")),
            ("https://other.example/", None),
        ] {
            assert_eq!(cookie(to).as_deref(), cookies, "{to}");
        }
    }

    #[test]
    fn clones_share_stored_cookies() {
        let source = source("https://op/a", "https://op/a", &[], &[]);
        let mut headers = HeaderMap::new();
        headers.append(SET_COOKIE, HeaderValue::from_static("k=12345678; Secure"));
        let elsewhere = url("https://keys.example/1");
        source.clone().store_cookies(&elsewhere, &headers);
        let lines = sent(&source, "https://keys.example/2");
        assert_eq!(lines, ["cookie: k=12345678", "referer: https://op/"]);
        assert!(source.secrets().contains(&Secret::from("12345678")));
    }
}
