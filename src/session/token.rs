// SPDX-License-Identifier: MIT OR Apache-2.0

//! A session token: what it is made of and what may stand in it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::chance::chance;
use crate::failure::Failure;
use crate::secret::Secret;

use super::freshness;

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
    ends: Option<Moment>,
    /// From when on the next one is fetched.
    stale: Option<Moment>,
    way: Way,
}

/// How a token came here.
#[derive(Clone, Debug)]
pub struct Way {
    /// Ties the licence request to the token request in the services' logs.
    pub correlation_id: Arc<str>,
    /// How long the request for it took; zero for one that the application gave.
    pub latency: Duration,
    /// Requests made for it.
    pub attempts: u32,
}

/// The two clocks at one moment. Neither is enough: the steady one stands still while a box is suspended, and the wall
/// clock jumps when it is set.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub steady: Instant,
    pub wall: SystemTime,
}

impl Moment {
    pub fn now() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

impl Moment {
    /// `None` where no clock can express it.
    pub fn after(self, time: Duration) -> Option<Self> {
        Some(Self {
            steady: self.steady.checked_add(time)?,
            wall: self.wall.checked_add(time)?,
        })
    }

    /// Whether it has come, by either clock.
    pub fn has_come(self, now: Moment) -> bool {
        now.steady >= self.steady || now.wall >= self.wall
    }
}

impl Token {
    /// The token's life counts from `now`. One that no clock can express counts as not known.
    pub fn new(grant: Grant, generation: u32, way: Way, now: Moment) -> Self {
        let Grant { token, lifetime } = grant;
        let lifetime = freshness::lifetime(lifetime, &token, now.wall);
        let after = |slack: fn(Duration) -> Duration| {
            lifetime.and_then(|lifetime| now.after(lifetime - slack(lifetime)))
        };
        Self {
            text: token,
            generation,
            ends: after(|_| Duration::ZERO),
            stale: after(|lifetime| freshness::slack(lifetime, chance())),
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

    /// When the token ends by the wall clock, where that is known.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.ends.map(|end| end.wall)
    }

    /// From when on the next token is to be fetched, where this one's end is known.
    pub fn stale_at(&self) -> Option<Moment> {
        self.stale
    }

    pub fn way(&self) -> &Way {
        &self.way
    }

    /// Whether it may still be handed out: neither clock has reached its end. Without a known end it
    /// is valid until refused.
    pub fn is_valid(&self, now: Moment) -> bool {
        !self.ends.is_some_and(|end| end.has_come(now))
    }
}

/// Takes a text as a token, from whatever source it came.
///
/// # Errors
///
/// [`Kind::Malformed`](crate::failure::Kind) where it is not 1 to 16384 visible ASCII characters: it will stand in a header,
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

    fn grant(lifetime: Option<Duration>) -> Grant {
        Grant {
            token: Secret::from("t"),
            lifetime,
        }
    }

    fn way() -> Way {
        Way {
            correlation_id: "id".into(),
            latency: Duration::ZERO,
            attempts: 1,
        }
    }

    fn later(now: Moment, steady: Duration, wall: Duration) -> Moment {
        Moment {
            steady: now.steady + steady,
            wall: now.wall + wall,
        }
    }

    #[test]
    fn a_token_is_valid_up_to_its_end_and_not_at_it() {
        let now = Moment::now();
        let lifetime = Duration::from_secs(10);
        let token = Token::new(grant(Some(lifetime)), 1, way(), now);
        let before = lifetime - Duration::from_nanos(1);
        assert!(token.is_valid(later(now, before, before)));
        assert!(!token.is_valid(later(now, lifetime, before)));
    }

    #[test]
    fn a_token_that_ended_while_the_box_was_suspended_is_not_handed_out() {
        let now = Moment::now();
        let lifetime = Duration::from_secs(3600);
        let token = Token::new(grant(Some(lifetime)), 1, way(), now);
        let awake = Duration::from_secs(60);
        let asleep_overnight = Duration::from_secs(8 * 3600);
        assert!(!token.is_valid(later(now, awake, asleep_overnight)));
    }

    #[test]
    fn a_lifetime_beyond_every_clock_counts_as_not_known() {
        let now = Moment::now();
        let token = Token::new(grant(Some(Duration::MAX)), 1, way(), now);
        assert!(token.is_valid(now));
        assert_eq!(token.expires_at(), None);
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
