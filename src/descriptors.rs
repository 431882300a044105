// SPDX-License-Identifier: MIT OR Apache-2.0

//! File descriptors, when there are none left: a player that leaks them, or a box with a low limit.

use std::fs::File;
use std::io;

/// For the end of a sentence about what could not be done.
pub const NONE_LEFT: &str =
    "too many open files: this player, or the system, has as many as it may (`ulimit -n`)";

/// Whether that failed for want of one.
pub fn were_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Whether there is none at this moment, for those who are told no more than that something failed.
pub fn are_missing() -> bool {
    File::open("/").is_err_and(|error| were_missing(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_exhaustion_is_emfile_or_enfile() {
        for code in [libc::EMFILE, libc::ENFILE] {
            assert!(were_missing(&io::Error::from_raw_os_error(code)));
        }
        for code in [libc::ENOENT, libc::ECONNREFUSED, libc::EAGAIN] {
            assert!(!were_missing(&io::Error::from_raw_os_error(code)));
        }
        assert!(!were_missing(&io::ErrorKind::Other.into()));
        assert!(!are_missing());
    }
}
