// SPDX-License-Identifier: MIT OR Apache-2.0

//! Many streams in one process, all with the token of one session, or each with one of its own:
//! requests, connections, threads and memory. GLib allocates as 2.76 and newer do, without the
//! hoards for each thread that it had before.
//!
//! `cargo bench --bench sharing` measures both; `cargo bench --bench sharing -- elements` and `--
//! sessions` one of them. The head-end is in another process than the elements. What `identity`
//! takes in their place is what any element takes.

mod many_streams;

use std::path::Path;

use headend::{Auth, Headend};
use support::subprocess::{self, Subprocess};
use support::table::Wanted;
use support::table::{Figures, head, row};

use many_streams::{Reading, Who};

/// Elements, or sessions.
const COUNTS: [usize; 4] = [1, 8, 64, 512];

const RUNS: usize = 5;

fn main() {
    if let Some(arguments) = subprocess::arguments() {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let [who, count, location] = arguments[..] else {
            unreachable!("{arguments:?}")
        };
        let count = count.parse().expect("a number");
        many_streams::play(Who::named(who), count, location);
    }
    let wanted = Wanted::from_arguments();
    if wanted.has("elements") {
        elements();
    }
    if wanted.has("sessions") {
        sessions();
    }
}

/// What so many streams came to.
#[derive(Default)]
struct Came {
    requests: Figures,
    connections: Figures,
    threads_waiting: Figures,
    threads: Figures,
    memory: Figures,
    allocated: Figures,
}

/// What is counted, in the order of [`Came::counts`].
const COUNTED: [&str; 4] = [
    "token requests",
    "connections",
    "threads while they wait",
    "threads then",
];

impl Came {
    fn counts(&self) -> [String; COUNTED.len()] {
        [
            &self.requests,
            &self.connections,
            &self.threads_waiting,
            &self.threads,
        ]
        .map(Figures::count)
    }
}

fn print_row(count: usize, counts: &[String], memory: &[String]) {
    let count = count.to_string();
    let cells = [&count].into_iter().chain(counts).chain(memory);
    row(&cells.map(String::as_str).collect::<Vec<_>>());
}

fn elements() {
    let [tokens, identities] = measure([Who::OneSession, Who::Identity]);
    head(
        &format!(
            "Elements with one session, what they add in {RUNS} runs: counts, and median (least–most)"
        ),
        &[
            &["elements"][..],
            &COUNTED,
            &[
                "KiB each",
                "KiB each, `identity`",
                "KiB each, allocated",
                "KiB each, allocated, `identity`",
            ],
        ]
        .concat(),
    );
    for ((count, came), identity) in COUNTS.into_iter().zip(&tokens).zip(&identities) {
        let counts = came.counts();
        let memory = [
            came.memory.shared_by(count).spread(),
            identity.memory.shared_by(count).spread(),
            came.allocated.shared_by(count).spread(),
            identity.allocated.shared_by(count).spread(),
        ];
        print_row(count, &counts, &memory);
    }
}

fn sessions() {
    let [own, one] = measure([Who::OwnSessions, Who::OneWarmSession]);
    head(
        &format!(
            "Elements with a session each, what they add to a process that has had one, in {RUNS} runs: counts, and median (least–most)"
        ),
        &[
            &["sessions"][..],
            &COUNTED,
            &[
                "KiB each",
                "KiB each, as many elements with one session",
                "KiB each, allocated",
                "KiB each, allocated, as many elements with one session",
            ],
        ]
        .concat(),
    );
    for ((count, came), one) in COUNTS.into_iter().zip(&own).zip(&one) {
        let counts = came.counts();
        let memory = [
            came.memory.shared_by(count).spread(),
            one.memory.shared_by(count).spread(),
            came.allocated.shared_by(count).spread(),
            one.allocated.shared_by(count).spread(),
        ];
        print_row(count, &counts, &memory);
    }
}

/// All numbers of streams. No time is measured, so those of a run play at the same time.
fn measure<const N: usize>(who: [Who; N]) -> [[Came; COUNTS.len()]; N] {
    let mut all: [[Came; COUNTS.len()]; N] = std::array::from_fn(|_| Default::default());
    for _ in 0..RUNS {
        let started = who.map(|who| COUNTS.map(|count| ManyStreams::start(who, count)));
        let waiting = started.map(|counts| counts.map(ManyStreams::begin));
        let released = waiting.map(|counts| counts.map(Waiting::release));
        for (counts, came) in released.into_iter().zip(&mut all) {
            for (streams, came) in counts.into_iter().zip(came) {
                streams.end(came);
            }
        }
    }
    all
}

/// So many streams, with a head-end of their own.
struct ManyStreams {
    headend: Headend,
    subprocess: Subprocess,
}

/// The same, waiting for their tokens.
struct Waiting {
    streams: ManyStreams,
    /// What there was before them.
    before: Reading,
    requests: usize,
    connections: usize,
    /// How many threads they have added.
    threads: f64,
}

impl ManyStreams {
    fn start(who: Who, count: usize) -> Self {
        let headend = Headend::start().expect("a head-end");
        let arguments = [who.name(), &count.to_string(), &headend.auth_url()];
        let as_newer_glib = [("G_SLICE", Path::new("always-malloc"))];
        let subprocess = Subprocess::start_in(&arguments, &as_newer_glib);
        Self {
            headend,
            subprocess,
        }
    }

    fn begin(mut self) -> Waiting {
        let before: Reading = self.subprocess.figures();
        let requests = self.headend.token_requests().len();
        let connections = self.headend.connections();
        self.headend.set_auth(Auth::Hang);
        self.subprocess.go_on();
        let waiting: Reading = self.subprocess.figures();
        Waiting {
            streams: self,
            before,
            requests,
            connections,
            threads: waiting[0] - before[0],
        }
    }
}

impl Waiting {
    fn release(self) -> Self {
        self.streams.headend.release();
        self
    }

    fn end(self, came: &mut Came) {
        let ManyStreams {
            headend,
            mut subprocess,
        } = self.streams;
        let after: Reading = subprocess.figures();
        let requests = headend.token_requests().len() - self.requests;
        let connections = headend.connections() - self.connections;
        came.requests.add(requests as f64);
        came.connections.add(connections as f64);
        came.threads_waiting.add(self.threads);
        came.threads.add(after[0] - self.before[0]);
        came.memory.add(after[1] - self.before[1]);
        came.allocated.add(after[2] - self.before[2]);
    }
}
