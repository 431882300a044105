// SPDX-License-Identifier: MIT OR Apache-2.0

//! The origin, asked over the network.

use std::time::{Duration, Instant};

use crate::client::{Connection, PATIENCE, ask};
use headend::Headend;

#[test]
fn manifest_names_the_license_server() {
    let headend = Headend::start().expect("a head-end");
    let answer = ask(&headend, "GET /dash/cenc/manifest.mpd", "");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/dash+xml"));
    assert!(answer.text().contains(&headend.license_url()));
}

#[test]
fn manifests_name_license_server_per_protected_set() {
    let headend = Headend::start().expect("a head-end");
    for (url, sets) in [
        (headend.manifest_url(), 2),
        (headend.periods_manifest_url(), 4),
        (headend.rotating_manifest_url(), 1),
        (headend.clear_manifest_url(), 0),
    ] {
        let path = url.strip_prefix(&headend.url("")).expect("a URL of ours");
        let answer = ask(&headend, &format!("GET {path}"), "");
        let count = answer.text().matches(&headend.license_url()).count();
        assert_eq!(count, sets, "{path}");
    }
}

#[test]
fn every_file_of_two_periods_is_there() {
    let headend = Headend::start().expect("a head-end");
    let manifest = ask(&headend, "GET /dash/periods/manifest.mpd", "");
    assert_eq!(
        manifest
            .text()
            .matches("<BaseURL>../cenc/</BaseURL>")
            .count(),
        1
    );
    for name in [
        "cenc/a_init.mp4",
        "cenc/a_1.m4s",
        "cenc/v_init.mp4",
        "cenc/v_1.m4s",
        "periods/a_init.mp4",
        "periods/a_2.m4s",
        "periods/a_3.m4s",
        "periods/v_init.mp4",
        "periods/v_2.m4s",
        "periods/v_3.m4s",
    ] {
        let answer = ask(&headend, &format!("HEAD /dash/{name}"), "");
        assert_eq!(answer.status, 200, "{name}");
    }
}

#[test]
fn files_can_take_their_time() {
    const DELAY: Duration = Duration::from_millis(50);

    let headend = Headend::start().expect("a head-end");
    headend.set_media_delay(DELAY);
    let start = Instant::now();
    let answer = ask(&headend, "GET /dash/cenc/v_1.m4s", "");
    assert!(start.elapsed() >= DELAY);
    assert_eq!(answer.status, 200);
}

#[test]
fn file_that_takes_its_time_holds_nobody_else_up() {
    let headend = Headend::start().expect("a head-end");
    headend.set_media_delay(2 * PATIENCE);
    let mut slow = Connection::to(&headend);
    slow.send("GET /dash/cenc/v_1.m4s", "");
    // Either answer is here before patience is lost.
    let answer = ask(&headend, "GET /authService/getSessionToken", "");
    assert_eq!(answer.status, 200);
    headend.set_media_delay(Duration::ZERO);
    let answer = ask(&headend, "GET /dash/cenc/v_1.m4s", "");
    assert_eq!(answer.status, 200);
}

#[test]
fn variants_of_the_manifest_are_there() {
    let headend = Headend::start().expect("a head-end");
    let get = |name: &str| ask(&headend, &format!("GET /dash/cenc/{name}"), "");
    assert!(!get("manifest-no-laurl.mpd").text().contains("Laurl"));
    assert!(
        get("manifest-upper-case.mpd")
            .text()
            .contains("urn:uuid:E2719D58")
    );
    assert!(
        get("manifest-ancestor-ns.mpd")
            .text()
            .contains("<dashif:Laurl>")
    );
}

#[test]
fn one_connection_serves_whole_files_parts_and_heads() {
    let headend = Headend::start().expect("a head-end");
    let mut connection = Connection::to(&headend);

    let whole = connection.ask("GET /dash/cenc/v_1.m4s", "");
    assert_eq!(whole.status, 200);
    assert_eq!(whole.header("content-type"), Some("video/iso.segment"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));

    let part = connection.ask("GET /dash/cenc/v_1.m4s\nRange: bytes=4-7", "");
    assert_eq!(part.status, 206);
    assert_eq!(part.body, whole.body[4..8]);
    let length = whole.body.len();
    let range = format!("bytes 4-7/{length}");
    assert_eq!(part.header("content-range"), Some(range.as_str()));

    let beyond = connection.ask(
        &format!("GET /dash/cenc/v_1.m4s\nRange: bytes={length}-"),
        "",
    );
    assert_eq!(beyond.status, 416);
    let range = format!("bytes */{length}");
    assert_eq!(beyond.header("content-range"), Some(range.as_str()));

    let head = connection.ask("HEAD /dash/cenc/v_1.m4s", "");
    assert_eq!(head.status, 200);
    assert_eq!(
        head.header("content-length"),
        whole.header("content-length")
    );

    let init = connection.ask("GET /dash/clear/v_init.mp4", "");
    assert_eq!(init.header("content-type"), Some("video/mp4"));
}

#[test]
fn nothing_else_is_there() {
    let headend = Headend::start().expect("a head-end");
    for head in [
        "GET /dash/../make",
        "GET /dash/%2e%2e/make",
        "GET /dash/cenc/",
        "GET /dash/cenc/v_9.m4s",
        "GET /make",
        "GET /license",
        "POST /dash/cenc/manifest.mpd",
    ] {
        assert_eq!(ask(&headend, head, "").status, 404, "{head}");
    }
}
