// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pictures of the documentation, drawn anew into a folder of the test's own: from a pipeline
//! that plays, with a real head-end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use headend::{Auth, Headend, secret_forms};
use quick_xml::Reader;
use quick_xml::events::Event;
use support::folders::{plugin_folder, scratch};

const SCRIPT: &str = "scripts/pictures.py";

/// What the script plays, by the README's line for a written-out pipeline.
const ELEMENTS: [&str; 11] = [
    "souphttpsrc",
    "dashdemux",
    "qtdemux",
    "sessiontoken",
    "clearkeydec",
    "h264parse",
    "avdec_h264",
    "fakevideosink",
    "aacparse",
    "avdec_aac",
    "fakeaudiosink",
];

/// What is beside them.
const SERVERS: [&str; 2] = ["auth service", "license server"];

const STEPS: [&str; 8] = [
    "manifest",
    "init segments",
    "first segments",
    "token request",
    "protection event held",
    "license request",
    "first decrypted buffer",
    "first picture",
];

/// Those of the script: one to load plugins, and five of each kind.
const RUNS: usize = 11;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An empty folder of a test's own.
fn folder(name: &str) -> PathBuf {
    let folder = scratch().join(name);
    fs::create_dir(&folder).expect("a folder");
    folder
}

/// Has the script draw into this folder.
fn draw(headend: &Headend, folder: &Path) -> Output {
    Command::new("/usr/bin/python3")
        .arg(root().join(SCRIPT))
        .args(["--location", &headend.auth_url(), "--folder"])
        .arg(folder)
        .arg(headend.manifest_url())
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

/// What a picture says.
struct Picture {
    /// The content of its elements `text`, in their order.
    texts: Vec<String>,
    title: String,
    description: String,
}

impl Picture {
    /// Reads it from beginning to end, which must be one element `svg`.
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("the picture");
        assert!(text.len() < 20_000, "{}: {}", path.display(), text.len());
        let mut picture = Self {
            texts: Vec::new(),
            title: String::new(),
            description: String::new(),
        };
        let mut reader = Reader::from_str(&text);
        let mut open: Vec<String> = Vec::new();
        loop {
            let event = reader
                .read_event()
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            match event {
                Event::Start(start) => {
                    let name = start.name().as_ref().to_owned();
                    assert!(!open.is_empty() || name == "svg", "{name}");
                    open.push(name);
                }
                Event::End(_) => drop(open.pop()),
                Event::Text(text) => {
                    let text = text.to_string();
                    match open.last().map(String::as_str) {
                        Some("text") => picture.texts.push(text),
                        Some("title") if open.len() == 2 => picture.title = text,
                        Some("desc") => picture.description = text,
                        _ => {}
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(open, Vec::<String>::new(), "{}", path.display());
        picture
    }

    #[track_caller]
    fn assert_names(&self, what: &[&str], times: usize) {
        for name in what {
            let count = self.texts.iter().filter(|text| text == name).count();
            assert_eq!(count, times, "{name} in {:?}", self.texts);
        }
    }

    #[track_caller]
    fn assert_is_the_pipeline(&self) {
        let (single, double): (Vec<_>, Vec<_>) = ELEMENTS
            .iter()
            .partition(|name| !["qtdemux", "sessiontoken", "clearkeydec"].contains(name));
        self.assert_names(&single, 1);
        self.assert_names(&double, 2);
        self.assert_names(&SERVERS, 1);
        // An event has its token behind our element, and not before it.
        self.assert_names(&["protection events"], 4);
        self.assert_names(&["with the token"], 2);
        for said in [
            "qtdemux to sessiontoken (application/x-cenc, protection events);",
            "sessiontoken to clearkeydec (application/x-cenc, protection events with the token);",
            "clearkeydec to h264parse (video/x-h264);",
        ] {
            assert!(self.description.contains(said), "{}", self.description);
        }
        self.assert_is_introduced();
    }

    #[track_caller]
    fn assert_is_the_timeline(&self) {
        self.assert_names(&STEPS, 2);
        self.assert_names(&["prefetch=true (the default)", "prefetch=false"], 1);
        self.assert_is_introduced();
    }

    /// Who cannot see it is told, and so is who wants to draw it anew.
    #[track_caller]
    fn assert_is_introduced(&self) {
        assert!(!self.title.is_empty());
        let description = &self.description;
        assert!(description.contains("scripts/pictures"), "{description}");
    }

    /// When this step ended, in ms, with `prefetch` and without.
    fn ends(&self, step: &str) -> [u32; 2] {
        let of = |kind| {
            let (_, told) = self.description.split_once(kind).expect("the kind");
            let (told, _) = told.split_once('.').expect("the end of the sentence");
            let mut steps = told.split(", ");
            let step = steps.find_map(|one| one.trim_start().strip_prefix(step));
            let time = step.and_then(|one| one.strip_suffix(" ms"));
            let time = time.and_then(|one| one.rsplit(' ').next());
            time.expect("the step").parse().expect("a time")
        };
        ["With prefetch=true: ", "With prefetch=false: "].map(of)
    }
}

/// A newcomer would look at a pipeline that nobody has, or at times that nobody has seen.
#[test]
fn pictures_show_playing_pipeline_and_its_timeline() {
    let headend = Headend::start().expect("a head-end");
    // As `scripts/pictures` has it.
    headend.set_auth(Auth::GrantAfter(Duration::from_millis(200)));
    headend.set_media_delay(Duration::from_millis(70));
    let folder = folder("pictures");
    let output = draw(&headend, &folder);
    assert!(output.status.success(), "{output:?}");

    // Each run was a first tune, and one request served both streams.
    assert_eq!(headend.token_requests().len(), RUNS);
    let licenses = headend.license_requests();
    assert_eq!(licenses.len(), RUNS);
    assert!(licenses.iter().all(|license| license.token_valid));

    Picture::read(&folder.join("pipeline.svg")).assert_is_the_pipeline();
    let timeline = Picture::read(&folder.join("timeline.svg"));
    timeline.assert_is_the_timeline();
    let [manifest, _] = timeline.ends("manifest");
    assert!(manifest >= 70, "{manifest}");
    // Whatever the machine does besides: the request cannot end before it has begun, after two
    // files.
    let [_, without_prefetch] = timeline.ends("token request");
    assert!(without_prefetch >= 340, "{without_prefetch}");

    let mut secrets = secret_forms();
    secrets.push(headend.token());
    for name in ["pipeline.svg", "timeline.svg"] {
        let text = fs::read_to_string(folder.join(name)).expect("the picture");
        assert!(
            !secrets.iter().any(|secret| text.contains(secret)),
            "{name}"
        );
    }
}

/// An author of the documentation would keep a picture of a tune that failed.
#[test]
fn tune_that_fails_is_not_drawn() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Reply {
        status: 403,
        content_type: "text/plain".to_owned(),
        body: String::new(),
    });
    let folder = folder("no-pictures");
    let output = draw(&headend, &folder);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("pictures: ") && said.contains("HTTP 403"),
        "{said}"
    );
    assert!(!folder.join("pipeline.svg").exists());
    assert!(!folder.join("timeline.svg").exists());
}

/// The documentation would show something else than the script draws, or nothing.
#[test]
fn documentation_shows_both_pictures_whole() {
    let pictures = root().join("docs/pictures");
    Picture::read(&pictures.join("pipeline.svg")).assert_is_the_pipeline();
    Picture::read(&pictures.join("timeline.svg")).assert_is_the_timeline();
    for (document, picture) in [
        ("README.md", "(docs/pictures/pipeline.svg)"),
        ("docs/applications.md", "(pictures/timeline.svg)"),
    ] {
        let text = fs::read_to_string(root().join(document)).expect("a document");
        assert!(text.contains(picture), "{document} does not show {picture}");
    }
}
