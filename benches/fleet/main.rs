// SPDX-License-Identifier: MIT OR Apache-2.0

//! A million boxes and one auth service, on a simulated clock: how many requests come at once when
//! everybody tunes, when the service was away, when all tokens are revoked.
//!
//! `cargo bench --bench fleet` plays all scenarios; `-- outage` one of them. The rules are those of
//! `src/session/state.rs` and of the retries of a request (`src/http/retry.rs`), beside a player
//! that makes a request for each tune, as AAMP does, and beside our rules without chance.

use fleet::{Fleet, Policy, SCENARIOS};
use support::table::{Wanted, head, row};

/// Boxes of an operator in a city.
const BOXES: usize = 1_000_000;

const POLICIES: [(&str, Policy); 3] = [
    ("`sessiontoken`", Policy::Ours { with_chance: true }),
    (
        "`sessiontoken` without chance",
        Policy::Ours { with_chance: false },
    ),
    ("a request a tune", Policy::RequestATune),
];

fn main() {
    let wanted = Wanted::from_arguments();
    for scenario in SCENARIOS.iter().filter(|one| wanted.has(one.name)) {
        let title = format!("{}: {} ({BOXES} boxes)", scenario.name, scenario.what);
        head(
            &title,
            &[
                "player",
                "requests a second before",
                "in the busiest second after",
                "in the busiest minute after",
                "requests in all",
                "longest wait for who could be served, s",
            ],
        );
        for (name, policy) in POLICIES {
            let result = Fleet::play(scenario, policy, BOXES);
            row(&[
                name,
                &match result.steady > 0.0 {
                    true => format!("{:.0}", result.steady),
                    false => "–".to_owned(),
                },
                &result.peak.to_string(),
                &format!("{:.0}", result.busiest_minute),
                &result.requests.to_string(),
                &format!("{:.1}", result.longest_wait.as_secs_f64()),
            ]);
        }
    }
}
