// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the origin makes of the media for HLS, asked over the network.

use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use aes::Aes128;
use cbc::Decryptor;
use cbc::cipher::array::Array;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use flate2::read::GzDecoder;

use crate::client::{Answer, PATIENCE, ask};
use headend::{Gzip, Headend};

fn get(headend: &Headend, path: &str) -> Answer {
    ask(headend, &format!("GET {path}"), "")
}

fn text(headend: &Headend, path: &str) -> String {
    let answer = get(headend, path);
    assert_eq!(answer.status, 200, "{path}");
    answer.text().to_owned()
}

/// Where everything is that a playlist leads to.
fn links(path: &str, playlist: &str) -> Vec<String> {
    let uris = playlist.lines().filter_map(|line| match line {
        "" => None,
        _ if line.starts_with('#') => line.split_once("URI=\"")?.1.split('"').next(),
        _ => Some(line),
    });
    let resolved = |uri: &str| {
        let mut folder = path.rsplit_once('/').expect("a folder").0;
        let mut uri = uri;
        while let Some(rest) = uri.strip_prefix("../") {
            (uri, folder) = (rest, folder.rsplit_once('/').expect("a folder").0);
        }
        format!("{folder}/{uri}")
    };
    uris.filter(|uri| !uri.starts_with("data:"))
        .map(resolved)
        .collect()
}

/// Asserts that everything is there that a master playlist leads to, and so many files of it.
#[track_caller]
fn assert_whole(headend: &Headend, master: &str, count: usize) {
    let mut paths = vec![master.to_owned()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        let answer = get(headend, &path);
        assert_eq!(answer.status, 200, "{path}");
        if path.ends_with(".m3u8") {
            for link in links(&path, answer.text()) {
                if !paths.contains(&link) {
                    paths.push(link);
                }
            }
        }
        next += 1;
    }
    assert_eq!(paths.len(), count, "{paths:?}");
}

fn count(text: &str, what: &str) -> usize {
    text.matches(what).count()
}

#[test]
fn every_presentation_is_whole() {
    let headend = Headend::start().expect("a head-end");
    for (master, files) in [
        // Two playlists, two init segments and six segments each.
        ("/hls/live/master.m3u8", 1 + 2 * (1 + 2 + 6)),
        ("/hls/live/master-no-keys.m3u8", 1 + 2 * (1 + 2 + 6)),
        ("/hls/live/master-no-pssh.m3u8", 1 + 2 * (1 + 2 + 6)),
        ("/hls/live-steady/master.m3u8", 1 + 2 * (1 + 2 + 6)),
        ("/hls/live-clear/master.m3u8", 1 + 2 * (1 + 1 + 6)),
        ("/hls/live-clear-both-keys/master.m3u8", 1 + 2 * (1 + 1 + 6)),
        // What the second picture has in addition is a playlist, an init segment and two segments.
        ("/hls/variants/master.m3u8", 1 + 2 * (1 + 1 + 3) + 4),
        ("/hls/variants/master-no-pssh.m3u8", 1 + 2 * (1 + 1 + 3) + 4),
        // And the key.
        ("/hls/aes128/master.m3u8", 1 + 2 * (1 + 1 + 3) + 1),
        ("/hls/aes128-no-map/master.m3u8", 1 + 2 * (1 + 3) + 1),
    ] {
        assert_whole(&headend, master, files);
    }
}

#[test]
fn what_has_no_playlist_is_not_there() {
    let headend = Headend::start().expect("a head-end");
    for path in [
        "/hls/live/v_6.m4s",
        "/hls/live/other.m3u8",
        "/hls/live/manifest.mpd",
        "/hls/variants/video.m3u8",
        "/hls/aes128/manifest.mpd",
        "/hls/aes128/v_4.m4s",
        "/hls/aes128-no-map/v_init.mp4",
        "/hls/aes128/../make.m4s",
        "/dash/live/master.m3u8",
    ] {
        assert_eq!(get(&headend, path).status, 404, "{path}");
    }
}

#[test]
fn live_variants_lack_key_tags_or_pssh_boxes() {
    let headend = Headend::start().expect("a head-end");
    let playlist = text(&headend, "/hls/live/video-no-keys.m3u8");
    assert_eq!(count(&playlist, "#EXT-X-KEY:"), 0);
    assert_eq!(count(&playlist, "#EXT-X-MAP:"), 4);
    let init = get(&headend, "/hls/live/v_periods_init-no-pssh.mp4").body;
    assert!(!init.windows(4).any(|bytes| bytes == b"pssh"));
}

