// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which license servers a stream may ask: the one of `license-url`, or those that the MPD names.

use url::{ParseError, Url};

use crate::cenc::{InitData, NoLicenseUrl};
use crate::error::Failure;
use crate::http::Endpoint;

use super::policy::LicensePolicy;

/// What to do where the MPD gives no license server.
const SET_LICENSE_URL: &str = "set `license-url`";

/// What the manifest says of license servers.
#[derive(Clone, Default)]
pub struct ManifestServers {
    /// The `dashif:Laurl` of the newest element that has some.
    urls: Vec<String>,
    /// Why an element of ClearKey's has none.
    no_url: Option<NoLicenseUrl>,
    /// Where the manifest itself is from, where that was looked for and found.
    manifest_url: Option<String>,
}

impl ManifestServers {
    /// Records what one init data says. `is_clearkey` is whether it is of the system that DASH-IF
    /// calls ClearKey, and not of the common one, for which nobody expects a `dashif:Laurl`.
    pub fn add(
        &mut self,
        init_data: &mut InitData,
        is_clearkey: bool,
        manifest_url: Option<String>,
    ) {
        if !init_data.license_urls.is_empty() {
            self.urls = std::mem::take(&mut init_data.license_urls);
            self.manifest_url = manifest_url;
        }
        match init_data.no_license_url {
            Some(NoLicenseUrl::Reference) => self.no_url = Some(NoLicenseUrl::Reference),
            Some(why) if is_clearkey && self.no_url.is_none() => self.no_url = Some(why),
            _ => {}
        }
    }

    /// The servers to ask, in this order.
    ///
    /// # Errors
    ///
    /// `Misconfigured` where there is none: why, and that `license-url` helps.
    pub fn endpoints(&self, policy: &LicensePolicy) -> Result<Vec<Endpoint>, Failure> {
        if let Some(url) = &policy.license_url {
            return Ok(vec![url.clone()]);
        }
        if self.urls.is_empty() {
            return Err(Failure::misconfigured(self.nobody_names_one()));
        }
        let mut endpoints = Vec::new();
        let mut complaints = Vec::new();
        for url in &self.urls {
            match self.endpoint(url, policy.allow_cleartext) {
                Ok(endpoint) if endpoints.contains(&endpoint) => {}
                Ok(endpoint) => endpoints.push(endpoint),
                Err(failure) if complaints.contains(&failure.what) => {}
                Err(failure) => complaints.push(failure.what),
            }
        }
        if endpoints.is_empty() {
            let complaints = complaints.join("; ");
            return Err(Failure::misconfigured(format!(
                "no license server that the MPD names can be asked: {complaints}; or {SET_LICENSE_URL}"
            )));
        }
        Ok(endpoints)
    }

    fn endpoint(&self, url: &str, allow_cleartext: bool) -> Result<Endpoint, Failure> {
        if !is_relative(url) {
            return Endpoint::parse(url, "dashif:Laurl", allow_cleartext);
        }
        let Some(manifest_url) = &self.manifest_url else {
            return Err(Failure::misconfigured(
                "`dashif:Laurl` is relative, and nobody upstream says where the MPD is from",
            ));
        };
        let resolved = Url::parse(manifest_url).and_then(|base| base.join(url));
        let resolved = resolved.map_err(|_| {
            Failure::misconfigured("`dashif:Laurl` and the MPD's own URL make no URL together")
        })?;
        Endpoint::parse(resolved.as_str(), "dashif:Laurl", allow_cleartext)
    }

    fn nobody_names_one(&self) -> String {
        match self.no_url {
            Some(NoLicenseUrl::ValueOnly) => format!(
                "GStreamer's dashdemux2 passed on only the `value` of the MPD's ContentProtection, and not the dashif:Laurl in it: {SET_LICENSE_URL}"
            ),
            Some(NoLicenseUrl::Reference) => format!(
                "the MPD's ContentProtection refers by `ref` to another one, which GStreamer does not pass on: {SET_LICENSE_URL}"
            ),
            Some(NoLicenseUrl::Absent) | None => format!(
                "nobody says where the license server is: {SET_LICENSE_URL}, or, in DASH, have the MPD name it in dashif:Laurl, in the ContentProtection of the AdaptationSet (GStreamer passes on none of a Representation, a Period or the MPD)"
            ),
        }
    }
}

