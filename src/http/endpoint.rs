// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which server may be asked, and what may be shown of its URL.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};

use crate::error::Failure;
use crate::token::Secret;

/// A server that may be asked: an `https` URL, or an `http` one where that is safe or allowed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(Url);

/// The longest part of a scheme that an error shows.
const MAX_SCHEME: usize = 32;

/// The longest path that an error shows.
const MAX_PATH: usize = 200;

impl Endpoint {
    /// The server of a file that a playlist names. Nothing secret is sent there without asking.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for another scheme than http and https.
    pub(super) fn of_file(url: &Url) -> Result<Self, Failure> {
        match (url.scheme(), url.host_str()) {
            ("http" | "https", Some(_)) => Ok(Self(url.clone())),
            (scheme, _) => Err(Failure::misconfigured(format!(
                "a playlist names a `{}` URL, where only http and https are read",
                scheme.get(..MAX_SCHEME).unwrap_or(scheme)
            ))),
        }
    }

    /// `setting` is the property that the text came from, for the error.
    ///
    /// # Errors
    ///
    /// A sentence that says what to set. It names scheme and host at most: path, query and userinfo
    /// may hold secrets.
    pub fn parse(text: &str, setting: &str, allow_cleartext: bool) -> Result<Self, Failure> {
        let url = Url::parse(text).map_err(|error| {
            Failure::misconfigured(format!(
                "`{setting}` is not a URL ({error}): set it to one that begins with http:// or https://"
            ))
        })?;
        let endpoint = Self(url);
        match endpoint.0.scheme() {
            "https" => {}
            "http" if allow_cleartext || endpoint.is_loopback() => {}
            "http" => {
                return Err(Failure::misconfigured(format!(
                    "`{setting}` would send a secret in the clear to {}: use https, or set `allow-cleartext` if that network is trusted",
                    endpoint.authority()
                )));
            }
            // Not named: where `http://` was forgotten it may be a user's name.
            _ => {
                return Err(Failure::misconfigured(format!(
                    "`{setting}` has another scheme than http and https: set it to a URL that begins with http:// or https://"
                )));
            }
        }
        if endpoint.0.host().is_none() {
            return Err(Failure::misconfigured(format!("`{setting}` names no host")));
        }
        Ok(endpoint)
    }

    /// The whole URL, for comparing and for the wire.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Host and port, which are safe to show.
    pub fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Scheme, host, port and path, without userinfo and query.
    pub fn with_path(&self) -> String {
        let path = self.0.path();
        let (path, cut) = match path.get(..MAX_PATH) {
            Some(start) if path.len() > MAX_PATH => (start, "…"),
            _ => (path, ""),
        };
        format!("{}{path}{cut}", self.origin())
    }

    /// Scheme, host and port.
    fn origin(&self) -> String {
        format!("{}://{}", self.0.scheme(), self.authority())
    }

    /// As `token-hosts` would name the server: without the port where that goes without saying.
    pub(super) fn token_host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// What a property may read back: without userinfo, query and fragment.
    pub fn redacted(text: &str) -> String {
        match Url::parse(text) {
            Ok(mut url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                // Both fail only for URLs that cannot have them.
                let _ = url.set_username("");
                let _ = url.set_password(None);
                url.set_query(None);
                url.set_fragment(None);
                url.to_string()
            }
            // What is no such URL cannot be cleaned, so it is not shown.
            _ => String::new(),
        }
    }

    /// The same server's other path, beside this one: `…/a/b` and `c` give `…/a/c`. Without
    /// userinfo and query, which belong to this path.
    pub fn sibling(&self, name: &str) -> Self {
        let mut url = self.0.clone();
        let mut path = self.0.path().trim_end_matches('/').to_owned();
        path.truncate(path.rfind('/').unwrap_or(0));
        url.set_path(&format!("{path}/{name}"));
        url.set_query(None);
        url.set_fragment(None);
        // Both fail only for URLs that cannot have them.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Self(url)
    }

