// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long before a token's end a new one is fetched, and how long a service in trouble is left alone.

use std::time::Duration;

use crate::backoff::{growing_pause, spread};

/// A tenth of a token's lifetime is left for fetching the next one: early enough for retries, late enough not to ask more
/// often than needed.
const SHARE: f64 = 0.1;

/// Two acquisitions with their default timeout fit in, one of which may fail.
const LEAST: Duration = Duration::from_secs(10);

/// For tokens that live for hours or days: long enough to sit out a service's restart.
const MOST: Duration = Duration::from_secs(5 * 60);

/// How long before a token's end a new one is fetched. `chance` is from 0 to 1 and spreads the boxes of a city, which all got
/// their tokens when the match began, over half of that time.
pub fn slack(lifetime: Duration, chance: f64) -> Duration {
    let whole = lifetime.mul_f64(SHARE).clamp(LEAST, MOST);
    // A token is used for at least half of its life.
    spread(whole, chance).min(lifetime / 2)
}

/// First pause after a failure, of which chance leaves a second at least. The streams of one tune ask within milliseconds of
/// each other, on a busy box within some hundred, and share it; a viewer who tries again is slower than that.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// Longest pause: a service that is back is noticed within half a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long so many failures in a row are everybody's answer, before the service is asked again.
pub fn backoff(failures: u32, chance: f64) -> Duration {
    growing_pause(FIRST_PAUSE, LONGEST_PAUSE, failures, chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_token_is_fetched_early_enough_and_not_too_often() {
        for (lifetime, least, most) in [
            (1, 0.5, 0.5),
            (15, 5.0, 7.5),
            (60, 5.0, 10.0),
            (1000, 50.0, 100.0),
            (86_400, 150.0, 300.0),
        ] {
            let lifetime = Duration::from_secs(lifetime);
            assert_eq!(slack(lifetime, 0.0).as_secs_f64(), least, "{lifetime:?}");
            assert_eq!(slack(lifetime, 1.0).as_secs_f64(), most, "{lifetime:?}");
        }
    }

    #[test]
    fn a_service_in_trouble_is_asked_less_and_less_often() {
        let pauses = |chance| [1, 2, 3, 4, 5, 6, 99].map(|n| backoff(n, chance).as_secs_f64());
        assert_eq!(pauses(1.0), [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        assert_eq!(pauses(0.0), [1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]);
    }
}
