// SPDX-License-Identifier: MIT OR Apache-2.0

//! The example for developers in Python, run as its documentation prints it: in a process of its
//! own, with the plugin that GStreamer loads there, and a real head-end.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use headend::{Auth, Headend, OPERATOR_TOKEN, SECURITY_TOKEN, secret_forms};
use support::folders::{plugin_folder, scratch};
use support::operator::without_subscription;
use support::subprocess::lines_of;

/// How long anything may take that does happen in the end. Six seconds of media play in six; the
/// rest is for machines that are busy with other things, and for GStreamer to look through its
/// plugins the first time.
const IN_THE_END: Duration = Duration::from_secs(90);

const EXAMPLE: &str = "examples/python/player.py";

const SOURCE: &str = include_str!("../examples/python/player.py");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The commands that the documentation prints, as words.
fn printed() -> Vec<Vec<String>> {
    let documentation = SOURCE.split("\"\"\"").nth(1).expect("a docstring");
    assert!(
        documentation.starts_with("GST_PLUGIN_PATH="),
        "the documentation opens with the command"
    );
    let text = documentation.replace("\\\n", " ");
    text.lines()
        .filter(|line| line.starts_with("GST_PLUGIN_PATH="))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// The printed command whose URI ends so, for this head-end.
fn printed_for(headend: &Headend, uri_end: &str) -> Command {
    let mut commands = printed()
        .into_iter()
        .filter(|words| words.last().is_some_and(|uri| uri.ends_with(uri_end)));
    let (Some(words), None) = (commands.next(), commands.next()) else {
        panic!("one command for {uri_end} should be printed");
    };
    let [plugins, program, arguments @ ..] = &words[..] else {
        panic!("{words:?} is no command");
    };
    // Where `scripts/demo --serve` builds it.
    assert_eq!(plugins, "GST_PLUGIN_PATH=target/debug");
    assert_eq!(program, EXAMPLE);
    let origin = headend.url("");
    let here = |word: &String| word.replace("http://localhost:50050", &origin);
    example(arguments.iter().map(here))
}

/// The example with these arguments.
#[track_caller]
fn example(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    // The first one looks through all plugins, for those that run side by side.
    if let Some(obstacle) = OBSTACLE.get_or_init(obstacle) {
        panic!("{obstacle}");
    }
    bare_example(arguments)
}

fn bare_example(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = without_screen(arguments);
    command.arg("--fake-sinks");
    command
}

fn without_screen(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(root().join(EXAMPLE));
    command
        .args(arguments)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("GST_PLUGIN_PATH", plugin_folder())
        .env("GST_REGISTRY", scratch().join("registry"))
        .env("no_proxy", "localhost,127.0.0.1")
        .env_remove("GST_DEBUG")
        .env_remove("GST_SESSION_TOKEN_CONFIG")
        .env_remove("GST_PLUGIN_FEATURE_RANK");
    command
}

/// Why no example in Python runs here, if so.
fn obstacle() -> Option<String> {
    let output = run(&mut bare_example(["--help"]));
    let does_run = output.status.success();
    (!does_run).then(|| {
        format!(
            "the example in Python does not start. These tests need the Debian packages python3-gi and \
             gir1.2-gstreamer-1.0: `apt-get install python3-gi gir1.2-gstreamer-1.0`\n{output}"
        )
    })
}

/// How it ended and what it printed.
struct Output {
    status: ExitStatus,
    printed: String,
}

impl std::fmt::Display for Output {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}\n{}", self.status, self.printed)
    }
}

/// Runs it to its end, which must come by itself.
#[track_caller]
fn run(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{EXAMPLE} does not run with /usr/bin/python3: {error}"));
    let lines = lines_of(&mut child);
    let deadline = Instant::now() + IN_THE_END;
    let mut printed = String::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => printed = printed + &line + "\n",
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let status = child.try_wait().expect("our own child");
                // Where it has ended, somebody whom it has started has not.
                let _ = child.kill();
                panic!("no end of it, its status: {status:?}\n{printed}");
            }
        }
    }
    Output {
        status: child.wait().expect("its end"),
        printed,
    }
}

impl Output {
    #[track_caller]
    fn assert_ended(&self, code: i32) {
        assert_eq!(self.status.code(), Some(code), "{self}");
    }

