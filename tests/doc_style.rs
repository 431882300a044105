// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the documents are to read: narrow enough for any screen, a README for a minute, and links
//! that lead somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Characters of a line, so that nothing runs off the screen.
const MAX_WIDTH: usize = 100;

/// Bytes of the README.
const MAX_README: usize = 9000;

/// Words of a sentence in the README.
const MAX_WORDS: usize = 30;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All documents, with their paths from the root.
fn documents() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root().join(&folder)).expect("a folder");
        for entry in entries {
            let entry = entry.expect("an entry");
            let path = folder.join(entry.file_name());
            let name = entry.file_name();
            let name = name.to_str().expect("a name in UTF-8");
            let is_made = name.starts_with('.') || ["build", "target"].contains(&name);
            if entry.file_type().expect("its type").is_dir() {
                if !is_made {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                let text = fs::read_to_string(root().join(&path)).expect("text");
                found.insert(path, text);
            }
        }
    }
    found
}

/// The document without blocks of code.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn no_line_runs_off_the_screen() {
    let mut wide = Vec::new();
    for (path, text) in documents() {
        for (number, line) in text.lines().enumerate() {
            let width = line.chars().count();
            if width > MAX_WIDTH {
                wide.push(format!("{}:{}: {width}", path.display(), number + 1));
            }
        }
    }
    assert!(wide.is_empty(), "{wide:#?}");
}

#[test]
fn readme_is_read_in_a_minute() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    assert!(readme.len() <= MAX_README, "{} bytes", readme.len());
    let prose = prose(&readme);
    let paragraphs = prose.split("\n\n").flat_map(|text| text.split("\n* "));
    let paragraphs = paragraphs.filter(|text| !text.starts_with(['|', '#', '!']));
    let mut count = 0;
    for paragraph in paragraphs {
        let paragraph = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        for sentence in paragraph.split(". ") {
            let words = sentence.split(' ').count();
            assert!(words <= MAX_WORDS, "{words} words: {sentence}");
            count += 1;
        }
    }
    assert!(count > 20, "only {count} sentences");
}

/// Targets of a document's links, without those to other places in the world.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    let local = targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"));
    local.map(str::to_owned).collect()
}

/// The anchors of a document's headings, as forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(text).lines().filter(|line| line.starts_with('#')) {
        let heading = line.trim_start_matches('#').trim();
        let kept = heading.chars().filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            letter if letter.is_alphanumeric() => Some(letter),
            _ => None,
        });
        let anchor = kept.collect::<String>().to_lowercase();
        let mut other = anchor.clone();
        let mut number = 0;
        while !anchors.insert(other.clone()) {
            number += 1;
            other = format!("{anchor}-{number}");
        }
    }
    anchors
}

#[test]
fn links_lead_somewhere() {
    let documents = documents();
    let mut dead = Vec::new();
    let mut count = 0;
    for (path, text) in &documents {
        for link in links(text) {
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = path.parent().expect("it is in a folder");
            let target = match file {
                "" => root().join(path),
                file => root().join(folder).join(file),
            };
            let has_anchor = || {
                let text = fs::read_to_string(&target).unwrap_or_default();
                anchors(&text).contains(anchor)
            };
            if !target.exists() || !anchor.is_empty() && !has_anchor() {
                dead.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
    assert!(count > 100, "only {count} links");
}

/// Nobody would find it.
#[test]
fn readme_links_every_document() {
    let documents = documents();
    let linked: BTreeSet<_> = links(&documents[Path::new("README.md")])
        .into_iter()
        .map(|link| link.split('#').next().unwrap_or_default().to_owned())
        .collect();
    let folder = Path::new("docs");
    let all = documents
        .keys()
        .filter(|path| path.parent() == Some(folder));
    for path in all {
        let path = path.to_str().expect("a name in UTF-8");
        assert!(linked.contains(path), "{path}");
    }
}
