// SPDX-License-Identifier: MIT OR Apache-2.0

//! `gst-session-token-check-1.0`: says whether there is a session token, and if not, why.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A name that is no text cannot be a setting.
    let arguments = std::env::args_os().skip(1);
    gstsessiontoken::check::run(arguments.map(|one| one.to_string_lossy().into_owned()))
}
