// SPDX-License-Identifier: MIT OR Apache-2.0

//! A test in a process of its own, because what it does to the system is done to all of a process.

use std::any::type_name;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use headend::Headend;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::cc;
use support::folders::scratch;
use support::rig::headend;
use support::subprocess::{order, run, this_program};

use crate::machine::{ORDERS, Orders};

/// Set in the child, to the test that it is to run.
const SUBPROCESS: &str = "FAULTS_SUBPROCESS";

/// Where the head-end of the test is, which is not in the child.
const AUTH_URL: &str = "FAULTS_AUTH_URL";
const THUNDER_URL: &str = "FAULTS_THUNDER_URL";
const LICENSE_URL: &str = "FAULTS_LICENSE_URL";

const DONE: &str = "done";

/// Something that the child has done outside of it.
pub type Order = (&'static str, fn(&Outside));

/// What is outside of the child.
pub struct Outside {
    pub headend: Headend,
    child: u32,
}

impl Outside {
    /// Tells the child something that its system does not tell it: to stop where it is, or to go
    /// on.
    pub fn signal(&self, signal: Signal) {
        let child = i32::try_from(self.child).expect("a process id");
        kill(Pid::from_raw(child), signal).expect("the child is there");
    }
}

/// In the child: what it knows of the head-end outside.
pub struct Inside {
    pub auth_url: String,
    pub thunder_url: String,
    pub license_url: String,
}

impl Inside {
    /// Has this done outside, and waits until it is.
    pub fn order(&self, name: &str) {
        assert_eq!(order(name), DONE);
    }
}

/// Runs the test that calls this in a process of its own, with a system that does as the test says.
pub fn in_subprocess<F: FnOnce()>(test: F) {
    with_outside::<F>(&[], |_| test());
}

/// As [`in_subprocess`], with a head-end that stays outside.
pub fn beside_a_headend<F: FnOnce(&Inside)>(orders: &[Order], test: F) {
    with_outside::<F>(orders, test);
}

fn with_outside<F>(orders: &[Order], test: impl FnOnce(&Inside)) {
    let name = name_of::<F>();
    if std::env::var(SUBPROCESS).as_deref() == Ok(name) {
        let url = |name| std::env::var(name).expect("the test sets it");
        return test(&Inside {
            auth_url: url(AUTH_URL),
            thunder_url: url(THUNDER_URL),
            license_url: url(LICENSE_URL),
        });
    }
    let mut outside = Outside {
        headend: headend(headend::Auth::Grant),
        child: 0,
    };
    let headend = &outside.headend;
    let file = scratch().join(name.replace("::", "-"));
    fs::write(&file, Orders::default().bytes()).expect("a file for orders");
    let mut command = this_program();
    command
        .args(["--exact", name, "--nocapture", "--include-ignored"])
        .env(SUBPROCESS, name)
        .env(ORDERS, &file)
        .env(AUTH_URL, headend.auth_url())
        .env(THUNDER_URL, headend.thunder_url())
        .env(LICENSE_URL, headend.license_url())
        // They may know `service.test`, or not.
        .env_remove("http_proxy")
        .env_remove("HTTP_PROXY")
        .env("LD_PRELOAD", library());
    let carry_out = |child, order: &str| {
        outside.child = child;
        let known = orders.iter().find(|(known, _)| *known == order);
        let (_, carry_out) = known.unwrap_or_else(|| panic!("no order {order}"));
        carry_out(&outside);
        DONE.to_owned()
    };
    let status = run(&mut command, carry_out, |line| println!("{line}"));
    assert!(status.success(), "{status}");
}

/// The test in which a closure stands, as the test program calls it.
fn name_of<F>() -> &'static str {
    let closure = type_name::<F>();
    let test = closure.split("::{{closure}}").next().unwrap_or(closure);
    test.split_once("::").map_or(test, |(_, path)| path)
}

fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| cc::library("tests/faults/system.c", &[]))
}
