// SPDX-License-Identifier: MIT OR Apache-2.0

//! The cookies of one presentation (RFC 6265), bounded.
//!
//! There is no list of public suffixes here. A cookie for `co.uk` reaches hosts below it, but only
//! those that the same presentation names.

mod date;

use std::time::{Duration, SystemTime};

use url::{Host, Url};

use crate::token::Secret;

/// Cookies in all. Beyond it no other is taken, so that one host cannot push out all others'.
const MAX_COOKIES: usize = 256;

/// Cookies of one domain. Beyond it, and where its own leave no room, the oldest goes (RFC 6265,
/// 5.3).
const MAX_OF_DOMAIN: usize = 50;

/// Bytes of names, values, domains and paths in all.
const MAX_BYTES: usize = 128 * 1024;

/// Bytes of one name and value. CDNs sign policies of two to three KiB.
const MAX_PAIR: usize = 8 * 1024;

/// Bytes of one attribute.
const MAX_ATTRIBUTE: usize = 1024;

/// Bytes in one request. Common servers take 8 to 16 KiB of headers in all.
const MAX_SENT: usize = 12 * 1024;

/// The longest life of a cookie.
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 3600);

/// The cookies that servers have set.
#[derive(Default)]
pub struct CookieJar {
    /// The oldest first. An update stays in its place (RFC 6265, 5.3, step 11.3).
    cookies: Vec<Cookie>,
    bytes: usize,
}

struct Cookie {
    /// Name and value, as they are sent.
    pair: Secret,
    name_length: usize,
    domain: String,
    /// Whether subdomains get it not.
    is_host_only: bool,
    path: String,
    is_secure: bool,
    /// `None` for the presentation's life.
    expires: Option<SystemTime>,
}

impl CookieJar {
    /// Takes a `Set-Cookie` line of a response from `url`. One that `url` may not set, or that is
    /// too long, is ignored.
    pub fn store(&mut self, url: &Url, line: &str, now: SystemTime) {
        let Some(cookie) = Cookie::parse(url, line, now) else {
            return;
        };
        self.remove_expired(now);
        // Cleartext sets nothing in the place of what came over TLS.
        let is_safer = |known: &Cookie| {
            known.is_secure
                && known.name() == cookie.name()
                && (known.covers(&cookie.domain) || cookie.covers(&known.domain))
        };
        if url.scheme() != "https" && self.cookies.iter().any(is_safer) {
            return;
        }
        let same = self.cookies.iter().position(|known| known.is_same(&cookie));
        if cookie.is_expired(now) {
            if let Some(same) = same {
                self.remove(same);
            }
            return;
        }
        if same.is_none() {
            self.make_room(&cookie);
        }
        let known = same.and_then(|same| self.cookies.get(same));
        let freed = known.map_or(0, Cookie::size);
        let bytes = self
            .bytes
            .saturating_sub(freed)
            .saturating_add(cookie.size());
        if bytes > MAX_BYTES {
            return;
        }
        if let Some(known) = same.and_then(|same| self.cookies.get_mut(same)) {
            *known = cookie;
        } else if self.cookies.len() < MAX_COOKIES {
            self.cookies.push(cookie);
        } else {
            return;
        }
        self.bytes = bytes;
    }

    /// The pairs for a request to `url`, in the order in which they are sent (RFC 6265, 5.4).
    pub fn matching(&mut self, url: &Url, now: SystemTime) -> Vec<Secret> {
        self.remove_expired(now);
        let Some(host) = url.host_str() else {
            return Vec::new();
        };
        let is_secure = url.scheme() == "https";
        let mut matching: Vec<_> = self
            .cookies
            .iter()
            .filter(|cookie| {
                cookie.covers(host)
                    && is_path_below(url.path(), &cookie.path)
                    && (is_secure || !cookie.is_secure)
            })
            .collect();
        // Stable: the older ones stay before the newer ones.
        matching.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let mut sent = 0_usize;
        let fits = |cookie: &&Cookie| {
            sent = sent.saturating_add(cookie.pair.expose().len());
            sent <= MAX_SENT
        };
        let pairs = matching.into_iter().take_while(fits);
        pairs.map(|cookie| cookie.pair.clone()).collect()
    }

    /// All pairs, for whoever has to keep them out of messages.
    pub fn pairs(&self) -> Vec<Secret> {
        let pairs = self.cookies.iter().map(|cookie| cookie.pair.clone());
        pairs.collect()
    }

    fn remove_expired(&mut self, now: SystemTime) {
        self.cookies.retain(|cookie| !cookie.is_expired(now));
        self.bytes = self.cookies.iter().map(Cookie::size).sum();
    }

    /// Takes the oldest of the same domain away, where that helps.
    fn make_room(&mut self, cookie: &Cookie) {
        let of_domain = |known: &&Cookie| known.domain == cookie.domain;
        let own = self.cookies.iter().filter(of_domain).map(Cookie::size);
        let others = self.bytes.saturating_sub(own.sum());
        if others.saturating_add(cookie.size()) > MAX_BYTES {
            return;
        }
        loop {
            let is_full = self.cookies.iter().filter(of_domain).count() >= MAX_OF_DOMAIN
                || self.bytes.saturating_add(cookie.size()) > MAX_BYTES;
            let oldest = self.cookies.iter().position(|known| of_domain(&known));
            match oldest.filter(|_| is_full) {
                Some(oldest) => self.remove(oldest),
                None => return,
            }
        }
    }

