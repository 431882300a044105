// SPDX-License-Identifier: MIT OR Apache-2.0

//! When a token ends, and how long before that a new one is fetched.

use std::time::{Duration, SystemTime};

use crate::chance::{growing_pause, spread};
use crate::secret::Secret;

use super::claims::claims;

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

/// How long a token is good for, as far as anybody says: the earliest of what was `said` and of the `exp` of a JWT. `None` where
/// nobody does: it is good until it is refused.
pub fn lifetime(said: Option<Duration>, token: &Secret, wall: SystemTime) -> Option<Duration> {
    // Where a token has ended before it came, our clock is wrong more likely than the service.
    let ends = claims(token).and_then(|claims| claims.ends);
    let by_jwt = ends.and_then(|end| end.duration_since(wall).ok());
    [said, by_jwt]
        .into_iter()
        .flatten()
        .filter(|lifetime| !lifetime.is_zero())
        .min()
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
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn jwt(claims: &str) -> Secret {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        Secret::new(format!(
            "{}.{}.c2ln",
            part(r#"{"alg":"ES256","typ":"JWT"}"#),
            part(claims)
        ))
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

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

    #[test]
    fn the_earliest_end_counts() {
        let token = jwt(r#"{"exp":1060.5,"sub":"x"}"#);
        let life = |said| lifetime(said, &token, at(1000));
        assert_eq!(life(None), Some(Duration::from_millis(60_500)));
        assert_eq!(life(Some(30 * SECOND)), Some(30 * SECOND));
        assert_eq!(life(Some(90 * SECOND)), Some(Duration::from_millis(60_500)));
        let opaque = Secret::from("SESSIONTOKEN");
        assert_eq!(lifetime(None, &opaque, at(1000)), None);
        assert_eq!(lifetime(Some(Duration::ZERO), &opaque, at(1000)), None);
    }

    #[test]
    fn a_token_that_ended_before_it_came_is_left_to_the_licence_server() {
        let token = jwt(r#"{"exp":900}"#);
        assert_eq!(lifetime(None, &token, at(1000)), None);
        assert_eq!(lifetime(Some(SECOND), &token, at(1000)), Some(SECOND));
    }
}
