// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tokens that come from the application itself, without a request of ours: the property `session-token`, the file
//! `session-token-file`, and what the signal `request-token` gives back.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Failure;
use crate::files;
use crate::flight::Flight;
use crate::secret::Secret;
use crate::session::{Grant, MAX_TOKEN_LEN, Moment, Token, Way, checked};

/// A token that the application gave, or why what it gave is none.
pub type Given = Result<Token, Failure>;

/// What the signal `request-token` gives back, once it does; `None` where the application leaves it to the service.
pub type Asked = Flight<Option<Given>>;

/// The application's tokens. Their generations count on from each other.
#[derive(Default)]
pub struct AppToken {
    generation: u32,
    given: Option<Given>,
    /// The last text that is read or asked for anew at each tune, and its generation.
    last: Option<(Secret, u32)>,
}

impl AppToken {
    /// The property's token.
    pub fn given(&self) -> Option<&Given> {
        self.given.as_ref()
    }

    /// Takes the property's text. `seen` is the last generation that a decryptor may know: it must not see two
    /// tokens of one generation, whoever they are from.
    pub fn set(&mut self, text: Option<Secret>, seen: Option<u32>, correlation_id: Option<&str>) {
        self.given = text.map(|text| {
            let generation = self.next_generation(seen);
            token(text, "`session-token`", generation, correlation_id)
        });
    }

    /// Reads `session-token-file`.
    pub fn read_file(
        &mut self,
        path: &str,
        seen: Option<u32>,
        correlation_id: Option<&str>,
    ) -> Given {
        // A little more than the longest token, so that one that is too long is seen to be.
        let text = files::read_text(path, "session-token-file", 2 * MAX_TOKEN_LEN)?;
        self.take(text, "`session-token-file`", seen, correlation_id)
    }

    /// Takes what the signal gave back.
    pub fn answered(
        &mut self,
        text: Secret,
        seen: Option<u32>,
        correlation_id: Option<&str>,
    ) -> Given {
        self.take(text, "the signal `request-token`", seen, correlation_id)
    }

    /// Has the property's token come after that generation, which is that of the session's newest token.
    pub fn come_after(&mut self, generation: u32) {
        if let Some(Ok(token)) = &self.given
            && token.generation() <= generation
        {
            let (text, id) = (token.text().clone(), token.way().correlation_id.clone());
            self.set(Some(text), Some(generation), Some(&id));
        }
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.given = None;
        self.last = None;
    }

    /// A text that has not changed keeps its generation.
    fn take(
        &mut self,
        text: Secret,
        source: &str,
        seen: Option<u32>,
        correlation_id: Option<&str>,
    ) -> Given {
        let generation = match &self.last {
            Some((known, generation)) if *known == text => *generation,
            _ => self.next_generation(seen),
        };
        self.last = Some((text.clone(), generation));
        token(text, source, generation, correlation_id)
    }

    /// The next generation, above all that a decryptor has seen.
    fn next_generation(&mut self, seen: Option<u32>) -> u32 {
        self.generation = self.generation.max(seen.unwrap_or(0)).saturating_add(1);
        self.generation
    }
}

/// Takes the application's own text as the token of that generation.
fn token(text: Secret, source: &str, generation: u32, correlation_id: Option<&str>) -> Given {
    let grant = Grant {
        token: checked(text, source).map_err(|failure| Failure::misconfigured(failure.what))?,
        lifetime: None,
    };
    let now = Moment::now();
    let way = Way {
        correlation_id: correlation_id_or_new(correlation_id),
        place: None,
        started: now.steady,
        latency: Duration::ZERO,
        attempts: 0,
    };
    Ok(Token::new(grant, generation, way, now))
}

/// The application's own, or a fresh one.
pub fn correlation_id_or_new(own: Option<&str>) -> Arc<str> {
    own.map_or_else(|| uuid::Uuid::new_v4().to_string().into(), Into::into)
}
