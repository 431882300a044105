// SPDX-License-Identifier: MIT OR Apache-2.0

//! A session token: its text, its generation, how long it is valid, and where it came from.

mod boottime;
mod generation;
mod jwt;
mod logouts;
mod secret;
mod validity;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Failure;

pub use generation::{is_rejected, lineage, reject};
pub use jwt::claims;
pub use logouts::{log_out, logouts};
pub use secret::Secret;
pub use validity::{ClockReading, MAX_SLACK, MIN_SLACK, Validity};

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

/// A token that can be handed out. Clones are the same token.
#[derive(Clone, Debug)]
pub struct Token(Arc<Fields>);

#[derive(Clone, Debug)]
struct Fields {
    text: Secret,
    /// What to add to requests that carry it.
    headers: Vec<(String, Secret)>,
    generation: u32,
    validity: Validity,
    origin: TokenOrigin,
}

/// Where a token came from.
#[derive(Clone, Debug)]
pub struct TokenOrigin {
    /// Ties the license request to the token request in the services' logs.
    pub correlation_id: Arc<str>,
    /// Host and port of the service that granted it; none for one that the application gave.
    pub location: Option<Arc<str>>,
    /// When the request for it began.
    pub started: Instant,
    /// How long the request for it took; zero for one that the application gave.
    pub latency: Duration,
    /// Requests made for it.
    pub attempts: u32,
}

impl Token {
    /// A token of the next generation. It is valid from `now` on for the grant's lifetime, and not
    /// beyond the `exp` of a JWT.
    pub fn new(grant: Grant, origin: TokenOrigin, now: ClockReading) -> Self {
        Self::of_generation(generation::next(), grant, origin, now)
    }

    /// The token that replaces this one. One of the same text is the same token, whose validity
    /// begins anew.
    pub fn replaced(&self, grant: Grant, origin: TokenOrigin, now: ClockReading) -> Self {
        match grant.token == self.0.text {
            true => Self::of_generation(self.0.generation, grant, origin, now),
            false => Self::new(grant, origin, now),
        }
    }

    fn of_generation(
        generation: u32,
        grant: Grant,
        origin: TokenOrigin,
        now: ClockReading,
    ) -> Self {
        let Grant { token, lifetime } = grant;
        let exp = claims(&token).and_then(|claims| claims.ends);
        Self(Arc::new(Fields {
            validity: Validity::new(lifetime, exp, now),
            text: token,
            headers: Vec::new(),
            generation,
            origin,
        }))
    }

    /// With this to add to requests that carry it.
    pub fn with_headers(mut self, headers: Vec<(String, Secret)>) -> Self {
        if !headers.is_empty() {
            Arc::make_mut(&mut self.0).headers = headers;
        }
        self
    }

    pub fn headers(&self) -> &[(String, Secret)] {
        &self.0.headers
    }

    pub fn text(&self) -> &Secret {
        &self.0.text
    }

    /// Unique in the process, and higher for a newer token.
    pub fn generation(&self) -> u32 {
        self.0.generation
    }

    pub fn validity(&self) -> &Validity {
        &self.0.validity
    }

    pub fn origin(&self) -> &TokenOrigin {
        &self.0.origin
    }

    /// Names it in the services' logs from now on.
    pub fn set_correlation_id(&mut self, correlation_id: Arc<str>) {
        Arc::make_mut(&mut self.0).origin.correlation_id = correlation_id;
    }

    /// Records that the license side rejected the token. `true` on the first report.
    pub fn reject(&self) -> bool {
        generation::reject(self.0.generation)
    }

    /// Records that it belongs to the login whose first token was of that generation.
    pub fn descend_from(&self, first: u32) {
        generation::descend(self.0.generation, first);
    }

    pub fn is_rejected(&self) -> bool {
        generation::is_rejected(self.0.generation)
    }
}

/// Takes a text as a token, from whatever source it came.
///
/// # Errors
///
/// [`Kind::Malformed`](crate::error::Kind) where it is not 1 to 16384 visible ASCII characters: it
/// will stand in a header, where a space or a line break would end it or begin another header (RFC
/// 9110, 5.5).
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

    fn token(text: &str) -> Token {
        let now = ClockReading::now();
        let origin = TokenOrigin {
            correlation_id: "id".into(),
            location: None,
            started: now.steady,
            latency: Duration::ZERO,
            attempts: 1,
        };
        let grant = Grant {
            token: Secret::from(text),
            lifetime: None,
        };
        Token::new(grant, origin, now)
    }

    #[test]
    fn newer_token_has_a_higher_generation() {
        assert!(token("a").generation() < token("a").generation());
    }

    #[test]
    fn replacement_of_the_same_text_keeps_its_generation() {
        let first = token("a");
        let again = |text: &str| {
            let grant = Grant {
                token: Secret::from(text),
                lifetime: None,
            };
            let replaced = first.replaced(grant, first.origin().clone(), ClockReading::now());
            replaced.generation()
        };
        assert_eq!(again("a"), first.generation());
        assert!(again("b") > first.generation());
    }

    #[test]
    fn rejection_is_news_once_and_holds_for_clones() {
        let (token, other) = (token("a"), token("a"));
        let clone = token.clone();
        assert!(token.reject());
        assert!(!clone.reject());
        assert!(clone.is_rejected());
        assert!(!other.is_rejected());
    }

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
