// SPDX-License-Identifier: MIT OR Apache-2.0

//! How many instructions a push takes, which is the same on every run: counted by callgrind, under
//! which this program runs once more.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;

use headend::Headend;
use support::folders::scratch;
use support::table::{head, row};

use crate::contestants::{CONTESTANTS, Contestant, KINDS, Kind, harness, pusher};

/// The variable that says by what this program is counted.
pub const COUNTED: &str = "PASSING_COUNTED_INSTRUCTIONS";

/// Before what is counted, so that nothing in it happens for the first time.
const WARM_UP: usize = 100;

const PUSHES: usize = 1_000;

/// Callgrind writes down what it has counted whenever this is called, and begins anew.
#[inline(never)]
fn mark_for_callgrind() {
    black_box(());
}

pub fn be_counted() {
    let headend = Headend::start().expect("a head-end");
    for (contestant, _) in CONTESTANTS {
        let harness = harness(contestant, &headend);
        for (kind, _) in KINDS {
            let push = pusher(&harness, kind);
            push(WARM_UP);
            mark_for_callgrind();
            push(PUSHES);
            mark_for_callgrind();
        }
    }
}

pub fn measure() {
    let counts = counts(&run());
    let kinds = KINDS.map(|(_, name)| name);
    head(
        "Instructions that a push takes",
        &[&["between the pads"][..], &kinds].concat(),
    );
    for ((_, name), counts) in CONTESTANTS.iter().zip(counts.chunks(KINDS.len())) {
        let counts: Vec<_> = counts.iter().map(u64::to_string).collect();
        let counts: Vec<_> = counts.iter().map(String::as_str).collect();
        row(&[&[*name][..], &counts].concat());
    }
    // Of data no more than `identity` takes; of a key request several times as much, once for each
    // fragment with other keys.
    for (kind, most) in [(Kind::Buffer, 1), (Kind::List, 1), (Kind::Protection, 5)] {
        let of = |contestant| {
            let row = CONTESTANTS.iter().position(|(one, _)| *one == contestant);
            let column = KINDS.iter().position(|(one, _)| *one == kind);
            counts[row.expect("it is there") * KINDS.len() + column.expect("it is there")]
        };
        assert!(
            of(Contestant::SessionToken) <= most * of(Contestant::Identity),
            "what goes through `sessiontoken` takes more than {most} times what `identity` does"
        );
    }
}

/// Where callgrind's files begin.
fn run() -> PathBuf {
    let output = scratch().join("callgrind");
    let program = std::env::current_exe().expect("this program");
    let counted = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--dump-before=*mark_for_callgrind*"])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .arg(program)
        .env(COUNTED, COUNTED)
        .output()
        .unwrap_or_else(|error| {
            panic!("valgrind does not start ({error}): please install it (on Debian: apt-get install valgrind)")
        });
    assert!(
        counted.status.success(),
        "{}",
        String::from_utf8_lossy(&counted.stderr)
    );
    output
}

/// What each push took, for all kinds of the first contestant, then of the next.
fn counts(output: &Path) -> Vec<u64> {
    (0..CONTESTANTS.len() * KINDS.len())
        .map(|number| {
            // Numbered from 1; the odd ones hold what came before.
            let dump = output.with_extension((2 * number + 2).to_string());
            let text = fs::read_to_string(&dump)
                .unwrap_or_else(|error| panic!("{}: {error}", dump.display()));
            let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
            let total: u64 = totals
                .and_then(|totals| totals.trim().parse().ok())
                .expect("a dump has its total");
            total / PUSHES as u64
        })
        .collect()
}
