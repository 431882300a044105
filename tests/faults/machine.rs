// SPDX-License-Identifier: MIT OR Apache-2.0

//! The system under a test that runs in a process of its own: its clocks, its threads, its file
//! descriptors.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use gst::prelude::*;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use support::rig::{PATIENCE, make};

/// Names the file that `system.c` reads.
pub const ORDERS: &str = "FAULTS_SYSTEM";

/// A name of this machine that has to be looked up, which `system.c` knows.
pub const SERVICE: &str = "service.test";

pub const HOUR: i64 = 3600;

/// Between two looks at something that cannot be waited for.
const TICK: Duration = Duration::from_millis(5);

/// What `system.c` is to do.
#[derive(Clone, Copy, Default)]
pub struct Orders {
    wall: i64,
    boot: i64,
    lookups_hang: bool,
    no_threads: bool,
}

impl Orders {
    pub fn bytes(&self) -> Vec<u8> {
        [
            self.wall,
            self.boot,
            self.lookups_hang.into(),
            self.no_threads.into(),
        ]
        .map(i64::to_ne_bytes)
        .concat()
    }
}

/// The system of this process.
pub struct Machine {
    file: File,
    orders: Mutex<Orders>,
}

impl Machine {
    pub fn new() -> Self {
        let path = std::env::var(ORDERS).expect("this test runs in a process of its own");
        Self {
            file: File::options().write(true).open(path).expect("its orders"),
            orders: Mutex::default(),
        }
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        let mut orders = self.orders.lock().expect("nobody panicked");
        change(&mut orders);
        let written = self.file.write_all_at(&orders.bytes(), 0);
        written.expect("the orders are written");
    }

    /// Sets the wall clock by so many seconds.
    pub fn set_clock(&self, by: i64) {
        let before = SystemTime::now();
        self.order(|orders| orders.wall += by);
        let jump = Duration::from_secs(by.unsigned_abs()) / 2;
        let (earlier, later) = match by > 0 {
            true => (before, SystemTime::now()),
            false => (SystemTime::now(), before),
        };
        let seen = later.duration_since(earlier).expect("it was set");
        assert!(seen > jump, "the clock of this process was not set");
    }

    /// The wall clock of a box without a battery: it has been on for a minute, and counts from
    /// 1970.
    pub fn forget_the_time(&self) -> i64 {
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
        let by = i64::try_from(now.as_secs()).expect("some decades") - 60;
        self.set_clock(-by);
        by
    }

    /// Lets so many seconds pass in which the system is suspended.
    pub fn suspend(&self, seconds: i64) {
        let awake = Instant::now();
        self.order(|orders| orders.boot += seconds);
        self.set_clock(seconds);
        assert!(awake.elapsed() < Duration::from_secs(60), "not suspended");
    }

    /// Whether looking up a name takes for ever.
    pub fn lookups_hang(&self, hang: bool) {
        self.order(|orders| orders.lookups_hang = hang);
    }

    /// Whether there are no more threads to be had.
    pub fn no_threads(&self, none: bool) {
        self.order(|orders| orders.no_threads = none);
        let spawned = thread::Builder::new().spawn(|| ());
        assert_eq!(spawned.is_err(), none, "threads of this process");
    }
}

/// All file descriptors that a process may have, until this is dropped.
pub struct Exhausted {
    held: Vec<File>,
    limits: (rlim_t, rlim_t),
}

impl Exhausted {
    /// Closes the connections of before: what one of them leaves free could be had again, and one
    /// that is kept needs no descriptor.
    pub fn new() -> Self {
        // A logout elsewhere, which leaves the sessions of others alone.
        let stranger = make("sessiontoken").build().expect("the plugin has it");
        stranger.emit_by_name::<()>("clear-token", &[]);
        let begun = Instant::now();
        while connections() > 0 {
            assert!(begun.elapsed() < PATIENCE, "connections stay open");
            thread::sleep(TICK);
        }
        Self::beside_connections()
    }

    /// Takes the descriptor of a connection that is about to be closed.
    pub fn take_one_more(&mut self) {
        let begun = Instant::now();
        loop {
            match File::open("/dev/null") {
                Ok(file) => return self.held.push(file),
                Err(_) => thread::sleep(TICK),
            }
            assert!(begun.elapsed() < PATIENCE, "no connection was closed");
        }
    }

    /// While connections are open that stay open.
    pub fn beside_connections() -> Self {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
        // None that is open may be above it: what waits for many of them at a time is given no more
        // than the limit says.
        let highest = descriptors().into_iter().max().expect("there are some");
        setrlimit(Resource::RLIMIT_NOFILE, highest + 1, hard).expect("a lower one is allowed");
        let mut held = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            held.push(file);
        }
        Self {
            held,
            limits: (soft, hard),
        }
    }
}

impl Drop for Exhausted {
    fn drop(&mut self) {
        self.held.clear();
        let (soft, hard) = self.limits;
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("the one from before");
    }
}

fn descriptors() -> Vec<rlim_t> {
    let entries = fs::read_dir("/proc/self/fd").expect("the process's descriptors");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect()
}

/// Connections of this process. GStreamer has sockets of its own, which are none.
fn connections() -> usize {
    let table = fs::read_to_string("/proc/self/net/tcp").expect("the system's connections");
    let inodes: Vec<_> = table
        .lines()
        .filter_map(|line| line.split_whitespace().nth(9))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let is_one = |number: &u64| {
        let target = fs::read_link(format!("/proc/self/fd/{number}"));
        target.is_ok_and(|target| {
            inodes
                .iter()
                .any(|inode| *inode == *target.to_string_lossy())
        })
    };
    descriptors().iter().filter(|number| is_one(number)).count()
}
