// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which of a session's tokens the license side has rejected.

use std::time::Duration;

use super::request::MAX_REJECTIONS;
use crate::token::{ClockReading, Secret, Token};

/// A token that is rejected within this time of its arrival was never good. One that is rejected
/// later was, and a service that takes sessions away now and then is not one that takes none.
///
/// So long a rejected text is nobody's token, whoever gives it again. Then it may be: an auth
/// service that keeps its token gives no other one, and one channel that this account may not watch
/// is not to take all others away.
pub const REJECT_WINDOW: Duration = Duration::from_secs(60);

/// Tokens rejected one after the other.
#[derive(Default)]
pub struct Rejections {
    /// Their texts, and when that was, the newest last.
    texts: Vec<(Secret, ClockReading)>,
    /// Generation and HTTP status of the last one, until there is another token.
    last: Option<(u32, u32)>,
}

impl Rejections {
    /// The token was rejected. `was_good` says that it had been taken for so long that those before
    /// are no pattern. Whether there have been too many in a row.
    pub fn add(
        &mut self,
        token: &Token,
        http_status: u32,
        was_good: bool,
        now: ClockReading,
    ) -> bool {
        self.last = Some((token.generation(), http_status));
        if was_good {
            self.texts.clear();
        }
        self.texts.push((token.text().clone(), now));
        let are_too_many = self.texts.len() >= MAX_REJECTIONS;
        if are_too_many {
            self.texts.remove(0);
        }
        are_too_many
    }

    /// Whether a token of that text was rejected lately.
    pub fn contains(&self, text: &Secret, now: ClockReading) -> bool {
        let mut texts = self.texts.iter();
        texts.any(|(known, since)| known == text && is_recent(*since, now))
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

fn is_recent(since: ClockReading, now: ClockReading) -> bool {
    since
        .after(REJECT_WINDOW)
        .is_some_and(|until| !until.has_come(now))
}