// A demuxer that is measured with these would be measured with something else.
#[test]
fn clear_channels_have_key_tags_and_nothing_encrypted() {
    let headend = Headend::start().expect("a head-end");
    headend.set_live_window(9);
    // A map and two tags a key, which changes twice in three segments.
    for (folder, keys) in [("live-clear", 1), ("live-clear-both-keys", 6)] {
        let playlist = text(&headend, &format!("/hls/{folder}/video.m3u8"));
        assert_eq!(count(&playlist, "#EXTINF:"), 9, "{playlist}");
        assert_eq!(count(&playlist, "#EXT-X-MAP:"), keys);
        assert_eq!(count(&playlist, "#EXT-X-KEY:"), 2 * keys);
        let files = links(&format!("/hls/{folder}/video.m3u8"), &playlist).into_iter();
        for name in files.filter(|name| name.ends_with(".m4s")) {
            let segment = get(&headend, &name).body;
            assert!(!segment.windows(4).any(|bytes| bytes == b"senc"), "{name}");
        }
        let init = get(&headend, &format!("/hls/{folder}/v_clear_init.mp4")).body;
        assert!(!init.windows(4).any(|bytes| bytes == b"encv"), "{folder}");
    }
}

#[test]
fn live_channel_advances_from_its_first_playlist() {
    let headend = Headend::start().expect("a head-end");
    assert_eq!(headend.live_url(), headend.url("/hls/live/master.m3u8"));
    let steady = headend.url("/hls/live-steady/master.m3u8");
    assert_eq!(headend.steady_live_url(), steady);
    let video = || text(&headend, "/hls/live/video.m3u8");
    let first = |playlist: &str| count(playlist, "#EXT-X-MEDIA-SEQUENCE:0\n") == 1;
    text(&headend, "/hls/live/master.m3u8");
    assert_eq!(get(&headend, "/hls/live/v_0.m4s").status, 200);
    let before = video();
    assert!(first(&before), "{before}");
    assert_eq!(count(&before, "#EXT-X-KEY:"), 8);
    assert_eq!(get(&headend, "/hls/live/v_6.m4s").status, 404);

    let start = Instant::now();
    while first(&video()) {
        assert!(start.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(20));
    }
    assert!(video().contains("#EXT-X-MEDIA-SEQUENCE:1\n"));
    let audio = text(&headend, "/hls/live/audio.m3u8");
    assert!(audio.ends_with("a_6.m4s\n"), "{audio}");
    assert_eq!(count(&audio, "#EXT-X-DISCONTINUITY\n"), 1);
    // It is as far. What differs is in the segments.
    assert_eq!(text(&headend, "/hls/live-steady/audio.m3u8"), audio);
    assert_eq!(get(&headend, "/hls/live/a_6.m4s").status, 200);
}

#[test]
fn live_channel_ends_when_it_is_told_to() {
    let headend = Headend::start().expect("a head-end");
    headend.end_live_after(6);
    for name in ["video", "audio"] {
        let playlist = text(&headend, &format!("/hls/live/{name}.m3u8"));
        assert!(playlist.ends_with("_5.m4s\n#EXT-X-ENDLIST\n"), "{playlist}");
    }
}

#[test]
fn requests_for_media_are_recorded() {
    let headend = Headend::start().expect("a head-end");
    ask(
        &headend,
        "GET /dash/cenc/manifest.mpd?session=1\nX-Custom: Value",
        "",
    );
    ask(&headend, "HEAD /hls/cenc/none.m3u8", "");
    ask(&headend, "GET /record", "");

    let requests = headend.media_requests();
    let paths: Vec<_> = requests.iter().map(|request| &request.path).collect();
    assert_eq!(
        paths,
        ["/dash/cenc/manifest.mpd?session=1", "/hls/cenc/none.m3u8"]
    );
    let custom = ("x-custom".to_owned(), "Value".to_owned());
    assert!(requests[0].headers.contains(&custom), "{requests:?}");
    assert!(!requests[1].headers.contains(&custom), "{requests:?}");
    assert!(headend.wait_for(PATIENCE, |record| record.media_requests().count() == 2));

    assert_eq!(ask(&headend, "GET /record", "").text(), "");
    ask(&headend, "POST /record/clear", "");
    assert!(headend.media_requests().is_empty());
}

#[test]
fn file_can_be_missing_for_a_while() {
    let headend = Headend::start().expect("a head-end");
    headend.set_media_status("/hls/cenc/video.m3u8", 503, 2);
    let ask = |path| get(&headend, path).status;
    assert_eq!(ask("/hls/cenc/audio.m3u8"), 200);
    assert_eq!(ask("/dash/cenc/video.m3u8"), 200);
    assert_eq!(ask("/hls/cenc/video.m3u8?query"), 503);
    assert_eq!(ask("/hls/cenc/video.m3u8"), 503);
    assert_eq!(ask("/hls/cenc/video.m3u8"), 200);

    headend.set_media_status("/hls/live/v_0.m4s", 410, usize::MAX);
    assert_eq!([(); 3].map(|()| ask("/hls/live/v_0.m4s")), [410; 3]);
    headend.set_media_status("/hls/live/v_0.m4s", 410, 0);
    assert_eq!(ask("/hls/live/v_0.m4s"), 200);
    assert_eq!(headend.media_requests().len(), 9);
}

