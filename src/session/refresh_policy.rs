// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long a server in trouble is left alone.

use std::time::Duration;

use crate::backoff::{chance, growing_pause};
use crate::error::Failure;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_in_trouble_is_asked_less_and_less_often() {
        let pauses = |chance| [1, 2, 3, 4, 5, 6, 99].map(|n| backoff(n, chance).as_secs_f64());
        assert_eq!(pauses(1.0), [2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        assert_eq!(pauses(0.0), [1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]);
    }
}
