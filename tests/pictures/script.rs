// SPDX-License-Identifier: MIT OR Apache-2.0

//! The script that draws, and what the head-end has seen of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use headend::{Auth, Headend, secret_forms};
use support::folders::{plugin_folder, scratch};

use crate::picture::Picture;

const SCRIPT: &str = "scripts/pictures.py";

pub const PICTURES: [&str; 5] = [
    "pipeline.svg",
    "timeline.svg",
    "key-request.svg",
    "rejected-token.svg",
    "hls.svg",
];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A picture of the documentation.
pub fn documented(name: &str) -> Picture {
    Picture::read(&root().join("docs/pictures").join(name))
}

/// An empty folder of a test's own.
pub fn folder(name: &str) -> PathBuf {
    let folder = scratch().join(name);
    fs::create_dir(&folder).expect("a folder");
    folder
}

/// Has the script draw into this folder.
pub fn draw(headend: &Headend, folder: &Path) -> Output {
    Command::new("/usr/bin/python3")
        .arg(root().join(SCRIPT))
        .arg("--folder")
        .arg(folder)
        .arg(headend.url(""))
        .env("GST_PLUGIN_PATH", plugin_folder())
        .env("GST_REGISTRY", folder.join("registry"))
        .env("no_proxy", "localhost,127.0.0.1")
        .env_remove("GST_DEBUG")
        .env_remove("GST_SESSION_TOKEN_CONFIG")
        .env_remove("GST_PLUGIN_FEATURE_RANK")
        .stdin(Stdio::null())
        .output()
        .expect("/usr/bin/python3 runs (it needs python3-gi and gir1.2-gstreamer-1.0)")
}

/// All pictures, and the head-end that they were drawn with.
pub struct Drawn {
    pub headend: Headend,
    folder: PathBuf,
}

impl Drawn {
    /// Those of this run of the tests.
    pub fn once() -> &'static Self {
        static DRAWN: OnceLock<Drawn> = OnceLock::new();
        DRAWN.get_or_init(Self::new)
    }

    fn new() -> Self {
        let headend = Headend::start().expect("a head-end");
        // As `scripts/pictures` has it.
        headend.set_auth(Auth::GrantAfter(Duration::from_millis(200)));
        headend.set_media_delay(Duration::from_millis(70));
        let folder = folder("pictures");
        let output = draw(&headend, &folder);
        assert!(output.status.success(), "{output:?}");
        Self { headend, folder }
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).expect("the picture")
    }

    pub fn picture(&self, name: &str) -> Picture {
        Picture::read(&self.folder.join(name))
    }

    /// What must be in no picture.
    pub fn secrets(&self) -> Vec<String> {
        let licenses = self.headend.license_requests();
        let headers = licenses.iter().filter_map(|one| one.authorization.as_ref());
        let tokens = headers.filter_map(|header| header.strip_prefix("Bearer "));
        let tokens = tokens.map(str::to_owned);
        secret_forms().into_iter().chain(tokens).collect()
    }
}
