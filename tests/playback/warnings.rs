// SPDX-License-Identifier: MIT OR Apache-2.0

//! What GLib warns of. With `G_DEBUG=fatal_warnings` a warning ends the tests, and it is told whose
//! call it came from.

use std::backtrace::Backtrace;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::glib;

/// A race of GStreamer's, seen once in some ten runs of all tests, on a ghost pad of a bin. It is
/// between pads and does no harm: the events come again, in their order.
pub const RACE: &str = "Sticky event misordering, got 'caps' before 'stream-start'";

static ARE_EXPECTED: AtomicBool = AtomicBool::new(false);

/// From here on no warning ends anything: leaks are told by warnings.
#[allow(dead_code, reason = "the soak looks for leaks")]
pub fn expect() {
    ARE_EXPECTED.store(true, Ordering::Relaxed);
}

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
        if is_warning && !ARE_EXPECTED.load(Ordering::Relaxed) {
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
