// SPDX-License-Identifier: MIT OR Apache-2.0

//! What this process has, and what it has taken so far.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use gst::glib;
use nix::sys::resource::{UsageWho, getrusage};

/// Between two looks at something that cannot be waited for.
const TICK: Duration = Duration::from_millis(5);

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(60);

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

    /// Once all that is on its way out has gone: connections close, and threads end, a moment after
    /// the last word.
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

    /// Whether there are no more of them than then, but for those that the plugin keeps for a
    /// while: where auth service and license server are one server, one for each of two timeouts.
    pub fn has_no_more_sockets(&self, before: &Self) -> bool {
        self.sockets() <= before.sockets() + 2
    }

    /// All other descriptors, by what they are.
    pub fn without_sockets(&self) -> BTreeMap<String, usize> {
        let mut descriptors = self.descriptors.clone();
        descriptors.remove("socket");
        descriptors
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
    status("RssAnon:")
}

/// That and what files it has mapped, its own code for one, in KiB.
pub fn resident_with_files() -> u64 {
    status("VmRSS:")
}

/// What this process has allocated and not freed, in KiB. What the allocator keeps for later does
/// not count.
pub fn allocated() -> u64 {
    // SAFETY: it only counts.
    let info = unsafe { libc::mallinfo2() };
    ((info.uordblks + info.hblkhd) / 1024) as u64
}

/// The most memory that this process has had at a time since [`forget_peak`], in KiB.
pub fn peak() -> u64 {
    status("VmHWM:")
}

/// Begins anew with [`peak`] (proc(5), `clear_refs`).
pub fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("Linux 4.0 or newer");
}

/// How many threads this process has.
pub fn thread_count() -> u64 {
    status("Threads:")
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

/// A figure of this process's.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure.and_then(|text| text.parse().ok()).expect("a number")
}
