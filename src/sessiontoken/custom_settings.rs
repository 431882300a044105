// SPDX-License-Identifier: MIT OR Apache-2.0

//! The properties for `auth-service=http`, and the service that they describe.

use gst::glib;
use gst::prelude::*;

use crate::auth_service::Custom;
use crate::auth_service::custom::{CustomSettings, MAX_BODY};
use crate::config::{string, text};
use crate::error::Failure;
use crate::files;

/// The properties as they were set.
#[derive(Clone, Default)]
pub struct CustomServiceSettings {
    method: Option<String>,
    body_file: Option<String>,
    content_type: Option<String>,
    token_pointer: Option<String>,
    expires_pointer: Option<String>,
}

impl CustomServiceSettings {
    pub fn properties() -> Vec<glib::ParamSpec> {
        vec![
            string(
                "request-method",
                "Request method",
                "How the service is asked (http): GET, POST or PUT (default: GET)",
            ),
            string(
                "request-body-file",
                "Request body file",
                "File that is sent as the request's body (http), read for each request",
            ),
            string(
                "request-content-type",
                "Request content type",
                "What request-body-file holds (http; default: application/json)",
            ),
            string(
                "token-pointer",
                "Token pointer",
                "Where the token stands in the JSON reply (http), as a JSON Pointer like /data/token (default: the reply is the token)",
            ),
            string(
                "expires-pointer",
                "Expires pointer",
                "Where the JSON reply says when the token ends (http), as a JSON Pointer: seconds from now, seconds since 1970, or an RFC 3339 date",
            ),
        ]
    }

    /// The value of one of these properties; `None` for another one.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        Some(match name {
            "request-method" => self.method.to_value(),
            "request-body-file" => self.body_file.to_value(),
            "request-content-type" => self.content_type.to_value(),
            "token-pointer" => self.token_pointer.to_value(),
            "expires-pointer" => self.expires_pointer.to_value(),
            _ => return None,
        })
    }

    /// Takes the value of one of these properties. `false` for another one.
    pub fn apply(&mut self, name: &str, value: &glib::Value) -> bool {
        match name {
            "request-method" => self.method = text(value),
            "request-body-file" => self.body_file = text(value),
            "request-content-type" => self.content_type = text(value),
            "token-pointer" => self.token_pointer = text(value),
            "expires-pointer" => self.expires_pointer = text(value),
            _ => return false,
        }
        true
    }

    /// The first of these properties that is set.
    pub fn set_property(&self) -> Option<&'static str> {
        let is_set = [
            ("request-method", &self.method),
            ("request-body-file", &self.body_file),
            ("request-content-type", &self.content_type),
            ("token-pointer", &self.token_pointer),
            ("expires-pointer", &self.expires_pointer),
        ];
        let set = is_set.iter().find(|(_, value)| value.is_some());
        set.map(|(name, _)| *name)
    }

    /// The file of credentials, with its property.
    pub fn file(&self) -> (&'static str, Option<&str>) {
        ("request-body-file", self.body_file.as_deref())
    }

    /// The service, with what its file holds now.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn service(&self) -> Result<Custom, Failure> {
        let path = self.body_file.as_deref();
        let read = |path| files::read_text(path, "request-body-file", MAX_BODY);
        Custom::new(CustomSettings {
            method: self.method.as_deref(),
            content_type: self.content_type.as_deref(),
            body: path.map(read).transpose()?,
            token_pointer: self.token_pointer.as_deref(),
            expires_pointer: self.expires_pointer.as_deref(),
        })
    }
}
