// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long a token or a license is good for, by clocks that cannot be relied on.

use std::time::{Duration, Instant, SystemTime};

use crate::backoff::{chance, spread};

use super::boottime::boottime;

/// A quarter of a token's lifetime is left for fetching the next one: early enough to sit out a
/// service that is away for minutes, late enough not to ask much more often than needed.
const SLACK_SHARE: f64 = 0.25;

/// Two requests with their default timeout fit in, one of which may fail.
pub const MIN_SLACK: Duration = Duration::from_secs(10);

/// For tokens that live for hours or days. Half of it is longer than most outages.
pub const MAX_SLACK: Duration = Duration::from_secs(15 * 60);

/// How long before a token's end a new one is fetched. `chance` is from 0 to 1 and spreads the
/// boxes of a city, which all got their tokens when the match began, over half of that time.
fn slack(lifetime: Duration, chance: f64) -> Duration {
    let whole = lifetime.mul_f64(SLACK_SHARE).clamp(MIN_SLACK, MAX_SLACK);
    // A token is used for at least half of its life.
    spread(whole, chance).min(lifetime / 2)
}

/// What the wall clock and the others may be apart before it counts as set: they are not read at
/// the very same time, and the network's time has it run a little faster or slower.
const SET: Duration = Duration::from_secs(1);

/// The clocks at one moment. None alone is enough: the steady one stands still while a box is
/// suspended, the time since boot does not tell what o'clock it is, and the wall clock jumps when
/// it is set.
#[derive(Clone, Copy, Debug)]
pub struct ClockReading {
    /// By which the runtime wakes us.
    pub steady: Instant,
    /// Since the box was switched on, with what it was suspended.
    pub boottime: Duration,
    pub wall: SystemTime,
}

impl ClockReading {
    pub fn now() -> Self {
        Self {
            steady: Instant::now(),
            boottime: boottime(),
            wall: SystemTime::now(),
        }
    }

    /// `None` where no clock can express it.
    pub fn after(self, time: Duration) -> Option<Self> {
        Some(Self {
            steady: self.steady.checked_add(time)?,
            boottime: self.boottime.checked_add(time)?,
            wall: self.wall.checked_add(time)?,
        })
    }

    /// Whether it has come, by the clocks that nobody sets.
    pub fn has_come(self, now: ClockReading) -> bool {
        now.steady >= self.steady || now.boottime >= self.boottime
    }

    /// When it is by the wall clock, which may have been set since that was asked last.
    fn by_the_wall(self, now: ClockReading) -> SystemTime {
        let as_set = match self.boottime.checked_sub(now.boottime) {
            Some(ahead) => now.wall.checked_add(ahead),
            None => now.wall.checked_sub(now.boottime - self.boottime),
        };
        let is_set = |as_set: &SystemTime| {
            let apart = as_set.duration_since(self.wall);
            apart.unwrap_or_else(|error| error.duration()) > SET
        };
        as_set.filter(is_set).unwrap_or(self.wall)
    }
}

/// When something ends, and from when on the next one is fetched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Validity(Option<End>);

#[derive(Clone, Copy, Debug)]
struct End {
    /// As far as that was known when it came.
    counted: ClockReading,
    /// Where it names the time of its end. The wall clock may have been set since, and then it is
    /// known better.
    named: Option<SystemTime>,
    /// How long before that the next one is fetched.
    slack: Duration,
}

impl Validity {
    /// A life that counts from `now`, and that ends at the time that it `names`, whichever comes
    /// first. One that nobody knows, or that no clock can express, has no end; and one that had
    /// ended before it came has none either: our clock is wrong more likely than the server.
    pub fn new(lifetime: Option<Duration>, names: Option<SystemTime>, now: ClockReading) -> Self {
        let named = names.filter(|end| *end > now.wall);
        let left = named.and_then(|end| end.duration_since(now.wall).ok());
        let lifetime = lifetime.filter(|lifetime| !lifetime.is_zero());
        let lifetime = [lifetime, left].into_iter().flatten().min();
        Self(lifetime.and_then(|lifetime| {
            Some(End {
                counted: now.after(lifetime)?,
                named,
                slack: slack(lifetime, chance()),
            })
        }))
    }

