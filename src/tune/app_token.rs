// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tokens that come from the application itself, without a request of ours: the property
//! `session-token`, the file `session-token-file`, and what the signal `request-token` gives back.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Failure;
use crate::random;
use crate::shared_result::SharedResult;
use crate::token::{ClockReading, Grant, Secret, Token, TokenOrigin, checked};

/// A token that the application gave, or why what it gave is none.
pub type AppToken = Result<Token, Failure>;

/// What the signal `request-token` gives back, once it does; `None` where the application leaves it
/// to the service.
pub type PendingAppToken = SharedResult<Option<Secret>>;

/// The application's tokens, over several tunes. A text that has not changed is the same token.
#[derive(Default)]
pub struct AppTokens {
    property: Option<AppToken>,
    /// The last one of the file or the signal.
    last: Option<Token>,
    /// What the application was asked for last.
    pub pending: Option<Arc<PendingAppToken>>,
}

impl AppTokens {
    /// The property's token.
    pub fn property(&self) -> Option<&AppToken> {
        self.property.as_ref()
    }

    /// Takes the property's text, or takes it back.
    pub fn set_property(&mut self, text: Option<Secret>, correlation_id: Option<&str>) {
        let before = self.property.take().and_then(Result::ok);
        self.property =
            text.map(|text| token(text, "`session-token`", before.as_ref(), correlation_id));
    }

    /// Names the property's token in the services' logs. It may have been set before that was
    /// known.
    pub fn set_correlation_id(&mut self, correlation_id: &str) {
        if let Some(Ok(token)) = &mut self.property {
            token.set_correlation_id(correlation_id.into());
        }
    }

    /// Takes what `session-token-file` holds.
    pub fn take_file(
        &mut self,
        text: Result<Secret, Failure>,
        correlation_id: Option<&str>,
    ) -> AppToken {
        self.take(text?, "`session-token-file`", correlation_id)
    }

    /// Takes what the signal gave back.
    pub fn take_signal(&mut self, text: Secret, correlation_id: Option<&str>) -> AppToken {
        self.take(text, "the signal `request-token`", correlation_id)
    }

    fn take(&mut self, text: Secret, source: &str, correlation_id: Option<&str>) -> AppToken {
        let taken = token(text, source, self.last.as_ref(), correlation_id);
        if let Ok(token) = &taken {
            self.last = Some(token.clone());
        }
        taken
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Takes the application's own text as a token. `before` is the one that it replaces.
fn token(
    text: Secret,
    source: &str,
    before: Option<&Token>,
    correlation_id: Option<&str>,
) -> AppToken {
    let grant = Grant {
        token: checked(text, source).map_err(|failure| Failure::misconfigured(failure.what))?,
        lifetime: None,
    };
    let now = ClockReading::now();
    let origin = TokenOrigin {
        correlation_id: correlation_id_or_new(correlation_id),
        location: None,
        started: now.steady,
        latency: Duration::ZERO,
        attempts: 0,
    };
    Ok(match before {
        Some(before) => before.replaced(grant, origin, now),
        None => Token::new(grant, origin, now),
    })
}

/// The application's own, or a fresh one.
pub fn correlation_id_or_new(own: Option<&str>) -> Arc<str> {
    own.map_or_else(|| random::uuid().to_string().into(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation(token: Option<&AppToken>) -> u32 {
        match token {
            Some(Ok(token)) => token.generation(),
            _ => panic!("no token"),
        }
    }

    #[test]
    fn property_is_a_new_token_where_its_text_is_new() {
        let mut tokens = AppTokens::default();
        let mut set = |text: &str| {
            tokens.set_property(Some(Secret::from(text)), None);
            generation(tokens.property())
        };
        let first = set("a");
        assert_eq!(set("a"), first);
        assert!(set("b") > first);
    }

    #[test]
    fn file_that_has_not_changed_is_the_same_token() {
        let mut tokens = AppTokens::default();
        let mut read = |text: &str| {
            let read = tokens.take_file(Ok(Secret::from(text)), None);
            generation(Some(&read))
        };
        let first = read("a");
        assert_eq!(read("a"), first);
        assert!(read("b") > first);
    }

    #[test]
    fn clear_forgets_the_texts() {
        let mut tokens = AppTokens::default();
        tokens.set_property(Some(Secret::from("a")), None);
        let first = generation(tokens.property());
        tokens.clear();
        assert!(tokens.property().is_none());
        tokens.set_property(Some(Secret::from("a")), None);
        assert!(generation(tokens.property()) > first);
    }

    #[test]
    fn text_that_no_header_can_carry_is_a_failure() {
        let mut tokens = AppTokens::default();
        tokens.set_property(Some(Secret::from("a b")), None);
        let failure = tokens.property().expect("it was set").as_ref();
        let failure = failure.expect_err("no token");
        assert!(failure.what.contains("`session-token`"), "{}", failure.what);
    }

    #[test]
    fn correlation_id_is_that_of_the_tune() {
        let mut tokens = AppTokens::default();
        tokens.set_property(Some(Secret::from("a")), None);
        let first = generation(tokens.property());
        tokens.set_correlation_id("tune");
        let token = tokens.property().expect("set").as_ref().expect("a token");
        assert_eq!(&*token.origin().correlation_id, "tune");
        assert_eq!(token.generation(), first);
    }
}
