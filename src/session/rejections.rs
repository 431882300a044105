// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which of a session's tokens the license side has rejected.

use super::request::MAX_REJECTIONS;
use crate::token::{Secret, Token};

/// Tokens rejected one after the other.
#[derive(Default)]
pub struct Rejections {
    /// Their texts, the newest last.
    texts: Vec<Secret>,
    /// Generation and HTTP status of the last one, until there is another token.
    last: Option<(u32, u32)>,
}

impl Rejections {
    /// The token was rejected. `was_good` says that it had been taken for so long that those before
    /// are no pattern. Whether there have been too many in a row.
    pub fn add(&mut self, token: &Token, http_status: u32, was_good: bool) -> bool {
        self.last = Some((token.generation(), http_status));
        if was_good {
            self.texts.clear();
        }
        self.texts.push(token.text().clone());
        let are_too_many = self.texts.len() >= MAX_REJECTIONS;
        if are_too_many {
            self.texts.remove(0);
        }
        are_too_many
    }

    /// Whether a token of that text was rejected.
    pub fn contains(&self, text: &Secret) -> bool {
        self.texts.contains(text)
    }

    /// Generation and HTTP status of the last one, where no token has come since.
    pub fn last(&self) -> Option<(u32, u32)> {
        self.last
    }

    /// Another token is here.
    pub fn token_came(&mut self) {
        self.last = None;
    }
}
