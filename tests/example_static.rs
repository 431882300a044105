// SPDX-License-Identifier: MIT OR Apache-2.0

//! The players that have the plugin linked in: what the documents print is what is built and run
//! here, where GStreamer finds no plugin of ours. `scripts/test-cinstall` has the one in C link
//! what cargo-c installs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use headend::{Auth, Headend};
use support::folders::{copy_files, plugin_folder, repository, scratch, scratch_folder};
use support::subprocess::assert_succeeded;

/// As a module too, so that the format and the lints of the workspace include it.
#[expect(dead_code)]
#[path = "../examples/static/rust/src/main.rs"]
mod player;

const DOCUMENT: &str = "docs/applications.md";

/// Where the printed commands find the head-end.
const PRINTED_ORIGIN: &str = "http://localhost:50050";

const DASH: &str = "/dash/cenc/manifest.mpd";

const HLS: &str = "/hls/cbcs/master.m3u8";

/// Seconds. Building takes one to two minutes where nothing is built yet, playing takes six
/// seconds; the rest is for machines that are busy with other things.
const IN_THE_END: &str = "600";

fn read(path: impl AsRef<Path>) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

// ---- What is printed ----

/// The blocks of code in the section, each with its language.
fn blocks() -> Vec<(String, String)> {
    let document = read(DOCUMENT);
    let (_, after) = document
        .split_once("\n## Static linking\n")
        .expect("the section");
    let section = after.split("\n## ").next().unwrap_or(after);
    let fenced = section.split("```").skip(1).step_by(2);
    let blocks = fenced.filter_map(|block| block.split_once('\n'));
    blocks
        .map(|(language, code)| (language.to_owned(), code.to_owned()))
        .collect()
}

