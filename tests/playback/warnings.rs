// SPDX-License-Identifier: MIT OR Apache-2.0

//! What GLib warns of. With `G_DEBUG=fatal_warnings` a warning ends the tests, and it is told whose
//! call it came from.

use std::backtrace::Backtrace;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use gst::glib;

use crate::child::run;

/// The name of the variable with what a process of its own warns of.
const TEXT: &str = "TEST_WARNING";

/// A race of GStreamer's, seen once in some ten runs of all tests, on a ghost pad of a bin. It is
/// between pads and does no harm: the events come again, in their order.
const RACE: &str = "Sticky event misordering, got 'caps' before 'stream-start'";

/// Takes over from GLib.
pub fn take_over() {
    let is_fatal = std::env::var("G_DEBUG").is_ok_and(|flags| flags.contains("fatal"));
    if !is_fatal {
        return;
    }
    // The writer decides.
    glib::log_set_always_fatal(glib::LogLevels::LEVEL_ERROR);
    glib::log_set_writer_func(|level, fields| {
        let written = glib::log_writer_default(level, fields);
        let is_warning = matches!(
            level,
            glib::LogLevel::Error | glib::LogLevel::Critical | glib::LogLevel::Warning
        );
        if is_warning {
            eprintln!("{}", Backtrace::force_capture());
            if !is_race(fields) {
                std::process::abort();
            }
        }
        written
    });
}

fn is_race(fields: &[glib::LogField<'_>]) -> bool {
    let message = fields.iter().find(|field| field.key() == "MESSAGE");
    message
        .and_then(|field| field.value_str())
        .is_some_and(|text| text.contains(RACE) && text.contains(":proxypad"))
}

/// In a process of its own, which this text is warned of in.
#[track_caller]
fn assert_ends(warning: &str, ends: bool) {
    let own = std::env::current_exe().expect("this program");
    let output = run(Command::new(own)
        .args(["--exact", "warnings::in_a_process_of_its_own", "--ignored"])
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
    crate::player::init();
    glib::g_warning!("GStreamer", "{text}");
}

#[test]
fn a_warning_ends_the_tests() {
    assert_ends(
        "Sticky event misordering, got 'segment' before 'caps'",
        true,
    );
}

#[test]
fn a_race_of_ghost_pads_is_told_alone() {
    assert_ends(&format!("<src_0:proxypad1> {RACE}"), false);
}