    /// Whether nobody knows of an end.
    pub fn is_endless(&self) -> bool {
        self.0.is_none()
    }

    /// The end by the wall clock as it is now, where it is known.
    pub fn ends_at(&self, now: ClockReading) -> Option<SystemTime> {
        let End { counted, named, .. } = self.0?;
        [Some(counted.by_the_wall(now)), named]
            .into_iter()
            .flatten()
            .min()
    }

    /// How long it is still good, where the end is known.
    pub fn left(&self, now: ClockReading) -> Option<Duration> {
        let end = self.ends_at(now)?;
        Some(end.duration_since(now.wall).unwrap_or_default())
    }

    /// From when on the next one is to be fetched, where the end is known, as far as that can be
    /// said by the clocks as they are now.
    pub fn stale_at(&self, now: ClockReading) -> Option<Instant> {
        let End {
            counted,
            named,
            slack,
        } = self.0?;
        let named = named.and_then(|end| {
            let left = end.duration_since(now.wall).unwrap_or_default();
            now.steady.checked_add(left.saturating_sub(slack))
        });
        let counted = counted.steady.checked_sub(slack);
        counted.into_iter().chain(named).min()
    }

    /// Whether it has not ended.
    pub fn is_valid(&self, now: ClockReading) -> bool {
        !self.has_ended(now, Duration::ZERO)
    }

    /// Whether it is so close to its end that the next one is to be fetched.
    pub fn is_stale(&self, now: ClockReading) -> bool {
        self.0.is_some_and(|end| self.has_ended(now, end.slack))
    }

