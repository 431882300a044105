// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is asked of whom: operators see the player's own headers, nobody else sees its cookies, and
//! the server inside hands out nothing but what the film needs.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use gst::glib;
use gst::prelude::*;
use headend::certificates::Authority;
use headend::{Gzip, Headend, MediaRequest, Tls};
use support::fixtures::Programme;
use support::folders::scratch_folder;
use support::in_both_players;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Kind, PlayerHarness, Setup};
use support::reference::assert_played;

use super::{raise, with_another_key, with_licenses};
use crate::child::{Output, launch_line, run};

/// The value of a header.
fn header<'a>(request: &'a MediaRequest, name: &str) -> Option<&'a str> {
    let mut headers = request.headers.iter();
    let found = headers.find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// The requests for playlists but for the first one, and for init segments.
fn ours(operator: &Operator) -> Vec<MediaRequest> {
    let mut requests = operator.media_requests();
    requests.retain(|request| {
        let is_playlist =
            request.path.ends_with(".m3u8") && !request.path.ends_with("/master.m3u8");
        is_playlist || request.path.ends_with("_init.mp4")
    });
    requests
}

/// As an operator's player has it.
fn set_headers(source: &gst::Element) {
    source.set_property("user-agent", "Box/7");
    source.set_property(
        "cookies",
        glib::StrV::from(["session=cookie-secret", "signed=1"]),
    );
    let extra = gst::Structure::builder("headers")
        .field("X-Device", "device-secret")
        .build();
    source.set_property("extra-headers", extra);
}

fn open(setup: Setup, operator: &Operator) -> PlayerHarness {
    let harness = with_licenses(setup, operator).open();
    harness.on_source(set_headers);
    harness
}

#[track_caller]
fn assert_headers_reach_the_operator(player: Player) {
    raise();
    let operator = Operator::start_for(Programme::HlsCenc);
    let harness = open(Setup::new(player, &operator), &operator);
    harness.start();
    assert_played(&harness, &harness.end(), operator.kinds());
    let ours = ours(&operator);
    assert_eq!(ours.len(), 4, "{ours:?}");
    for request in &ours {
        assert_eq!(header(request, "user-agent"), Some("Box/7"), "{request:?}");
        let cookies = "session=cookie-secret; signed=1";
        assert_eq!(header(request, "cookie"), Some(cookies));
        let first = operator.url("/hls/cenc/master.m3u8");
        assert_eq!(header(request, "referer"), Some(first.as_str()));
        assert_eq!(header(request, "x-device"), Some("device-secret"));
    }
}

/// An operator pays for every request: one for each file, as for what stock demuxers play.
#[track_caller]
fn assert_each_file_is_asked_for_once(player: Player) {
    raise();
    let operator = Operator::start_for(Programme::HlsCenc);
    let (harness, ended) = with_licenses(Setup::new(player, &operator), &operator).play();
    assert_played(&harness, &ended, operator.kinds());
    let requests = operator.media_requests().into_iter();
    let mut names: Vec<_> = requests
        .map(|request| request.path.replace("/hls/cenc/", ""))
        .collect();
    names.sort_unstable();
    let expected = [
        "a_1.m4s",
        "a_2.m4s",
        "a_3.m4s",
        "a_init.mp4",
        "audio.m3u8",
        "master.m3u8",
        "v_1.m4s",
        "v_2.m4s",
        "v_3.m4s",
        "v_init.mp4",
        "video.m3u8",
    ];
    assert_eq!(names, expected);
}

/// A presentation whose playlists are on another host.
fn elsewhere(operator: &Operator, folder: &Path) {
    let to = folder.join("dash/elsewhere");
    fs::create_dir_all(&to).expect("a scratch folder");
    let video = operator.url("/hls/cenc/video.m3u8");
    let master = format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{video}\n");
    fs::write(to.join("master.m3u8"), master).expect("a scratch file");
}

#[track_caller]
fn assert_plays_from_elsewhere(player: Player) {
    raise();
    let other = Operator::start();
    let folder = scratch_folder();
    elsewhere(&other, &folder);
    let operator = Operator::start_with_media(folder);
    let uri = operator.url("/hls/elsewhere/master.m3u8");
    let harness = open(Setup::new(player, &operator).uri(uri), &operator);
    harness.start();
    assert_played(&harness, &harness.end(), &[Kind::Picture]);
    let ours = ours(&other);
    assert_eq!(ours.len(), 2, "{ours:?}");
    for request in &ours {
        assert_eq!(header(request, "user-agent"), Some("Box/7"), "{request:?}");
        let headers = format!("{:?}", request.headers);
        assert!(!headers.contains("secret"), "{headers}");
    }
}

