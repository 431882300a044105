// SPDX-License-Identifier: MIT OR Apache-2.0

//! In which order the places are asked that can give a session its token.

use std::time::{Duration, Instant};

/// How long a place that failed is asked after the others: a service that is restarted is back by then, and one that is not costs
/// each flight the wait for it once in that time.
const REST: Duration = Duration::from_secs(30);

/// Which of the places have failed lately, by their number.
#[derive(Default)]
pub struct Order {
    resting: Vec<(usize, Instant)>,
}

impl Order {
    /// All places: first those that have not failed lately, each part in its order, which begins with `first` and goes round.
    pub fn of(&self, places: usize, first: usize, now: Instant) -> Vec<usize> {
        let round = (0..places).map(|number| (first + number) % places);
        let is_resting =
            |place: &usize| (self.resting.iter()).any(|(one, until)| one == place && now < *until);
        let (resting, awake): (Vec<_>, Vec<_>) = round.partition(is_resting);
        [awake, resting].concat()
    }

    pub fn failed(&mut self, place: usize, now: Instant) {
        self.answered(place);
        self.resting.push((place, now + REST));
    }

    pub fn answered(&mut self, place: usize) {
        self.resting.retain(|(one, _)| *one != place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_failed_is_asked_last_for_a_while() {
        let mut order = Order::default();
        let now = Instant::now();
        assert_eq!(order.of(3, 0, now), [0, 1, 2]);
        order.failed(0, now);
        assert_eq!(order.of(3, 0, now), [1, 2, 0]);
        order.failed(1, now + REST / 2);
        assert_eq!(order.of(3, 0, now + REST / 2), [2, 0, 1]);
        assert_eq!(order.of(3, 0, now + REST), [0, 2, 1]);
        order.answered(1);
        assert_eq!(order.of(3, 0, now + REST), [0, 1, 2]);
        assert_eq!(order.of(1, 0, now), [0]);
        let mut order = Order::default();
        order.failed(2, now);
        assert_eq!(order.of(3, 1, now), [1, 0, 2]);
    }
}
