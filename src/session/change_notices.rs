// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a service says of its token while we hold one: that there is another by now.

use std::time::{Duration, Instant};

use crate::backoff::growing_pause;

/// After a token was read because of notices, before notices have it read again. A service that
/// tells of each step of a change (the old token is gone, the new one is here) does so within a
/// second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A service that never stops telling is asked once a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// After so long without a request because of notices, the next one is the first again.
const QUIET: Duration = Duration::from_secs(5 * 60);

/// The notices of one session. They count, so that what comes while a token is on its way is not
/// taken for what that token was asked for.
#[derive(Default)]
pub struct ChangeNotices {
    heard: u64,
    /// How many of these the token at hand comes after.
    known: u64,
    /// When a token was last asked for because of notices, and how often that was in a row.
    asked: Option<(Instant, u32)>,
    /// Until then no token is asked for because of notices.
    until: Option<Instant>,
}

impl ChangeNotices {
    /// There is another token.
    pub fn add(&mut self) {
        self.heard += 1;
    }

    /// From when on the token at hand is to be replaced because of notices, if it is.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        (self.known < self.heard).then(|| self.until.map_or(now, |until| until.max(now)))
    }

    /// A token is being asked for. Gives what [`answered`](Self::answered) is to be told.
    pub fn requested(&mut self, now: Instant, chance: f64) -> u64 {
        if self.known < self.heard {
            let before = self
                .asked
                .filter(|(last, _)| now.saturating_duration_since(*last) < QUIET)
                .map_or(0, |(_, in_a_row)| in_a_row);
            let in_a_row = before.saturating_add(1);
            self.asked = Some((now, in_a_row));
            self.until = Some(now + growing_pause(FIRST_PAUSE, LONGEST_PAUSE, in_a_row, chance));
        }
        self.heard
    }

    /// The token that was asked for then is here.
    pub fn answered(&mut self, asked: u64) {
        self.known = self.known.max(asked);
    }

    /// There is no token that the notices could be about.
    pub fn forget(&mut self) {
        self.known = self.heard;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn news_have_the_token_read_once_and_at_once() {
        let (mut notices, now) = (ChangeNotices::default(), Instant::now());
        assert_eq!(notices.due(now), None);
        notices.add();
        notices.add();
        assert_eq!(notices.due(now), Some(now));
        let asked = notices.requested(now, 1.0);
        notices.answered(asked);
        assert_eq!(notices.due(now + SECOND), None);
    }

    #[test]
    fn notice_during_request_triggers_another_request() {
        let (mut notices, now) = (ChangeNotices::default(), Instant::now());
        notices.add();
        let asked = notices.requested(now, 1.0);
        notices.add();
        notices.answered(asked);
        assert_eq!(notices.due(now), Some(now + FIRST_PAUSE));
        // And of a token that was asked for without any.
        let mut notices = ChangeNotices::default();
        let asked = notices.requested(now, 1.0);
        notices.add();
        notices.answered(asked);
        assert_eq!(notices.due(now), Some(now));
    }

    #[test]
    fn continuous_notices_back_off_to_once_a_minute() {
        let (mut notices, begin) = (ChangeNotices::default(), Instant::now());
        let mut asked = Vec::new();
        let mut now = begin;
        while now < begin + 600 * SECOND {
            notices.add();
            if notices.due(now) == Some(now) {
                asked.push((now - begin).as_secs());
                let count = notices.requested(now, 1.0);
                notices.answered(count);
            }
            now += SECOND / 10;
        }
        assert_eq!(asked[..8], [0, 1, 3, 7, 15, 31, 63, 123]);
        assert_eq!(asked.len(), 15);
        // Once it has calmed down it is listened to at once.
        now += QUIET;
        notices.add();
        let count = notices.requested(now, 1.0);
        notices.add();
        notices.answered(count);
        assert_eq!(notices.due(now), Some(now + FIRST_PAUSE));
    }

    #[test]
    fn notices_survive_failed_request_but_not_logout() {
        let (mut notices, now) = (ChangeNotices::default(), Instant::now());
        notices.add();
        notices.requested(now, 1.0);
        assert_eq!(notices.due(now), Some(now + FIRST_PAUSE));
        notices.forget();
        assert_eq!(notices.due(now), None);
    }
}
