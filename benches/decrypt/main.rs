// SPDX-License-Identifier: MIT OR Apache-2.0

//! How fast samples are decrypted: `cargo bench --bench decrypt`, with `--profile set-top-box` for the profile of that name.
//!
//! One thread, no pipeline: what decryption itself costs, whose profiles can be compared with each other.

// The plugin's own code, in this program's profile.
#[allow(dead_code)]
#[path = "../../src/cenc"]
mod cenc {
    pub mod cbcs;
    pub mod ctr;
    pub mod key;
    pub mod sample;

    pub use key::ContentKey;
}

use std::hint::black_box;
use std::time::{Duration, Instant};

use cenc::ContentKey;
use cenc::cbcs::Pattern;
use cenc::sample::{Scheme, decrypt};

/// A large picture of a stream of 8 Mbit/s. It stays in the cache, so that the memory's speed is not what is measured.
const SAMPLE: usize = 128 << 10;

/// Of so many rounds the best one counts: others may use the machine too.
const ROUNDS: usize = 9;

/// Long enough for the clock, short enough not to be interrupted in each round.
const ROUND: Duration = Duration::from_millis(60);

fn main() {
    println!("| scheme | MB/s |");
    println!("| --- | --- |");
    let schemes = [
        ("cenc", Scheme::Cenc),
        (
            "cbcs, all of a sample (sound)",
            Scheme::Cbcs(Pattern::default()),
        ),
        (
            "cbcs, 1 block of 10 (picture)",
            Scheme::Cbcs(Pattern { crypt: 1, skip: 9 }),
        ),
    ];
    for (name, scheme) in schemes {
        let best = (0..ROUNDS)
            .map(|_| megabytes_per_second(scheme))
            .fold(0.0, f64::max);
        println!("| {name} | {best:.0} |");
    }
}

fn megabytes_per_second(scheme: Scheme) -> f64 {
    let key = ContentKey::from_slice(&[0x2b; 16]).expect("sixteen bytes are a key");
    let mut sample = vec![0; SAMPLE];
    let mut bytes = 0;
    let start = Instant::now();
    while start.elapsed() < ROUND {
        decrypt(&key, scheme, &[0x3c; 16], &[], black_box(&mut sample))
            .expect("the sample is whole");
        bytes += SAMPLE;
    }
    bytes as f64 / start.elapsed().as_secs_f64() / 1e6
}
