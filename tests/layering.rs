// SPDX-License-Identifier: MIT OR Apache-2.0

//! The house: what a file may know. A rule about tokens that needs a pipeline to be tested has
//! gone astray, and here is where that shows. No two files need each other, by however many others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that know neither GStreamer nor the network. A name that ends in a slash is a folder.
const PURE: [&str; 64] = [
    "auth_service/",
    "backoff.rs",
    "bounded_map.rs",
    "cenc/",
    "check/probe.rs",
    "check/report.rs",
    "config/text.rs",
    "descriptors.rs",
    "echo.rs",
    "error.rs",
    "files.rs",
    "fuzz.rs",
    "fuzz/",
    "hls/",
    "hlsdrmdemux/box_table.rs",
    "hlsdrmdemux/inside.rs",
    "hlsdrmdemux/kept_playlists.rs",
    "hlsdrmdemux/key_response.rs",
    "hlsdrmdemux/paths.rs",
    "hlsdrmdemux/playlist_rewrite.rs",
    "hlsdrmdemux/playlist_rewrite_bounds.rs",
    "hlsdrmdemux/recent_digests.rs",
    "hlsdrmdemux/url_map.rs",
    "hold/core.rs",
    "hold/state.rs",
    "hold/state_tests.rs",
    "hold/stream.rs",
    "http/cookies.rs",
    "http/cookies/",
    "http/deadline.rs",
    "http/endpoint.rs",
    "http/headers.rs",
    "http/response.rs",
    "http/retry.rs",
    "http/tls.rs",
    "http/token_hosts.rs",
    "json.rs",
    "key_request/",
    "license/",
    "logout.rs",
    "ocdm/cdm_data.rs",
    "ocdm/init_data.rs",
    "ocdm/key_status.rs",
    "ocdm/key_system.rs",
    "ocdm/machine.rs",
    "ocdm/machine_tests.rs",
    "ocdm/machine_trouble_tests.rs",
    "ocdm/message.rs",
    "ocdm/phase.rs",
    "ocdm/request_format.rs",
    "ocdm/requester.rs",
    "ocdm/requesters.rs",
    "ocdm/session_events.rs",
    "ocdm/session_keys.rs",
    "ocdm/sessions.rs",
    "problem_details.rs",
    "random.rs",
    "sample_aes/",
    "session/",
    "shared_result.rs",
    "sync.rs",
    "token/",
    "tune/",
    "wait.rs",
];

/// Rooms at the edge, and the outside worlds that each may name.
const AT_THE_EDGE: [(&str, &[&str]); 26] = [
    ("api/", &["gst", "glib"]),
    ("bin/", &[]),
    ("check/", &["gst", "glib"]),
    ("clearkeydec/", &["gst", "glib"]),
    ("config/", &["gst", "glib"]),
    ("decryptor/", &["gst", "glib"]),
    ("hierarchy.rs", &["gst", "glib"]),
    ("hlsdrmdemux/init_segments.rs", &["reqwest"]),
    ("hlsdrmdemux/presentation.rs", &["reqwest", "tokio"]),
    ("hlsdrmdemux/segments.rs", &["reqwest", "tokio"]),
    ("hlsdrmdemux/server.rs", &["reqwest", "tokio"]),
    ("hlsdrmdemux/", &["gst", "glib", "tokio"]),
    ("hold/", &["gst", "glib"]),
    ("http/", &["reqwest", "tokio"]),
    ("lib.rs", &["gst", "glib"]),
    ("messages.rs", &["gst", "glib"]),
    ("ocdm/license_life.rs", &["tokio"]),
    ("ocdm/session_task.rs", &["tokio"]),
    ("ocdm/shared_session.rs", &["tokio"]),
    ("ocdm/", &["gst", "glib"]),
    ("ocdmdec/", &["gst", "glib"]),
    ("request_log.rs", &["gst"]),
    ("runtime.rs", &["tokio"]),
    ("sessiontoken/", &["gst", "glib", "tokio"]),
    ("tracer.rs", &["gst", "glib"]),
    ("value.rs", &["gst", "glib"]),
];

