// SPDX-License-Identifier: MIT OR Apache-2.0

//! For tests that start processes: folders of their own, and one with the plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A folder of this run of the test program, which the next run clears away.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
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

/// A folder with our plugin and nothing else. The plugin lies beside the test program, among libraries that GStreamer should
/// not try to load.
pub fn plugin_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // Not the one in the folder above: `cargo test` does not bring that up to date.
        let program = std::env::current_exe().expect("this program");
        let plugin = program.with_file_name("libgstsessiontoken.so");
        assert!(plugin.is_file(), "{} is not there", plugin.display());
        let folder = scratch().join("plugin");
        fs::create_dir(&folder).expect("a folder for the plugin");
        // A link of our own to this very file, in case somebody builds another while the tests run.
        fs::hard_link(plugin, folder.join("libgstsessiontoken.so")).expect("a link to the plugin");
        folder
    })
}
