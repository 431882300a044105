// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether there is a screen. Without one, a sink that `autovideosink` finds fails, or crashes
//! (GStreamer 1.22).

use std::env;

/// Whether to play into sinks that show nothing, where the command line asks for that
/// (`Some(true)`), for real ones, or for neither. Says so where nobody has asked for it.
pub fn takes_fake_sinks(program: &str, asked: Option<bool>) -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let has_screen = ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(is_set);
    asked.unwrap_or_else(|| {
        if !has_screen {
            eprintln!(
                "{program}: neither DISPLAY nor WAYLAND_DISPLAY is set, so nothing is shown or \
                 heard. --real-sinks tries it all the same."
            );
        }
        !has_screen
    })
}
