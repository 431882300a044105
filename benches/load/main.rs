// SPDX-License-Identifier: MIT OR Apache-2.0

//! What it costs to have the plugin: when GStreamer looks at it, when it is loaded, and in memory
//! and threads before and after the first tune. Beside it stands the plugin that downloads the
//! media, `soup`, which no such player is without.
//!
//! `cargo bench --bench load`; `-- inspect` and `-- memory` measure one part. That there is no
//! thread before the first tune is checked.

mod inspect;
mod memory;

use std::fs;
use std::path::{Path, PathBuf};

use gst::prelude::*;
use support::table::Wanted;
use support::{folders, subprocess};

fn main() {
    if let Some(arguments) = subprocess::arguments() {
        return memory::be_measured(&arguments[0], &arguments[1]);
    }
    let wanted = Wanted::from_arguments();
    if wanted.has("inspect") {
        inspect::measure();
    }
    if wanted.has("memory") {
        memory::measure();
    }
}

/// Which plugins GStreamer finds.
#[derive(Clone, Copy)]
enum Plugins {
    /// Its own elements only.
    Core,
    /// Those and ours.
    Ours,
    /// Those and `souphttpsrc`.
    Soup,
}

impl Plugins {
    /// A folder with these and no others.
    fn folder(self) -> PathBuf {
        let (name, plugin) = match self {
            Plugins::Core => ("core", None),
            Plugins::Ours => (
                "ours",
                Some(folders::plugin_folder().join("libgstsessiontoken.so")),
            ),
            Plugins::Soup => ("soup", Some(file_of("souphttpsrc"))),
        };
        let folder = folders::scratch().join(name);
        if !folder.exists() {
            fs::create_dir(&folder).expect("a scratch folder");
            for plugin in plugin.into_iter().chain([file_of("identity")]) {
                link(&plugin, &folder);
            }
        }
        folder
    }
}

fn link(plugin: &Path, folder: &Path) {
    let name = plugin.file_name().expect("a file has a name");
    std::os::unix::fs::symlink(plugin, folder.join(name)).expect("a link");
}

/// The plugin that an element of GStreamer's is in.
fn file_of(element: &str) -> PathBuf {
    gst::init().expect("GStreamer starts");
    let factory = gst::ElementFactory::find(element).expect("GStreamer has it");
    let plugin = factory.plugin().expect("it is in a plugin");
    plugin.filename().expect("a plugin is a file")
}
