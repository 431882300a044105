// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is asked for, and what may be sent where.

use std::borrow::Cow;
use std::sync::Arc;

use reqwest::header::HeaderMap;
use url::Url;
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::token::Secret;

use super::{
    Connection, Endpoint, MAX_REPLY, Method, Purpose, Source, TlsConfig, TokenHosts, header_map,
};

/// Redirects that are followed in a row. A sign-on in between takes two or three.
const MAX_REDIRECTS: u32 = 5;

/// Redirects that are followed in a row for a file: CDNs hand on more often.
const MAX_FILE_REDIRECTS: u32 = 10;

/// One request.
pub struct Request {
    pub url: Endpoint,
    /// What it is for, where that is logged.
    pub purpose: Option<Purpose>,
    pub correlation_id: Option<Arc<str>>,
    pub method: Method,
    /// What stands in the URL's query besides, in the place of what has that name there. No secret.
    pub parameter: Option<(&'static str, String)>,
    /// Headers without the token. They go to the origin of `url` alone.
    pub headers: Vec<(String, Secret)>,
    /// Headers with the token. At each hop they go where `token_hosts` allows it.
    pub token_headers: Vec<(String, Secret)>,
    /// What the URL's query has besides, with the token, encoded. It goes where these headers go,
    /// and is in no error.
    pub token_query: Option<Secret>,
    pub token_hosts: TokenHosts,
    /// Whether the token may go without TLS to other than loopback.
    pub token_in_cleartext: bool,
    /// The player's source, whose headers, cookies and Referer each hop gets as far as it may.
    pub source: Option<Source>,
    /// The body holds the token too: a server that may not have it is not asked.
    pub token_in_body: bool,
    /// Content type and bytes.
    pub body: Option<(Cow<'static, str>, Zeroizing<Vec<u8>>)>,
    pub tls: TlsConfig,
    pub redirects: Redirects,
    /// What the request holds that the server must not be quoted with, besides what stands in the
    /// URL and in `token_headers`.
    pub secrets: Vec<Secret>,
    /// The most bytes that a reply may have.
    pub max: usize,
    /// Whether errors and the reply name paths besides scheme, host and port.
    pub shows_path: bool,
    /// How many redirects are followed in a row.
    pub max_redirects: u32,
    /// First and last byte, or all from one on.
    pub range: Option<(u64, Option<u64>)>,
    /// `New` for what is good once, and cannot be sent again.
    pub connection: Connection,
}

/// What becomes of a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// It is the reply.
    Refused,
    /// It is followed, to a place that is as safe as the one before; to cleartext elsewhere only
    /// where that is allowed anyway. A POST follows 307 and 308, with its body.
    Followed { allow_cleartext: bool },
}

/// Why a server was not sent the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Withheld {
    /// It is none of the token's hosts.
    Elsewhere,
    /// It is one, without TLS.
    Cleartext,
}

impl Withheld {
    /// What the user can do about it.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Withheld::Elsewhere => "add it to `token-hosts`",
            Withheld::Cleartext => {
                "use https there, or set `allow-cleartext` if that network is trusted"
            }
        }
    }
}

impl Request {
    /// A GET without headers that follows no redirect.
    pub fn new(url: Endpoint, tls: TlsConfig) -> Self {
        Self {
            url,
            purpose: None,
            correlation_id: None,
            method: Method::Get,
            parameter: None,
            headers: Vec::new(),
            token_headers: Vec::new(),
            token_query: None,
            token_hosts: TokenHosts::default(),
            token_in_cleartext: false,
            source: None,
            token_in_body: false,
            body: None,
            tls,
            redirects: Redirects::Refused,
            secrets: Vec::new(),
            max: MAX_REPLY,
            shows_path: true,
            max_redirects: MAX_REDIRECTS,
            range: None,
            connection: Connection::Kept,
        }
    }

    /// A GET for something that a playlist names, as the player's source would ask for it.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for a URL of another scheme than http and https.
    pub fn for_file(url: &Url, source: &Source) -> Result<Self, Failure> {
        let mut request = Self::new(Endpoint::of_file(url)?, source.tls.clone());
        request.source = Some(source.clone());
        request.redirects = Redirects::Followed {
            allow_cleartext: true,
        };
        request.max_redirects = MAX_FILE_REDIRECTS;
        Ok(request)
    }

