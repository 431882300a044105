// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long a token or a licence is good for, by clocks that cannot be relied on.

use std::time::{Duration, Instant, SystemTime};

use crate::chance::chance;

use super::freshness;

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

/// When something ends, and from when on the next one is fetched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    /// The end, and when the time for the next one begins.
    known: Option<(Moment, Moment)>,
}

impl Life {
    /// A life that counts from `now`. One that nobody knows, or that no clock can express, has no end.
    pub fn new(lifetime: Option<Duration>, now: Moment) -> Self {
        let known = lifetime.and_then(|lifetime| {
            let slack = freshness::slack(lifetime, chance());
            Some((now.after(lifetime)?, now.after(lifetime - slack)?))
        });
        Self { known }
    }

    /// The end by the wall clock, where it is known.
    pub fn ends_at(&self) -> Option<SystemTime> {
        self.known.map(|(end, _)| end.wall)
    }

    /// From when on the next one is to be fetched, where the end is known.
    pub fn stale_at(&self) -> Option<Moment> {
        self.known.map(|(_, stale)| stale)
    }

    /// Whether it has not ended: neither clock has reached the end.
    pub fn is_valid(&self, now: Moment) -> bool {
        !self.known.is_some_and(|(end, _)| end.has_come(now))
    }

    /// Whether it is so close to its end that the next one is to be fetched.
    pub fn is_stale(&self, now: Moment) -> bool {
        self.stale_at().is_some_and(|stale| stale.has_come(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(now: Moment, steady: Duration, wall: Duration) -> Moment {
        Moment {
            steady: now.steady + steady,
            wall: now.wall + wall,
        }
    }

    #[test]
    fn it_is_good_up_to_its_end_and_not_at_it() {
        let now = Moment::now();
        let lifetime = Duration::from_secs(10);
        let life = Life::new(Some(lifetime), now);
        let before = lifetime - Duration::from_nanos(1);
        assert!(life.is_valid(later(now, before, before)));
        assert!(life.is_stale(later(now, before, before)));
        assert!(!life.is_valid(later(now, lifetime, before)));
        assert!(!life.is_stale(now));
    }

    #[test]
    fn what_ended_while_the_box_was_suspended_has_ended() {
        let now = Moment::now();
        let life = Life::new(Some(Duration::from_secs(3600)), now);
        let awake = Duration::from_secs(60);
        let asleep_overnight = Duration::from_secs(8 * 3600);
        assert!(!life.is_valid(later(now, awake, asleep_overnight)));
    }

    #[test]
    fn a_life_beyond_every_clock_has_no_end() {
        let now = Moment::now();
        for lifetime in [None, Some(Duration::MAX)] {
            let life = Life::new(lifetime, now);
            assert!(life.is_valid(now) && !life.is_stale(now));
            assert_eq!(life.ends_at(), None);
        }
    }
}
