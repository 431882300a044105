// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a tune takes, and what stopping one in the middle takes: against a real head-end, in stock players.
//!
//! `cargo bench --bench tune` measures both; `cargo bench --bench tune -- first-buffer` and `-- moments` one of them. Machines
//! differ and are noisy, so only what stands in one table, and was measured in turns, can be compared.

mod first_buffer;
mod moments;
mod table;

// The players of the tests.
#[allow(dead_code)]
#[path = "../../tests/playback/operator.rs"]
mod operator;
#[allow(dead_code, unused_imports, unused_macros)]
#[path = "../../tests/playback/player.rs"]
mod player;
#[path = "../../tests/process/mod.rs"]
mod process;
#[allow(dead_code)]
#[path = "../../tests/playback/programme.rs"]
mod programme;
#[allow(dead_code)]
#[path = "../../tests/playback/scratch.rs"]
mod scratch;
#[allow(dead_code)]
#[path = "../../tests/playback/show.rs"]
mod show;

fn main() {
    // `cargo bench` adds options for the harness that is not here.
    let wanted: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    if is_wanted("first-buffer") {
        first_buffer::measure();
    }
    if is_wanted("moments") {
        moments::measure();
    }
}
