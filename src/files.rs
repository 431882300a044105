// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files that a setting names: secrets and certificates, read with a bound and without blocking.

use std::fs::{File, metadata};
use std::io::Read;

use zeroize::Zeroizing;

use crate::error::Failure;
use crate::token::Secret;

/// More than the standard library probes with before it reads into what it is given
/// (`default_read_to_end`, 32 bytes).
const LEAST_ROOM: usize = 64;

/// Reads a file of at most `limit` bytes. `setting` is the property that names it, for the error.
///
/// # Errors
///
/// `Misconfigured`, with the property's name and never the path or the content.
pub fn read(path: &str, setting: &str, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::misconfigured(format!(
            "`{setting}` cannot be read: {error}: set it to a file that the player may read"
        ))
    };
    // Opening a pipe could block the player.
    if !metadata(path).map_err(unreadable)?.is_file() {
        return Err(Failure::misconfigured(format!(
            "`{setting}` is not a regular file"
        )));
    }
    let file = File::open(path).map_err(unreadable)?;
    // Of the file that is open: another one may have been put in its place.
    let length = file.metadata().map_err(unreadable)?.len();
    let length = match usize::try_from(length) {
        // Not known beforehand, as in `/proc`.
        Ok(0) | Err(_) => limit,
        Ok(length) => length.min(limit),
    };
    // In one piece from the start, so that no copy of a secret is left behind; what has little room
    // is read by way of the stack.
    let capacity = length.saturating_add(1).max(LEAST_ROOM);
    let mut content = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(length as u64 + 1)
        .read_to_end(&mut content)
        .map_err(unreadable)?;
    if content.len() > limit {
        return Err(Failure::misconfigured(format!(
            "`{setting}` is a file of more than {limit} bytes"
        )));
    }
    if content.len() > length {
        return Err(Failure::misconfigured(format!(
            "`{setting}` is a file that grew while it was read: rename a finished one to its name instead"
        )));
    }
    Ok(content)
}

/// Reads a text; white space around it does not count.
///
/// # Errors
///
/// As [`read`], and `Misconfigured` for what is not UTF-8.
pub fn read_text(path: &str, setting: &str, limit: usize) -> Result<Secret, Failure> {
    let content = read(path, setting, limit)?;
    let text = std::str::from_utf8(&content)
        .map_err(|_| Failure::misconfigured(format!("`{setting}` is a file that is not text")))?;
    Ok(Secret::from(text.trim()))
}

/// What to tell the user of a file with a secret that others than its owner may read.
pub fn warning(setting: &str, path: Option<&str>) -> Option<String> {
    path.is_some_and(is_open_to_others).then(|| {
        format!(
            "`{setting}` is a file that others than its owner may read: make it private (chmod 600)"
        )
    })
}

fn is_open_to_others(path: &str) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// A token that a daemon serves through a file system of its own could not be read.
    #[test]
    fn read_accepts_file_of_unknown_length() {
        let path = "/proc/self/status";
        assert_eq!(metadata(path).expect("it is there").len(), 0);
        let text = read(path, "setting", 64 * 1024).expect("it is read");
        assert!(text.starts_with(b"Name:"));
        assert!(read(path, "setting", 4).is_err());
    }
}
