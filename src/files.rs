// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files that a setting names: secrets and certificates, read with a bound and without blocking.

use std::fs::{File, OpenOptions, metadata, remove_file, rename};
use std::io::{Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::Failure;
use crate::token::Secret;

/// More than the standard library probes with before it reads into what it is given
/// (`default_read_to_end`, 32 bytes).
const LEAST_ROOM: usize = 64;

/// Longest text that is replaced.
const MAX_REPLACED: usize = 64 * 1024;

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

/// The one name of a file that may have several, where it is there.
pub fn canonical(path: &str) -> String {
    let canonical = std::fs::canonicalize(path).ok();
    let canonical = canonical.as_deref().and_then(Path::to_str);
    canonical.unwrap_or(path).to_owned()
}

/// What became of a file that was to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    Written,
    /// It holds something else than was expected, and stays as it is.
    Changed,
}

/// Replaces the text in a file, which only its owner can read then. At any moment, after a crash
/// too, there is the old text or the new one. `is_expected` is told the old one.
///
/// # Errors
///
/// `Misconfigured`, with the property's name and never the path or the content.
pub fn replace_text(
    path: &str,
    setting: &str,
    text: &Secret,
    is_expected: impl FnOnce(&Secret) -> bool,
) -> Result<Replaced, Failure> {
    let unwritable = |error: std::io::Error| {
        Failure::misconfigured(format!(
            "`{setting}` cannot be written: {error}: set it to a file in a folder that the player may write to"
        ))
    };
    // The file itself, where the setting names a link to it.
    let path = std::fs::canonicalize(path).map_err(unwritable)?;
    let name = path.to_str().ok_or_else(|| {
        Failure::misconfigured(format!("`{setting}` has a path that is not UTF-8"))
    })?;
    if !is_expected(&read_text(
        name,
        setting,
        text.expose().len().max(MAX_REPLACED),
    )?) {
        return Ok(Replaced::Changed);
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let draft = folder.join(format!(".{}.tmp", crate::random::uuid().simple()));
    let result = write_draft(&draft, text).and_then(|()| rename(&draft, &path));
    if result.is_err() {
        let _ = remove_file(&draft);
    }
    result.map_err(unwritable)?;
    // So that the new name outlives a crash as well. Where the system does not do that for folders
    // the file is replaced all the same.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(Replaced::Written)
}

/// A new file that only its owner can read, on the disk when this returns.
fn write_draft(path: &Path, text: &Secret) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()
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

    /// A folder of the test's own.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("sessiontoken-test-{}", crate::random::uuid());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).expect("a folder");
            Self(path)
        }

        fn path(&self, name: &str) -> String {
            self.0.join(name).to_str().expect("UTF-8").to_owned()
        }

        fn names(&self) -> Vec<String> {
            let entries = std::fs::read_dir(&self.0).expect("a folder");
            let names = entries.map(|entry| entry.expect("an entry").file_name());
            names
                .map(|name| name.into_string().expect("UTF-8"))
                .collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn replaced_file_is_private_and_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new();
        let path = folder.path("token");
        std::fs::write(&path, "old\n").expect("a file");
        let replace = |text: &str, expected: &str| {
            let expected = Secret::from(expected);
            replace_text(&path, "setting", &Secret::from(text), |found| {
                *found == expected
            })
        };
        assert_eq!(replace("new", "other"), Ok(Replaced::Changed));
        assert_eq!(replace("new", "old"), Ok(Replaced::Written));
        assert_eq!(std::fs::read(&path).expect("a file"), b"new");
        let mode = metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(folder.names(), ["token"]);
    }

    #[test]
    fn replacing_a_link_replaces_its_target() {
        let folder = Folder::new();
        let (target, link) = (folder.path("target"), folder.path("link"));
        std::fs::write(&target, "old").expect("a file");
        std::os::unix::fs::symlink(&target, &link).expect("a link");
        let replaced = replace_text(&link, "setting", &Secret::from("new"), |_| true);
        assert_eq!(replaced, Ok(Replaced::Written));
        assert_eq!(std::fs::read(&target).expect("a file"), b"new");
        assert!(
            std::fs::symlink_metadata(&link)
                .expect("a link")
                .is_symlink()
        );
    }

    #[test]
    fn file_that_cannot_be_replaced_is_named_by_its_property() {
        let folder = Folder::new();
        let path = folder.path("SECRET");
        let failure = replace_text(&path, "setting", &Secret::from("new"), |_| true);
        let failure = failure.expect_err("it is not there");
        assert!(
            failure.what.starts_with("`setting` cannot be written"),
            "{}",
            failure.what
        );
        assert!(!failure.what.contains("SECRET"), "{}", failure.what);
    }
}