/// What pure rooms may name all the same: a session's task waits and publishes.
const EXCEPT: [(&str, &[&str]); 2] = [("session/", &["tokio"]), ("sync.rs", &["tokio"])];

/// The worlds outside, by every name under which a crate could be reached.
const WORLDS: [(&str, &[&str]); 4] = [
    ("gst", &["gst", "gstreamer", "gst_base", "gst_check"]),
    ("glib", &["glib", "gobject_sys"]),
    ("reqwest", &["reqwest", "hyper", "tokio_tungstenite"]),
    ("tokio", &["tokio"]),
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
fn source_files_have_layer_and_allowed_dependencies() {
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
            let except = EXCEPT.iter().find(|(room, _)| is_in(&file, room));
            except.map_or(&[][..], |(_, worlds)| worlds)
        } else {
            AT_THE_EDGE
                .iter()
                .find(|(room, _)| is_in(&file, room))
                .unwrap_or_else(|| {
                    panic!(
                        "src/{file} stands in no room: say in tests/layering.rs what it may know"
                    )
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
fn breach_would_be_seen() {
    assert_eq!(named_worlds("use gst::prelude::*;"), ["gst"]);
    assert_eq!(
        named_worlds("    fn f(_: glib::Value, _: reqwest::Url) {}"),
        ["glib", "reqwest"]
    );
    assert_eq!(named_worlds("// gst and glib\nlet gst_like = 1;"), [""; 0]);
}

// ---- Circles ----

/// A file's modules, from the crate's root on.
type Module = Vec<String>;

/// The files of the crate that are built into the plugin, by their modules.
struct Crate(BTreeMap<Module, Vec<Use>>);

/// One path that a file uses.
struct Use {
    path: Vec<String>,
    is_public: bool,
}

impl Crate {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        sources(&root, &mut files);
        let mut modules = BTreeMap::new();
        for path in files {
            let inner = path.strip_prefix(&root).expect("a file below src");
            let name = inner.to_string_lossy().replace('\\', "/");
            if name.ends_with("_tests.rs")
                || name.contains("/tests")
                || name.contains("rewrite_properties")
                || name == "fuzz.rs"
            {
                continue;
            }
            let mut module: Module = name
                .trim_end_matches(".rs")
                .split('/')
                .map(str::to_owned)
                .collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
                module.pop();
            }
            let code = fs::read_to_string(&path).expect("a source is text");
            modules.insert(module, uses(&code));
        }
        Self(modules)
    }

    /// The file in which that path of a file's ends, behind re-exports.
    fn resolve(&self, from: &Module, path: &[String], depth: u32) -> Option<Module> {
        let mut rest = path;
        let mut module: Module = match path.first()?.as_str() {
            "crate" => {
                rest = &rest[1..];
                Vec::new()
            }
            "self" => {
                rest = &rest[1..];
                from.clone()
            }
            "super" => {
                let up = rest.iter().take_while(|part| *part == "super").count();
                rest = &rest[up..];
                from[..from.len().checked_sub(up)?].to_vec()
            }
            _ => from.clone(),
        };
        let begins_inside = module != *from || path.len() != rest.len();
        let mut went = false;
        while let Some(part) = rest.first() {
            let below: Module = module.iter().chain([part]).cloned().collect();
            if !self.0.contains_key(&below) {
                break;
            }
            module = below;
            rest = &rest[1..];
            went = true;
        }
        if !begins_inside && !went {
            return None;
        }
        let exported = self
            .0
            .get(&module)?
            .iter()
            .find(|one| one.is_public && !rest.is_empty() && one.path.last() == rest.first());
        match exported {
            Some(one) if depth > 0 => self.resolve(&module, &one.path, depth - 1).or(Some(module)),
            _ => Some(module),
        }
    }

    /// The files that each file needs.
    fn needs(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        self.0
            .iter()
            .map(|(module, uses)| {
                let used = uses.iter().filter(|one| !one.is_public);
                let needed = used.filter_map(|one| self.resolve(module, &one.path, 8));
                (module, needed.filter(|other| other != module).collect())
            })
            .collect()
    }
}

/// The paths that a file's code uses, but for its tests.
fn uses(code: &str) -> Vec<Use> {
    let end = code.find("#[cfg(test)]\nmod tests").unwrap_or(code.len());
    let lines = code[..end].lines();
    let code: Vec<_> = lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let mut found = Vec::new();
    for statement in code.join(" ").split(';') {
        let Some(at) = statement.find("use ") else {
            continue;
        };
        let before = statement[..at].trim_end();
        let is_public = before.ends_with("pub") || before.ends_with(')');
        let begins = before.is_empty() || is_public || before.ends_with(['}', ']']);
        if begins {
            for path in expand(&statement[at + 4..]) {
                found.push(Use { path, is_public });
            }
        }
    }
    found
}

/// `a::{b, c::{d, e}}` as what it stands for.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let split = |path: &str| -> Vec<String> {
        let path = path.split(" as ").next().unwrap_or_default();
        let parts = path.split("::").map(|part| part.trim().to_owned());
        parts.filter(|part| !part.is_empty()).collect()
    };
    let Some(open) = tree.find('{') else {
        return vec![split(tree)];
    };
    let prefix = split(&tree[..open]);
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut depth, mut start, mut parts) = (0_u32, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[start..]);
    let trees = parts.into_iter().filter(|part| !part.trim().is_empty());
    trees
        .flat_map(expand)
        .map(|path| prefix.iter().cloned().chain(path).collect())
        .collect()
}

