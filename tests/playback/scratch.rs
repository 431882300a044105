// SPDX-License-Identifier: MIT OR Apache-2.0

//! Folders for what the tests write.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::scratch;

/// A new folder for one test.
pub fn scratch_folder() -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let folder = scratch().join(format!("folder-{number}"));
    fs::create_dir(&folder).expect("a scratch folder");
    folder
}