    /// Asserts that just one line begins so, and returns the rest of it.
    #[track_caller]
    fn the_line(&self, beginning: &str) -> &str {
        let mut found = self
            .printed
            .lines()
            .filter_map(|line| line.strip_prefix(beginning));
        match (found.next(), found.next()) {
            (Some(rest), None) => rest,
            _ => panic!("`{beginning}` should begin one line:\n{self}"),
        }
    }

    #[track_caller]
    fn assert_discreet(&self, headend: &Headend) {
        let mut secrets = secret_forms();
        secrets.push(headend.token());
        secrets.push(SECURITY_TOKEN.to_owned());
        secrets.push(OPERATOR_TOKEN.to_owned());
        let found = secrets
            .iter()
            .position(|secret| self.printed.contains(secret));
        assert_eq!(found, None, "that secret is in:\n{self}");
    }
}

/// Asserts that the store was read, and that its token is this head-end's.
#[track_caller]
fn assert_store(output: &Output, headend: &Headend, generation: u32) {
    let length = headend.token().len();
    let ends = output.the_line(&format!(
        "store: generation {generation}, a token of {length} characters, good until "
    ));
    // A date and a time of UTC: the service says for how long the token is good.
    assert!(ends.contains('T') && ends.ends_with('Z'), "{output}");
}

/// Plays what the documentation prints for this URI to its end.
fn check_printed(uri_end: &str) {
    let headend = Headend::start().expect("a head-end");
    let output = run(&mut printed_for(&headend, uri_end));

    output.assert_ended(0);
    assert_eq!(headend.token_requests().len(), 1, "{output}");
    let licenses = headend.license_requests();
    assert!(!licenses.is_empty(), "{output}");
    for license in licenses {
        assert!(license.token_valid, "{output}");
        assert_eq!(license.status, Some(200), "{output}");
    }
    let told = output.printed.lines();
    let told = told.filter(|line| line.starts_with("token: acquired from rdk, generation 1, "));
    let (cached, asked): (Vec<_>, Vec<_>) = told.partition(|line| line.contains(", cached"));
    // Of two streams one has asked for the token, or for HLS the demuxer before them: then both say
    // the same, which is printed once.
    let is_hls = uri_end.ends_with(".m3u8");
    let counts = (asked.len(), cached.len());
    assert!(counts == (1, 1) || is_hls && counts == (0, 1), "{output}");
    for line in asked {
        assert!(line.contains("(1 request), playback waited "), "{output}");
    }
    output.the_line("license: acquired, keys: 2, in ");
    output.the_line("player: plays");
    output.the_line("player: the end");
    assert_store(&output, &headend, 1);
    output.assert_discreet(&headend);
}

/// Whoever starts with the first line of the example would have an error instead of a picture.
#[test]
fn dash_plays_as_printed() {
    check_printed("/dash/cenc/manifest.mpd");
}

/// The same for HLS, which no stock player takes.
#[test]
fn hls_plays_as_printed() {
    check_printed("/hls/cbcs/master.m3u8");
}

/// `examples/python/player.py` as it is printed would not be a command.
#[test]
fn example_can_be_executed() {
    let metadata = fs::metadata(root().join(EXAMPLE)).expect("the example");
    assert_eq!(metadata.permissions().mode() & 0o111, 0o111);
    assert!(SOURCE.starts_with("#!/usr/bin/python3\n"));
}

/// A developer would read of options that are not there.
#[test]
fn printed_options_are_those_that_exist() {
    let help = run(&mut example(["--help"]));
    help.assert_ended(0);
    let commands = printed();
    assert_eq!(commands.len(), 2, "{commands:?}");
    for option in commands
        .iter()
        .flatten()
        .filter(|word| word.starts_with("--"))
    {
        assert!(help.printed.contains(option.as_str()), "{option}\n{help}");
    }
}

/// Whoever follows the guide would have another command than the one that is known to work.
#[test]
fn guide_prints_the_same_command() {
    let guide = include_str!("../docs/applications.md").replace("\\\n", " ");
    let lines = guide
        .lines()
        .filter(|line| line.starts_with("GST_PLUGIN_PATH="));
    let in_guide: Vec<Vec<_>> = lines
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect();
    assert_eq!(in_guide, printed()[..1]);
}

/// A sink that is there would fail, or crash.
#[test]
fn machine_without_screen_is_told_of_and_plays() {
    let headend = Headend::start().expect("a head-end");
    let location = headend.auth_url();
    let manifest = headend.manifest_url();
    let output = run(&mut without_screen(["--location", &location, &manifest]));
    output.assert_ended(0);
    assert!(format!("{output}").contains("WAYLAND_DISPLAY"), "{output}");
}

