// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether a sample is handed to the CDM once more that it has not decrypted.

use std::time::{Duration, Instant};

use crate::ocdm::KeyStatus;

/// How long what a CDM says of a key may be behind what it does: its service tells the library in a
/// call of its own.
const BEHIND: Duration = Duration::from_millis(500);

/// Between one try and the next.
const PAUSE: Duration = Duration::from_millis(100);

/// When, with what the CDM says of the key now. `since` is when the sample was first not decrypted.
/// `None` where that is to be the end.
pub fn again_at(
    status: KeyStatus,
    since: Instant,
    timeout: Duration,
    now: Instant,
) -> Option<Instant> {
    let patience = match status {
        // What can be done with the key is about to change, or the CDM is broken.
        status if status.is_usable() => BEHIND.min(timeout),
        // The session gets another license.
        KeyStatus::Expired => timeout,
        status if status.may_pass() => timeout,
        _ => return None,
    };
    let until = since + patience;
    (now < until).then(|| until.min(now + PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    /// How long a sample is tried again that is never decrypted.
    fn patience(status: KeyStatus, timeout: Duration) -> Duration {
        let since = Instant::now();
        let mut now = since;
        while let Some(at) = again_at(status, since, timeout, now) {
            assert!(at > now && at - now <= PAUSE);
            now = at;
        }
        now - since
    }

    #[test]
    fn sample_is_tried_again_as_long_as_its_key_may_come_to_be_usable() {
        for (status, expected) in [
            (KeyStatus::Usable, BEHIND),
            (KeyStatus::OutputDownscaled, BEHIND),
            (KeyStatus::OutputRestricted, TIMEOUT),
            (KeyStatus::OutputRestrictedHdcp22, TIMEOUT),
            (KeyStatus::Pending, TIMEOUT),
            (KeyStatus::Expired, TIMEOUT),
            (KeyStatus::Released, Duration::ZERO),
            (KeyStatus::InternalError, Duration::ZERO),
            (KeyStatus::HardwareError, Duration::ZERO),
        ] {
            assert_eq!(patience(status, TIMEOUT), expected, "{status:?}");
        }
        let short = Duration::from_millis(30);
        assert_eq!(patience(KeyStatus::Usable, short), short);
    }
}
