// SPDX-License-Identifier: MIT OR Apache-2.0

//! The stock tools with our plugin, each in a process of its own: for ranks and for the
//! environment, which are a process's, and for what users see on their terminal.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use support::folders::{plugin_folder, scratch};
use support::operator::Operator;
use support::player::Player;

/// How long a tool may take. It needs some seconds with all logs on; a failing test takes this
/// long.
const TOOL: Duration = Duration::from_secs(120);

/// How a tool ended and what it printed.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// `gst-launch-1.0` that plays the protected media of this operator, with these ranks and options.
pub fn launch(player: Player, operator: &Operator, ranks: &str, options: &[&str]) -> Command {
    launch_with(player, operator, ranks, "sessiontoken", options)
}

/// As [`launch`], with this element instead of `sessiontoken` where the line names one.
pub fn launch_with(
    player: Player,
    operator: &Operator,
    ranks: &str,
    token_element: &str,
    options: &[&str],
) -> Command {
    let decryption = format!("{token_element} ! clearkeydec !");
    let line = player.launch_line(&operator.manifest_url(), &decryption);
    launch_line(operator, ranks, &line, options)
}

/// `gst-launch-1.0` with this line.
pub fn launch_line(operator: &Operator, ranks: &str, line: &str, options: &[&str]) -> Command {
    let mut command = tool("gst-launch-1.0");
    command
        .args(options)
        .args(line.split_whitespace())
        .env("GST_PLUGIN_FEATURE_RANK", ranks)
        .env(
            "GST_SESSION_TOKEN_CONFIG",
            format!(
                "session-token-config,location=(string)\"{}\"",
                operator.location()
            ),
        );
    command
}

/// A tool of GStreamer's that finds our plugin.
pub fn tool(name: &str) -> Command {
    static SCANNED: OnceLock<()> = OnceLock::new();
    // Otherwise each of the children that run side by side would look through all plugins.
    SCANNED.get_or_init(|| {
        let output = run(bare_tool("gst-inspect-1.0").arg("sessiontoken"));
        assert!(output.status.success(), "{output:?}");
    });
    bare_tool(name)
}

fn bare_tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .env("GST_PLUGIN_PATH", plugin_folder())
        .env("GST_REGISTRY", scratch().join("registry.bin"))
        .env_remove("GST_DEBUG")
        .env_remove("GST_SESSION_TOKEN_CONFIG")
        .env_remove("GST_PLUGIN_FEATURE_RANK");
    command
}

/// Runs it to its end, which must come.
pub fn run(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool is installed");
    let stdout = reader(child.stdout.take().expect("piped"));
    let stderr = reader(child.stderr.take().expect("piped"));
    let text = |output: &mpsc::Receiver<String>, child: &mut Child| {
        output.recv_timeout(TOOL).unwrap_or_else(|_| {
            child.kill().expect("it runs");
            panic!("the tool did not end");
        })
    };
    let stdout = text(&stdout, &mut child);
    let stderr = text(&stderr, &mut child);
    Output {
        status: child.wait().expect("its end"),
        stdout,
        stderr,
    }
}

/// Reads to the end, which is that of the child.
fn reader(mut from: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (done, result) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("its output");
        done.send(String::from_utf8_lossy(&bytes).into_owned())
    });
    result
}

/// What a tune cost is seen beside what the player did, and nothing secret with it.
#[test]
fn tracer_records_requests_and_tunes() {
    let operator = Operator::start();
    let mut command = launch(Player::Playbin3, &operator, "sessiontoken:PRIMARY", &[]);
    command
        .env("GST_TRACERS", "sessiontokens")
        .env("GST_DEBUG", "GST_TRACER:7")
        .env("GST_DEBUG_NO_COLOR", "1");
    let output = run(&mut command);
    assert!(output.status.success(), "{}", output.stderr);
    let records = |name: &str| {
        let lines = output.stderr.lines();
        let lines = lines.filter(|line| line.contains(&format!("{name},")));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let requests = records("session-token-request");
    for purpose in ["token", "license"] {
        let of_purpose = format!("purpose=(string){purpose}");
        let of_purpose = requests.iter().filter(|line| line.contains(&of_purpose));
        assert_eq!(of_purpose.count(), 1, "{requests:#?}");
    }
    for line in &requests {
        for field in [
            "http-status=(uint)200",
            "first-byte=",
            "total=",
            &operator.address(),
        ] {
            assert!(line.contains(field), "{field}: {line}");
        }
    }
    let tunes = records("session-token-tune");
    assert_eq!(tunes.len(), operator.kinds().len(), "{tunes:#?}");
    for field in ["service=(string)rdk", "generation=(uint)1", "waited="] {
        assert!(tunes.iter().all(|line| line.contains(field)), "{field}");
    }
    assert!(!output.stderr.contains(&operator.token()));
    assert!(!output.stderr.contains("query-secret"));
}
