// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long it takes to fetch a token, beside a player that does it by itself with libcurl's easy
//! interface on the same server: `cargo bench --bench fetch`. It needs libcurl's development files
//! (on Debian: libcurl4-openssl-dev).

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use gst::prelude::*;
use headend::certificates::Authority;
use headend::{Headend, Tls};
use support::pad_harness::PadHarness;
use support::subprocess::{self, Subprocess};
use support::table::{Figures, head, row};
use support::{cc, rig};

/// Processes of each contestant.
const PROCESSES: usize = 15;

/// Fetches of each contestant.
const FETCHES: usize = 200;

fn main() {
    if let Some(arguments) = subprocess::arguments() {
        rig::init();
        let (time, _) = tune(&arguments[0], &arguments[1]);
        return subprocess::say(&[time.as_secs_f64()]);
    }
    let curl = cc::program("benches/fetch/curl.c", &["libcurl"]);
    let plain = Headend::start().expect("a head-end");
    let authority = Authority::new();
    let identity = authority.server(&["localhost"]);
    let secure = Headend::start_tls(Tls {
        certificate_chain: identity.certificate,
        private_key: identity.key,
        client_roots: None,
    })
    .expect("a head-end");
    let file = rig::File::new(authority.pem());
    let servers = [(&plain, String::new()), (&secure, file.path())];
    head(
        &format!(
            "Until there is a token, ms: median (least–most) of {PROCESSES} processes, or {FETCHES} fetches"
        ),
        &["who", "when", "http", "https"],
    );
    for (who, when, run) in CONTESTANTS {
        let cells = servers.each_ref().map(|(headend, authorities)| {
            let mut figures = Figures::default();
            for time in run(&curl, headend, authorities) {
                figures.add_time(time);
            }
            figures.spread()
        });
        row(&[who, when, &cells[0], &cells[1]]);
    }
}

type Run = fn(&Path, &Headend, &str) -> Vec<Duration>;

const CONTESTANTS: [(&str, &str, Run); 7] = [
    (
        "libcurl",
        "first in the process",
        |curl, headend, authorities| {
            (0..PROCESSES)
                .flat_map(|_| by_curl(curl, headend, authorities, "first"))
                .collect()
        },
    ),
    (
        "`sessiontoken`",
        "first in the process",
        |_, headend, authorities| {
            (0..PROCESSES)
                .map(|_| in_a_process(headend, authorities))
                .collect()
        },
    ),
    (
        "libcurl",
        "a handle of its own for each",
        |curl, headend, authorities| by_curl(curl, headend, authorities, "new"),
    ),
    (
        "libcurl",
        "one handle, which keeps its connection",
        |curl, headend, authorities| by_curl(curl, headend, authorities, "same"),
    ),
    (
        "`sessiontoken`",
        "after a logout",
        |_, headend, authorities| {
            rig::init();
            let location = headend.auth_url();
            (0..=FETCHES)
                .map(|_| {
                    let (time, harness) = tune(&location, authorities);
                    harness.element().emit_by_name::<()>("clear-token", &[]);
                    time
                })
                .skip(1)
                .collect()
        },
    ),
    (
        "`sessiontoken`",
        "for another account, on a kept connection",
        |_, headend, authorities| {
            rig::init();
            let location = headend.auth_url();
            let account = |number| format!("{location}?account={number}");
            (0..=FETCHES)
                .map(|number| tune(&account(number), authorities).0)
                .skip(1)
                .collect()
        },
    ),
    (
        "`sessiontoken`",
        "the token at hand, for comparison",
        |_, headend, authorities| {
            rig::init();
            let location = headend.auth_url();
            let (_, _first) = tune(&location, authorities);
            (0..FETCHES)
                .map(|_| tune(&location, authorities).0)
                .collect()
        },
    ),
];

fn by_curl(curl: &Path, headend: &Headend, authorities: &str, way: &str) -> Vec<Duration> {
    let fetches = FETCHES.to_string();
    times(Command::new(curl).args([&headend.auth_url(), authorities, way, &fetches]))
}

fn in_a_process(headend: &Headend, authorities: &str) -> Duration {
    let mut process = Subprocess::start(&[&headend.auth_url(), authorities]);
    let [seconds] = process.figures();
    Duration::from_secs_f64(seconds)
}

/// What that program prints: microseconds, a line each.
fn times(program: &mut Command) -> Vec<Duration> {
    let output = program.output().expect("it starts");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    let text = str::from_utf8(&output.stdout).expect("figures");
    text.lines()
        .map(|line| Duration::from_micros(line.parse().expect("a figure")))
        .collect()
}

/// From going to PLAYING until a protection event has left with the token.
fn tune(location: &str, authorities: &str) -> (Duration, PadHarness) {
    let mut builder = rig::make("sessiontoken").property("location", location);
    if !authorities.is_empty() {
        builder = builder.property("ssl-ca-file", authorities);
    }
    let element = builder.build().expect("it is there");
    let start = Instant::now();
    let harness = PadHarness::around(Some(element));
    harness.push_event(rig::protections()[0].clone());
    // Waits until all has left.
    harness.push_event(gst::event::Eos::new());
    (start.elapsed(), harness)
}
