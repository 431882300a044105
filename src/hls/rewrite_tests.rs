// SPDX-License-Identifier: MIT OR Apache-2.0

//! What becomes of playlists, example by example.

use once_cell::sync::Lazy;
use url::Url;

use super::first_and_last_keys::FirstKeys;
use super::playlist::rewrite;
use super::recording_map::{ORIGIN, Place, RecordingMap};
use super::resource::{
    ByteRange, FirstKey, InitCipher, InitProtection, InitSegment, Segment, SegmentCipher,
    SegmentMethod,
};
use super::rewrite::{Context, Rewritten};
use super::variables::Variables;
use super::writer::STOPPED;

const WIDEVINE: &str = r#"#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,AAAAIHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAA=",KEYID=0x00112233445566778899aabbccddee01,KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed""#;

fn url(path: &str) -> Url {
    let base = Url::parse("https://cdn/a/b/list.m3u8?x=1").expect("a URL");
    base.join(path).expect("a URL")
}

fn with<'a>(
    playlist: &str,
    map: &mut RecordingMap,
    prepare: impl FnOnce(&mut Context<'a>),
) -> Result<Rewritten, &'static str> {
    static PLACE: Lazy<(Url, Variables)> = Lazy::new(|| (url(""), Variables::default()));
    let mut context = Context::new(&PLACE.0, &PLACE.1);
    prepare(&mut context);
    rewrite(playlist, &context, map)
}

fn rewritten(playlist: &str) -> (Rewritten, RecordingMap) {
    let mut map = RecordingMap::default();
    let rewritten = with(playlist, &mut map, |_| ());
    (rewritten.expect("a playlist"), map)
}

/// Lines that begin like this.
fn lines<'a>(rewritten: &'a Rewritten, begin: &str) -> Vec<&'a str> {
    let lines = rewritten.text.lines();
    lines.filter(|line| line.starts_with(begin)).collect()
}

fn uris(rewritten: &Rewritten) -> Vec<&str> {
    lines(rewritten, "http")
}

fn init(name: &str, protection: InitProtection) -> InitSegment {
    InitSegment {
        url: url(name),
        range: None,
        cipher: None,
        protection,
    }
}

#[test]
fn clear_playlist_stays_but_for_its_uris() {
    let playlist = "#EXTM3U\n#EXT-X-VERSION:6\n# a comment\n\n#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"7@1\"\n#EXTINF:2.000,title, with comma\n#EXT-X-BYTERANGE:10@0\n../1.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXTINF:2,\nhttps://other/2.m4s\n#EXT-X-ENDLIST\n";
    let (result, map) = rewritten(playlist);
    let expected = playlist
        .replace("../1.m4s", "https://cdn/a/1.m4s")
        .replace("\"init.mp4\"", "\"https://cdn/a/b/init.mp4\"");
    assert_eq!(result.text, expected);
    assert!(result.unplayable.is_none());
    assert!(result.has_direct_init && !result.has_protected_init);
    assert_eq!(map.places, []);
}

#[test]
fn first_line_may_have_attributes() {
    for first in [
        "#EXTM3U x-tvg-url=\"http://example.com/epg.xml\"",
        "\u{feff}#EXTM3U\r",
        "#EXTM3U\tx",
    ] {
        let (result, _) = rewritten(&format!("{first}\n#EXTINF:2,\n1.ts\n"));
        assert!(result.text.starts_with("#EXTM3U"), "{first}");
    }
    for text in ["", "<html>", "#EXTM3", "\n#EXTM3U", "#EXTM3U8"] {
        assert!(
            with(text, &mut RecordingMap::default(), |_| ()).is_err(),
            "{text}"
        );
    }
}

#[test]
fn drm_keys_go_with_the_init_segment() {
    let playlist = format!(
        "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"700@100\",X-OTHER=7\n{WIDEVINE}\n#EXTINF:2,\n1.m4s\n#EXTINF:2,\n2.m4s\n"
    );
    let (result, map) = rewritten(&playlist);
    assert_eq!(
        result.text,
        format!(
            "#EXTM3U\n#EXT-X-MAP:URI=\"{ORIGIN}0\",X-OTHER=7\n#EXTINF:2,\nhttps://cdn/a/b/1.m4s\n#EXTINF:2,\nhttps://cdn/a/b/2.m4s\n"
        )
    );
    let [Place::Init(init)] = &map.places[..] else {
        panic!("{:?}", map.places);
    };
    assert_eq!((&init.url, init.cipher.as_ref()), (&url("init.mp4"), None));
    let range = ByteRange {
        offset: 100,
        length: 700,
    };
    assert_eq!(init.range, Some(range));
    // Widevine's own, and one that lists the key's id.
    assert!(matches!(&init.protection, InitProtection::Drm(boxes) if boxes.boxes().len() == 2));
}

