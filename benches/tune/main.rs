// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a tune takes, and what stopping one in the middle takes: against a real head-end, in stock players.
//!
//! `cargo bench --bench tune` measures all; `-- first-buffer` (DASH), `-- hls` and `-- moments` behind it a part. Machines
//! differ and are noisy, so only what stands in one table, and was measured in turns, can be compared.

mod first_buffer;
mod moments;
#[path = "../table/mod.rs"]
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
    let wanted = table::Wanted::from_arguments();
    if wanted.has("first-buffer") {
        first_buffer::measure();
    }
    if wanted.has("hls") {
        first_buffer::measure_hls();
    }
    if wanted.has("moments") {
        moments::measure();
    }
}
