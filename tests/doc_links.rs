// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the documents name is there: constants with their files, paths of this repository, and a
//! test for each fault. So are the tests that scripts leave out.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

const DOCUMENTS: [&str; 5] = [
    "docs/architecture.md",
    "docs/faults.md",
    "docs/security.md",
    "docs/troubleshooting.md",
    "docs/versions.md",
];

/// Where what is named may be.
const FOLDERS: [&str; 8] = [
    "benches/",
    "ciphers/",
    "docs/",
    "examples/",
    "fuzz/",
    "scripts/",
    "src/",
    "tests/",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What stands between backticks in a line.
fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whoever looks for a bound would not find it, or a bound would be gone and the document still
/// promise it.
#[test]
fn security_doc_constants_exist_in_named_files() {
    let notes = read("docs/security.md");
    let rows = notes.lines().filter(|line| line.starts_with('|'));
    let mut found = 0;
    for row in rows {
        let Some((_, last)) = row.trim_end_matches([' ', '|']).rsplit_once('|') else {
            continue;
        };
        let link = last.trim().strip_prefix("[`");
        let link = link.and_then(|link| link.strip_suffix(')'));
        let Some((name, file)) = link.and_then(|link| link.split_once("`](../")) else {
            continue;
        };
        assert!(read(file).contains(&format!("const {name}: ")), "{row}");
        found += 1;
    }
    // All rows of the tables of bounds.
    assert_eq!(found, 68);
}

/// A newcomer would look for what has another name by now.
#[test]
fn paths_that_the_documents_name_exist() {
    for document in DOCUMENTS {
        let text = read(document);
        let paths = text.lines().flat_map(code).filter(|text| {
            let is_path = FOLDERS.iter().any(|folder| text.starts_with(folder));
            is_path && !text.contains(['{', '*', '…', '<'])
        });
        for path in paths {
            // A script may stand there with its options, and a file with a test.
            let path = path.split([' ', ':']).next().unwrap_or(path);
            let here = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            assert!(here.exists(), "{document} names {path}");
        }
    }
}

/// The entries of `docs/faults.md`: paragraphs that begin with a moment in bold.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let paragraphs = text.split("\n\n").map(str::trim_end);
    paragraphs.filter(|paragraph| paragraph.starts_with("**"))
}

/// An entry would promise what no test checks any more.
#[test]
fn each_fault_has_a_test() {
    let text = read("docs/faults.md");
    let mut tests = HashSet::new();
    let mut found = 0;
    for entry in entries(&text) {
        let last = entry.lines().last().unwrap_or_default();
        let [test] = code(last).collect::<Vec<_>>()[..] else {
            panic!("not one test: {entry}");
        };
        assert_eq!(last, format!("`{test}`"), "no line of its own: {entry}");
        let (file, name) = test
            .split_once("::")
            .unwrap_or_else(|| panic!("no test: {entry}"));
        assert!(read(file).contains(&format!("fn {name}(")), "{entry}");
        tests.insert(test);
        found += 1;
    }
    // No entry names a second test, and no test stands outside an entry.
    assert_eq!(text.matches(".rs::").count(), found);
    assert!(tests.len() > 60, "only {} faults", tests.len());
    // What `tests/faults` proves stands here.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    for entry in fs::read_dir(folder).expect("a folder of tests") {
        let name = entry.expect("an entry").file_name();
        let file = format!("tests/faults/{}", name.to_str().expect("a name in UTF-8"));
        let source = read(&file);
        for after in source.split("#[test]\nfn ").skip(1) {
            let name = after.split('(').next().unwrap_or_default();
            let test = format!("{file}::{name}");
            assert!(tests.contains(&*test), "{test} has no entry");
        }
    }
}

/// All source text below a folder.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source is text"));
        }
    }
    text
}

/// A test of another name by now would be run where it cannot pass.
#[test]
fn tests_that_the_sanitizers_leave_out_exist() {
    let script = read("scripts/sanitize");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = ["src", "tests"].map(|folder| sources(&root.join(folder)));
    let left_out: Vec<_> = script.split("--skip ").skip(1).collect();
    assert!(left_out.len() > 10, "{left_out:?}");
    for name in left_out {
        let name = name.split_whitespace().next().unwrap_or_default();
        let last = name.trim_end_matches("::").rsplit("::").next();
        let last = last.unwrap_or_default();
        let module = format!("mod {last};");
        let mut lines = sources.iter().flat_map(|source| source.lines());
        let is_there = lines.any(|line| line.trim() == module || names_a_test(line, last));
        assert!(is_there, "{name}");
    }
}

/// Whether the line begins a function in whose name that stands.
fn names_a_test(line: &str, part: &str) -> bool {
    let function = line.trim_start().strip_prefix("fn ");
    let name = function.and_then(|rest| rest.split('(').next());
    name.is_some_and(|name| name.contains(part))
}
