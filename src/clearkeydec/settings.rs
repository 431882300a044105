// SPDX-License-Identifier: MIT OR Apache-2.0

//! Properties, and the one validated policy that they become when the element leaves NULL.

use std::collections::HashSet;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::failure::Failure;
use crate::hold::DEFAULT_MAX_HELD_BYTES;
use crate::http::Endpoint;

/// As long as `sessiontoken` gives its auth service, in milliseconds.
const DEFAULT_TIMEOUT: u32 = 5000;

/// The properties as they were set.
#[derive(Clone)]
pub struct Settings {
    license_url: Option<String>,
    timeout: u32,
    max_held_bytes: u64,
    allow_cleartext: bool,
    explicit: HashSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            license_url: None,
            timeout: DEFAULT_TIMEOUT,
            max_held_bytes: DEFAULT_MAX_HELD_BYTES,
            allow_cleartext: false,
            explicit: HashSet::new(),
        }
    }
}

impl Settings {
    pub fn properties() -> Vec<glib::ParamSpec> {
        vec![
            glib::ParamSpecString::builder("license-url")
                .nick("License URL")
                .blurb("URL of the ClearKey licence server (default: the MPD's dashif:Laurl; read back without userinfo and query)")
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt::builder("timeout")
                .nick("Timeout")
                .blurb("Milliseconds for getting a licence, all in all")
                .minimum(1)
                .default_value(DEFAULT_TIMEOUT)
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt64::builder("max-held-bytes")
                .nick("Max held bytes")
                .blurb("How much of the stream is held while it waits for a licence, before upstream has to wait")
                .default_value(DEFAULT_MAX_HELD_BYTES)
                .mutable_ready()
                .build(),
            glib::ParamSpecBoolean::builder("allow-cleartext")
                .nick("Allow cleartext")
                .blurb("Allow http to other hosts than this one")
                .default_value(false)
                .mutable_ready()
                .build(),
        ]
    }

    /// Sets a property from the application.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        self.explicit.insert(name.to_owned());
        self.apply(name, value);
    }

    /// The value has the property's type: GObject and `config` both see to that.
    fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "license-url" => {
                self.license_url = value
                    .get::<Option<String>>()
                    .ok()
                    .flatten()
                    .filter(|text| !text.is_empty());
            }
            "timeout" => self.timeout = value.get().unwrap_or(DEFAULT_TIMEOUT),
            "max-held-bytes" => {
                self.max_held_bytes = value.get().unwrap_or(DEFAULT_MAX_HELD_BYTES);
            }
            "allow-cleartext" => self.allow_cleartext = value.get().unwrap_or(false),
            _ => {}
        }
    }

    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "license-url" => self.license_url.as_deref().map(Endpoint::shown).to_value(),
            "timeout" => self.timeout.to_value(),
            "max-held-bytes" => self.max_held_bytes.to_value(),
            "allow-cleartext" => self.allow_cleartext.to_value(),
            _ => glib::Value::from_type(glib::Type::STRING),
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
            .as_deref()
            .map(|url| Endpoint::parse(url, "license-url", settings.allow_cleartext))
            .transpose()?;
        Ok(Policy {
            license_url,
            timeout: Duration::from_millis(u64::from(settings.timeout)),
            max_held_bytes: settings.max_held_bytes,
            allow_cleartext: settings.allow_cleartext,
        })
    }
}

/// What the element does from READY on.
pub struct Policy {
    pub license_url: Option<Endpoint>,
    pub timeout: Duration,
    pub max_held_bytes: u64,
    pub allow_cleartext: bool,
}