/// A circle among these, if there is one: who needs nobody is taken away until nobody is left.
fn circle<N: Ord + Clone>(needs: &BTreeMap<N, BTreeSet<N>>) -> BTreeSet<N> {
    let mut left: BTreeSet<N> = needs.keys().cloned().collect();
    loop {
        let free: Vec<_> = left
            .iter()
            .filter(|one| needs[*one].iter().all(|other| !left.contains(other)))
            .cloned()
            .collect();
        if free.is_empty() {
            return left;
        }
        free.iter().for_each(|one| {
            left.remove(one);
        });
    }
}

#[test]
fn files_have_no_circle() {
    let code = Crate::read();
    let needs = code.needs();
    let count: usize = needs.values().map(BTreeSet::len).sum();
    assert!(count > 300, "only {count} uses were found");
    let needs = needs
        .into_iter()
        .map(|(module, needed)| (module.clone(), needed))
        .collect();
    let circle = circle(&needs);
    let shown: Vec<_> = circle
        .iter()
        .map(|module| {
            let needed = needs[module].intersection(&circle);
            let needed: Vec<_> = needed.map(|other| other.join("::")).collect();
            format!("{} needs {}", module.join("::"), needed.join(" and "))
        })
        .collect();
    assert!(circle.is_empty(), "{shown:#?}");
}

#[test]
fn circle_would_be_seen() {
    let needs = |pairs: &[(&'static str, &[&'static str])]| {
        let pairs = pairs.iter();
        pairs
            .map(|(one, others)| (*one, others.iter().copied().collect()))
            .collect::<BTreeMap<_, BTreeSet<_>>>()
    };
    let fine = needs(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
    assert!(circle(&fine).is_empty());
    let round = needs(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &[])]);
    assert_eq!(circle(&round), ["a", "b", "c"].into());
    let paths: Vec<_> = uses("pub use a::{b, c::{d, e as f}};\nuse super::g;")
        .into_iter()
        .map(|one| (one.path.join("::"), one.is_public))
        .collect();
    let expected = [
        ("a::b", true),
        ("a::c::d", true),
        ("a::c::e", true),
        ("super::g", false),
    ];
    assert_eq!(
        paths,
        expected.map(|(path, public)| (path.to_owned(), public))
    );
}
