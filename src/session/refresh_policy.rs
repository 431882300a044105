// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long a server in trouble is left alone.

use std::time::Duration;

use crate::backoff::{chance, growing_pause};
use crate::error::Failure;
use crate::token::{MAX_SLACK, MIN_SLACK};

/// First pause after a failure, of which chance leaves a second at least. The streams of one tune
/// ask within milliseconds of each other, on a busy box within some hundred, and share it; a viewer
/// who tries again is slower than that.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// Longest pause: a service that is back is noticed within half a minute.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long so many failures in a row are everybody's answer, before the service is asked again.
fn backoff(failures: u32, chance: f64) -> Duration {
    growing_pause(FIRST_PAUSE, LONGEST_PAUSE, failures, chance)
}

/// Longest `Retry-After` that is kept to: a viewer may well try again after five minutes.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(5 * 60);

/// How long a server is left alone after so many failures in a row, of which this is the last:
/// longer each time, and as long as it asks for.
pub fn pause_after(failure: &Failure, in_a_row: u32) -> Duration {
    let retry_after = failure.retry_after.unwrap_or_default();
    backoff(in_a_row, chance()).max(retry_after.min(MAX_RETRY_AFTER))
}

/// How long after a renewal that failed the next one begins, where what is at hand is good for so
/// long. Nobody waits for it, so it comes at any time of what is left: the boxes of a city whose
/// renewals all failed in an outage do not come back together. It is no longer than renewals begin
/// ahead of an end, and leaves time for a last try.
/// `pause` is that of who has nothing at hand.
pub fn renewal_pause(pause: Duration, left: Option<Duration>) -> Duration {
    let left = left.unwrap_or_default().min(MAX_SLACK);
    left.saturating_sub(MIN_SLACK).mul_f64(chance()).max(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_renewals_come_at_any_time_of_what_is_left() {
        let (failure, left) = (Failure::transient("no"), Duration::from_secs(900));
        let pauses = (0..1000).map(|_| renewal_pause(pause_after(&failure, 1), Some(left)));
        let mut tenths = [0; 10];
        for pause in pauses {
            assert!(pause >= FIRST_PAUSE / 2 && pause <= left - MIN_SLACK);
            tenths[(10.0 * pause.as_secs_f64() / left.as_secs_f64()) as usize] += 1;
        }
        // A hundred each.
        assert!(tenths.iter().all(|tenth| *tenth > 40), "{tenths:?}");
    }

    /// A device that takes today for 1970 gets tokens of decades, until it knows better.
    #[test]
    fn renewal_pause_is_never_long() {
        let failure = Failure::transient("no");
        let pause = |left| renewal_pause(pause_after(&failure, 1), Some(Duration::from_secs(left)));
        assert!((0..100).all(|_| pause(1 << 30) <= MAX_SLACK));
        assert!((0..100).all(|_| pause(5) <= FIRST_PAUSE));
    }

    #[test]
    fn failed_renewal_keeps_to_what_the_service_asks_for() {
        let mut failure = Failure::transient("HTTP 503");
        failure.retry_after = Some(Duration::from_secs(120));
        let left = Some(Duration::from_secs(60));
        assert_eq!(
            renewal_pause(pause_after(&failure, 1), left),
            Duration::from_secs(120)
        );
        assert!(renewal_pause(pause_after(&failure, 1), None) >= Duration::from_secs(120));
    }

    #[test]
    fn service_in_trouble_is_asked_less_and_less_often() {
        let pauses = |chance| [1, 2, 3, 4, 5, 6, 99].map(|n| backoff(n, chance).as_secs_f64());
        assert_eq!(pauses(1.0), [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        assert_eq!(pauses(0.0), [1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]);
    }
}