/// Whether a URL stands for itself only together with that of the manifest.
pub fn is_relative(url: &str) -> bool {
    Url::parse(url) == Err(ParseError::RelativeUrlWithoutBase)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::Kind;
    use crate::http::TlsSettings;

    fn policy(license_url: Option<&str>) -> LicensePolicy {
        let endpoint = |url| Endpoint::parse(url, "license-url", false).expect("a URL");
        LicensePolicy {
            license_url: license_url.map(endpoint),
            token_hosts: None,
            timeout: Duration::from_secs(1),
            retries: 0,
            tls: TlsSettings::default().load().expect("the defaults"),
            allow_cleartext: false,
            keep_licenses: true,
        }
    }

    fn servers(laurls: &[&str], manifest_url: Option<&str>) -> ManifestServers {
        let laurls = laurls.iter().map(|url| format!("<d:Laurl>{url}</d:Laurl>"));
        let xml = format!(
            "<ContentProtection>{}</ContentProtection>",
            laurls.collect::<String>()
        );
        let mut servers = ManifestServers::default();
        let mut init_data = InitData::read(xml.as_bytes());
        servers.add(&mut init_data, true, manifest_url.map(str::to_owned));
        servers
    }

    fn asked(servers: &ManifestServers, license_url: Option<&str>) -> Vec<String> {
        let endpoints = servers.endpoints(&policy(license_url)).expect("some");
        endpoints
            .iter()
            .map(|one| one.as_str().to_owned())
            .collect()
    }

    #[test]
    fn laurl_is_resolved_against_the_manifest() {
        for (laurl, manifest_url, url) in [
            (
                "/license",
                "https://h:8443/a/b.mpd?q",
                "https://h:8443/license",
            ),
            (
                "license?x=1",
                "https://h/a/b.mpd",
                "https://h/a/license?x=1",
            ),
            ("../l", "https://h/a/b/c.mpd", "https://h/a/l"),
            ("//other/l", "https://h/a", "https://other/l"),
            (
                "?token=abc%3D",
                "https://h/a.mpd",
                "https://h/a.mpd?token=abc%3D",
            ),
            ("/l", "http://localhost:1/a.mpd", "http://localhost:1/l"),
            ("https://k/l", "https://h/a.mpd", "https://k/l"),
        ] {
            let servers = servers(&[laurl], Some(manifest_url));
            assert_eq!(asked(&servers, None), [url], "{laurl}");
        }
    }

    #[test]
    fn usable_laurls_are_asked_in_order() {
        let laurls = [
            "file://cache/info.txt",
            "https://b/",
            "http://cleartext/",
            "urn:x",
            "/c",
            "https://a/",
            "https://b",
        ];
        let servers = servers(&laurls, Some("https://h/x/y.mpd"));
        let urls = ["https://b/", "https://h/c", "https://a/"];
        assert_eq!(asked(&servers, None), urls);
        assert_eq!(asked(&servers, Some("https://own/")), ["https://own/"]);
    }

    #[test]
    fn unusable_laurls_say_why() {
        for (laurls, manifest_url, says) in [
            (&["file:///x", "/l"][..], None, &["scheme", "relative"][..]),
            (&["/l"], Some("file:///m.mpd"), &["scheme"]),
            (&["/l"], Some("data:,x"), &["no URL"]),
            (
                &["/l"],
                Some("http://h/m.mpd"),
                &["`allow-cleartext`", "h:80"],
            ),
            (&["http://h/SECRET"], None, &["`allow-cleartext`"]),
            (&["https://"], None, &["not a URL"]),
        ] {
            let result = servers(laurls, manifest_url).endpoints(&policy(None));
            let failure = result.err().expect("none is usable");
            assert_eq!(failure.kind, Kind::Misconfigured);
            for part in says.iter().chain(&["`dashif:Laurl`", "`license-url`"]) {
                assert!(failure.what.contains(part), "{laurls:?}: {}", failure.what);
            }
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
    }

    #[test]
    fn missing_laurl_names_what_is_lost() {
        let says = |data: &[(&str, bool)]| {
            let mut servers = ManifestServers::default();
            for (data, is_clearkey) in data {
                servers.add(&mut InitData::read(data.as_bytes()), *is_clearkey, None);
            }
            servers.endpoints(&policy(None)).err().expect("none").what
        };
        let reference = "<ContentProtection ref='SECRET'/>";
        let without = "<ContentProtection/>";
        for (data, part) in [
            (&[][..], "Representation"),
            (&[(without, true)], "Representation"),
            (&[("ClearKey1.0", true), (without, false)], "`value`"),
            (&[("common", false)], "Representation"),
            (&[(reference, false), ("ClearKey1.0", true)], "`ref`"),
            (&[("ClearKey1.0", true), (reference, true)], "`ref`"),
        ] {
            let what = says(data);
            assert!(what.contains(part), "{data:?}: {what}");
            assert!(
                what.contains("`license-url`") && !what.contains("SECRET"),
                "{what}"
            );
        }
    }
}
