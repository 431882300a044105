// SPDX-License-Identifier: MIT OR Apache-2.0

//! A part of a test in a process of its own, so that every thread, descriptor and page in it is that part's. The head-end, whose record
//! grows, stays in the test's process.
//!
//! The two talk by lines: orders come on the child's standard error, and each is answered on its standard input when it has been carried out.

#![allow(dead_code, reason = "each test program takes what it needs")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gst::glib;

/// What an order begins with.
const ORDER: &str = "order: ";

/// Between two looks at something that cannot be waited for.
const TICK: Duration = Duration::from_millis(5);

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Kills the child where the test fails before that has ended.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The child: another test of this program, which is ignored otherwise.
pub fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the test's own program"));
    command
        .args(["--exact", test, "--ignored", "--nocapture"])
        // What is freed is to be seen as free: one heap, and no hoards beside it.
        .env("MALLOC_ARENA_MAX", "1")
        .env("G_SLICE", "always-malloc")
        .env_remove("GST_DEBUG")
        .env_remove("GST_TRACERS")
        .env_remove("GST_SESSION_TOKEN_CONFIG");
    command
}

/// Runs the child to its end. Has its orders carried out, by its process id and their words, whose answers are a line each, and its other
/// lines read.
pub fn run(
    child: &mut Command,
    mut carry_out: impl FnMut(u32, &str) -> String,
    mut read: impl FnMut(&str),
) -> ExitStatus {
    let mut child = child
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map(Killed)
        .expect("the test's own program runs");
    let id = child.0.id();
    let mut answers = child.0.stdin.take().expect("piped");
    let lines = BufReader::new(child.0.stderr.take().expect("piped")).lines();
    for line in lines {
        let line = line.expect("text");
        match line.strip_prefix(ORDER) {
            Some(order) => {
                let answer = carry_out(id, order);
                // Who has crashed meanwhile says so by their end.
                let _ = writeln!(answers, "{answer}");
            }
            None => read(&line),
        }
    }
    child.0.wait().expect("its end")
}

/// In the child: has the test do that, and gives its answer.
pub fn order(what: &str) -> String {
    eprintln!("{ORDER}{what}");
    let mut answer = String::new();
    let answered = std::io::stdin().lock().read_line(&mut answer);
    assert!(
        answered.expect("the test answers") > 0,
        "the test has ended"
    );
    answer.trim_end().to_owned()
}

/// What a process has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readings {
    /// By name.
    pub threads: BTreeMap<String, usize>,
    /// By what they are.
    pub descriptors: BTreeMap<String, usize>,
    /// KiB.
    pub resident: u64,
}

impl Readings {
    /// This process's.
    pub fn now() -> Self {
        // Those of GLib's that have nothing to do; it keeps some for a while.
        glib::ThreadPool::stop_unused_threads();
        let count = |names: Vec<String>| {
            let mut counts = BTreeMap::new();
            for name in names {
                *counts.entry(name).or_default() += 1;
            }
            counts
        };
        Self {
            threads: count(threads()),
            descriptors: count(descriptors()),
            resident: resident(),
        }
    }

    /// Once all that is on its way out has gone: connections close, and threads end, a moment after the last word.
    #[track_caller]
    pub fn settled(is_settled: impl Fn(&Self) -> bool) -> Self {
        let begun = Instant::now();
        loop {
            let now = Self::now();
            if is_settled(&now) {
                return now;
            }
            assert!(begun.elapsed() < PATIENCE, "left behind: {now}");
            thread::sleep(TICK);
        }
    }

    /// Those that lead anywhere. GLib's network monitor, which newer libsoups begin, listens to the
    /// kernel on another one for good.
    pub fn sockets(&self) -> usize {
        self.descriptors.get("socket").copied().unwrap_or_default()
    }
}

impl fmt::Display for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            threads,
            descriptors,
            resident,
        } = self;
        write!(
            f,
            "threads {threads:?}, descriptors {descriptors:?}, {resident} KiB"
        )
    }
}

/// GLib's own (2.78 and newer): it starts the threads of its pools, and stays.
const SPAWNER: &str = "pool-spawner";

/// The names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    tasks
        .map(|task| task.expect("an entry").path().join("comm"))
        // It may have ended meanwhile.
        .filter_map(|name| fs::read_to_string(name).ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| name != SPAWNER)
        .collect()
}

/// What this process's descriptors are, without their numbers.
fn descriptors() -> Vec<String> {
    let open = fs::read_dir("/proc/self/fd").expect("Linux");
    let to_kernel = netlink_sockets();
    open.filter_map(|entry| fs::read_link(entry.expect("an entry").path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .map(|target| match target.split_once(":[") {
            Some(("socket", number)) if to_kernel.contains(number.trim_end_matches(']')) => {
                "netlink socket".to_owned()
            }
            Some((kind, _)) => kind.to_owned(),
            None => target,
        })
        // The one through which this is read.
        .filter(|target| !target.starts_with("/proc/"))
        .collect()
}

/// The numbers of the system's sockets to the kernel.
fn netlink_sockets() -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/self/net/netlink").unwrap_or_default();
    let numbers = table
        .lines()
        .filter_map(|line| line.split_whitespace().last());
    numbers.map(str::to_owned).collect()
}

/// The memory that is this process's own, without that of files, in KiB.
pub fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure.and_then(|text| text.parse().ok()).expect("a number")
}
