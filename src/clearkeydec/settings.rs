// SPDX-License-Identifier: MIT OR Apache-2.0

//! Properties, and the one validated policy that they become when the element leaves NULL.

use gst::glib;
use gst::prelude::*;

use crate::cenc::{ContentKey, KeyId, read_keys};
use crate::config::{Configured, string, text};
use crate::decryptor::LicenseSettings;
use crate::error::Failure;
use crate::files;
use crate::license::LicensePolicy;

/// The properties as they were set.
#[derive(Clone, Default)]
pub struct Settings {
    keys_file: Option<String>,
    license: LicenseSettings,
}

impl Settings {
    pub fn properties() -> Vec<glib::ParamSpec> {
        let license = LicenseSettings::properties(
            "URL of the ClearKey license server (default: the MPD's dashif:Laurl; read back without userinfo and query)",
        );
        let keys_file = string(
            "keys-file",
            "Keys file",
            "File with keys for tests without a license server: a JSON object, key id to key, each in hexadecimal or base64url. No license is asked for what it holds",
        );
        std::iter::once(keys_file).chain(license).collect()
    }

    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "keys-file" => self.keys_file.to_value(),
            name => self.license.get(name),
        }
    }

    /// These settings, checked.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn policy(&self) -> Result<Policy, Failure> {
        let common = &self.license.common;
        let keys_file = self.keys_file.as_deref();
        let keys = keys_file.map_or(Ok(Vec::new()), keys)?;
        let of_keys = files::warning("keys-file", keys_file);
        Ok(Policy {
            keys,
            license: self.license.policy()?,
            max_held_bytes: common.max_held_bytes,
            warnings: of_keys.into_iter().chain(common.tls.warnings()).collect(),
        })
    }
}

impl Configured for Settings {
    fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "keys-file" => self.keys_file = text(value),
            name => self.license.apply(name, value),
        }
    }
}

/// Longest file of keys that is read.
const MAX_KEYS_FILE: usize = 64 * 1024;

fn keys(path: &str) -> Result<Vec<(KeyId, ContentKey)>, Failure> {
    let text = files::read(path, "keys-file", MAX_KEYS_FILE)?;
    read_keys(&text).map_err(|what| {
        Failure::misconfigured(format!(
            "`keys-file` {what}: write a JSON object, key id to key"
        ))
    })
}

/// What the element does from READY on.
pub struct Policy {
    /// Those of the file.
    pub keys: Vec<(KeyId, ContentKey)>,
    pub license: LicensePolicy,
    pub max_held_bytes: u64,
    /// What the user should know and what stops nothing.
    pub warnings: Vec<String>,
}
