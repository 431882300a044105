// SPDX-License-Identifier: MIT OR Apache-2.0

//! Folders: the repository's, those of this run of a test program, one with the plugin, and those
//! with media.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The plugin as GStreamer finds it.
const PLUGIN: &str = "libgstsessiontoken.so";

/// The root of the repository.
pub fn repository() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2);
    root.expect("this crate is two folders below the root")
}

/// This program. Cargo leaves tests and benchmarks in the folder `deps` of a profile's.
fn program() -> PathBuf {
    std::env::current_exe().expect("this program has a path")
}

/// What this program is called, without the hash that Cargo puts behind it.
fn name(program: &Path) -> &str {
    let name = program.file_stem().and_then(|name| name.to_str());
    let name = name.expect("a program has a name");
    name.rsplit_once('-').map_or(name, |(name, _)| name)
}

/// Copies the files of a folder of media to a scratch folder.
pub fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a scratch folder");
    for entry in fs::read_dir(from).expect("the test media") {
        let entry = entry.expect("the test media");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("the test media");
    }
}

/// A folder of this run of the test program, which the next run clears away.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let program = program();
        // What Cargo calls CARGO_TARGET_TMPDIR, but not to a library.
        let target = program.ancestors().nth(3);
        let target = target.expect("programs are three folders below that of all builds");
        let all = target.join("tmp").join(name(&program));
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

/// A folder with our plugin and nothing else. The plugin lies beside the test program, among
/// libraries that GStreamer should not try to load.
pub fn plugin_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // Not the one in the folder above: `cargo test` does not bring that up to date.
        let plugin = program().with_file_name(PLUGIN);
        assert!(plugin.is_file(), "{} is not there", plugin.display());
        let folder = scratch().join("plugin");
        fs::create_dir(&folder).expect("a folder for the plugin");
        // A link of our own to this very file, in case somebody builds another while the tests run.
        fs::hard_link(plugin, folder.join(PLUGIN)).expect("a link to the plugin");
        folder
    })
}

/// The test media.
pub fn media() -> &'static Path {
    static MEDIA: OnceLock<PathBuf> = OnceLock::new();
    MEDIA.get_or_init(|| repository().join("tests/media"))
}

/// A folder with the protected media without sound.
pub fn without_sound() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = scratch().join("without-sound");
        fs::create_dir_all(folder.join("dash/cenc")).expect("a scratch folder");
        let from = media().join("dash/cenc");
        let to = folder.join("dash/cenc");
        for name in ["v_init.mp4", "v_1.m4s", "v_2.m4s", "v_3.m4s"] {
            fs::copy(from.join(name), to.join(name)).expect("the test media");
        }
        let manifest = fs::read_to_string(from.join("manifest.mpd")).expect("the manifest");
        let (before, sound) = manifest
            .split_once("<AdaptationSet id=\"1\" contentType=\"audio\"")
            .expect("the sound");
        let (_, after) = sound.split_once("</AdaptationSet>").expect("its end");
        fs::write(to.join("manifest.mpd"), format!("{before}{after}")).expect("a scratch file");
        folder
    })
}
