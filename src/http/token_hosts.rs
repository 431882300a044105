// SPDX-License-Identifier: MIT OR Apache-2.0

//! The hosts that may be sent the session token: the property `token-hosts`.

use std::borrow::Borrow;

use url::{Host, Origin, Url};

use crate::error::Failure;

/// A device talks to a handful of key and license servers.
const MAX_ENTRIES: usize = 64;

/// The longest part of an entry that an error shows.
const MAX_SHOWN: usize = 100;

/// Hosts that may be sent the token. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TokenHosts(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Entry {
    /// Scheme, host and port.
    Origin(Origin),
    /// That host, at any port where none is named.
    Host(Host, Option<u16>),
    /// All subdomains of that domain, which begins with a dot.
    Subdomains(String, Option<u16>),
}

impl TokenHosts {
    /// Reads hosts that commas or white space separate: `host`, `host:port`, `*.example.com`,
    /// `*.example.com:8443`, `[::1]:80`.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, which names `token-hosts` and the entry.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let mut entries = Vec::new();
        let parts = text.split(|c: char| c == ',' || c.is_whitespace());
        for part in parts.filter(|part| !part.is_empty()) {
            if entries.len() == MAX_ENTRIES {
                return Err(Failure::misconfigured(format!(
                    "`token-hosts` has more than {MAX_ENTRIES} entries"
                )));
            }
            let entry = Entry::parse(part).map_err(|what| {
                Failure::misconfigured(format!(
                    "`token-hosts` has the entry \"{}\", {what}: write `host`, `host:port` or \
                     `*.example.com`",
                    redacted(part)
                ))
            })?;
            entries.push(entry);
        }
        Ok(Self(entries))
    }

    /// The servers of those URLs, each by scheme, host and port.
    pub fn origins<U: Borrow<Url>>(urls: impl IntoIterator<Item = U>) -> Self {
        let urls = urls.into_iter().take(MAX_ENTRIES);
        let origins = urls.map(|url| url.borrow().origin());
        // An opaque origin equals no other.
        let origins = origins.filter(Origin::is_tuple);
        Self(origins.map(Entry::Origin).collect())
    }

    /// Whether the server of that URL may be sent the token.
    pub fn allows(&self, url: &Url) -> bool {
        if !matches!(url.scheme(), "http" | "https") {
            return false;
        }
        let Some(host) = url.host() else {
            return false;
        };
        let port = url.port_or_known_default();
        let is_port = |allowed: &Option<u16>| allowed.is_none() || *allowed == port;
        self.0.iter().any(|entry| match entry {
            Entry::Origin(origin) => *origin == url.origin(),
            Entry::Host(allowed, at) => *allowed == host.to_owned() && is_port(at),
            Entry::Subdomains(suffix, at) => {
                let is_below = match host {
                    Host::Domain(name) => name.len() > suffix.len() && name.ends_with(suffix),
                    Host::Ipv4(_) | Host::Ipv6(_) => false,
                };
                is_below && is_port(at)
            }
        })
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains(['/', '@', '%', '?', '#', '\\']) {
            return Err("which is more than a host and a port");
        }
        let (host, port) = split_port(text)?;
        let (is_wildcard, host) = match host.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, host),
        };
        if host.contains('*') {
            return Err("where `*.` may stand at the beginning only, before a domain");
        }
        let host = Host::parse(host).map_err(|_| "which is not a valid host")?;
        if let Host::Domain(name) = &host
            && name.split('.').any(str::is_empty)
        {
            return Err("which has a dot too many");
        }
        match (is_wildcard, host) {
            (false, host) => Ok(Self::Host(host, port)),
            (true, Host::Domain(name)) => Ok(Self::Subdomains(format!(".{name}"), port)),
            (true, _) => Err("but an address has no subdomains"),
        }
    }
}

/// The host, and the port behind the last colon outside of brackets.
fn split_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => return Ok((text, None)),
    };
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(number @ 1..) if is_number => Ok((host, Some(number))),
        _ => Err("whose port is not a number from 1 to 65535"),
    }
}

