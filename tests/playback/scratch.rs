// SPDX-License-Identifier: MIT OR Apache-2.0

//! Folders for what the tests write.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The folder of this test run.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("playback");
        let own = all.join(std::process::id().to_string());
        fs::create_dir_all(&own).expect("a scratch folder");
        for entry in fs::read_dir(&all).expect("the scratch folder") {
            let folder = entry.expect("an entry").path();
            let run = folder.file_name().expect("a folder has a name");
            if !Path::new("/proc").join(run).exists() {
                // A run that has ended. Another one that begins now may be clearing up too.
                let _ = fs::remove_dir_all(folder);
            }
        }
        own
    })
}

/// A new folder for one test.
pub fn scratch_folder() -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let folder = scratch().join(format!("folder-{number}"));
    fs::create_dir(&folder).expect("a scratch folder");
    folder
}

/// The test media.
pub fn media() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/media"))
}
