// SPDX-License-Identifier: MIT OR Apache-2.0

//! What `gst-session-token-check-1.0` says of twelve faults, and where there is none: compared with
//! the files in `tests/check_program`. `UPDATE_CHECKS=1` writes them instead.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headend::certificates::{Authority, Identity};
use headend::{Auth, Headend, Tls, VIDEO_KEY_ID, secret_forms};
use support::raw_server::{RawServer, Step};
use support::rig::{File, nobody};

/// The program, with no settings but these.
fn check(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gst-session-token-check"));
    command
        .args(arguments)
        .env_remove("GST_SESSION_TOKEN_CONFIG")
        // What the system says goes by that.
        .env("LC_ALL", "C");
    for name in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        command.env_remove(name);
    }
    command
}

fn golden(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check_program");
    folder.join(format!("{name}.txt"))
}

/// The output without what differs from run to run: these texts, times, and ids.
fn normalized(output: &Output, texts: &[(&str, &str)]) -> String {
    let mut text = String::from_utf8(output.stdout.clone()).expect("text");
    for (found, name) in texts {
        text = text.replace(found, name);
    }
    let words: Vec<_> = text.split(' ').collect();
    let mut shown = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let unit = words.get(at + 1).copied().unwrap_or_default();
        let is_time =
            is_number && (unit.starts_with("ms") || unit == "s" || unit.starts_with("s\n"));
        shown.push(if is_time { "N" } else { word });
    }
    let lines: Vec<_> = shown
        .join(" ")
        .lines()
        .map(|line| match line.split_once("correlation id: ") {
            Some((before, _)) => format!("{before}correlation id: ID"),
            None => line.to_owned(),
        })
        .collect();
    let status = output.status.code().expect("an exit status");
    format!("{}\nexit status {status}\n", lines.join("\n"))
}

/// Runs it and compares.
#[track_caller]
fn assert_says(name: &str, command: &mut Command, texts: &[(&str, &str)]) {
    let output = command.output().expect("the program runs");
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(text);
        assert!(!text.contains("SECRET"), "{text}");
        for secret in secret_forms() {
            assert!(!text.contains(&secret), "{text}");
        }
    }
    let said = normalized(&output, texts);
    let file = golden(name);
    if std::env::var_os("UPDATE_CHECKS").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder is made");
        fs::write(&file, &said).expect("the file is written");
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(said, expected, "{name}");
}

/// Host and port of a head-end.
fn place(headend: &Headend) -> String {
    let url = headend.url("");
    url.split_once("://").expect("a URL").1.to_owned()
}

fn over_tls(identity: Identity) -> Headend {
    let headend = Headend::start_tls(Tls {
        certificate_chain: identity.certificate,
        private_key: identity.key,
        client_roots: None,
    });
    headend.expect("a head-end")
}

fn location(headend: &Headend) -> String {
    format!("location={}?key=SECRET", headend.auth_url())
}

/// Asks RDK's auth service of a head-end that answers so.
#[track_caller]
fn assert_says_of(name: &str, auth: Auth) {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(auth);
    let place = place(&headend);
    assert_says(
        name,
        &mut check(&[&location(&headend)]),
        &[(&place, "PLACE")],
    );
}

fn reply(status: u16, content_type: &str, body: &str) -> Auth {
    Auth::Reply {
        status,
        content_type: content_type.to_owned(),
        body: body.to_owned(),
    }
}

#[test]
fn wrong_port() {
    let place = nobody();
    let location = format!("location=http://{place}/?key=SECRET");
    assert_says(
        "wrong-port",
        &mut check(&[&location, "retries=1"]),
        &[(&place, "PLACE")],
    );
}

#[test]
fn wrong_host() {
    // Longer than any label of a name can be, so that no resolver has to be asked.
    let host = "x".repeat(64);
    let location = format!("location=https://{host}/?key=SECRET");
    assert_says(
        "wrong-host",
        &mut check(&[&location, "retries=0"]),
        &[(&host, "HOST")],
    );
}

#[test]
fn expired_certificate() {
    let authority = Authority::new();
    let identity = authority.expired_server(&["localhost"]);
    let headend = over_tls(identity);
    let ca_file = File::new(authority.pem());
    let (place, path) = (place(&headend), ca_file.path());
    let ca_file = format!("ssl-ca-file={path}");
    assert_says(
        "expired-certificate",
        &mut check(&[&location(&headend), &ca_file]),
        &[(&place, "PLACE"), (&path, "FILE")],
    );
}

#[test]
fn refusal() {
    let body = r#"{"title":"No subscription","detail":"Ask for one.","token":"SECRET"}"#;
    assert_says_of("401", reply(401, "application/problem+json", body));
}

#[test]
fn not_json() {
    assert_says_of("not-json", reply(200, "text/html", "<html>SECRET</html>"));
}

