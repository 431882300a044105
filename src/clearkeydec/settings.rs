// SPDX-License-Identifier: MIT OR Apache-2.0

//! Properties, and the one validated policy that they become when the element leaves NULL.

use gst::glib;
use gst::prelude::*;

use crate::config::{Common, Configured, text};
use crate::error::Failure;
use crate::http::{Endpoint, TokenHosts};
use crate::license::LicensePolicy;
use crate::token::Secret;

/// The properties as they were set.
#[derive(Clone, Default)]
pub struct Settings {
    license_url: Option<Secret>,
    token_hosts: Option<String>,
    common: Common,
}

impl Settings {
    pub fn properties() -> Vec<glib::ParamSpec> {
        let own = glib::ParamSpecString::builder("license-url")
            .nick("License URL")
            .blurb("URL of the ClearKey license server (default: the MPD's dashif:Laurl; read back without userinfo and query)")
            .mutable_ready()
            .build();
        let token_hosts = glib::ParamSpecString::builder("token-hosts")
            .nick("Token hosts")
            .blurb("Hosts that may be sent the session token, separated by commas: host, host:port or *.example.com (default: the license servers that license-url or the MPD names)")
            .mutable_ready()
            .build();
        [own, token_hosts]
            .into_iter()
            .chain(Common::properties())
            .collect()
    }

    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "license-url" => self
                .license_url
                .as_ref()
                .map(|url| Endpoint::redacted(url.expose()))
                .to_value(),
            "token-hosts" => self.token_hosts.to_value(),
            name => self.common.get(name),
        }
    }

    /// These settings, checked.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn policy(&self) -> Result<Policy, Failure> {
        let license_url = self
            .license_url
            .as_ref()
            .map(|url| Endpoint::parse(url.expose(), "license-url", self.common.allow_cleartext))
            .transpose()?;
        let token_hosts = self.token_hosts.as_deref();
        Ok(Policy {
            license: LicensePolicy {
                license_url,
                token_hosts: token_hosts.map(TokenHosts::parse).transpose()?,
                timeout: self.common.timeout(),
                retries: self.common.retries,
                tls: self.common.tls.load()?,
                allow_cleartext: self.common.allow_cleartext,
            },
            max_held_bytes: self.common.max_held_bytes,
            warnings: self.common.tls.warnings(),
        })
    }
}

impl Configured for Settings {
    fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "license-url" => self.license_url = text(value).map(Secret::new),
            "token-hosts" => self.token_hosts = text(value),
            name => self.common.apply(name, value),
        }
    }
}

/// What the element does from READY on.
pub struct Policy {
    pub license: LicensePolicy,
    pub max_held_bytes: u64,
    /// What the user should know and what stops nothing.
    pub warnings: Vec<String>,
}
