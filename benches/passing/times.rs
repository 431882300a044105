// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long a push takes.

use std::time::Instant;

use headend::Headend;
use support::table::{Figures, head, row};

use crate::contestants::{CONTESTANTS, KINDS, harness, pusher};

const ROUNDS: usize = 25;

/// Pushes in a round: some milliseconds.
const PUSHES: usize = 20_000;

pub fn measure() {
    let headend = Headend::start().expect("a head-end");
    let title = format!("What a push takes, ns: median of {ROUNDS} rounds (least–most)");
    let kinds = KINDS.map(|(_, name)| name);
    head(&title, &[&["between the pads"][..], &kinds].concat());
    let harnesses = CONTESTANTS.map(|(contestant, name)| (harness(contestant, &headend), name));
    let mut figures: [[Figures; KINDS.len()]; CONTESTANTS.len()] = Default::default();
    // In turns, so that what else the machine does strikes all alike. The first round fills caches.
    for round in 0..=ROUNDS {
        for ((harness, _), figures) in harnesses.iter().zip(&mut figures) {
            for ((kind, _), figures) in KINDS.iter().zip(figures) {
                let push = pusher(harness, *kind);
                let start = Instant::now();
                push(PUSHES);
                let time = start.elapsed();
                if round > 0 {
                    figures.add(time.as_nanos() as f64 / PUSHES as f64);
                }
            }
        }
    }
    for ((_, name), figures) in harnesses.iter().zip(&figures) {
        let spreads = figures.each_ref().map(Figures::spread);
        let spreads = spreads.each_ref().map(String::as_str);
        row(&[&[*name][..], &spreads].concat());
    }
}
