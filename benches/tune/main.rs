// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a tune takes, and what stopping one in the middle takes: against a real head-end, in stock
//! players.
//!
//! `cargo bench --bench tune` measures all; `-- first-buffer` (DASH), `-- hls` and `-- moments`
//! behind it a part. Machines differ and are noisy, so only what stands in one table, and was
//! measured in turns, can be compared.

mod first_buffer;
mod moments;

use support::table::Wanted;

fn main() {
    let wanted = Wanted::from_arguments();
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
