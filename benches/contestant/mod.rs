// SPDX-License-Identifier: MIT OR Apache-2.0

//! A contestant in a process of its own: time, memory, threads and sockets of that process are the contestant's. The benchmark starts itself again
//! for it, and the contestant says its figures in one line.

#![allow(dead_code, reason = "each benchmark takes what it needs")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// The first argument of a contestant, before its own.
const CONTESTANT: &str = "contestant";

/// What the line of figures begins with.
const FIGURES: &str = "figures:";

/// The arguments of this process, if it is a contestant.
pub fn orders() -> Option<Vec<String>> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next()? == CONTESTANT).then(|| arguments.collect())
}

/// Says some figures.
pub fn say(figures: &[f64]) {
    let texts: Vec<_> = figures.iter().map(f64::to_string).collect();
    println!("{FIGURES} {}", texts.join(" "));
}

/// Waits for the word to go on.
pub fn wait_to_go_on() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a word");
}

/// Waits to be ended: nobody measures how it stops.
pub fn rest() -> ! {
    loop {
        std::thread::park();
    }
}

/// One that runs. It is ended when this is dropped.
pub struct Contestant {
    child: Child,
    lines: BufReader<ChildStdout>,
    word: ChildStdin,
}

impl Contestant {
    /// Starts this program with those orders.
    pub fn start(orders: &[&str]) -> Self {
        Self::start_in(orders, &[])
    }

    /// The same with these in its environment.
    pub fn start_in(orders: &[&str], environment: &[(&str, &Path)]) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg(CONTESTANT)
            .args(orders)
            .env_remove("GST_DEBUG")
            .env_remove("GST_TRACERS")
            .env_remove("GST_SESSION_TOKEN_CONFIG")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        let word = child.stdin.take().expect("piped");
        Self { child, lines, word }
    }

    /// Has it go on, where it waits for that.
    pub fn go_on(&mut self) {
        writeln!(self.word).expect("it runs");
    }

    /// Waits for its figures.
    pub fn figures<const N: usize>(&mut self) -> [f64; N] {
        self.figures_unless_it_fails()
            .expect("it says its figures before it ends")
    }

    /// The same of one that may fail for reasons that are not ours.
    pub fn figures_unless_it_fails<const N: usize>(&mut self) -> Option<[f64; N]> {
        let mut lines = self.lines.by_ref().lines().map_while(Result::ok);
        let line = lines.find_map(|line| line.strip_prefix(FIGURES).map(str::to_owned))?;
        let figures = line.split_whitespace().map(|text| text.parse());
        let figures: Result<Vec<f64>, _> = figures.collect();
        let figures = figures.expect("numbers");
        Some(figures.try_into().expect("so many figures"))
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What all threads of this process have computed so far.
pub fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("of this process");
    let time = |time: nix::sys::time::TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).expect("no time before the start");
        let rest = u64::try_from(time.tv_usec()).expect("no time before the start");
        Duration::from_secs(seconds) + Duration::from_micros(rest)
    };
    time(usage.user_time()) + time(usage.system_time())
}

/// The most memory that this process has had at a time since [`forget_peak`], in KiB.
pub fn peak() -> f64 {
    status("VmHWM:")
}

/// The memory that is this process's own now, without that of files, in KiB.
pub fn resident() -> f64 {
    status("RssAnon:")
}

/// That and what files it has mapped, its own code for one, in KiB.
pub fn resident_with_files() -> f64 {
    status("VmRSS:")
}

/// How many threads this process has.
pub fn threads() -> f64 {
    status("Threads:")
}

/// Begins anew with [`peak`] (proc(5), `clear_refs`).
pub fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("Linux 4.0 or newer");
}

/// A figure of this process's.
fn status(name: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure.and_then(|text| text.parse().ok()).expect("a number")
}
