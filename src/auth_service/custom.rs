// SPDX-License-Identifier: MIT OR Apache-2.0

//! Any other auth service over HTTP: the settings say how it is asked, and where in its JSON reply
//! the token stands.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use super::json_pointer::JsonPointer;
use super::{A_TOKEN, Call, TokenReply, status, unreadable};
use crate::error::Failure;
use crate::http::{HttpResponse, Method, headers};
use crate::json::Scalar;
use crate::token::{Grant, Secret, checked};

pub const NICK: &str = "http";

/// Largest body of a request.
pub const MAX_BODY: usize = 64 * 1024;

/// What a body is taken for.
const DEFAULT_CONTENT_TYPE: &str = "application/json";

/// A number of this size is no lifetime (it would be 31 years) but a time since the epoch.
const EPOCH_SECONDS: i64 = 1_000_000_000;

/// How the service is asked and its reply is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Custom {
    method: Method,
    content_type: String,
    body: Option<Secret>,
    /// The reply is the token where there is none.
    token: Option<JsonPointer>,
    expires: Option<JsonPointer>,
}

/// The settings as they are written.
#[derive(Clone, Debug, Default)]
pub struct CustomSettings<'a> {
    pub method: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub body: Option<Secret>,
    pub token_pointer: Option<&'a str>,
    pub expires_pointer: Option<&'a str>,
}

impl Custom {
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn new(settings: CustomSettings<'_>) -> Result<Self, Failure> {
        let method = match settings.method {
            None => Method::Get,
            Some(name) => Method::parse(name).ok_or_else(|| {
                Failure::misconfigured(
                    "`request-method` is none of GET, POST and PUT: set it to one of them",
                )
            })?,
        };
        if method == Method::Get && settings.body.is_some() {
            return Err(Failure::misconfigured(
                "`request-body-file` is of no use with request-method=GET: set `request-method` to POST, or leave it out",
            ));
        }
        if settings.body.is_none() && settings.content_type.is_some() {
            return Err(Failure::misconfigured(
                "`request-content-type` is of no use without `request-body-file`: set both, or leave it out",
            ));
        }
        let content_type = settings.content_type.unwrap_or(DEFAULT_CONTENT_TYPE);
        if content_type.len() > 256 || !headers::is_value(content_type) {
            return Err(Failure::misconfigured(
                "`request-content-type` is longer than 256 bytes or holds characters that no header can carry",
            ));
        }
        let pointer = |text: Option<&str>, setting| {
            let parse = |text| JsonPointer::parse(text, setting);
            text.map(parse).transpose()
        };
        let token = pointer(settings.token_pointer, "token-pointer")?;
        let expires = pointer(settings.expires_pointer, "expires-pointer")?;
        if token.is_none() && expires.is_some() {
            return Err(Failure::misconfigured(
                "`expires-pointer` is of no use without `token-pointer`: set both, or leave it out",
            ));
        }
        Ok(Self {
            method,
            content_type: content_type.to_owned(),
            body: settings.body,
            token,
            expires,
        })
    }

    pub fn token_call(&self) -> Call {
        let body = self.body.as_ref().map(|body| {
            let bytes = Zeroizing::new(body.expose().as_bytes().to_vec());
            (self.content_type.clone().into(), bytes)
        });
        Call {
            method: self.method,
            body,
            secrets: self.body.iter().cloned().collect(),
            ..Call::default()
        }
    }

    /// Reads a reply.
    ///
    /// # Errors
    ///
    /// `Denied` for HTTP 401 and 403; `Transient` for HTTP 408, 429 and 5xx; `Malformed` for every
    /// other status but 2xx, and for a reply without a token at its place.
    pub fn read_reply(&self, reply: &HttpResponse, now: SystemTime) -> Result<TokenReply, Failure> {
        if !(200..300).contains(&reply.status) {
            let credentials = "the credentials in `extra-headers-file` and `request-body-file`";
            return Err(status::failure(reply, A_TOKEN, credentials));
        }
        let Some(pointer) = &self.token else {
            let text = std::str::from_utf8(&reply.body).map_err(|_| {
                Failure::malformed(
                    "the auth service's reply is not text: set `token-pointer` if it is JSON",
                )
            })?;
            let text = text.trim();
            if text.starts_with(['{', '[', '"', '<']) {
                return Err(Failure::malformed(
                    "the auth service's reply is no token: set `token-pointer` to where the token stands, if it is JSON, and check `location`",
                ));
            }
            return Ok(Grant {
                token: checked(Secret::from(text), "the auth service")?,
                lifetime: None,
            }
            .into());
        };
        let missing = |what: &str| {
            Failure::malformed(format!(
                "the auth service's reply has no {what}: check `location` and the pointer"
            ))
        };
        let token = match pointer.find(&reply.body).map_err(unreadable)? {
            Some(Scalar::Text(text)) => checked(text, "the auth service")?,
            Some(_) => return Err(missing("text at `token-pointer`")),
            None => return Err(missing("value at `token-pointer`")),
        };
        let lifetime = match &self.expires {
            None => None,
            Some(pointer) => match pointer.find(&reply.body).map_err(unreadable)? {
                // Some tokens end and others do not.
                None | Some(Scalar::Other) => None,
                Some(value) => lifetime(&value, now).ok_or_else(|| {
                    missing("time at `expires-pointer` (seconds, or an RFC 3339 date)")
                })?,
            },
        };
        Ok(Grant { token, lifetime }.into())
    }
}

/// What the value says: seconds from now, seconds since the epoch where there are so many of them,
/// or a date. `None` for what is no time; one that has passed says nothing.
fn lifetime(value: &Scalar, now: SystemTime) -> Option<Option<Duration>> {
    let until = |time: SystemTime| time.duration_since(now).ok().filter(|left| !left.is_zero());
    if let Some(seconds) = value.integer() {
        if seconds < EPOCH_SECONDS {
            let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
            return Some(seconds.map(Duration::from_secs));
        }
        let since_epoch = Duration::from_secs(seconds.unsigned_abs());
        return Some(
            SystemTime::UNIX_EPOCH
                .checked_add(since_epoch)
                .and_then(until),
        );
    }
    match value {
        Scalar::Fraction(seconds) => {
            let lifetime = Duration::try_from_secs_f64(*seconds).ok();
            Some(lifetime.filter(|lifetime| !lifetime.is_zero()))
        }
        Scalar::Text(text) => {
            let date = OffsetDateTime::parse(text.expose(), &Rfc3339).ok()?;
            Some(until(date.into()))
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "custom_tests.rs"]
mod tests;