#[track_caller]
fn assert_plays_compressed(player: Player) {
    raise();
    let operator = Operator::start_for(Programme::HlsCbcs);
    operator.set_gzip(Gzip::WhereAccepted);
    let (harness, ended) = with_licenses(Setup::new(player, &operator), &operator).play();
    assert_played(&harness, &ended, operator.kinds());
    let ours = ours(&operator);
    let playlists = ours
        .iter()
        .filter(|request| request.path.ends_with(".m3u8"));
    for request in playlists {
        assert_eq!(
            header(request, "accept-encoding"),
            Some("gzip"),
            "{request:?}"
        );
    }
}

/// The status of the answer to a request of nobody's, or `None` where there is no server.
fn ask(address: &str, method: &str, path: &str) -> Option<u16> {
    Some(fetch(address, method, path, "")?.0)
}

/// Status and body. `more` are headers, each with its line's end.
fn fetch(address: &str, method: &str, path: &str, more: &str) -> Option<(u16, Vec<u8>)> {
    let mut connection = TcpStream::connect(address).ok()?;
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n");
    connection.write_all(head.as_bytes()).ok()?;
    let mut reply = Vec::new();
    connection.read_to_end(&mut reply).ok()?;
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&reply[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, reply.split_off(end + 4)))
}

/// Address and path of a URL of the server inside.
#[track_caller]
fn parts(url: &str) -> (&str, &str) {
    let url = url.strip_prefix("http://").expect("an http URL");
    url.split_at(url.find('/').expect("a path"))
}

/// The playlist that the demuxer inside gets first.
fn first_playlist(harness: &PlayerHarness, demuxer: &'static str) -> Arc<Mutex<String>> {
    let playlist = Arc::<Mutex<String>>::default();
    let seen = playlist.clone();
    harness.on_new(demuxer, move |demuxer| {
        let sink = demuxer.static_pad("sink").expect("a sink pad");
        let seen = seen.clone();
        sink.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let buffer = info.buffer().expect("a buffer probe");
            let bytes = buffer.map_readable().expect("readable");
            *seen.lock().expect("no panic") = String::from_utf8_lossy(&bytes).into_owned();
            gst::PadProbeReturn::Ok
        });
    });
    playlist
}

#[track_caller]
fn assert_server_is_discreet(player: Player, demuxer: &'static str) {
    raise();
    let operator = Operator::start_for(Programme::HlsPictureAlone);
    let setup = Setup::new(player, &operator).in_time();
    let harness = with_licenses(setup, &operator).open();
    let playlist = first_playlist(&harness, demuxer);
    harness.start();
    harness.wait_until_all_has_come(&operator);
    harness.wait_for_picture(gst::ClockTime::ZERO);
    let playlist = playlist.lock().expect("no panic").clone();
    let url = playlist
        .lines()
        .find(|line| line.starts_with("http"))
        .expect("a URL");
    let (address, path) = parts(url);
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    // A code of 32 bytes in base64 comes first.
    assert!(path.len() > 43, "nobody guesses it");
    let (code, rest) = path.split_at(20);
    let another = if rest.starts_with('A') { "B" } else { "A" };
    let forged = format!("{code}{another}{}", &rest[1..]);
    let status = |method: &str, path: &str| ask(address, method, path).expect("an answer");
    assert_eq!(status("GET", path), 200);
    assert_eq!(status("POST", path), 405);
    for path in [
        "/",
        "/hls/cenc/video.m3u8",
        "/../etc/passwd",
        "/00000000000000000000000000000000",
        "//",
        &format!("{path}/"),
        &path.to_uppercase(),
        &forged,
        &path[..path.len() - 4],
    ] {
        assert_eq!(status("GET", path), 404, "{path}");
    }
    harness.end().assert_well();
    harness.stop(gst::State::Null);
    assert!(ask(address, "GET", path).is_none(), "it is there still");
}

#[test]
fn internal_server_serves_only_its_urls_in_playbin() {
    assert_server_is_discreet(Player::Playbin, "hlsdemux");
}

#[test]
fn internal_server_serves_only_its_urls_in_playbin3() {
    assert_server_is_discreet(Player::Playbin3, "hlsdemux2");
}

