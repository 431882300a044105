// SPDX-License-Identifier: MIT OR Apache-2.0

//! What GLib warns of. With `G_DEBUG=fatal_warnings` a warning ends the tests, and it is told whose
//! call it came from.

use std::backtrace::Backtrace;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::glib;

/// A race between stock pads, seen once in some ten runs of all tests, on the ghost pad of a bin.
/// The events come again, in their order.
pub const RACE: &str = "Sticky event misordering, got 'caps' before 'stream-start'";

/// What stock GStreamer warns of: all of these in one message.
const STOCK: [&[&str]; 6] = [
    &[RACE, ":proxypad"],
    // hlsdemux2 of 1.26.2, where it is stopped while the playlist of another variant comes.
    &["string on structure field 'manifest-uri', but string is not valid UTF-8"],
    // The same message's other field.
    &["string on structure field 'uri', but string is not valid UTF-8"],
    // 1.26, of its own messages, where somebody has them as text.
    &["Could not serialize list/array value of type 'GstEvent'"],
    // A stop in the moment in which qtdemux adds a pad: `gst_element_add_pad` activates what the
    // stop has just deactivated, without its sticky events.
    &[":<qtdemux", "Got data flow before stream-start event"],
    &[":<qtdemux", "Got data flow before segment event"],
];

static ARE_EXPECTED: AtomicBool = AtomicBool::new(false);

/// From here on no warning ends anything: leaks are told by warnings.
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
            if !is_stock(fields) {
                std::process::abort();
            }
        }
        written
    });
}

fn is_stock(fields: &[glib::LogField<'_>]) -> bool {
    let message = fields.iter().find(|field| field.key() == "MESSAGE");
    let Some(text) = message.and_then(|field| field.value_str()) else {
        return false;
    };
    STOCK
        .iter()
        .any(|parts| parts.iter().all(|part| text.contains(part)))
}
