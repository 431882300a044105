// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a newcomer types first: the gst-launch lines of the README, of the documents and of the
//! element docs, run as printed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use headend::{DEVICE_KEY, Headend, OPERATOR_TOKEN, SECURITY_TOKEN, Service, secret_forms};

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

/// Commands that start gst-launch-1.0, with or without variables before it. One may have several
/// lines, by a backslash at their ends or within quotes.
fn launch_lines(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut begun = None::<String>;
    for line in text.lines() {
        let line = line.trim_start_matches([' ', '*']);
        let is_first = line.starts_with("gst-launch-1.0 ") || line.starts_with("GST_");
        if begun.is_none() && !is_first {
            continue;
        }
        let (code, is_last) = match line.split_once("]|") {
            Some((code, _)) => (code, true),
            None => (line, false),
        };
        let command = begun.get_or_insert_default();
        command.push_str(code.trim_end());
        let is_quoted = command.matches('\'').count() % 2 == 1;
        if !is_last && (is_quoted || command.ends_with('\\')) {
            command.push('\n');
        } else {
            commands.extend(begun.take());
        }
    }
    commands.retain(|command| command.contains("gst-launch-1.0 "));
    commands
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The lines of all documents.
fn lines() -> Vec<String> {
    let documents = [
        // One of them is what the demonstration prints.
        ("README.md", 4),
        ("docs/auth-services.md", 7),
        ("docs/troubleshooting.md", 4),
        ("src/sessiontoken/imp.rs", 2),
        ("src/clearkeydec/imp.rs", 1),
        ("src/hlsdrmdemux/imp.rs", 1),
        ("src/tracer.rs", 1),
    ];
    let mut lines = Vec::new();
    for (document, count) in documents {
        let found = launch_lines(&read(document));
        assert_eq!(found.len(), count, "lines in {document}: {found:#?}");
        lines.extend(found);
    }
    lines
}

/// The head-end, where the lines find it. One test at a time has it.
struct Place {
    headend: Headend,
    folder: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

/// How long a connection of another test's, which the system happened to give this port, can keep
/// it after its end (TIME_WAIT), and a half more.
const LINGERING: Duration = Duration::from_secs(90);

fn start() -> Headend {
    let begun = Instant::now();
    loop {
        match Headend::start_on(PORT) {
            Ok(headend) => return headend,
            // Nothing tells when that is over.
            Err(error) if error.kind() == ErrorKind::AddrInUse && begun.elapsed() < LINGERING => {
                thread::sleep(Duration::from_secs(1));
            }
            Err(error) => {
                panic!("port {PORT}, where the printed lines find the head-end, is taken: {error}")
            }
        }
    }
}

impl Place {
    /// `folder` is where the lines are typed, with the files that they name.
    fn take(folder: &str) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let headend = start();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
        fs::create_dir_all(&folder).expect("a folder to work in");
        // As `scripts/demo --serve` does it.
        headend
            .write_credentials(&folder)
            .expect("the files that the lines name");
        Self {
            headend,
            folder,
            _turn: turn,
        }
    }
}

/// Types the line in that folder, and logs everything there if that is wanted.
fn run(line: &str, folder: &Path, log: Option<&Path>) -> Output {
    let mut command = Command::new("timeout");
    command
        .args(["60", "sh", "-c", line])
        .current_dir(folder)
        .env("GST_PLUGIN_PATH", plugins())
        .env("GST_REGISTRY", folder.join("registry"))
        .env("no_proxy", "localhost,127.0.0.1");
    if log.is_some() || line.contains("gst-launch-1.0 -m ") {
        // GStreamer cannot write down a structure of its multiqueue, in its log or as a message,
        // and says so with a critical warning.
        command.env_remove("G_DEBUG");
    }
    if let Some(log) = log {
        command
            .env("GST_DEBUG", "*:9")
            .env("GST_DEBUG_FILE", log)
            .env("GST_DEBUG_NO_COLOR", "1")
            .env("GST_DEBUG_DUMP_DOT_DIR", folder);
    }
    command.output().expect("the shell runs")
}

fn assert_played(line: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.contains("Got EOS"),
        "{line}\n{}\n{said}\n{complained}",
        output.status
    );
}

