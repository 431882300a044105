// SPDX-License-Identifier: MIT OR Apache-2.0

//! A wall of streams in one process, all with the token of one session, and one with a session for each: requests, connections, threads and memory.
//!
//! `cargo bench --bench sharing` measures both; `cargo bench --bench sharing -- elements` and `-- sessions` one of them. The head-end is in another
//! process than the elements. What `identity` takes in their place is what any element takes.

#[path = "../contestant/mod.rs"]
mod contestant;
#[path = "../table/mod.rs"]
mod table;
mod wall;

use headend::{Auth, Headend};

use contestant::Contestant;
use table::{Figures, head, row};
use wall::{Reading, Who};

/// Elements, or sessions.
const COUNTS: [usize; 4] = [1, 8, 64, 512];

const RUNS: usize = 5;

fn main() {
    if let Some(orders) = contestant::orders() {
        let orders: Vec<_> = orders.iter().map(String::as_str).collect();
        let [who, count, location] = orders[..] else {
            unreachable!("{orders:?}")
        };
        let count = count.parse().expect("a number");
        wall::stand(Who::named(who), count, location);
    }
    let wanted = table::Wanted::from_arguments();
    if wanted.has("elements") {
        elements();
    }
    if wanted.has("sessions") {
        sessions();
    }
}

/// What a wall came to.
#[derive(Default)]
struct Came {
    requests: Figures,
    connections: Figures,
    threads_waiting: Figures,
    threads: Figures,
    memory: Figures,
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
            &["KiB", "KiB each", "KiB each, `identity`"],
        ]
        .concat(),
    );
    for ((count, came), identity) in COUNTS.into_iter().zip(&tokens).zip(&identities) {
        let counts = came.counts();
        let memory = [
            came.memory.spread(),
            came.memory.shared_by(count).spread(),
            identity.memory.shared_by(count).spread(),
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
            &["KiB each", "KiB each, as many elements with one session"],
        ]
        .concat(),
    );
    for ((count, came), one) in COUNTS.into_iter().zip(&own).zip(&one) {
        let counts = came.counts();
        let memory = [
            came.memory.shared_by(count).spread(),
            one.memory.shared_by(count).spread(),
        ];
        print_row(count, &counts, &memory);
    }
}

/// Walls of all sizes. No time is measured, so those of a run stand at the same time.
fn measure<const N: usize>(who: [Who; N]) -> [[Came; COUNTS.len()]; N] {
    let mut all: [[Came; COUNTS.len()]; N] = std::array::from_fn(|_| Default::default());
    for _ in 0..RUNS {
        let walls = who.map(|who| COUNTS.map(|count| Wall::start(who, count)));
        let walls = walls.map(|walls| walls.map(Wall::begin));
        let walls = walls.map(|walls| walls.map(Waiting::release));
        for (walls, came) in walls.into_iter().zip(&mut all) {
            for (wall, came) in walls.into_iter().zip(came) {
                wall.end(came);
            }
        }
    }
    all
}

/// One with a head-end of its own.
struct Wall {
    headend: Headend,
    contestant: Contestant,
}

/// One that waits for its tokens.
struct Waiting {
    wall: Wall,
    /// What there was before it.
    before: Reading,
    requests: usize,
    connections: usize,
    /// How many threads it has added.
    threads: f64,
}

impl Wall {
    fn start(who: Who, count: usize) -> Self {
        let headend = Headend::start().expect("a head-end");
        let orders = [who.name(), &count.to_string(), &headend.auth_url()];
        let contestant = Contestant::start(&orders);
        Self {
            headend,
            contestant,
        }
    }

    fn begin(mut self) -> Waiting {
        let before: Reading = self.contestant.figures();
        let requests = self.headend.token_requests().len();
        let connections = self.headend.connections();
        self.headend.set_auth(Auth::Hang);
        self.contestant.go_on();
        let waiting: Reading = self.contestant.figures();
        Waiting {
            wall: self,
            before,
            requests,
            connections,
            threads: waiting[0] - before[0],
        }
    }
}

impl Waiting {
    fn release(self) -> Self {
        self.wall.headend.release();
        self
    }

    fn end(self, came: &mut Came) {
        let Wall {
            headend,
            mut contestant,
        } = self.wall;
        let after: Reading = contestant.figures();
        let requests = headend.token_requests().len() - self.requests;
        let connections = headend.connections() - self.connections;
        came.requests.add(requests as f64);
        came.connections.add(connections as f64);
        came.threads_waiting.add(self.threads);
        came.threads.add(after[0] - self.before[0]);
        came.memory.add(after[1] - self.before[1]);
    }
}
