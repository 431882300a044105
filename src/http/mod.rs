// SPDX-License-Identifier: MIT OR Apache-2.0

//! The one HTTP client: bounded in time and size, and quiet about what it carries.
//!
//! No error text from below is passed on as it is: it could hold a URL with credentials.

mod attempt;
mod client;
mod connections;
mod cookies;
mod deadline;
mod download;
mod endpoint;
mod engine;
mod exchange;
pub mod headers;
mod method;
mod request;
mod request_error;
mod response;
mod retry;
mod source;
mod tls;
mod token_hosts;
mod websocket;

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

pub use attempt::{Attempt, Purpose, set_attempt_log};
pub use client::{Connection, forget_clients};
pub use deadline::Deadline;
pub use download::{Downloaded, FileRequest, FileStream, download, open, refused};
pub use endpoint::{Endpoint, is_loopback};
pub use exchange::{exchange, exchange_each};
pub use method::Method;
pub use request::{Redirects, Request};
pub use response::{HttpResponse, REFUSALS};
pub use source::Source;
pub use tls::{TlsConfig, TlsSettings};
pub use token_hosts::TokenHosts;
pub use websocket::Opening;

use crate::error::Failure;
use crate::token::Secret;

/// Largest reply that is read. A token is at most 16 KiB and a license a few hundred bytes a key,
/// so more is a mistake or an attack.
pub const MAX_REPLY: usize = 64 * 1024;

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// How long the server wants to be left alone. Where it names a time, that is by its own clock,
/// which it may have shown: ours may be that of a box that does not know the year.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let shown = text(headers, DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    let now = shown.unwrap_or_else(SystemTime::now);
    retry::retry_after(text(headers, RETRY_AFTER)?, now)
}

fn header_map(headers: &[(String, Secret)]) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let unsendable =
            || Failure::misconfigured("a header for the request is not a valid HTTP header");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| unsendable())?;
        value.set_sensitive(true);
        map.append(name, value);
    }
    Ok(map)
}
