// SPDX-License-Identifier: MIT OR Apache-2.0

//! In which order the places are asked that can give a token. What a place did is the same for all
//! sessions of the process.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::refresh_policy::MAX_RETRY_AFTER;
use crate::wait::lock;

/// How long a place that failed is asked after the others: a service that is restarted is back by
/// then, and one that is not costs each request the wait for it once in that time.
const REST: Duration = Duration::from_secs(30);

/// Places that are remembered. There are as many as an operator has sites.
const MAX_RESTING: usize = 64;

static RESTING: Mutex<Resting> = Mutex::new(Resting(Vec::new()));

/// All of these places (host and port): first those that have not failed lately, each part in its
/// order, which begins with `first` and goes round.
pub fn order(places: &[String], first: usize, now: Instant) -> Vec<usize> {
    lock(&RESTING).order(places, first, now)
}

/// A place had no answer, and wishes to be left alone for so long.
pub fn failed(place: &str, wish: Option<Duration>, now: Instant) {
    lock(&RESTING).failed(place, wish, now);
}

pub fn answered(place: &str) {
    lock(&RESTING).answered(place);
}

/// Which places have failed lately, and until when they come last.
struct Resting(Vec<(String, Instant)>);

impl Resting {
    fn order(&self, places: &[String], first: usize, now: Instant) -> Vec<usize> {
        let is_resting = |number: &usize| {
            (self.0.iter()).any(|(place, until)| *place == places[*number] && now < *until)
        };
        let round = (0..places.len()).map(|number| (first + number) % places.len());
        let (resting, awake): (Vec<_>, Vec<_>) = round.partition(is_resting);
        [awake, resting].concat()
    }

    fn failed(&mut self, place: &str, wish: Option<Duration>, now: Instant) {
        self.answered(place);
        if self.0.len() == MAX_RESTING {
            self.0.remove(0);
        }
        let wish = wish.unwrap_or_default().min(MAX_RETRY_AFTER);
        self.0.push((place.to_owned(), now + REST.max(wish)));
    }

    fn answered(&mut self, place: &str) {
        self.0.retain(|(one, _)| one != place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_failed_is_asked_last_for_a_while() {
        let places = ["a", "b", "c"].map(str::to_owned);
        let mut resting = Resting(Vec::new());
        let now = Instant::now();
        assert_eq!(resting.order(&places, 0, now), [0, 1, 2]);
        resting.failed("a", None, now);
        assert_eq!(resting.order(&places, 0, now), [1, 2, 0]);
        let later = now + REST / 2;
        resting.failed("b", None, later);
        assert_eq!(resting.order(&places, 0, later), [2, 0, 1]);
        assert_eq!(resting.order(&places, 0, now + REST), [0, 2, 1]);
        resting.answered("b");
        assert_eq!(resting.order(&places, 0, later), [1, 2, 0]);
        assert_eq!(resting.order(&places[..1], 0, now), [0]);
        assert_eq!(resting.order(&[], 0, now), [0; 0]);
    }

    #[test]
    fn place_is_left_alone_as_long_as_it_wishes() {
        let places = ["a", "b"].map(str::to_owned);
        let mut resting = Resting(Vec::new());
        let now = Instant::now();
        resting.failed("a", Some(4 * REST), now);
        assert_eq!(resting.order(&places, 0, now + 3 * REST), [1, 0]);
        assert_eq!(resting.order(&places, 0, now + 4 * REST), [0, 1]);
    }

    #[test]
    fn equal_places_go_round() {
        let places = ["a", "b", "c"].map(str::to_owned);
        let mut resting = Resting(Vec::new());
        let now = Instant::now();
        resting.failed("c", None, now);
        assert_eq!(resting.order(&places, 1, now), [1, 0, 2]);
    }
}
