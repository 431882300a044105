// SPDX-License-Identifier: MIT OR Apache-2.0

//! A text with a place for the token.

use crate::token::Secret;

const PLACE: &str = "{token}";

/// A text with at most one `{token}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    before: Secret,
    /// `None` where there is no place.
    after: Option<Secret>,
}

impl Template {
    /// `None` for a text with more than one place.
    pub fn parse(text: &str) -> Option<Self> {
        let (before, after) = match text.split_once(PLACE) {
            Some((before, after)) => (before, Some(after)),
            None => (text, None),
        };
        let is_one = after.is_none_or(|after| !after.contains(PLACE));
        is_one.then(|| Self {
            before: Secret::from(before),
            after: after.map(Secret::from),
        })
    }

    pub fn has_place(&self) -> bool {
        self.after.is_some()
    }

    /// The text with the token in its place.
    pub fn fill(&self, token: &str) -> Secret {
        match &self.after {
            Some(after) => Secret::new([self.before.expose(), token, after.expose()].concat()),
            None => self.before.clone(),
        }
    }
}