#[test]
fn every_printed_line_plays_to_the_end() {
    let place = Place::take("printed-lines");
    let lines = lines();

    // The first one alone: it writes the registry that the others then read.
    let (first, rest) = lines.split_first().expect("there are lines");
    let mut results = vec![(first, run(first, &place.folder, None))];
    results.extend(thread::scope(|scope| {
        let running = rest
            .iter()
            .map(|line| {
                let folder = &place.folder;
                (line, scope.spawn(move || run(line, folder, None)))
            })
            .collect::<Vec<_>>();
        running
            .into_iter()
            .map(|(line, thread)| (line, thread.join().expect("the line was run")))
            .collect::<Vec<_>>()
    }));
    for (line, output) in &results {
        assert_played(line, output);
    }

    // Each process asks once, except the one that has its token from a file.
    let requests = place.headend.token_requests();
    assert_eq!(requests.len(), lines.len() - 1);
    // And each service is among them.
    for service in [
        Service::Rdk,
        Service::Thunder,
        Service::Ags,
        Service::DashIf,
        Service::OAuth2,
        Service::Login,
    ] {
        assert!(
            requests.iter().any(|request| request.service == service),
            "{service:?}"
        );
    }
    assert_eq!(place.headend.discovery_requests().len(), 1);
    assert!(
        place
            .headend
            .license_requests()
            .iter()
            .all(|request| request.token_valid)
    );
}

/// Whether the secret stands in the file. Logs of everything have a hundred megabytes.
fn holds(path: &Path, secrets: &[String]) -> Option<usize> {
    let content = fs::read(path).expect("the file was written");
    // Lossy, because pads may have any name; the secrets are ASCII.
    let text = String::from_utf8_lossy(&content);
    secrets.iter().position(|secret| text.contains(secret))
}

#[test]
fn doc_commands_reveal_no_secret_at_full_logging() {
    let place = Place::take("printed-lines-logged");
    let mut secrets = secret_forms();
    secrets.push(place.headend.token());
    secrets.push(SECURITY_TOKEN.to_owned());
    secrets.push(OPERATOR_TOKEN.to_owned());
    secrets.push(DEVICE_KEY.to_owned());
    secrets.push(place.headend.refresh_token());
    // Reading so much takes as long as writing it.
    let lines = lines();
    let (left, right) = lines.split_at(lines.len() / 2);
    thread::scope(|scope| {
        for (name, lines) in [("left", left), ("right", right)] {
            let (place, secrets) = (&place, secrets.clone());
            scope.spawn(move || {
                let folder = place.folder.join(name);
                fs::create_dir_all(&folder).expect("a folder to work in");
                place
                    .headend
                    .write_credentials(&folder)
                    .expect("the files that the lines name");
                for line in lines {
                    check_discretion(line, &folder, secrets.clone(), &place.headend);
                }
            });
        }
    });
}

/// Plays the line with everything logged, and looks for the secrets in all that comes of it.
fn check_discretion(line: &str, folder: &Path, mut secrets: Vec<String>, headend: &Headend) {
    let log = folder.join("everything.log");
    // All of it, whatever the line wants.
    let verbose = line.replace("GST_DEBUG=GST_TRACER:7 ", "");
    let verbose = verbose.replace("gst-launch-1.0 ", "gst-launch-1.0 -v -m ");
    let output = run(&verbose, folder, Some(&log));
    assert_played(line, &output);
    // Some services grant another one each time.
    let licenses = headend.license_requests();
    let authorizations = licenses
        .iter()
        .filter_map(|request| request.authorization.as_ref());
    let tokens = authorizations.filter_map(|value| value.strip_prefix("Bearer "));
    secrets.extend(tokens.map(str::to_owned));
    secrets.sort_unstable();
    secrets.dedup();
    for (what, text) in [("prints", output.stdout), ("complains", output.stderr)] {
        fs::write(folder.join(what), text).expect("a file of its own");
        let found = holds(&folder.join(what), &secrets);
        assert_eq!(found, None, "{line} {what} that secret");
    }
    let logged = fs::read(&log).expect("the log was written");
    // Lossy, because pads may have any name; the secrets are ASCII.
    let logged = String::from_utf8_lossy(&logged);
    assert!(
        logged.contains("GstSessionToken"),
        "{line}: the log has nothing of ours"
    );
    let found = secrets.iter().position(|secret| logged.contains(secret));
    assert_eq!(found, None, "{line} logs that secret");
    let mut drawings = 0;
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "dot") {
            drawings += 1;
            assert_eq!(holds(&path, &secrets), None, "{line} draws that secret");
            fs::remove_file(path).expect("the drawing goes");
        }
    }
    assert!(drawings > 0, "{line} drew nothing");
    fs::remove_file(&log).expect("the log goes");
}
