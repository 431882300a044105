// SPDX-License-Identifier: MIT OR Apache-2.0

//! The properties by which key requests are shaped.

use gst::glib;
use gst::prelude::*;

use crate::auth_service::parameters::{MAX_FILE, read_headers};
use crate::config::{string, text};
use crate::error::Failure;
use crate::files;
use crate::http::headers;
use crate::key_request::{self, DEFAULT_HEADER, HeaderTemplate, QueryTemplate, Shape};

/// How the token is packed for the key request, beside the HTTP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstSessionTokenPacking")]
#[repr(i32)]
pub enum Packing {
    #[default]
    #[enum_value(name = "Auto: AVE for HLS, SecClient otherwise", nick = "auto")]
    Auto,
    #[enum_value(name = "None: no custom data", nick = "none")]
    None,
    #[enum_value(name = "AVE: the message clientAccess", nick = "ave")]
    Ave,
    #[enum_value(
        name = "SecClient: key system, media usage, access token and content metadata",
        nick = "secclient"
    )]
    SecClient,
}

impl From<Packing> for key_request::Packing {
    fn from(packing: Packing) -> Self {
        match packing {
            Packing::Auto => Self::Auto,
            Packing::None => Self::None,
            Packing::Ave => Self::Ave,
            Packing::SecClient => Self::SecClient,
        }
    }
}

/// The properties as they were set.
#[derive(Clone, Default)]
pub struct KeyRequestSettings {
    packing: Packing,
    header: Option<String>,
    headers_file: Option<String>,
    query: Option<String>,
}

impl KeyRequestSettings {
    pub fn properties() -> Vec<glib::ParamSpec> {
        vec![
            glib::ParamSpecEnum::builder::<Packing>("packing")
                .nick("Packing")
                .blurb("How the token is packed for the key request, beside the HTTP header")
                .mutable_ready()
                .build(),
            string(
                "key-request-header",
                "Key request header",
                "HTTP header for license and key requests, {token} stands for the token (default: Authorization: Bearer {token}, unless key-request-headers-file or key-request-query carries it)",
            ),
            string(
                "key-request-headers-file",
                "Key request headers file",
                "File that holds HTTP headers for license and key requests (a JSON object name to value), read at each tune; {token} stands for the token",
            ),
            string(
                "key-request-query",
                "Key request query",
                "What to add to the query of license and key URLs, like token={token}, where {token} stands for the token",
            ),
        ]
    }

    /// The value of one of these properties; `None` for another one.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        Some(match name {
            "packing" => self.packing.to_value(),
            // One without a place for the token may be a secret by itself.
            "key-request-header" => {
                let header = self.header.as_ref();
                header.filter(|text| text.contains("{token}")).to_value()
            }
            "key-request-headers-file" => self.headers_file.to_value(),
            "key-request-query" => self.query.to_value(),
            _ => return None,
        })
    }

    /// Takes the value of one of these properties. `false` for another one.
    pub fn apply(&mut self, name: &str, value: &glib::Value) -> bool {
        match name {
            "packing" => self.packing = value.get().unwrap_or_default(),
            "key-request-header" => self.header = text(value),
            "key-request-headers-file" => self.headers_file = text(value),
            "key-request-query" => self.query = text(value),
            _ => return false,
        }
        true
    }

    /// The file that may hold credentials, with its property.
    pub fn file(&self) -> (&'static str, Option<&str>) {
        ("key-request-headers-file", self.headers_file.as_deref())
    }

    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn shape(&self) -> Result<Shape, Failure> {
        let parse = |text: &str| HeaderTemplate::parse(text).map_err(Failure::misconfigured);
        let query = self.query.as_deref().map(QueryTemplate::parse);
        let query = query.transpose().map_err(Failure::misconfigured)?;
        let mut headers = self.headers()?;
        let carries_token = query.is_some() || headers.iter().any(HeaderTemplate::has_token);
        let header = match (&self.header, carries_token) {
            (Some(text), _) => Some(parse(text)?),
            (None, true) => None,
            (None, false) => Some(parse(DEFAULT_HEADER)?),
        };
        if let Some(header) = header {
            let name = header.name();
            if headers
                .iter()
                .any(|one| one.name().eq_ignore_ascii_case(name))
            {
                return Err(Failure::misconfigured(format!(
                    "`key-request-header` and `key-request-headers-file` both have the header {name}"
                )));
            }
            headers.insert(0, header);
        }
        Ok(Shape {
            headers,
            query,
            packing: self.packing.into(),
        })
    }

    /// Those of the file.
    fn headers(&self) -> Result<Vec<HeaderTemplate>, Failure> {
        let Some(path) = &self.headers_file else {
            return Ok(Vec::new());
        };
        let setting = "key-request-headers-file";
        let text = files::read_text(path, setting, MAX_FILE)?;
        let headers = read_headers(text.expose(), setting)?;
        let headers = headers::checked(headers, setting, &[])?;
        let mut numbered = headers.iter().enumerate();
        let is_twice = |(at, (name, _)): &(usize, &(String, _))| {
            let before = &headers[..*at];
            before
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        if let Some((_, (name, _))) = numbered.find(is_twice) {
            return Err(Failure::misconfigured(format!(
                "`{setting}` has the header {name} twice"
            )));
        }
        HeaderTemplate::list(headers)
    }
}
