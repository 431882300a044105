// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the documents name is there: constants with their files, paths of this repository, and a
//! test for each fault.

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
const FOLDERS: [&str; 7] = [
    "benches/",
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
        let [name, file] = code(last).collect::<Vec<_>>()[..] else {
            continue;
        };
        assert!(read(file).contains(&format!("const {name}: ")), "{row}");
        found += 1;
    }
    // All rows of the table of bounds.
    assert_eq!(found, 57);
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

/// The rows of a document's tables, without those that say what stands in them.
fn rows(text: &str) -> impl Iterator<Item = &str> {
    let lines = || text.lines();
    let after = lines().skip(1).map(Some).chain([None]);
    lines()
        .zip(after)
        .filter(|(line, next)| {
            let is_rule = |line: &str| line.starts_with("| ---");
            line.starts_with('|') && !is_rule(line) && !next.is_some_and(is_rule)
        })
        .map(|(line, _)| line)
}

/// The table would promise what nobody looks at any more.
#[test]
fn each_fault_has_a_test() {
    let text = read("docs/faults.md");
    let mut tests = HashSet::new();
    for row in rows(&text) {
        let (_, last) = row
            .trim_end_matches([' ', '|'])
            .rsplit_once('|')
            .unwrap_or_else(|| panic!("one cell: {row}"));
        let [test] = code(last).collect::<Vec<_>>()[..] else {
            panic!("not one test: {row}");
        };
        let (file, name) = test
            .split_once("::")
            .unwrap_or_else(|| panic!("no test: {row}"));
        assert!(read(file).contains(&format!("fn {name}(")), "{row}");
        tests.insert(test);
    }
    assert!(tests.len() > 60, "only {} faults", tests.len());
    // And those that are nowhere else have a row.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    for entry in fs::read_dir(folder).expect("a folder of tests") {
        let name = entry.expect("an entry").file_name();
        let file = format!("tests/faults/{}", name.to_str().expect("a name in UTF-8"));
        let source = read(&file);
        for after in source.split("#[test]\nfn ").skip(1) {
            let name = after.split('(').next().unwrap_or_default();
            let test = format!("{file}::{name}");
            assert!(tests.contains(&*test), "{test} has no row");
        }
    }
}
