// SPDX-License-Identifier: MIT OR Apache-2.0

//! What it costs that the element stands in the data path, beside what other elements cost there.
//!
//! `cargo bench --bench passing` measures everything; `-- times`, `-- instructions` and `--
//! allocations` one part. The last two are exact figures, on any machine: they fail when one is
//! beyond its bound, and so are run by `scripts/test`.

mod allocations;
mod contestants;
mod instructions;
mod times;

use support::table::Wanted;

fn main() {
    // Started by itself, to be counted.
    if std::env::var_os(instructions::COUNTED).is_some() {
        return instructions::be_counted();
    }
    if std::env::var_os(allocations::COUNTED).is_some() {
        return allocations::count();
    }
    let wanted = Wanted::from_arguments();
    if wanted.has("times") {
        times::measure();
    }
    if wanted.has("instructions") {
        instructions::measure();
    }
    if wanted.has("allocations") {
        allocations::measure();
    }
}
