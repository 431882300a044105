// SPDX-License-Identifier: MIT OR Apache-2.0

//! A session token: what it is made of and what may stand in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Failure;
use crate::secret::Secret;

use super::claims::claims;
use super::life::{Life, Moment};

/// Longest token accepted, in bytes. A token stands in an HTTP header, and common servers take
/// 8 to 16 KiB of headers; DASH-IF's model asks for less than 5000 characters.
pub const MAX_TOKEN_LEN: usize = 16384;

/// What an auth service grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub token: Secret,
    /// How long the token is good for, where the service says so.
    pub lifetime: Option<Duration>,
}

impl Grant {
    /// Good for no longer than that.
    pub fn limited(mut self, limit: Option<Duration>) -> Self {
        self.lifetime = self.lifetime.into_iter().chain(limit).min();
        self
    }
}

/// A token that can be handed out.
#[derive(Clone, Debug)]
pub struct Token {
    text: Secret,
    generation: u32,
    life: Life,
    way: Way,
}

/// How a token came here.
#[derive(Clone, Debug)]
pub struct Way {
    /// Ties the license request to the token request in the services' logs.
    pub correlation_id: Arc<str>,
    /// Host and port of the service that granted it; none for one that the application gave.
    pub place: Option<Arc<str>>,
    /// When the request for it began.
    pub started: Instant,
    /// How long the request for it took; zero for one that the application gave.
    pub latency: Duration,
    /// Requests made for it.
    pub attempts: u32,
}

impl Token {
    /// The same under another number, for those who have tokens of several sessions.
    pub fn numbered(&self, generation: u32) -> Self {
        Self {
            generation,
            ..self.clone()
        }
    }

    /// The token's life counts from `now`, and ends with the `exp` of a JWT at the latest. One that no clock can express counts as not known.
    pub fn new(grant: Grant, generation: u32, way: Way, now: Moment) -> Self {
        let Grant { token, lifetime } = grant;
        let names = claims(&token).and_then(|claims| claims.ends);
        Self {
            life: Life::new(lifetime, names, now),
            text: token,
            generation,
            way,
        }
    }

    pub fn text(&self) -> &Secret {
        &self.text
    }

    /// 1 for a session's first token, one more with each new one.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    pub fn life(&self) -> &Life {
        &self.life
    }

    pub fn way(&self) -> &Way {
        &self.way
    }
}

/// Takes a text as a token, from whatever source it came.
///
/// # Errors
///
/// [`Kind::Malformed`](crate::error::Kind) where it is not 1 to 16384 visible ASCII characters: it will stand in a header,
/// where a space or a line break would end it or begin another header (RFC 9110, 5.5).
pub fn checked(text: Secret, source: &str) -> Result<Secret, Failure> {
    let len = text.expose().len();
    let complaint = if len == 0 {
        "is empty".to_owned()
    } else if len > MAX_TOKEN_LEN {
        format!("is {len} bytes long, more than the {MAX_TOKEN_LEN} that fit a header")
    } else if !text.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        "holds characters other than visible ASCII ones, which no header can carry".to_owned()
    } else {
        return Ok(text);
    };
    Err(Failure::malformed(format!(
        "the session token from {source} {complaint}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_out_of_a_header_is_no_token() {
        for text in ["", " ", "a b", "a\r\nX: y", "a\0", "é", "\u{7f}", "a\t"] {
            let refused = checked(Secret::from(text), "the test").expect_err(text);
            assert!(refused.what.starts_with("the session token from the test "));
        }
        assert!(checked(Secret::new("x".repeat(MAX_TOKEN_LEN)), "the test").is_ok());
        assert!(checked(Secret::new("x".repeat(MAX_TOKEN_LEN + 1)), "the test").is_err());
    }
}