/// A viewer would wait for a token that was asked for twice, or too late.
#[test]
fn warm_session_has_its_token_before_the_stream() {
    let headend = Headend::start().expect("a head-end");
    let mut command = printed_for(&headend, "/dash/cenc/manifest.mpd");
    let output = run(command.arg("--warm-up"));
    output.assert_ended(0);
    assert_eq!(headend.token_requests().len(), 1, "{output}");
    // No stream has asked.
    let acquired = output.the_line("token: acquired from rdk, generation 1, ");
    assert!(acquired.starts_with("cached"), "{output}");
    assert_store(&output, &headend, 1);
    output.assert_discreet(&headend);
}

/// A viewer would see an error that passes by itself, and a developer would go on using the token
/// that was refused.
#[test]
fn rejected_token_is_reported_and_replaced() {
    const STALE: &str = "stale-token-of-yesterday";
    let headend = Headend::start().expect("a head-end");
    let stale = Auth::Reply {
        status: 200,
        content_type: "application/json".to_owned(),
        body: format!(r#"{{"token":"{STALE}","status":0}}"#),
    };
    headend.set_auth(Auth::Sequence(vec![stale, Auth::Grant]));
    let output = run(&mut printed_for(&headend, "/dash/cenc/manifest.mpd"));
    output.assert_ended(0);
    assert_eq!(headend.token_requests().len(), 2, "{output}");
    output.the_line("token: refused by the license server (HTTP 403), generation 1; another one");
    // One that the decryptor has asked for, by the store, or that a stream has.
    let refreshed = "\ntoken: refreshed from rdk, generation 2, ";
    assert!(output.printed.contains(refreshed), "{output}");
    assert_store(&output, &headend, 2);
    output.assert_discreet(&headend);
    assert!(!output.printed.contains(STALE), "{output}");
}

/// A viewer would look at a black screen and not know whom to call.
#[test]
fn denied_token_request_is_reported_with_reason() {
    for uri_end in ["/dash/cenc/manifest.mpd", "/hls/cbcs/master.m3u8"] {
        let headend = without_subscription();
        let mut command = printed_for(&headend, uri_end);
        // GStreamer 1.22 may warn of a pipeline that is stopped in the middle of its start.
        let output = run(command.env_remove("G_DEBUG"));
        output.assert_ended(1);
        let why = output.the_line("token: none from rdk: denied (HTTP 403), after ");
        assert!(why.ends_with("(1 request)"), "{output}");
        output.the_line("error: sessiontoken: ");
        output.the_line("  reason: denied (HTTP 403), after ");
        output.the_line("  the server says: No subscription");
        output.the_line("  not for this box or this account: ");
        assert!(headend.license_requests().is_empty(), "{output}");
        output.assert_discreet(&headend);
    }
}

/// A viewer would see a player that starts and does something else than was asked for.
#[test]
fn what_is_asked_for_wrongly_plays_nothing() {
    for (arguments, names) in [
        (&["--colour", "http://localhost/"][..], "--colour"),
        (&[], "URI"),
        (&["manifest.mpd"], "URI"),
        (&["--set", "=password", "http://localhost/"], "NAME=VALUE"),
    ] {
        let output = run(&mut example(arguments));
        output.assert_ended(2);
        assert!(output.printed.contains(names), "{output}");
        assert!(output.printed.contains("usage: player.py"), "{output}");
        assert!(!output.printed.contains("password"), "{output}");
    }
}

/// A developer would look for the fault in the stream, and give a secret away in the logs.
#[test]
fn invalid_setting_is_named_without_its_value() {
    let headend = Headend::start().expect("a head-end");
    for setting in ["colour=crimson", "session-token=password", "timeout=soon"] {
        let (name, value) = setting.split_once('=').expect("a setting");
        for (options, code) in [(&["--warm-up"][..], 2), (&[], 1)] {
            let mut command = printed_for(&headend, "/dash/cenc/manifest.mpd");
            command.args(["--set", setting]).args(options);
            let output = run(command.env_remove("G_DEBUG"));
            output.assert_ended(code);
            assert!(output.printed.contains(&format!("`{name}`")), "{output}");
            assert!(!output.printed.contains(value), "{output}");
            assert!(!output.printed.contains("player: plays"), "{output}");
        }
    }
    assert!(headend.token_requests().is_empty());
}