#[test]
fn playlists_are_compressed_as_the_test_wants_it() {
    const PLAYLIST: &str = "/hls/cenc/video.m3u8";
    let headend = Headend::start().expect("a head-end");
    let plain = get(&headend, PLAYLIST);
    let accepting = |path| {
        ask(
            &headend,
            &format!("GET {path}\nAccept-Encoding: br, gzip"),
            "",
        )
    };
    let assert_compressed = |answer: &Answer| {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        assert_eq!(answer.header("content-type"), plain.header("content-type"));
        let mut body = Vec::new();
        let mut decoder = GzDecoder::new(&answer.body[..]);
        decoder.read_to_end(&mut body).expect("gzip");
        assert_eq!(body, plain.body);
    };
    let assert_plain = |answer: &Answer| {
        assert_eq!(answer.header("content-encoding"), None);
        assert_eq!(answer.body, plain.body);
    };

    assert_plain(&accepting(PLAYLIST));
    headend.set_gzip(Gzip::WhereAccepted);
    assert_compressed(&accepting(PLAYLIST));
    assert_plain(&get(&headend, PLAYLIST));
    headend.set_gzip(Gzip::Always);
    assert_compressed(&accepting(PLAYLIST));
    assert_compressed(&get(&headend, PLAYLIST));
    assert_compressed(&ask(
        &headend,
        &format!("GET {PLAYLIST}\nRange: bytes=0-9"),
        "",
    ));

    // What is no playlist, or not there.
    let init = accepting("/hls/cenc/v_init.mp4");
    assert_eq!(init.header("content-encoding"), None);
    assert_eq!(accepting("/hls/cenc/none.m3u8").status, 404);
    headend.set_gzip(Gzip::Never);
    assert_plain(&accepting(PLAYLIST));
}

/// A segment decrypted by the key and the vector that its playlist names.
fn decrypted(headend: &Headend, folder: &str, name: &str, playlist: &str) -> Vec<u8> {
    let iv = playlist.split_once("#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x");
    let iv = iv.expect("a key").1.lines().next().expect("a line");
    let iv = u128::from_str_radix(iv, 16).expect("digits").to_be_bytes();
    let key = get(headend, &format!("{folder}/key.bin")).body;
    let key: [u8; 16] = key.try_into().expect("16 bytes");

    let mut segment = get(headend, &format!("{folder}/{name}")).body;
    let (blocks, rest) = Array::slice_as_chunks_mut(&mut segment);
    assert!(rest.is_empty(), "{name}");
    Decryptor::<Aes128>::new(&key.into(), &iv.into()).decrypt_blocks(blocks);
    let padding = *segment.last().expect("padding");
    assert!((1..=16).contains(&padding), "{name}");
    let padding = segment.split_off(segment.len() - usize::from(padding));
    assert!(
        padding
            .iter()
            .all(|byte| usize::from(*byte) == padding.len())
    );
    segment
}

#[test]
fn segments_encrypted_as_a_whole_are_the_clear_ones() {
    let headend = Headend::start().expect("a head-end");
    let clear = |name: &str| get(&headend, &format!("/hls/clear/{name}")).body;
    for (letter, name) in [("v", "video"), ("a", "audio")] {
        let init = clear(&format!("{letter}_init.mp4"));
        let [apart, in_front] = ["/hls/aes128", "/hls/aes128-no-map"].map(|folder| {
            let playlist = text(&headend, &format!("{folder}/{name}.m3u8"));
            assert_eq!(count(&playlist, "#EXT-X-KEY:"), 1);
            (folder, playlist)
        });
        // In clear, since no key is before it.
        let map = format!("#EXT-X-MAP:URI=\"{letter}_init.mp4\"\n#EXT-X-KEY:");
        assert!(apart.1.contains(&map), "{}", apart.1);
        let path = format!("/hls/aes128/{letter}_init.mp4");
        assert!(get(&headend, &path).body == init);
        assert_eq!(count(&in_front.1, "#EXT-X-MAP:"), 0);

        for number in 1..=3 {
            let name = format!("{letter}_{number}.m4s");
            let decrypted =
                |(folder, playlist): &(&str, String)| decrypted(&headend, folder, &name, playlist);
            let segment = clear(&name);
            assert!(decrypted(&apart) == segment, "{name}");
            assert!(
                decrypted(&in_front) == [&init[..], &segment].concat(),
                "{name}"
            );
        }
    }
}