    fn remove(&mut self, index: usize) {
        let removed = self.cookies.remove(index);
        self.bytes = self.bytes.saturating_sub(removed.size());
    }
}

impl Cookie {
    /// Reads a `Set-Cookie` line (RFC 6265, 5.2 and 5.3).
    fn parse(url: &Url, line: &str, now: SystemTime) -> Option<Self> {
        if line
            .bytes()
            .any(|byte| byte.is_ascii_control() && byte != b'\t')
        {
            return None;
        }
        let mut parts = line.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_sized = name.len().saturating_add(value.len()) < MAX_PAIR;
        if name.is_empty() || !is_sized || !line.is_ascii() {
            return None;
        }
        let host = url.host_str()?.to_owned();
        let mut cookie = Self {
            pair: Secret::new(format!("{name}={value}")),
            name_length: name.len(),
            domain: host,
            is_host_only: true,
            path: default_path(url).to_owned(),
            is_secure: false,
            expires: None,
        };
        let (mut domain, mut max_age) = (None, None);
        for part in parts {
            let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
            let (attribute, value) = (attribute.trim().to_ascii_lowercase(), value.trim());
            if value.len() > MAX_ATTRIBUTE {
                continue;
            }
            match &*attribute {
                "domain" => domain = Some(value),
                "path" if value.starts_with('/') => cookie.path = value.to_owned(),
                "path" => cookie.path = default_path(url).to_owned(),
                "secure" => cookie.is_secure = true,
                "max-age" => max_age = age(value).or(max_age),
                "expires" => cookie.expires = date::parse(value).or(cookie.expires),
                _ => {}
            }
        }
        if let Some(age) = max_age {
            cookie.expires = Some(now.checked_add(age).unwrap_or(now));
        }
        let latest = now.checked_add(MAX_AGE).unwrap_or(now);
        cookie.expires = cookie.expires.map(|expires| expires.min(latest));
        if let Some(domain) = domain.filter(|domain| !domain.is_empty()) {
            cookie.set_domain(url, domain)?;
        }
        let is_tls = url.scheme() == "https";
        (cookie.keeps_prefix() && (is_tls || !cookie.is_secure)).then_some(cookie)
    }

    /// `None` where the host of `url` may not set cookies for that domain (RFC 6265, 5.3, steps 5
    /// and 6).
    fn set_domain(&mut self, url: &Url, domain: &str) -> Option<()> {
        let domain = domain.strip_prefix('.').unwrap_or(domain);
        match (url.host()?, Host::parse(domain).ok()?) {
            (Host::Domain(host), Host::Domain(domain)) => {
                // A whole top-level domain belongs to nobody.
                let is_one_label = !domain.contains('.');
                if is_one_label && host != domain || !is_domain_below(host, &domain) {
                    return None;
                }
                self.is_host_only = is_one_label;
                self.domain = domain;
                Some(())
            }
            // An address has no subdomains.
            (host, domain) => (host.to_owned() == domain).then_some(()),
        }
    }

    /// Names that promise more (RFC 6265bis, 4.1.3).
    fn keeps_prefix(&self) -> bool {
        let name = self.name().to_ascii_lowercase();
        if name.starts_with("__host-") {
            self.is_secure && self.is_host_only && self.path == "/"
        } else {
            self.is_secure || !name.starts_with("__secure-")
        }
    }

    fn name(&self) -> &str {
        self.pair
            .expose()
            .get(..self.name_length)
            .unwrap_or_default()
    }

    fn is_same(&self, other: &Self) -> bool {
        self.name() == other.name()
            && self.domain == other.domain
            && self.is_host_only == other.is_host_only
            && self.path == other.path
    }

    /// Whether it is one for that host.
    fn covers(&self, host: &str) -> bool {
        match self.is_host_only {
            true => self.domain == host,
            false => is_domain_below(host, &self.domain),
        }
    }

    fn is_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn size(&self) -> usize {
        let strings = self.domain.len().saturating_add(self.path.len());
        strings.saturating_add(self.pair.expose().len())
    }
}

/// RFC 6265, 5.1.3, for names.
fn is_domain_below(host: &str, domain: &str) -> bool {
    let above = host.strip_suffix(domain);
    above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// RFC 6265, 5.1.4.
fn is_path_below(path: &str, prefix: &str) -> bool {
    let rest = path.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'))
}

/// RFC 6265, 5.1.4. A path that is too long to keep is the whole host's.
fn default_path(url: &Url) -> &str {
    let path = url.path();
    let end = path.rfind('/').unwrap_or(0);
    match path.get(..end) {
        Some(folder) if (1..=MAX_ATTRIBUTE).contains(&end) => folder,
        _ => "/",
    }
}

/// The value of `Max-Age` (RFC 6265, 5.2.2). Zero and less is at once.
fn age(value: &str) -> Option<Duration> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if digits.len() < value.len() {
        return Some(Duration::ZERO);
    }
    let seconds = digits.parse().map_or(MAX_AGE, Duration::from_secs);
    Some(seconds.min(MAX_AGE))
}

#[cfg(test)]
mod tests;