    /// With this in the query, in the place of all that has that name there. The rest of the query
    /// stays as it is written.
    pub fn with_parameter(&self, name: &str, value: &str) -> Self {
        let mut url = self.0.clone();
        let others = self.0.query().unwrap_or_default().split('&');
        let is_other = |pair: &&str| {
            let pair_name = pair.split_once('=').map_or(*pair, |(name, _)| name);
            !pair.is_empty() && decoded(pair_name) != name
        };
        let mut pairs: Vec<_> = others.filter(is_other).map(str::to_owned).collect();
        pairs.push(format!("{name}={value}"));
        url.set_query(Some(&pairs.join("&")));
        Self(url)
    }

    /// Where a redirect from here leads. `shows_path` says whether errors name paths.
    ///
    /// # Errors
    ///
    /// `Malformed` where that is no place to go to, or one that is less safe than this.
    pub(super) fn follow(
        &self,
        target: &str,
        allow_cleartext: bool,
        shows_path: bool,
    ) -> Result<Self, Failure> {
        let place = match shows_path {
            true => self.with_path(),
            false => self.authority(),
        };
        let url = self.0.join(target).map_err(|_| {
            Failure::malformed(format!(
                "{place} answered with a redirect to what is no URL"
            ))
        })?;
        let to = self.redirected(target, shows_path);
        let to = to.map_or_else(String::new, |to| format!(" to {to}"));
        if self.is_tls() && url.scheme() != "https" {
            return Err(Failure::malformed(format!(
                "{place} answered with a redirect from https to another scheme{to}, which is not \
                 followed"
            )));
        }
        Self::parse(url.as_str(), "a redirect", allow_cleartext).map_err(|_| {
            Failure::malformed(format!(
                "{place} answered with a redirect{to} that would send what is secret in the clear, \
                 or to no server: it is not followed"
            ))
        })
    }

    /// Whether both are one server, as far as secrets go: scheme, host and port.
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// Where a redirect from here points, as far as that may be shown: never userinfo and query,
    /// and the path only where `shows_path` says so.
    pub(super) fn redirected(&self, target: &str, shows_path: bool) -> Option<String> {
        let target = Self(self.0.join(target).ok()?);
        target.0.host()?;
        Some(match shows_path {
            true => target.with_path(),
            false => target.origin(),
        })
    }

    /// The last part of the path.
    pub fn name(&self) -> &str {
        let path = self.0.path().trim_end_matches('/');
        path.rsplit('/').next().unwrap_or_default()
    }

    /// What in this URL may be a secret, in each form in which it goes over the wire: userinfo (RFC
    /// 7617), the query, and each value in it.
    pub fn secrets(&self) -> Vec<Secret> {
        let mut secrets = Vec::new();
        if !self.0.username().is_empty() || self.0.password().is_some() {
            let name = decoded(self.0.username());
            let password = self.0.password().map(decoded).unwrap_or_default();
            secrets.push(Secret::new(STANDARD.encode([&*name, &*password].join(":"))));
            secrets.extend([self.0.username().to_owned(), name, password].map(Secret::new));
            secrets.extend(self.0.password().map(Secret::from));
        }
        secrets.extend(self.0.query().map(Secret::from));
        secrets.extend(
            self.0
                .query_pairs()
                .map(|(_, value)| Secret::new(value.into_owned())),
        );
        secrets.retain(|secret| !secret.expose().is_empty());
        secrets
    }

    /// The whole URL, which may hold secrets.
    pub fn url(&self) -> &Url {
        &self.0
    }

    pub(super) fn into_url(self) -> Url {
        self.0
    }

    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    pub(super) fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }
}

/// Whether the host is this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Without percent-encoding.
fn decoded(text: &str) -> String {
    // A plus is one here, other than in a form.
    let text = text.replace('+', "%2B");
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests;
