// SPDX-License-Identifier: MIT OR Apache-2.0

//! The house: what a file may know. A rule about tokens that needs a pipeline to be tested has
//! gone astray, and here is where that shows.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that know neither GStreamer nor the network. A name that ends in a slash is a folder.
const PURE: [&str; 30] = [
    "auth_service/",
    "cenc/",
    "backoff.rs",
    "config/text.rs",
    "descriptors.rs",
    "error.rs",
    "files.rs",
    "flight.rs",
    "fuzz.rs",
    "hls/",
    "hlsdrmdemux/box_table.rs",
    "hlsdrmdemux/inside.rs",
    "hlsdrmdemux/paths.rs",
    "hlsdrmdemux/url_map.rs",
    "http/cookies.rs",
    "http/cookies/",
    "http/endpoint.rs",
    "http/headers.rs",
    "http/deadline.rs",
    "http/response.rs",
    "http/retry.rs",
    "http/tls.rs",
    "http/token_hosts.rs",
    "json.rs",
    "packing/",
    "problem_details.rs",
    "sample_aes/",
    "secret.rs",
    "session/",
    "wait.rs",
];

/// Rooms at the edge, and the one outside world that each may name.
const AT_THE_EDGE: [(&str, &[&str]); 14] = [
    ("clearkeydec/", &["gst", "glib"]),
    ("config/", &["gst", "glib"]),
    ("hlsdrmdemux/init_segments.rs", &["reqwest"]),
    ("hlsdrmdemux/presentation.rs", &["reqwest"]),
    ("hlsdrmdemux/segments.rs", &["reqwest"]),
    ("hlsdrmdemux/server.rs", &["reqwest"]),
    ("hlsdrmdemux/", &["gst", "glib"]),
    ("hold/", &["gst", "glib"]),
    ("http/", &["reqwest"]),
    ("lib.rs", &["gst", "glib"]),
    ("messages.rs", &["gst", "glib"]),
    ("runtime.rs", &[]),
    ("sessiontoken/", &["gst", "glib"]),
    ("hierarchy.rs", &["gst", "glib"]),
];

/// The worlds outside, by every name under which a crate could be reached.
const WORLDS: [(&str, &[&str]); 3] = [
    ("gst", &["gst", "gstreamer", "gst_base", "gst_check"]),
    ("glib", &["glib", "gobject_sys"]),
    ("reqwest", &["reqwest", "hyper", "tokio_tungstenite"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src can be listed") {
        let path = entry.expect("an entry of src").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The worlds that a file's code names; comments may speak of what they like.
fn named_worlds(code: &str) -> Vec<&'static str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    WORLDS
        .iter()
        .filter(|(_, names)| {
            code.lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .flat_map(|line| line.split(|c| !is_word(c)))
                .any(|word| names.contains(&word))
        })
        .map(|(world, _)| *world)
        .collect()
}

fn is_in(file: &str, room: &str) -> bool {
    file == room || (room.ends_with('/') && file.starts_with(room))
}

#[test]
fn each_file_stands_in_a_room_and_knows_only_what_the_room_may_know() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "only {} sources were found", files.len());
    for path in files {
        let file = path
            .strip_prefix(&root)
            .expect("a file below src")
            .to_string_lossy()
            .replace('\\', "/");
        let may_know = if PURE.iter().any(|room| is_in(&file, room)) {
            &[][..]
        } else {
            AT_THE_EDGE
                .iter()
                .find(|(room, _)| is_in(&file, room))
                .unwrap_or_else(|| {
                    panic!("src/{file} stands in no room: say in tests/rooms.rs what it may know")
                })
                .1
        };
        let code = fs::read_to_string(&path).expect("a source is text");
        for world in named_worlds(&code) {
            assert!(
                may_know.contains(&world),
                "src/{file} names {world}, which its room does not know"
            );
        }
    }
}

#[test]
fn a_breach_would_be_seen() {
    assert_eq!(named_worlds("use gst::prelude::*;"), ["gst"]);
    assert_eq!(
        named_worlds("    fn f(_: glib::Value, _: reqwest::Url) {}"),
        ["glib", "reqwest"]
    );
    assert_eq!(named_worlds("// gst and glib\nlet gst_like = 1;"), [""; 0]);
}