fn printed_command(beginning: &str) -> String {
    let blocks = blocks();
    let mut commands = blocks
        .iter()
        .filter(|(language, _)| language == "sh")
        .flat_map(|(_, code)| {
            code.replace("\\\n", " ")
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter(|command| command.starts_with(beginning));
    let (Some(command), None) = (commands.next(), commands.next()) else {
        panic!("one command should begin with `{beginning}`");
    };
    command
}

#[test]
fn document_prints_samples_as_they_are() {
    let samples = [
        ("toml", "examples/static/rust/Cargo.toml"),
        ("rust", "examples/static/rust/src/main.rs"),
        ("c", "examples/static/c/player.c"),
        ("make", "examples/static/c/Makefile"),
    ];
    let blocks = blocks();
    for (language, file) in samples {
        let sample = read(file);
        let printed: Vec<_> = blocks
            .iter()
            .filter(|(other, _)| other == language)
            .collect();
        assert!(!printed.is_empty(), "nothing of {file} is printed");
        for (_, code) in printed {
            assert!(sample.contains(code.as_str()), "{file} has no\n{code}");
        }
    }
    let is_known = |language: &str| samples.iter().any(|(known, _)| *known == language);
    let others: Vec<_> = blocks
        .iter()
        .filter(|(language, _)| !is_known(language))
        .collect();
    assert!(
        others.iter().all(|(language, _)| language == "sh"),
        "{others:?}"
    );
}

// ---- The workspace's versions ----

/// Name, version, source and checksum of each package that comes from elsewhere.
fn locked_packages(path: &str) -> Vec<String> {
    let lock = read(path);
    let packages = lock.split("[[package]]\n").skip(1);
    let fetched = packages.filter(|package| package.contains("\nsource = "));
    fetched
        .map(|package| package.lines().take(4).collect::<Vec<_>>().join("\n"))
        .collect()
}

/// The sample would not be built as printed, or with versions that nothing else is tested with.
#[test]
fn lock_file_has_versions_of_workspace() {
    const UPDATE: &str = "cp Cargo.lock examples/static/rust/ && \
        cargo tree --offline --manifest-path examples/static/rust/Cargo.toml >/dev/null";
    let workspace = locked_packages("Cargo.lock");
    let sample = locked_packages("examples/static/rust/Cargo.lock");
    assert!(sample.len() > 100, "only {} packages", sample.len());
    let others: Vec<_> = sample
        .iter()
        .filter(|package| !workspace.contains(package))
        .collect();
    assert!(others.is_empty(), "{others:#?}\nPlease run: {UPDATE}");
    let project = repository().join("examples/static/rust");
    let output = run(&mut typed("cargo tree --locked", &project));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\nPlease run: {UPDATE}");
}

// ---- Building and running ----

/// Where the samples are built. In the workspace's own folder another build of the plugin would
/// take the place of `libgstsessiontoken.so`, and all tests would be linked again.
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/static");

/// The printed command in that folder, with nothing of this test program's surroundings.
fn typed(command: &str, folder: &Path) -> Command {
    let mut shell = Command::new("timeout");
    shell
        .args([IN_THE_END, "sh", "-c", command])
        .current_dir(folder)
        .stdin(Stdio::null())
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", TARGET)
        // Which takes a quarter of the time.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("GST_REGISTRY", scratch().join("static-registry"))
        .env("no_proxy", "localhost,127.0.0.1")
        // Where a plugin of ours would be found, by GStreamer or by the linker.
        .env_remove("GST_PLUGIN_PATH")
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("GST_DEBUG")
        .env_remove("GST_PLUGIN_FEATURE_RANK")
        .env_remove("GST_SESSION_TOKEN_CONFIG");
    shell
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output().expect("the shell runs");
    assert_ne!(output.status.code(), Some(124), "no end of it: {output:?}");
    output
}

#[track_caller]
fn succeed(command: &mut Command) -> Output {
    let output = run(command);
    assert_succeeded(command, &output);
    output
}

/// The player as the command prints it.
struct Sample {
    command: String,
    folder: PathBuf,
}

impl Sample {
    /// Plays from this head-end.
    fn player(&self, headend: &Headend) -> Command {
        let command = self.command.replace(PRINTED_ORIGIN, &headend.url(""));
        typed(&command, &self.folder)
    }

    /// Asserts all that makes a player with the plugin linked in.
    #[track_caller]
    fn check(&self) {
        self.assert_says_why();
        thread::scope(|scope| {
            scope.spawn(|| self.assert_plays_linked_in());
            scope.spawn(|| self.assert_plays_beside_plugin());
            scope.spawn(|| self.assert_plays_hls());
        });
    }

    /// The first one, which has GStreamer look through its plugins.
    #[track_caller]
    fn assert_says_why(&self) {
        let headend = Headend::start().expect("a head-end");
        headend.set_auth(Auth::Reply {
            status: 403,
            content_type: "text/plain".to_owned(),
            body: "no".to_owned(),
        });
        let output = run(&mut self.player(&headend));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = said
            .lines()
            .find_map(|line| line.strip_prefix("static-player: "));
        assert!(
            reason.is_some_and(|reason| reason.contains("403")),
            "{said}"
        );
    }

    #[track_caller]
    fn assert_plays_linked_in(&self) {
        let headend = Headend::start().expect("a head-end");
        let log = scratch_folder().join("log");
        succeed(
            self.player(&headend)
                .env("GST_DEBUG", "GST_PLUGIN_LOADING:4")
                .env("GST_DEBUG_FILE", &log)
                .env("GST_DEBUG_NO_COLOR", "1"),
        );
        assert_served(&headend);
        let log = read(log);
        assert!(
            log.contains("registered static plugin \"sessiontoken\""),
            "{log}"
        );
        assert!(log.contains("libgstisomp4.so\" loaded"), "{log}");
        assert!(!log.contains("libgstsessiontoken.so"), "{log}");
    }

    /// Where the plugin is installed as well, the one that is linked in goes first.
    #[track_caller]
    fn assert_plays_beside_plugin(&self) {
        let headend = Headend::start().expect("a head-end");
        succeed(
            self.player(&headend)
                .env("GST_PLUGIN_PATH", plugin_folder())
                .env("GST_REGISTRY", scratch_folder().join("registry")),
        );
        assert_served(&headend);
    }

    /// By the element that has to go before the stock demuxers.
    #[track_caller]
    fn assert_plays_hls(&self) {
        let headend = Headend::start().expect("a head-end");
        assert!(self.command.contains(DASH), "{}", self.command);
        let command = self.command.replace(DASH, HLS);
        let config = format!(
            "session-token-config, license-url=(string)\"{}\"",
            headend.license_url()
        );
        succeed(
            Self {
                command,
                folder: self.folder.clone(),
            }
            .player(&headend)
            .env("GST_SESSION_TOKEN_CONFIG", config),
        );
        assert_served(&headend);
    }
}

/// The media are protected, so who has played them has had a license.
#[track_caller]
fn assert_served(headend: &Headend) {
    assert_eq!(headend.token_requests().len(), 1);
    let licenses = headend.license_requests();
    assert!(!licenses.is_empty());
    assert!(licenses.iter().all(|license| license.token_valid));
}

#[test]
fn sample_in_rust_plays_as_printed() {
    let sample = Sample {
        command: printed_command("cargo run "),
        folder: repository().to_owned(),
    };
    sample.check();
}

/// A folder with the static library and what pkg-config says of it, as cargo-c installs them. Not
/// everybody has cargo-c, so cargo builds the library.
fn static_library() -> PathBuf {
    let build = "cargo rustc --locked --lib --crate-type staticlib -- --print native-static-libs";
    let output = succeed(&mut typed(build, repository()));
    let said = String::from_utf8(output.stderr).expect("text");
    let libraries = said
        .lines()
        .find_map(|line| line.split_once("native-static-libs: "));
    let (_, libraries) = libraries.unwrap_or_else(|| panic!("{said}"));
    let manifest = read("Cargo.toml");
    let requires = manifest
        .lines()
        .find_map(|line| line.strip_prefix("requires_private = "));
    let requires = requires.expect("what cargo-c writes").trim_matches('"');

    let folder = scratch_folder();
    let library = "libgstsessiontoken.a";
    let built = Path::new(TARGET).join("debug").join(library);
    fs::hard_link(built, folder.join(library)).expect("a link to the library");
    let packages = format!(
        "Name: gstsessiontoken\nDescription: as cargo-c has it\nVersion: 0\n\
         Libs: -L{} -lgstsessiontoken {libraries}\nRequires.private: {requires}\n",
        folder.display()
    );
    fs::write(folder.join("gstsessiontoken.pc"), packages).expect("a scratch file");
    folder
}

#[test]
fn sample_in_c_plays_as_printed() {
    let tree = scratch_folder();
    let source = "examples/static/c";
    copy_files(&repository().join(source), &tree.join(source));
    succeed(
        typed(&printed_command("make "), &tree)
            .env("CFLAGS", "-O2 -Wall -Wextra -Werror")
            .env("PKG_CONFIG_PATH", static_library()),
    );
    let sample = Sample {
        command: printed_command("examples/static/c/static-player "),
        folder: tree,
    };
    sample.check();
}
