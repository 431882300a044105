// SPDX-License-Identifier: MIT OR Apache-2.0

//! When a request is made again, and after how long.

use std::time::{Duration, SystemTime};

use crate::backoff::growing_pause;

/// First pause. A service that was just being restarted is back after about that long, and a viewer
/// hardly notices it.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Longest pause that we choose ourselves; the deadline of a tune is 5 s.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Statuses after which the same request may succeed: the server had no time, wants to be asked
/// less often, or failed (RFC 9110, 15.5.9 and 15.6; RFC 6585, 4). Every other 4xx would be the
/// same again.
pub fn is_worth_a_retry(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

/// The pause before the next attempt, `None` where there is to be none.
///
/// * `attempts`: requests made so far;
/// * `retries`: how many may follow the first one;
/// * `retry_after`: what the server asks for, which is never undercut;
/// * `left`: until the deadline. A pause that would not end before it is not worth its wait;
/// * `chance`: from 0 to 1, so that a city's boxes do not come back at the same moment.
pub fn pause(
    attempts: u32,
    retries: u32,
    retry_after: Option<Duration>,
    left: Duration,
    chance: f64,
) -> Option<Duration> {
    if attempts > retries {
        return None;
    }
    let chosen = growing_pause(FIRST_PAUSE, LONGEST_PAUSE, attempts, chance);
    let pause = chosen.max(retry_after.unwrap_or_default());
    (pause < left).then_some(pause)
}

/// The value of `Retry-After`: seconds, or a date. One that has passed asks for no pause.
pub fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // So many digits that no number holds them is a long time all the same.
        return (!value.is_empty()).then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_grow_and_stay_between_half_and_whole() {
        let long = 60 * SECOND;
        let pauses = |chance| [1, 2, 3, 4, 5, 40].map(|n| pause(n, 99, None, long, chance));
        let ms = |values: [u64; 6]| values.map(|value| Some(Duration::from_millis(value)));
        assert_eq!(pauses(1.0), ms([200, 400, 800, 1600, 2000, 2000]));
        assert_eq!(pauses(0.0), ms([100, 200, 400, 800, 1000, 1000]));
    }

    #[test]
    fn there_are_no_more_retries_than_were_allowed() {
        assert!(pause(1, 0, None, SECOND, 0.5).is_none());
        assert!(pause(2, 2, None, SECOND, 0.5).is_some());
        assert!(pause(3, 2, None, SECOND, 0.5).is_none());
    }

    #[test]
    fn pause_honors_retry_after_within_deadline() {
        assert_eq!(pause(1, 2, Some(SECOND), 5 * SECOND, 0.5), Some(SECOND));
        assert_eq!(pause(1, 2, Some(5 * SECOND), 5 * SECOND, 0.5), None);
        assert_eq!(pause(1, 2, Some(Duration::MAX), 5 * SECOND, 0.5), None);
        assert_eq!(pause(1, 2, None, Duration::from_millis(100), 1.0), None);
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        let again: Vec<_> = (100..=999)
            .filter(|status| is_worth_a_retry(*status))
            .collect();
        assert_eq!(again[..2], [408, 429]);
        assert_eq!(again[2..], (500..600).collect::<Vec<_>>());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1904 08:49:37 GMT", None),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(value, now), expected, "{value:?}");
        }
    }
}