/// The entry as an error may show it. What stands before an `@` may be a password.
fn redacted(entry: &str) -> String {
    let (_, host) = entry.rsplit_once('@').unwrap_or(("", entry));
    let host = host.split(['?', '#']).next().unwrap_or_default();
    let short: String = host.chars().take(MAX_SHOWN).collect();
    short.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(hosts: &str, url: &str) -> bool {
        let hosts = TokenHosts::parse(hosts).expect(hosts);
        hosts.allows(&Url::parse(url).expect(url))
    }

    #[test]
    fn host_is_allowed_at_its_ports() {
        for (hosts, url) in [
            ("keys.example", "https://keys.example/k"),
            ("keys.example", "https://keys.example:8443/k"),
            ("KEYS.example", "http://keys.EXAMPLE/k"),
            ("keys.example:8443", "https://keys.example:8443/"),
            ("keys.example:443", "https://keys.example/"),
            ("keys.example:80", "http://keys.example/"),
            ("a, keys.example\n b", "https://keys.example/"),
            ("127.0.0.1", "http://127.0.0.1:8080/"),
            ("127.1", "http://127.0.0.1/"),
            ("[::1]:80", "http://[::1]/"),
            ("[0:0::1]", "https://[::1]/"),
            ("b\u{fc}cher.example", "https://xn--bcher-kva.example/"),
            ("xn--bcher-kva.example", "https://B\u{dc}CHER.example/"),
        ] {
            assert!(allows(hosts, url), "{hosts} {url}");
        }
    }

    #[test]
    fn other_hosts_and_ports_are_not_allowed() {
        for (hosts, url) in [
            ("", "https://keys.example/"),
            ("keys.example", "https://a.keys.example/"),
            ("keys.example", "https://keys.example.evil/"),
            ("keys.example", "https://evilkeys.example/"),
            ("keys.example", "https://keys.example@evil.example/"),
            ("keys.example", "https://evil.example/keys.example"),
            ("keys.example", "https://keys.example./"),
            ("keys.example", "ftp://keys.example/"),
            ("keys.example", "data:,keys.example"),
            ("keys.example:8443", "https://keys.example/"),
            ("keys.example:443", "http://keys.example/"),
            ("[::1]:80", "http://[::1]:81/"),
            ("127.0.0.1", "http://127.0.0.2/"),
        ] {
            assert!(!allows(hosts, url), "{hosts} {url}");
        }
    }

    #[test]
    fn wildcard_allows_subdomains_alone() {
        for url in [
            "https://a.example.com/",
            "https://b.a.example.com/",
            "https://A.Example.COM:8443/",
        ] {
            assert!(allows("*.example.com", url), "{url}");
        }
        for url in [
            "https://example.com/",
            "https://aexample.com/",
            "https://a.example.com./",
            "https://a.example.com.evil/",
            "https://example.com.evil/",
        ] {
            assert!(!allows("*.Example.com", url), "{url}");
        }
        assert!(allows("*.example.com:8443", "https://a.example.com:8443/"));
        assert!(!allows("*.example.com:8443", "https://a.example.com/"));
    }

    #[test]
    fn hostile_spellings_are_named_and_refused() {
        for entry in [
            "user@keys.example",
            "https://keys.example",
            "keys.example/path",
            "keys.example?q",
            "keys.example#f",
            "keys.example.",
            "keys..example",
            ".keys.example",
            "keys%2eexample",
            "keys\\example",
            "keys\u{3002}\u{3002}example",
            "*",
            "*.",
            "*.*",
            "*.*.example",
            "a.*.example",
            "*example",
            "*.127.0.0.1",
            "*.[::1]",
            "::1",
            "[::1",
            "[::1]x",
            "keys.example:",
            "keys.example:0",
            "keys.example:+80",
            "keys.example:65536",
            "keys.example:https",
            "keys.example:80:80",
            ":80",
            "keys<example",
        ] {
            let failure = TokenHosts::parse(entry).expect_err(entry);
            assert!(failure.what.contains("`token-hosts`"), "{}", failure.what);
            let named = entry.rsplit_once('@').map_or(entry, |(_, host)| host);
            let named = named.split(['?', '#']).next().expect("a first part");
            let named = named.escape_debug().to_string();
            assert!(failure.what.contains(&named), "{}", failure.what);
        }
        let failure = TokenHosts::parse("ok.example user:SECRET@h?SECRET").expect_err("a user");
        assert!(!failure.what.contains("SECRET"), "{}", failure.what);
    }

    #[test]
    fn entries_are_bounded() {
        let hosts = |count: usize| vec!["keys.example"; count].join(",");
        assert!(TokenHosts::parse(&hosts(MAX_ENTRIES)).is_ok());
        assert!(TokenHosts::parse(&hosts(MAX_ENTRIES + 1)).is_err());
    }

    #[test]
    fn origins_are_scheme_host_and_port() {
        let url = |text: &str| Url::parse(text).expect(text);
        let hosts = TokenHosts::origins([url("https://op.example/live"), url("data:,x")]);
        assert!(hosts.allows(&url("https://op.example:443/key")));
        for other in [
            "http://op.example/key",
            "https://op.example:8443/key",
            "https://a.op.example/key",
            "data:,x",
        ] {
            assert!(!hosts.allows(&url(other)), "{other}");
        }
        assert!(!TokenHosts::default().allows(&url("https://op.example/")));
    }
}