#[test]
fn another_key_for_an_init_segment_makes_another_one() {
    let other = WIDEVINE.replace("ee01", "ee02");
    let playlist = format!(
        "#EXTM3U\n{WIDEVINE}\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2,\n1.m4s\n{other}\n#EXTINF:2,\n2.m4s\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:2,\n3.m4s\n"
    );
    let (result, map) = rewritten(&playlist);
    let maps = [0, 1].map(|number| format!("#EXT-X-MAP:URI=\"{ORIGIN}{number}\""));
    let clear = "#EXT-X-MAP:URI=\"https://cdn/a/b/init.mp4\"";
    assert_eq!(lines(&result, "#EXT-X-MAP"), [&*maps[0], &*maps[1], clear]);
    assert_eq!(map.places.len(), 2);
}

#[test]
fn clear_parts_of_drm_presentation_look_protected() {
    let playlist = "#EXTM3U\n#EXT-X-MAP:URI=\"c.mp4\"\n#EXTINF:2,\n1.m4s\n#EXT-X-MAP:URI=\"c.mp4\"\n#EXTINF:2,\n2.m4s\n";
    let mut map = RecordingMap::default();
    let key = FirstKey::Unknown;
    let result = with(playlist, &mut map, |context| context.first_key = Some(&key));
    let result = result.expect("a playlist");
    assert_eq!(
        map.places,
        [Place::Init(init("c.mp4", InitProtection::Clear))]
    );
    assert_eq!(lines(&result, "#EXT-X-MAP").len(), 1);
    assert!(!result.has_direct_init && result.has_protected_init);
}

#[test]
fn keys_of_whole_segments_are_had_from_the_server() {
    let playlist = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXTINF:4,\ns0.ts\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:4,\ns1.ts\n#EXT-X-KEY:METHOD=AES-128,URI=\"/k2?a=b\"\n#EXTINF:4,\n#EXT-X-BYTERANGE:5@0\ns2.ts\n";
    let (result, map) = rewritten(playlist);
    assert_eq!(
        lines(&result, "#EXT-X-KEY"),
        [
            &*format!(
                "#EXT-X-KEY:METHOD=AES-128,URI=\"{ORIGIN}0\",IV=0x00000000000000000000000000000001"
            ),
            "#EXT-X-KEY:METHOD=NONE",
            &*format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{ORIGIN}1\""),
        ]
    );
    let keys = [url("k"), url("/k2?a=b")];
    assert_eq!(map.places, keys.clone().map(Place::Key));
    assert_eq!(
        result.keys,
        FirstKeys::OfLive(keys.into_iter().rev().collect())
    );
    assert_eq!(
        uris(&result),
        ["s0.ts", "s1.ts", "s2.ts"].map(|name| url(name).to_string())
    );
    assert_eq!(lines(&result, "#EXT-X-BYTERANGE"), ["#EXT-X-BYTERANGE:5@0"]);
}

#[test]
fn whole_fragments_are_decrypted_by_the_server() {
    let playlist = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"9@0\"\n#EXTINF:4,\n#EXT-X-BYTERANGE:5@9\nall.mp4\n#EXT-X-BYTERANGE:6\n#EXTINF:4,\nall.mp4\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-BYTERANGE:7\n#EXTINF:4,\nall.mp4\n";
    let (result, map) = rewritten(playlist);
    let part = |sequence: u8, offset, length| {
        let mut iv = [0; 16];
        iv[15] = sequence;
        Place::Segment(Segment {
            url: url("all.mp4"),
            range: Some(ByteRange { offset, length }),
            init: None,
            cipher: Some(SegmentCipher {
                method: SegmentMethod::Aes128,
                key: url("k"),
                iv,
            }),
        })
    };
    let init = Place::Init(InitSegment {
        range: Some(ByteRange {
            offset: 0,
            length: 9,
        }),
        cipher: Some(InitCipher {
            key: url("k"),
            iv: None,
        }),
        ..init("all.mp4", InitProtection::None)
    });
    assert_eq!(map.places, [init, part(7, 9, 5), part(8, 14, 6)]);
    // What the server does not give has its whole range.
    assert_eq!(
        lines(&result, "#EXT-X-BYTERANGE"),
        ["#EXT-X-BYTERANGE:7@20"]
    );
    assert_eq!(lines(&result, "#EXT-X-KEY"), [""; 0]);
    assert_eq!(result.keys, FirstKeys::OfLive(vec![url("k")]));
}