#[test]
fn empty_token() {
    assert_says_of(
        "empty-token",
        reply(200, "application/json", r#"{"token":"","status":0}"#),
    );
}

#[test]
fn clock_that_is_off() {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let token = format!(
        "{}.{}.c2ln",
        part(r#"{"alg":"ES256"}"#),
        part(r#"{"exp":1000000000}"#)
    );
    let body = format!(r#"{{"token":"{token}","status":0}}"#);
    assert_says_of("clock", reply(200, "application/json", &body));
}

#[test]
fn missing_parameter() {
    let headend = Headend::start().expect("a head-end");
    let location = format!("location={}", headend.ags_url());
    let place = place(&headend);
    assert_says(
        "missing-parameter",
        &mut check(&["auth-service=ags", "discover=true", &location]),
        &[(&place, "PLACE")],
    );
}

#[test]
fn unreadable_file() {
    let arguments = ["auth-service=thunder", "authorization-file=/nowhere/at/all"];
    assert_says("unreadable-file", &mut check(&arguments), &[]);
}

#[test]
fn cleartext_that_is_refused() {
    let location = "location=http://service.test/authService?key=SECRET";
    assert_says("cleartext", &mut check(&[location]), &[]);
}

#[test]
fn proxy_that_is_away() {
    let place = nobody();
    let mut command = check(&[
        "location=http://service.test/authService?key=SECRET",
        "allow-cleartext=true",
        "retries=0",
    ]);
    command.env("http_proxy", format!("http://user:SECRET@{place}"));
    assert_says("proxy", &mut command, &[(&place, "PLACE")]);
}

#[test]
fn slow_service() {
    let server = RawServer::new(vec![vec![Step::Read, Step::Silence]]);
    let place = server.place();
    let location = format!("location=http://{place}/?key=SECRET");
    assert_says(
        "slow",
        &mut check(&[&location, "timeout=300"]),
        &[(&place, "PLACE")],
    );
}

#[test]
fn token_from_a_service_over_tls() {
    let authority = Authority::new();
    let identity = authority.server(&["localhost"]);
    let headend = over_tls(identity);
    let ca_file = File::new(authority.pem());
    let (place, path) = (place(&headend), ca_file.path());
    let config = format!(
        "session-token-config,ssl-ca-file=(string)\"{path}\",timeout=(uint)60000,license-url=(string)\"https://x/\""
    );
    let mut command = check(&[&location(&headend)]);
    command.env("GST_SESSION_TOKEN_CONFIG", config);
    assert_says("token", &mut command, &[(&place, "PLACE"), (&path, "FILE")]);
}

#[test]
fn token_and_license_as_json() {
    let headend = Headend::start().expect("a head-end");
    let arguments = [
        location(&headend),
        format!("--license-url={}", headend.license_url()),
        format!("--key-id={VIDEO_KEY_ID}"),
        "--json".to_owned(),
    ];
    let arguments: Vec<_> = arguments.iter().map(|one| &**one).collect();
    let output = check(&arguments).output().expect("the program runs");
    let text = String::from_utf8(output.stdout).expect("text");
    for secret in secret_forms().iter().chain([&headend.token()]) {
        assert!(!text.contains(secret), "{text}");
    }
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["exit-status"], 0);
    assert_eq!(report["license"]["keys"], 1);
    assert_eq!(report["token"]["bytes"], headend.token().len());
    assert_eq!(report["requests"].as_array().map(Vec::len), Some(2));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(headend.license_requests().len(), 1);
    assert!(headend.license_requests()[0].token_valid);
}

#[test]
fn license_that_is_refused_has_a_status_of_its_own() {
    let headend = Headend::start().expect("a head-end");
    headend.set_licenses(headend::Licenses::Refuse(500));
    let arguments = [
        location(&headend),
        format!("--license-url={}", headend.license_url()),
        format!("--key-id={VIDEO_KEY_ID}"),
        "retries=0".to_owned(),
    ];
    let arguments: Vec<_> = arguments.iter().map(|one| &**one).collect();
    let place = place(&headend);
    assert_says(
        "license-refused",
        &mut check(&arguments),
        &[(&place, "PLACE")],
    );
}

#[test]
fn command_line_that_is_wrong_is_told_and_not_quoted() {
    for (argument, says) in [
        ("SECRET", "PROPERTY=VALUE"),
        ("session-token=SECRET", "by value"),
        ("no-such-property=SECRET", "no-such-property"),
        ("timeout=SECRET", "`timeout`"),
        ("license-url=http://SECRET/", "`license-url`"),
    ] {
        let output = check(&[argument]).output().expect("the program runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains(says), "{text}");
        assert!(!text.contains("SECRET"), "{text}");
        assert_ne!(output.status.code(), Some(0));
    }
    for argument in ["--help", "--version"] {
        let output = check(&[argument]).output().expect("the program runs");
        assert!(output.status.success());
        assert!(!output.stdout.is_empty());
    }
}
