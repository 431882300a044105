// SPDX-License-Identifier: MIT OR Apache-2.0

//! The properties by which a decryptor is told where licenses are, and the policy of license
//! requests that they become.

use gst::glib;
use gst::prelude::*;

use crate::config::{Common, text};
use crate::error::Failure;
use crate::http::{Endpoint, TokenHosts};
use crate::license::LicensePolicy;
use crate::token::Secret;

/// Whether licenses are kept, which they are by default.
#[derive(Clone, Copy)]
struct KeepLicenses(bool);

impl Default for KeepLicenses {
    fn default() -> Self {
        Self(true)
    }
}

/// The properties as they were set.
#[derive(Clone, Default)]
pub struct LicenseSettings {
    license_url: Option<Secret>,
    token_hosts: Option<String>,
    keep_licenses: KeepLicenses,
    pub common: Common,
}

impl LicenseSettings {
    /// `license_url` says what the property of that name is.
    pub fn properties(license_url: &'static str) -> impl Iterator<Item = glib::ParamSpec> {
        let own = glib::ParamSpecString::builder("license-url")
            .nick("License URL")
            .blurb(license_url)
            .mutable_ready()
            .build();
        let token_hosts = glib::ParamSpecString::builder("token-hosts")
            .nick("Token hosts")
            .blurb("Hosts that may be sent the session token, separated by commas: host, host:port or *.example.com (default: the license servers that license-url or the MPD names)")
            .mutable_ready()
            .build();
        let keep = glib::ParamSpecBoolean::builder("keep-licenses")
            .nick("Keep licenses")
            .blurb("Keep some licenses when the stream has ended, for who comes back to it; off where the license server counts viewers")
            .default_value(true)
            .mutable_ready()
            .build();
        [own, token_hosts, keep]
            .into_iter()
            .chain(Common::properties())
    }

    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "license-url" => self
                .license_url
                .as_ref()
                .map(|url| Endpoint::redacted(url.expose()))
                .to_value(),
            "token-hosts" => self.token_hosts.to_value(),
            "keep-licenses" => self.keep_licenses.0.to_value(),
            name => self.common.get(name),
        }
    }

    /// Takes the value of one of these properties, which has the property's type.
    pub fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "license-url" => self.license_url = text(value).map(Secret::new),
            "token-hosts" => self.token_hosts = text(value),
            "keep-licenses" => self.keep_licenses = KeepLicenses(value.get().unwrap_or(true)),
            name => self.common.apply(name, value),
        }
    }

    /// These settings, checked.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn policy(&self) -> Result<LicensePolicy, Failure> {
        let license_url = self
            .license_url
            .as_ref()
            .map(|url| Endpoint::parse(url.expose(), "license-url", self.common.allow_cleartext))
            .transpose()?;
        let token_hosts = self.token_hosts.as_deref();
        Ok(LicensePolicy {
            license_url,
            token_hosts: token_hosts.map(TokenHosts::parse).transpose()?,
            timeout: self.common.timeout(),
            retries: self.common.retries,
            tls: self.common.tls.load()?,
            allow_cleartext: self.common.allow_cleartext,
            keep_licenses: self.keep_licenses.0,
        })
    }
}