/// A demuxer that counts in 32 bits would decrypt with another one.
#[test]
fn sequence_number_of_64_bits_is_an_iv_of_the_server() {
    let playlist = |sequence: u64| {
        format!(
            "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:2,\n1.ts\n"
        )
    };
    let (_, map) = rewritten(&playlist(1_767_225_600_000));
    let [Place::Segment(segment)] = &map.places[..] else {
        panic!("{:?}", map.places);
    };
    let iv = segment.cipher.as_ref().map(|cipher| cipher.iv);
    assert_eq!(iv.map(u128::from_be_bytes), Some(1_767_225_600_000));
    let (_, map) = rewritten(&playlist(7));
    assert_eq!(map.places, [Place::Key(url("k"))]);
}

#[test]
fn skipped_segments_count_for_the_next_iv() {
    let (_, map) = rewritten(
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n#EXTINF:2,\n1.ts\n",
    );
    let [Place::Segment(segment)] = &map.places[..] else {
        panic!("{:?}", map.places);
    };
    let iv = segment.cipher.as_ref().map(|cipher| cipher.iv);
    assert_eq!(iv.map(u128::from_be_bytes), Some(10));
}

#[test]
fn identity_sample_aes_goes_to_whoever_can_decrypt_it() {
    let key = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\",IV=0x2\n";
    let (result, map) = rewritten(&format!("#EXTM3U\n{key}#EXTINF:2,\n1.ts\n"));
    let mut iv = [0; 16];
    iv[15] = 2;
    let segment = Segment {
        url: url("1.ts"),
        range: None,
        init: None,
        cipher: Some(SegmentCipher {
            method: SegmentMethod::SampleAes,
            key: url("k"),
            iv,
        }),
    };
    assert_eq!(map.places, [Place::Segment(segment)]);
    assert_eq!(uris(&result), [format!("{ORIGIN}0")]);

    let (result, map) = rewritten(&format!(
        "#EXTM3U\n{key}#EXT-X-MAP:URI=\"i\"\n#EXTINF:2,\n1.m4s\n"
    ));
    let init = init("i", InitProtection::Identity(url("k")));
    assert_eq!(map.places, [Place::Init(init)]);
    assert_eq!(uris(&result), [url("1.m4s").to_string()]);
    assert_eq!(result.keys, FirstKeys::OfLive(vec![url("k")]));
}

