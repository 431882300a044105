// SPDX-License-Identifier: MIT OR Apache-2.0

//! `gst-inspect-1.0`: with a new registry GStreamer looks at every plugin, with an old one it loads
//! the one that is asked for.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::folders::scratch;
use support::table::{Figures, head, row};

use crate::Plugins;

const RUNS: usize = 25;

const CONTESTANTS: [(Plugins, &str, &str); 3] = [
    (Plugins::Core, "identity", "GStreamer's own elements"),
    (Plugins::Ours, "sessiontoken", "and `sessiontoken`"),
    (Plugins::Soup, "souphttpsrc", "and `soup`"),
];

pub fn measure() {
    let title = format!("`gst-inspect-1.0`, ms: median of {RUNS} (least–most)");
    head(
        &title,
        &[
            "plugins",
            "new registry, `identity`",
            "old registry, `identity`",
            "old registry, an element of the plugin",
        ],
    );
    let mut figures: [[Figures; 3]; CONTESTANTS.len()] = Default::default();
    for run in 0..=RUNS {
        for ((plugins, element, _), figures) in CONTESTANTS.iter().zip(&mut figures) {
            let registry = scratch().join("registry");
            // There is none in the first run.
            let _ = fs::remove_file(&registry);
            let times = [
                inspect(*plugins, &registry, "identity"),
                inspect(*plugins, &registry, "identity"),
                inspect(*plugins, &registry, element),
            ];
            // The first one reads the files from the disk.
            if run > 0 {
                for (figures, time) in figures.iter_mut().zip(times) {
                    figures.add_time(time);
                }
            }
        }
    }
    for ((_, _, name), figures) in CONTESTANTS.iter().zip(&figures) {
        let spreads = figures.each_ref().map(Figures::spread);
        row(&[name, &spreads[0], &spreads[1], &spreads[2]]);
    }
}

fn inspect(plugins: Plugins, registry: &Path, element: &str) -> Duration {
    let start = Instant::now();
    let status = Command::new("gst-inspect-1.0")
        .arg(element)
        .env("GST_PLUGIN_SYSTEM_PATH", plugins.folder())
        .env("GST_PLUGIN_PATH", "")
        .env("GST_REGISTRY", registry)
        .stdout(Stdio::null())
        .status()
        .expect("gst-inspect-1.0 starts");
    assert!(status.success(), "{element}");
    start.elapsed()
}
