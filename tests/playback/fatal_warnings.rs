// SPDX-License-Identifier: MIT OR Apache-2.0

//! The tests end where GLib warns of something, but for what is known.

use std::os::unix::process::ExitStatusExt;

use gst::glib;
use support::subprocess::this_program;
use support::warnings::RACE;

use crate::child::run;

/// The name of the variable with what a process of its own warns of.
const TEXT: &str = "TEST_WARNING";

/// In a process of its own, which this text is warned of in.
#[track_caller]
fn assert_ends(warning: &str, ends: bool) {
    let output = run(this_program()
        .args([
            "--exact",
            "fatal_warnings::in_a_process_of_its_own",
            "--ignored",
        ])
        .args(["--nocapture"])
        .env("G_DEBUG", "fatal_warnings")
        .env(TEXT, warning));
    assert_eq!(output.status.signal().is_some(), ends, "{output:?}");
    assert_eq!(output.status.success(), !ends, "{output:?}");
    assert!(output.stderr.contains(warning), "{output:?}");
    assert!(output.stderr.contains("g_logv"), "no backtrace: {output:?}");
}

#[test]
#[ignore = "the others run it"]
fn in_a_process_of_its_own() {
    let Ok(text) = std::env::var(TEXT) else {
        return;
    };
    support::player::init();
    glib::g_warning!("GStreamer", "{text}");
}

#[test]
fn warning_ends_the_tests() {
    assert_ends(
        "Sticky event misordering, got 'segment' before 'caps'",
        true,
    );
}

#[test]
fn race_of_ghost_pads_is_told_alone() {
    assert_ends(&format!("<src_0:proxypad1> {RACE}"), false);
}