#[test]
fn what_nobody_can_play_is_told() {
    for (tags, says) in [
        (WIDEVINE, "without an init segment"),
        ("#EXT-X-KEY:METHOD=ROT-13,URI=\"k\"", "METHOD=ROT-13"),
        (
            "#EXT-X-KEY:METHOD=AES-128,URI=\"drm://k\",KEYFORMAT=\"com.drm\"",
            "com.drm",
        ),
    ] {
        let (result, _) = rewritten(&format!("#EXTM3U\n{tags}\n#EXTINF:2,\n1.ts\n"));
        let why = result.unplayable.expect(tags);
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn single_map_demuxer_gets_later_maps_with_segments() {
    let mut map = RecordingMap::default();
    let mut uris = |playlist: &str| -> Vec<String> {
        let one = |context: &mut Context| context.reads_one_map = true;
        let result = with(playlist, &mut map, one).expect("a playlist");
        uris(&result).into_iter().map(str::to_owned).collect()
    };
    let other = WIDEVINE.replace("ee01", "ee02");
    let first = format!("{WIDEVINE}\n#EXT-X-MAP:URI=\"i\"\n#EXTINF:2,\n1\n");
    let then = format!(
        "{other}\n#EXTINF:2,\n2\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"i\"\n#EXTINF:2,\n3\n"
    );
    let playlist = format!("#EXTM3U\n{first}{then}");
    let seen = uris(&playlist);
    let ours = seen[1].clone();
    assert!(ours.starts_with(ORIGIN), "{ours}");
    assert_eq!(seen, [url("1").as_str(), &ours, url("3").as_str()]);
    // When it has come to the top of a live playlist it is where it was.
    let slid = format!("#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n{other}\n#EXTINF:2,\n2\n#EXTINF:2,\n3\n");
    assert_eq!(uris(&slid), [&*ours, url("3").as_str()]);
    // Of what is not protected the demuxer makes what it always does.
    let clear =
        "#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n#EXTINF:2,\n8\n#EXT-X-MAP:URI=\"j\"\n#EXTINF:2,\n9\n";
    assert_eq!(uris(clear), ["8", "9"].map(|name| url(name).to_string()));
    // A key that changes between the ranges of one file.
    let ranges = playlist.replace("\n2\n", "\n#EXT-X-BYTERANGE:1@5\nfile\n");
    let seen = uris(&ranges);
    assert!(seen[1].starts_with(ORIGIN), "{}", seen[1]);
}

#[test]
fn multivariant_rewrites_child_playlist_uris() {
    let playlist = "#EXTM3U\n#EXT-X-DEFINE:NAME=\"v\",VALUE=\"video\"\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"audio.m3u8\",GROUP-ID=\"a\"\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\n{$v}.m3u8\n#EXT-X-I-FRAME-STREAM-INF:URI=\"i.m3u8\",BANDWIDTH=1\n#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n#EXT-X-SESSION-DATA:DATA-ID=\"d\",URI=\"d.json\"\n";
    let (result, map) = rewritten(playlist);
    let names = ["audio.m3u8", "video.m3u8", "i.m3u8"].map(url);
    assert_eq!(map.places, names.clone().map(Place::Playlist));
    assert_eq!(result.playlists, names[..2]);
    assert!(matches!(result.session_key, Some(FirstKey::Drm(_))));
    assert_eq!(
        result.text,
        format!(
            "#EXTM3U\n#EXT-X-DEFINE:NAME=\"v\",VALUE=\"video\"\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"{ORIGIN}0\",GROUP-ID=\"a\"\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\n{ORIGIN}1\n#EXT-X-I-FRAME-STREAM-INF:URI=\"{ORIGIN}2\",BANDWIDTH=1\n#EXT-X-SESSION-DATA:DATA-ID=\"d\",URI=\"https://cdn/a/b/d.json\"\n"
        )
    );
}

#[test]
fn unsupported_scheme_passes_only_if_never_fetched() {
    let tags = "#EXT-X-DATERANGE:ID=\"a\",X-AD-URI=\"urn:example:ad:17\",X-URI=\"skd://preload\"\n#EXT-X-VENDOR:URI=\"vendor://x\"\n#EXT-X-VENDOR:URI=\"file:///etc/hostname\"\n";
    let playlist = format!("#EXTM3U\n{tags}#EXTINF:2,\n1.ts\n");
    let (result, _) = rewritten(&playlist);
    assert!(result.text.contains(tags), "{}", result.text);
    for line in [
        "#EXTINF:2,\nfile:///etc/passwd",
        "#EXT-X-KEY:METHOD=AES-128,URI=\"file:///etc/passwd\"\n#EXTINF:2,\n1",
        "#EXT-X-MAP:URI=\"file:///etc/passwd\"\n#EXTINF:2,\n1",
        "#EXT-X-PART:DURATION=1,URI=\"ftp://h/1\"",
        "#EXT-X-STREAM-INF:BANDWIDTH=1\nfile:///etc/passwd",
        "#EXT-X-MEDIA:TYPE=AUDIO,URI=\"file:///etc/passwd\"",
    ] {
        let text = format!("#EXTM3U\n{line}\n");
        let result = with(&text, &mut RecordingMap::default(), |_| ());
        let refused = match result {
            Err(what) => what.starts_with("names something"),
            Ok(result) => result.unplayable.is_some(),
        };
        assert!(refused, "{line}");
    }
}

#[test]
fn rewriting_stops_when_nobody_waits_for_it() {
    let playlist = format!("#EXTM3U\n{}", "#EXTINF:2,\n1.ts\n".repeat(100_000));
    let looks = std::cell::Cell::new(0);
    let is_wanted = || {
        looks.set(looks.get() + 1);
        looks.get() < 3
    };
    let result = with(&playlist, &mut RecordingMap::default(), |context| {
        context.is_wanted = &is_wanted;
    });
    assert_eq!(result.err(), Some(STOPPED));
    assert_eq!(looks.get(), 3);
}