    /// Whether it will have ended after so long.
    fn has_ended(&self, now: ClockReading, ahead: Duration) -> bool {
        let Some((End { counted, named, .. }, then)) = self.0.zip(now.after(ahead)) else {
            return false;
        };
        counted.has_come(then) || named.is_some_and(|end| then.wall >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);

    fn later(now: ClockReading, awake: Duration, suspended: Duration) -> ClockReading {
        ClockReading {
            steady: now.steady + awake,
            boottime: now.boottime + awake + suspended,
            wall: now.wall + awake + suspended,
        }
    }

    fn set(now: ClockReading, wall: SystemTime) -> ClockReading {
        ClockReading { wall, ..now }
    }

    #[test]
    fn refresh_margin_grows_with_lifetime_up_to_limit() {
        for (lifetime, least, most) in [
            (1, 0.5, 0.5),
            (15, 5.0, 7.5),
            (60, 7.5, 15.0),
            (1000, 125.0, 250.0),
            (86_400, 450.0, 900.0),
        ] {
            let lifetime = Duration::from_secs(lifetime);
            assert_eq!(slack(lifetime, 0.0).as_secs_f64(), least, "{lifetime:?}");
            assert_eq!(slack(lifetime, 1.0).as_secs_f64(), most, "{lifetime:?}");
        }
    }

    #[test]
    fn it_is_good_up_to_its_end_and_not_at_it() {
        let now = ClockReading::now();
        let lifetime = 10 * SECOND;
        let before = lifetime - Duration::from_nanos(1);
        for life in [
            Validity::new(Some(lifetime), None, now),
            Validity::new(None, Some(now.wall + lifetime), now),
        ] {
            assert!(!life.is_stale(now));
            let last = later(now, before, Duration::ZERO);
            assert!(life.is_valid(last) && life.is_stale(last));
            assert!(!life.is_valid(later(now, lifetime, Duration::ZERO)));
        }
    }

    #[test]
    fn earliest_end_counts() {
        let now = ClockReading::now();
        let ends_in = |lifetime: Option<Duration>, names: Option<Duration>| {
            let life = Validity::new(lifetime, names.map(|time| now.wall + time), now);
            life.ends_at(now)
                .map(|end| end.duration_since(now.wall).expect("it is ahead"))
        };
        assert_eq!(ends_in(None, Some(60 * SECOND)), Some(60 * SECOND));
        let earlier = ends_in(Some(30 * SECOND), Some(60 * SECOND));
        assert_eq!(earlier, Some(30 * SECOND));
        let earlier = ends_in(Some(90 * SECOND), Some(60 * SECOND));
        assert_eq!(earlier, Some(60 * SECOND));
        assert_eq!(ends_in(Some(Duration::ZERO), None), None);
    }

    #[test]
    fn validity_ignores_already_past_expiry() {
        let now = ClockReading::now();
        for age in [Duration::ZERO, SECOND, HOUR] {
            let names = Some(now.wall - age);
            assert!(Validity::new(None, names, now).is_endless());
            let life = Validity::new(Some(SECOND), names, now);
            assert_eq!(life.ends_at(now), Some(now.wall + SECOND));
        }
    }

    #[test]
    fn what_ended_while_the_box_was_suspended_has_ended() {
        let now = ClockReading::now();
        let overnight = later(now, 60 * SECOND, 8 * HOUR);
        assert!(!Validity::new(Some(HOUR), None, now).is_valid(overnight));
        let names = Some(now.wall + HOUR);
        assert!(!Validity::new(None, names, now).is_valid(overnight));
    }

    #[test]
    fn lifetime_ignores_wall_clock_changes() {
        let now = ClockReading::now();
        let life = Validity::new(Some(HOUR), None, now);
        for wall in [now.wall + 9 * HOUR, now.wall - 9 * HOUR] {
            let after = set(now, wall);
            assert!(life.is_valid(after) && !life.is_stale(after));
            assert_eq!(life.ends_at(after), Some(wall + HOUR));
            let end = later(after, HOUR, Duration::ZERO);
            assert!(!life.is_valid(end));
            assert_eq!(life.ends_at(end), Some(end.wall));
        }
    }

    #[test]
    fn expiry_date_follows_forward_clock_change_only() {
        let now = ClockReading::now();
        let life = Validity::new(None, Some(now.wall + 2 * HOUR), now);
        let ahead = set(now, now.wall + HOUR);
        assert!(life.is_valid(ahead) && !life.is_stale(ahead));
        assert!(!life.is_valid(later(ahead, HOUR, Duration::ZERO)));
        let back = set(now, now.wall - HOUR);
        assert!(life.is_valid(back) && !life.is_stale(back));
        assert!(!life.is_valid(later(back, 2 * HOUR, Duration::ZERO)));
    }

    #[test]
    fn clock_that_is_set_moves_the_renewal_with_the_end() {
        let now = ClockReading::now();
        let life = Validity::new(None, Some(now.wall + 2 * HOUR), now);
        let stale_in = |now: ClockReading| {
            let at = life.stale_at(now).expect("it has an end");
            at.saturating_duration_since(now.steady)
        };
        let slack = 2 * HOUR - stale_in(now);
        assert!(slack > Duration::ZERO && slack < HOUR);
        let ahead = set(now, now.wall + HOUR);
        assert_eq!(stale_in(ahead), HOUR - slack);
        let beyond = set(now, now.wall + 3 * HOUR);
        assert_eq!(stale_in(beyond), Duration::ZERO);
        let back = set(now, now.wall - HOUR);
        assert_eq!(stale_in(back), 2 * HOUR - slack);
    }

    #[test]
    fn ends_at_ignores_small_clock_jitter() {
        let now = ClockReading::now();
        let end = Validity::new(Some(HOUR), None, now);
        let unsteady = set(now, now.wall + Duration::from_millis(3));
        assert_eq!(end.ends_at(unsteady), end.ends_at(now));
    }

    #[test]
    fn life_beyond_every_clock_has_no_end() {
        let now = ClockReading::now();
        for lifetime in [None, Some(Duration::MAX)] {
            let life = Validity::new(lifetime, None, now);
            assert!(life.is_valid(now) && !life.is_stale(now));
            assert!(life.is_endless());
            assert_eq!(life.ends_at(now), None);
        }
    }
}