/// What a source that trusts whoever answers makes of a film over TLS. The demuxer's own requests,
/// for segments, know nothing of that setting.
#[test]
fn source_ssl_strict_applies_to_playlist_requests() {
    raise();
    let authority = Authority::new();
    let server = authority.server(&["localhost"]);
    let headend = Headend::start_tls(Tls {
        certificate_chain: server.certificate,
        private_key: server.key,
        client_roots: None,
    });
    let headend = headend.expect("a head-end with TLS");
    let operator = Operator::start();
    for is_strict in [true, false] {
        let uri = headend.url("/hls/cenc/master.m3u8");
        let setup = Setup::new(Player::Playbin, &operator).uri(uri);
        let harness = with_licenses(setup, &operator).open();
        harness.on_source(move |source| source.set_property("ssl-strict", is_strict));
        harness.start();
        // Whatever the demuxer makes of segments.
        harness.end();
        let requests = headend.media_requests();
        let came = |name: &str| requests.iter().any(|one| one.path.ends_with(name));
        assert_eq!(came("/video.m3u8"), !is_strict, "{requests:?}");
        assert_eq!(came("/v_init.mp4"), !is_strict, "{requests:?}");
    }
}

/// Plays a film of a host that only a proxy knows, which is the head-end itself here.
fn through_proxy(player: Player, exceptions: &str) -> Output {
    let operator = Operator::start();
    let line = player.launch_line("http://origin.test/hls/cenc/master.m3u8", "");
    let ranks = "hlsdrmdemux:MAX,sessiontoken:PRIMARY";
    let config = format!(
        "session-token-config,location=(string)\"{}\",license-url=(string)\"{}\"",
        operator.location(),
        operator.license_url()
    );
    let output = run(launch_line(&operator, ranks, &line, &[])
        .env("GST_SESSION_TOKEN_CONFIG", config)
        .env("http_proxy", operator.url(""))
        .env("no_proxy", exceptions)
        .env_remove("G_DEBUG"));
    let asked = operator.media_requests();
    assert!(asked.iter().any(|one| one.path.ends_with("/master.m3u8")));
    output
}

#[test]
fn proxied_playback_works_with_localhost_excepted() {
    let output = through_proxy(Player::Playbin3, "127.0.0.1");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn proxy_that_takes_all_is_told() {
    for player in [Player::Playbin, Player::Playbin3] {
        let output = through_proxy(player, "");
        assert!(
            output.stderr.contains("set `no_proxy=127.0.0.1`"),
            "{output:?}"
        );
    }
}

in_both_players! {
    fn headers_of_the_source_reach_the_operator(player: Player) {
        assert_headers_reach_the_operator(player);
    }

    fn each_file_is_asked_for_once(player: Player) {
        assert_each_file_is_asked_for_once(player);
    }

    fn another_host_gets_no_cookie(player: Player) {
        assert_plays_from_elsewhere(player);
    }

    fn playlists_come_compressed(player: Player) {
        assert_plays_compressed(player);
    }
}

/// Where a connection breaks in a segment that comes with its init segment, the older demuxer goes
/// on from there.
#[test]
fn segment_with_init_segment_supports_byte_ranges() {
    raise();
    let operator = Operator::start_with_media(with_another_key());
    let uri = operator.url("/hls/other/video.m3u8");
    let setup = Setup::new(Player::Playbin, &operator).uri(uri).in_time();
    let harness = with_licenses(setup, &operator).open();
    let master = first_playlist(&harness, "hlsdemux");
    harness.start();
    harness.wait_until("the end of the picture", |seen| {
        seen.ends_at_decryptors == 1
    });
    operator.catch_up();
    harness.wait_for_picture(gst::ClockTime::ZERO);
    let url_in = |playlist: &str| {
        let found = playlist
            .lines()
            .rfind(|line| line.starts_with("http://127.0.0.1:"));
        let ours = found.filter(|line| !line.ends_with(".m4s"));
        ours.expect("a place").to_owned()
    };
    let media = url_in(&master.lock().expect("no panic"));
    let (address, path) = parts(&media);
    let (_, playlist) = fetch(address, "GET", path, "").expect("a playlist");
    let playlist = String::from_utf8(playlist).expect("text");
    let own = playlist
        .lines()
        .find(|line| line.starts_with(&format!("http://{address}/")));
    let (address, path) = parts(own.expect("a segment with its init segment"));
    let (status, whole) = fetch(address, "GET", path, "").expect("a segment");
    assert_eq!(status, 200);
    let moof = whole
        .windows(4)
        .position(|four| four == b"moof")
        .expect("a fragment");
    for from in [1, 40, moof - 4, moof + 1000, whole.len() - 1] {
        let range = format!("Range: bytes={from}-\r\n");
        let (status, rest) = fetch(address, "GET", path, &range).expect("the rest");
        assert_eq!(status, 206, "{from}");
        assert!(rest == whole[from..], "{from}: {} bytes", rest.len());
    }
    harness.end().assert_well();
}
