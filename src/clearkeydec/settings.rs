// SPDX-License-Identifier: MIT OR Apache-2.0

//! Properties, and the one validated policy that they become when the element leaves NULL.

use gst::glib;

use crate::config::Configured;
use crate::decryptor::LicenseSettings;
use crate::error::Failure;
use crate::license::LicensePolicy;

/// The properties as they were set.
#[derive(Clone, Default)]
pub struct Settings {
    license: LicenseSettings,
}

impl Settings {
    pub fn properties() -> Vec<glib::ParamSpec> {
        LicenseSettings::properties(
            "URL of the ClearKey license server (default: the MPD's dashif:Laurl; read back without userinfo and query)",
        )
        .collect()
    }

    pub fn get(&self, name: &str) -> glib::Value {
        self.license.get(name)
    }

    /// These settings, checked.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn policy(&self) -> Result<Policy, Failure> {
        let common = &self.license.common;
        Ok(Policy {
            license: self.license.policy()?,
            max_held_bytes: common.max_held_bytes,
            warnings: common.tls.warnings(),
        })
    }
}

impl Configured for Settings {
    fn apply(&mut self, name: &str, value: &glib::Value) {
        self.license.apply(name, value);
    }
}

/// What the element does from READY on.
pub struct Policy {
    pub license: LicensePolicy,
    pub max_held_bytes: u64,
    /// What the user should know and what stops nothing.
    pub warnings: Vec<String>,
}
