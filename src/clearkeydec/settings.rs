// SPDX-License-Identifier: MIT OR Apache-2.0

//! Properties, and the one validated policy that they become when the element leaves NULL.

use std::collections::HashSet;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::config::{Common, text};
use crate::failure::Failure;
use crate::http::{Endpoint, Trust};
use crate::secret::Secret;

/// The properties as they were set.
#[derive(Clone, Default)]
pub struct Settings {
    license_url: Option<Secret>,
    common: Common,
    /// Names of those that were set on the element, which contexts and environment do not change.
    explicit: HashSet<String>,
}

impl Settings {
    pub fn properties() -> Vec<glib::ParamSpec> {
        let own = glib::ParamSpecString::builder("license-url")
            .nick("License URL")
            .blurb("URL of the ClearKey licence server (default: the MPD's dashif:Laurl; read back without userinfo and query)")
            .mutable_ready()
            .build();
        std::iter::once(own).chain(Common::properties()).collect()
    }

    /// Sets a property from the application.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        self.explicit.insert(name.to_owned());
        self.apply(name, value);
    }

    /// The value has the property's type: GObject and `config` both see to that.
    fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "license-url" => self.license_url = text(value).map(Secret::new),
            name => self.common.apply(name, value),
        }
    }

    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "license-url" => self
                .license_url
                .as_ref()
                .map(|url| Endpoint::shown(url.expose()))
                .to_value(),
            name => self.common.get(name),
        }
    }

    /// These settings, completed from context and environment and checked.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn policy(
        &self,
        element: &glib::Object,
        context: Option<&gst::Context>,
    ) -> Result<Policy, Failure> {
        let mut settings = self.clone();
        for (name, value) in crate::config::settings_for(element, &self.explicit, context)? {
            settings.apply(&name, &value);
        }
        let license_url = settings
            .license_url
            .as_ref()
            .map(|url| {
                Endpoint::parse(url.expose(), "license-url", settings.common.allow_cleartext)
            })
            .transpose()?;
        Ok(Policy {
            license_url,
            timeout: settings.common.timeout(),
            retries: settings.common.retries,
            trust: settings.common.trust.load()?,
            max_held_bytes: settings.common.max_held_bytes,
            allow_cleartext: settings.common.allow_cleartext,
            warnings: settings.common.trust.warnings(),
        })
    }
}

/// What the element does from READY on.
pub struct Policy {
    pub license_url: Option<Endpoint>,
    pub timeout: Duration,
    pub retries: u32,
    pub trust: Trust,
    pub max_held_bytes: u64,
    pub allow_cleartext: bool,
    /// What the user should know and what stops nothing.
    pub warnings: Vec<String>,
}
