// SPDX-License-Identifier: MIT OR Apache-2.0

//! Properties, and the one validated policy that they become when the element leaves NULL.

use std::sync::Arc;

use gst::glib;
use gst::prelude::*;

use crate::config::{Configured, string, text};
use crate::decryptor::LicenseSettings;
use crate::error::Failure;
use crate::license::LicensePolicy;
use crate::ocdm::{CdmData, RequestFormat};

/// What the body of a license request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstOcdmDecRequestFormat")]
#[repr(i32)]
pub enum Format {
    #[default]
    #[enum_value(name = "Challenge: as the CDM made it", nick = "challenge")]
    Challenge,
    #[enum_value(
        name = "SecClient: the token's custom data (packing=secclient) with the challenge in it",
        nick = "secclient"
    )]
    SecClient,
}

/// The properties as they were set.
#[derive(Clone, Default)]
pub struct Settings {
    library: Option<String>,
    key_system: Option<String>,
    cdm_data: Option<String>,
    format: Format,
    license: LicenseSettings,
}

impl Settings {
    pub fn properties() -> Vec<glib::ParamSpec> {
        let license = LicenseSettings::properties(
            "URL of the license server (default: the MPD's dashif:Laurl, PlayReady's LA_URL, or what the CDM says; read back without userinfo and query)",
        );
        let own = [
            string(
                "ocdm-library",
                "OpenCDM library",
                "Name or path of the OpenCDM library (default: the first that is there of libocdm.so, libocdm.so.4, libocdm.so.1, libClientOCDM.so, libClientOCDM.so.1, libocdmRialto.so)",
            ),
            string(
                "key-system",
                "Key system",
                "OpenCDM's name of the key system (default: by the stream's protection system)",
            ),
            string(
                "cdm-data",
                "CDM data",
                "What the CDM is given to pack into its challenge, with {token} for the session token and {custom-data} for its packed form (default: nothing)",
            ),
            glib::ParamSpecEnum::builder::<Format>("request-format")
                .nick("Request format")
                .blurb("What the body of a license request is")
                .mutable_ready()
                .build(),
        ];
        own.into_iter().chain(license).collect()
    }

    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "ocdm-library" => self.library.to_value(),
            "key-system" => self.key_system.to_value(),
            "cdm-data" => self.cdm_data.to_value(),
            "request-format" => self.format.to_value(),
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
        let cdm_data = self.cdm_data.as_deref().map(CdmData::parse);
        if cdm_data.as_ref().is_some_and(|data| !data.has_place()) {
            return Err(Failure::misconfigured(
                "`cdm-data` has no place for the token: write `{token}` or `{custom-data}` into it",
            ));
        }
        Ok(Policy {
            library: self.library.clone(),
            key_system: self.key_system.clone(),
            cdm_data,
            format: match self.format {
                Format::Challenge => RequestFormat::Challenge,
                Format::SecClient => RequestFormat::SecClient,
            },
            license: Arc::new(self.license.policy()?),
            max_held_bytes: common.max_held_bytes,
            warnings: common.tls.warnings(),
        })
    }
}

impl Configured for Settings {
    fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "ocdm-library" => self.library = text(value),
            "key-system" => self.key_system = text(value),
            "cdm-data" => self.cdm_data = text(value),
            "request-format" => self.format = value.get().unwrap_or_default(),
            name => self.license.apply(name, value),
        }
    }
}

/// What the element does from READY on.
pub struct Policy {
    /// `None` for the box's.
    pub library: Option<String>,
    /// `None` for that of the stream's protection system.
    pub key_system: Option<String>,
    pub cdm_data: Option<CdmData>,
    pub format: RequestFormat,
    pub license: Arc<LicensePolicy>,
    pub max_held_bytes: u64,
    /// What the user should know and what stops nothing.
    pub warnings: Vec<String>,
}
