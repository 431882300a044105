// SPDX-License-Identifier: MIT OR Apache-2.0

//! One reply, with what the rest of the house wants to know of it.

use std::time::Duration;

use url::Url;
use zeroize::Zeroizing;

use super::request::Withheld;
use crate::token::Secret;

/// Statuses by which key and license servers refuse a token (AAMP takes 412 for one, DASH-IF's
/// model 401 and 403).
pub const REFUSALS: [u16; 3] = [401, 403, 412];

/// A reply with whatever status. It may hold a token or keys, so it is wiped when it is dropped.
pub struct HttpResponse {
    pub status: u16,
    /// The media type, in lower case and without parameters.
    pub media_type: Option<String>,
    /// The server that replied: scheme, host, port and path, or host and port where the request
    /// does not show paths. Never userinfo and query.
    pub place: String,
    /// The URL of that reply, which may hold secrets.
    pub url: Option<Url>,
    /// Where a redirect points: scheme, host, port and path, or no path where the request does
    /// not show paths. Never userinfo and query.
    pub redirect: Option<String>,
    /// How long the server wants to be left alone (RFC 9110, 10.2.3).
    pub retry_after: Option<Duration>,
    /// The server that replied, as `token-hosts` would name it, where it was not sent the token.
    pub token_withheld: Option<String>,
    /// Whether that was for want of TLS, and not for its name.
    pub withheld_for_cleartext: bool,
    /// What the URLs hold to which redirects led, and which nobody else may see.
    pub secrets: Vec<Secret>,
    /// How long its head took, with all redirects.
    pub first_byte: Duration,
    pub body: Zeroizing<Vec<u8>>,
}

impl HttpResponse {
    /// A reply of which nothing is known but this.
    #[cfg(any(test, fuzzing))]
    pub fn new(status: u16, body: &[u8]) -> Self {
        Self {
            status,
            place: String::new(),
            url: None,
            media_type: None,
            redirect: None,
            retry_after: None,
            token_withheld: None,
            withheld_for_cleartext: false,
            secrets: Vec::new(),
            first_byte: Duration::ZERO,
            body: Zeroizing::new(body.to_owned()),
        }
    }

    /// For the sentence about a redirect: " to https://host:443/path", or nothing.
    pub fn redirect_suffix(&self) -> String {
        self.redirect
            .as_ref()
            .map_or_else(String::new, |place| format!(" to {place}"))
    }

    /// For the end of a sentence about a refusal: ": host was not sent the token: …", or nothing
    /// where the server had it.
    pub fn token_advice(&self) -> String {
        match &self.token_withheld {
            None => String::new(),
            Some(host) if self.withheld_for_cleartext => format!(
                ": {host} was not sent the token, because it is asked without TLS: {}",
                Withheld::Cleartext.remedy()
            ),
            Some(host) => {
                let remedy = Withheld::Elsewhere.remedy();
                format!(": {host} was not sent the token: {remedy}")
            }
        }
    }

    /// For the sentence about a server that has no time: what it wishes, or nothing.
    pub fn retry_after_suffix(&self) -> String {
        /// Beyond it nobody counts seconds.
        const LONG: u64 = 24 * 3600;
        match self.retry_after.map(|pause| pause.as_secs()) {
            None => String::new(),
            Some(seconds @ ..=LONG) => format!(", it wants to be asked again in {seconds} s"),
            Some(_) => ", it wants to be asked again in more than a day".to_owned(),
        }
    }
}
