// SPDX-License-Identifier: MIT OR Apache-2.0

//! The properties that every element has which asks a server and holds its stream meanwhile.

use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::hold::DEFAULT_MAX_HELD_BYTES;
use crate::http::TlsSettings;

/// As long as AAMP waits for its token, in milliseconds.
const DEFAULT_TIMEOUT: u32 = 5000;

/// Two more attempts fit into the default timeout, with their pauses.
const DEFAULT_RETRIES: u32 = 2;

/// With their growing pauses more would take longer than any viewer waits.
const MAX_RETRIES: u32 = 10;

/// The common properties as they were set.
#[derive(Clone)]
pub struct Common {
    timeout: u32,
    pub max_held_bytes: u64,
    pub allow_cleartext: bool,
    pub retries: u32,
    pub tls: TlsSettings,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            timeout: DEFAULT_TIMEOUT,
            max_held_bytes: DEFAULT_MAX_HELD_BYTES,
            allow_cleartext: false,
            retries: DEFAULT_RETRIES,
            tls: TlsSettings::default(),
        }
    }
}

impl Common {
    pub fn properties() -> Vec<glib::ParamSpec> {
        vec![
            glib::ParamSpecUInt::builder("timeout")
                .nick("Timeout")
                .blurb("Milliseconds for an answer from the server, all in all")
                .minimum(1)
                .default_value(DEFAULT_TIMEOUT)
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt64::builder("max-held-bytes")
                .nick("Max held bytes")
                .blurb("How much of the stream is held while it waits for the answer, before upstream has to wait")
                .default_value(DEFAULT_MAX_HELD_BYTES)
                .mutable_ready()
                .build(),
            glib::ParamSpecBoolean::builder("allow-cleartext")
                .nick("Allow cleartext")
                .blurb("Allow http to other hosts than this one")
                .default_value(false)
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt::builder("retries")
                .nick("Retries")
                .blurb("How often to ask again within the timeout, after a connection that failed or HTTP 408, 429 or 5xx")
                .maximum(MAX_RETRIES)
                .default_value(DEFAULT_RETRIES)
                .mutable_ready()
                .build(),
            glib::ParamSpecBoolean::builder("ssl-strict")
                .nick("SSL strict")
                .blurb("Check the server's certificate; without that whoever answers gets the credentials")
                .default_value(true)
                .mutable_ready()
                .build(),
            string("ssl-ca-file", "SSL CA file", "PEM file of the certificate authorities to trust instead of the system's"),
            string("ssl-client-cert", "SSL client certificate", "PEM file of the certificate, and its chain, by which to present oneself"),
            string("ssl-client-key", "SSL client key", "PEM file of the private key of ssl-client-cert (default: in the same file)"),
        ]
    }

    /// Takes the value of one of these properties, which has the property's type.
    pub fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "timeout" => self.timeout = value.get().unwrap_or(DEFAULT_TIMEOUT),
            "max-held-bytes" => {
                self.max_held_bytes = value.get().unwrap_or(DEFAULT_MAX_HELD_BYTES);
            }
            "allow-cleartext" => self.allow_cleartext = value.get().unwrap_or(false),
            "retries" => self.retries = value.get().unwrap_or(DEFAULT_RETRIES),
            "ssl-strict" => self.tls.strict = value.get().unwrap_or(true),
            "ssl-ca-file" => self.tls.ca_file = text(value),
            "ssl-client-cert" => self.tls.client_cert = text(value),
            "ssl-client-key" => self.tls.client_key = text(value),
            _ => {}
        }
    }

    /// The value of one of these properties. GObject asks for no others.
    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "timeout" => self.timeout.to_value(),
            "max-held-bytes" => self.max_held_bytes.to_value(),
            "retries" => self.retries.to_value(),
            "ssl-strict" => self.tls.strict.to_value(),
            "ssl-ca-file" => self.tls.ca_file.to_value(),
            "ssl-client-cert" => self.tls.client_cert.to_value(),
            "ssl-client-key" => self.tls.client_key.to_value(),
            _ => self.allow_cleartext.to_value(),
        }
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.timeout))
    }
}

/// A property that holds a text and may be read back.
pub fn string(name: &'static str, nick: &'static str, blurb: &'static str) -> glib::ParamSpec {
    glib::ParamSpecString::builder(name)
        .nick(nick)
        .blurb(blurb)
        .mutable_ready()
        .build()
}

/// The text of a string property; an empty one is as good as none.
pub fn text(value: &glib::Value) -> Option<String> {
    value
        .get::<Option<String>>()
        .ok()
        .flatten()
        .filter(|text| !text.is_empty())
}