    /// Where the request goes first.
    pub(super) fn first_url(&self) -> Endpoint {
        match &self.parameter {
            Some((name, value)) => self.url.with_parameter(name, value),
            None => self.url.clone(),
        }
    }

    /// The name of a server in errors.
    pub(super) fn place_of(&self, url: &Endpoint) -> String {
        match self.shows_path {
            true => url.with_path(),
            false => url.authority(),
        }
    }

    /// The headers of the source for `url`.
    pub(super) fn source_headers(&self, url: &Endpoint) -> HeaderMap {
        let source = self.source.as_ref();
        source.map_or_else(HeaderMap::new, |source| source.headers_for(url.url()))
    }

    /// The headers of the request for `url`. Another server than the one that was meant gets none,
    /// because they may be credentials.
    pub(super) fn own_headers(&self, url: &Endpoint) -> Result<HeaderMap, Failure> {
        match url.is_same_origin(&self.url) {
            true => header_map(&self.headers),
            false => Ok(HeaderMap::new()),
        }
    }

    /// The URL to ask, where the server of `url` may be sent the token.
    pub(super) fn with_token_query(&self, url: &Endpoint) -> Endpoint {
        let query = self.token_query.as_ref().map(Secret::expose);
        let pairs = query.into_iter().flat_map(|query| query.split('&'));
        let pairs = pairs.filter_map(|pair| pair.split_once('='));
        pairs.fold(url.clone(), |url, (name, value)| {
            url.with_parameter(name, value)
        })
    }

    /// Whether `url` is sent the token, where there is one.
    pub(super) fn token_withheld(&self, url: &Endpoint) -> Option<Withheld> {
        let is_without_token =
            self.token_headers.is_empty() && self.token_query.is_none() && !self.token_in_body;
        if is_without_token {
            None
        } else if !self.token_hosts.allows(url.url()) {
            Some(Withheld::Elsewhere)
        } else if url.is_tls() || url.is_loopback() || self.token_in_cleartext {
            None
        } else {
            Some(Withheld::Cleartext)
        }
    }

    /// What the request holds that nobody may be quoted with.
    pub(super) fn all_secrets(&self) -> Vec<Secret> {
        let mut secrets = self.url.secrets();
        secrets.extend(self.secrets.iter().cloned());
        for (_, value) in &self.token_headers {
            // The scheme before a token (`Bearer`) is none.
            if let Some((_, token)) = value.expose().split_once(' ') {
                secrets.push(Secret::from(token));
            }
            secrets.push(value.clone());
        }
        secrets.extend(self.token_query.clone());
        if let Some(source) = &self.source {
            secrets.extend(source.secrets());
        }
        secrets.retain(|secret| !secret.expose().is_empty());
        secrets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(hosts: &str, in_cleartext: bool) -> Request {
        let url = Endpoint::parse("https://keys.example/k", "license-url", false).expect("valid");
        let mut request = Request::new(url, TlsConfig::default());
        request.token_headers = vec![("Authorization".to_owned(), Secret::from("Bearer SECRET"))];
        request.token_hosts = TokenHosts::parse(hosts).expect(hosts);
        request.token_in_cleartext = in_cleartext;
        request
    }

    #[test]
    fn token_goes_to_its_hosts_over_tls() {
        let at = |hosts: &str, url: &str, in_cleartext| {
            let url = Endpoint::parse(url, "a redirect", true).expect(url);
            request(hosts, in_cleartext).token_withheld(&url)
        };
        let hosts = "keys.example localhost 127.0.0.1";
        for (url, withheld) in [
            ("https://keys.example/", None),
            ("https://other.example/", Some(Withheld::Elsewhere)),
            ("http://other.example/", Some(Withheld::Elsewhere)),
            ("http://keys.example/", Some(Withheld::Cleartext)),
            ("http://localhost/", None),
            ("http://127.0.0.1:8080/", None),
            ("http://[::1]/", Some(Withheld::Elsewhere)),
        ] {
            assert_eq!(at(hosts, url, false), withheld, "{url}");
        }
        assert_eq!(at(hosts, "http://keys.example/", true), None);
        let mut without = request("", false);
        without.token_headers.clear();
        assert_eq!(without.token_withheld(&without.url), None);
    }

    #[test]
    fn token_is_a_secret_with_and_without_scheme() {
        let secrets = request("", false).all_secrets();
        for form in ["Bearer SECRET", "SECRET"] {
            assert!(secrets.contains(&Secret::from(form)), "{form}");
        }
    }
}
