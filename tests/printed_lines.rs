// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a newcomer types first: the gst-launch lines of the README and of the element docs, run as printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use headend::Headend;

/// Where the lines find the head-end: the auth service's own port.
const PORT: u16 = 50050;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder with the plugin, which a plain `cargo build` leaves beside the tests' own.
fn plugins() -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("tests are two folders below the profile's");
    assert!(
        folder.join("libgstsessiontoken.so").exists(),
        "the plugin is not built: run `cargo build` first"
    );
    folder.to_owned()
}

/// Lines that start gst-launch-1.0, with or without variables before it.
fn launch_lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.trim_start_matches([' ', '*']))
        .map(|line| line.split(" ]|").next().unwrap_or(line).trim_end())
        .map(|line| line.trim_end_matches("]|"))
        .filter(|line| line.starts_with("gst-launch-1.0 ") || line.starts_with("GST_"))
        .filter(|line| line.contains("gst-launch-1.0 "))
        .map(String::from)
        .collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn run(line: &str, plugins: &Path, folder: &Path) -> Output {
    Command::new("timeout")
        .args(["60", "sh", "-c", line])
        .current_dir(folder)
        .env("GST_PLUGIN_PATH", plugins)
        .env("GST_REGISTRY", folder.join("registry"))
        .env("no_proxy", "localhost,127.0.0.1")
        .output()
        .expect("the shell runs")
}

#[test]
fn every_printed_line_plays_to_the_end() {
    let headend = Headend::start_on(PORT).unwrap_or_else(|error| {
        panic!("port {PORT}, where the printed lines find the head-end, is taken: {error}")
    });
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("printed-lines");
    fs::create_dir_all(&folder).expect("a folder to work in");
    fs::write(folder.join("session-token.txt"), headend.token()).expect("a token file");
    let plugins = plugins();

    let documents = [
        ("README.md", 4),
        ("src/sessiontoken/imp.rs", 2),
        ("src/clearkeydec/imp.rs", 1),
    ];
    let mut lines = Vec::new();
    for (document, count) in documents {
        let found = launch_lines(&read(document));
        assert_eq!(found.len(), count, "lines in {document}: {found:#?}");
        lines.extend(found);
    }

    // The first one alone: it writes the registry that the others then read.
    let (first, rest) = lines.split_first().expect("there are lines");
    let mut results = vec![(first, run(first, &plugins, &folder))];
    results.extend(thread::scope(|scope| {
        let running = rest
            .iter()
            .map(|line| {
                let (plugins, folder) = (&plugins, &folder);
                (line, scope.spawn(move || run(line, plugins, folder)))
            })
            .collect::<Vec<_>>();
        running
            .into_iter()
            .map(|(line, thread)| (line, thread.join().expect("the line was run")))
            .collect::<Vec<_>>()
    }));

    for (line, output) in results {
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.contains("Got EOS"),
            "{line}\n{}\n{said}\n{complained}",
            output.status
        );
    }
    // Each process asks once, except the one that has its token from a file.
    assert_eq!(headend.token_requests().len(), lines.len() - 1);
    assert!(
        headend
            .licence_requests()
            .iter()
            .all(|request| request.token_valid)
    );
}
