// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which server may be asked, and what may be shown of its URL.

use url::{Host, Url};

use crate::failure::Failure;
use crate::secret::Secret;

/// A server that may be asked: an `https` URL, or an `http` one where that is safe or allowed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(Url);

impl Endpoint {
    /// `setting` is the property that the text came from, for the error.
    ///
    /// # Errors
    ///
    /// A sentence that says what to set. It names scheme and host at most: path, query and userinfo may hold secrets.
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
                    endpoint.place()
                )));
            }
            scheme => {
                return Err(Failure::misconfigured(format!(
                    "`{setting}` has the scheme {scheme}: set it to a URL that begins with http:// or https://"
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
    pub fn place(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// What a property may read back: without userinfo, query and fragment.
    pub fn shown(text: &str) -> String {
        match Url::parse(text) {
            Ok(mut url) => {
                // Both fail only for URLs that cannot have them, such as `data:`.
                let _ = url.set_username("");
                let _ = url.set_password(None);
                url.set_query(None);
                url.set_fragment(None);
                url.to_string()
            }
            // What is no URL cannot be cleaned, so it is not shown.
            Err(_) => String::new(),
        }
    }

    /// The same server's other path, beside this one: `…/a/b` and `c` give `…/a/c`. Without userinfo and query, which belong to this path.
    ///
    /// # Errors
    ///
    /// `Misconfigured` where the URL has no paths.
    pub fn beside(&self, name: &str) -> Result<Self, Failure> {
        let mut url = self
            .0
            .join(name)
            .map_err(|_| Failure::misconfigured("`location` is a URL without a path"))?;
        // Both fail only for URLs that cannot have them.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self(url))
    }

    /// Where a redirect from here points, as far as that is safe to show: scheme, host and port.
    pub(super) fn redirected(&self, target: &str) -> Option<String> {
        let target = Self(self.0.join(target).ok()?);
        target.0.host()?;
        Some(format!("{}://{}", target.0.scheme(), target.place()))
    }

    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.0.path().rsplit('/').next().unwrap_or_default()
    }

    /// What in this URL may be a secret: userinfo, the query, and each value in it.
    pub fn secrets(&self) -> Vec<Secret> {
        let mut secrets = vec![Secret::from(self.0.username())];
        secrets.extend(self.0.password().map(Secret::from));
        secrets.extend(self.0.query().map(Secret::from));
        secrets.extend(
            self.0
                .query_pairs()
                .map(|(_, value)| Secret::new(value.into_owned())),
        );
        secrets.retain(|secret| !secret.expose().is_empty());
        secrets
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    pub(super) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_in_the_clear_to_this_machine_only_unless_the_user_says_otherwise() {
        for url in [
            "http://localhost:50050/x",
            "http://127.0.0.1/",
            "http://[::1]:80/",
            "https://auth.example/",
        ] {
            assert!(Endpoint::parse(url, "location", false).is_ok(), "{url}");
        }
        for url in [
            "http://auth.example/",
            "http://192.168.0.2/",
            "http://localhost.example/",
        ] {
            let Err(failure) = Endpoint::parse(url, "location", false) else {
                panic!("{url} was accepted");
            };
            assert!(failure.what.contains("allow-cleartext"), "{}", failure.what);
            assert!(Endpoint::parse(url, "location", true).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_asked_is_refused_by_the_name_of_its_setting_and_not_shown() {
        for url in [
            "",
            "localhost",
            "ftp://u:SECRET@h/SECRET",
            "data:SECRET",
            "http://",
            "//SECRET",
        ] {
            let Err(failure) = Endpoint::parse(url, "license-url", true) else {
                panic!("{url} was accepted");
            };
            assert!(failure.what.contains("`license-url`"), "{}", failure.what);
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
    }

    #[test]
    fn what_a_property_reads_back_has_lost_credentials() {
        assert_eq!(
            Endpoint::shown("https://user:pw@host:8443/path?key=SECRET#SECRET"),
            "https://host:8443/path"
        );
        assert_eq!(Endpoint::shown("SECRET, no URL"), "");
    }
}
