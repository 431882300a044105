// SPDX-License-Identifier: MIT OR Apache-2.0

//! Chance, so that a city's boxes do not all do the same at the same moment.

use std::time::Duration;

use crate::random;

/// A number from 0 to 1 that nobody can foresee.
pub fn chance() -> f64 {
    f64::from(u32::from_ne_bytes(random::bytes())) / f64::from(u32::MAX)
}

/// A time between the half and the whole of it. `chance` is from 0 to 1.
pub fn spread(whole: Duration, chance: f64) -> Duration {
    whole.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
}

/// The pause after so many attempts: `first` after one, twice as long after each further one up to
/// `longest`, and spread.
pub fn growing_pause(first: Duration, longest: Duration, attempts: u32, chance: f64) -> Duration {
    // More doublings would not fit, and are beyond every `longest`.
    let doublings = attempts.saturating_sub(1).min(16);
    spread(first.saturating_mul(1 << doublings).min(longest), chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_differ_and_stay_in_their_range() {
        let chances: Vec<_> = (0..100).map(|_| chance()).collect();
        assert!(chances.iter().all(|chance| (0.0..=1.0).contains(chance)));
        assert!(chances.iter().any(|chance| *chance < 0.5));
        assert!(chances.iter().any(|chance| *chance > 0.5));
    }
}
