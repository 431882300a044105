// SPDX-License-Identifier: MIT OR Apache-2.0

//! Chance, so that a city's boxes do not all do the same at the same moment.

/// A number from 0 to 1 that nobody can foresee.
pub fn chance() -> f64 {
    let (_, random) = uuid::Uuid::new_v4().as_u64_pair();
    // The upper bits say the UUID's variant; the lower ones are random.
    f64::from(random as u32) / f64::from(u32::MAX)
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
