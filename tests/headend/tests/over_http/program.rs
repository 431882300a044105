// SPDX-License-Identifier: MIT OR Apache-2.0

//! The head-end as a program: what others rely on to start, find and stop it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Connection;
use headend::{OPERATOR_TOKEN, SECURITY_TOKEN};
use serde_json::json;

/// The program, and all that it says once it listens.
fn start(args: &[&str]) -> (Child, Vec<String>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_headend"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let out = BufReader::new(program.stdout.take().expect("its output"));
    let lines = out.lines().take(8).map(|line| line.expect("a line"));
    let lines = lines.collect();
    (program, lines)
}

fn origin(lines: &[String]) -> &str {
    let (_, url) = lines[0].split_once(": ").expect("a name and a URL");
    url.strip_suffix("/authService/getSessionToken")
        .expect("the auth service")
}

/// An empty folder of a test's own, in which an earlier run left nothing.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn program_prints_urls_and_exits_at_end_of_stdin() {
    let (mut program, lines) = start(&[]);
    let origin = origin(&lines);
    assert_eq!(
        lines,
        [
            format!("auth-service: {origin}/authService/getSessionToken"),
            format!("thunder: {origin}/jsonrpc"),
            format!("ags: {origin}/ags/getSessionToken"),
            format!("license-server: {origin}/license"),
            format!("manifest: {origin}/dash/cenc/manifest.mpd"),
            format!("periods-manifest: {origin}/dash/periods/manifest.mpd"),
            format!("rotating-manifest: {origin}/dash/rotating/manifest.mpd"),
            format!("clear-manifest: {origin}/dash/clear/manifest.mpd"),
        ]
    );
    let mut connection = Connection::to_origin(origin);
    assert_eq!(
        connection
            .ask("GET /authService/getSessionToken", "")
            .status,
        200
    );

    drop(program.stdin.take());
    assert!(program.wait().expect("its end").success());
}

/// A picture of a tune would show servers that answer at once.
#[test]
fn it_takes_the_time_that_it_is_given() {
    let (mut program, lines) = start(&["--auth-delay", "30", "--media-delay", "20"]);
    let mut connection = Connection::to_origin(origin(&lines));
    for (request, least) in [
        ("GET /authService/getSessionToken", 30),
        ("GET /dash/cenc/manifest.mpd", 20),
    ] {
        let asked = Instant::now();
        assert_eq!(connection.ask(request, "").status, 200);
        assert!(
            asked.elapsed() >= Duration::from_millis(least),
            "{request}: {:?}",
            asked.elapsed()
        );
    }

    drop(program.stdin.take());
    assert!(program.wait().expect("its end").success());
}

#[test]
fn credentials_are_readable_by_their_owner_only() {
    let folder = folder("credentials");
    // One that is there already, for all to read.
    fs::write(folder.join("thunder-token.txt"), "x".repeat(100)).expect("a file");

    let (mut program, lines) = start(&["--credentials", folder.to_str().expect("a path")]);
    let answer = Connection::to_origin(origin(&lines)).ask("GET /authService/getSessionToken", "");

    let read = |name| {
        let path = folder.join(name);
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        fs::read_to_string(path).expect("a text")
    };
    assert_eq!(read("thunder-token.txt"), SECURITY_TOKEN);
    assert_eq!(
        read("ags-parameters.json"),
        json!({ "OperatorAuthToken": OPERATOR_TOKEN }).to_string()
    );
    assert_eq!(answer.json()["token"], read("session-token.txt"));

    drop(program.stdin.take());
    assert!(program.wait().expect("its end").success());
}

#[test]
fn it_says_where_it_cannot_leave_credentials() {
    let missing = folder("no-credentials").join("missing");
    let output = Command::new(env!("CARGO_BIN_EXE_headend"))
        .arg("--credentials")
        .arg(&missing)
        .stdin(Stdio::null())
        .output()
        .expect("the program");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("missing/thunder-token.txt"), "{error}");
}

#[test]
fn it_refuses_options_that_it_does_not_know() {
    let output = Command::new(env!("CARGO_BIN_EXE_headend"))
        .arg("--bogus")
        .output()
        .expect("the program");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--bogus"));
}
