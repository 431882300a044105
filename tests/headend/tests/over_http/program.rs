// SPDX-License-Identifier: MIT OR Apache-2.0

//! The head-end as a program: what others rely on to start, find and stop it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::client::Connection;

#[test]
fn it_says_where_it_is_and_ends_with_its_standard_input() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_headend"))
        .args(["--auth-delay", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program");
    let out = BufReader::new(program.stdout.take().expect("its output"));
    let lines: Vec<String> = out
        .lines()
        .take(4)
        .map(|line| line.expect("a line"))
        .collect();

    let (_, url) = lines[0].split_once(": ").expect("a name and a URL");
    let origin = url
        .strip_suffix("/authService/getSessionToken")
        .expect("the auth service");
    assert_eq!(
        lines,
        [
            format!("auth-service: {origin}/authService/getSessionToken"),
            format!("licence-server: {origin}/licence"),
            format!("manifest: {origin}/dash/cenc/manifest.mpd"),
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

#[test]
fn it_refuses_options_that_it_does_not_know() {
    let output = Command::new(env!("CARGO_BIN_EXE_headend"))
        .arg("--bogus")
        .output()
        .expect("the program");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--bogus"));
}
