// SPDX-License-Identifier: MIT OR Apache-2.0

//! How playlists are made up.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::item_model::{Item, Map, Segment};
pub use super::key_strategies::no_key;
use super::key_strategies::{keys, session_keys, spelled};
use super::line_model::{Line, LineKind, Style};
use super::media_model::Media;
use super::multivariant_model::Multivariant;
use super::variable_model::{ALWAYS_DEFINED, DEFINITIONS};

/// Tags at the beginning of media playlists.
const MEDIA_HEADER: [&str; 9] = [
    "#EXT-X-VERSION:9",
    "#EXT-X-TARGETDURATION:6",
    "#EXT-X-DISCONTINUITY-SEQUENCE:12",
    "#EXT-X-PLAYLIST-TYPE:EVENT",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=36.0,PART-HOLD-BACK=1.5",
    "#EXT-X-PART-INF:PART-TARGET=0.5",
    "#EXT-X-START:TIME-OFFSET=-18.5,PRECISE=YES",
    "#EXT-X-DEFINE:IMPORT=\"nobody\"",
];

/// Lines that may stand between the segments of media playlists, and stay as they are.
const PLAIN: [&str; 16] = [
    "#EXT-X-DISCONTINUITY",
    "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.678Z",
    "#EXT-X-GAP",
    "#EXT-X-BITRATE:1234",
    "#EXT-X-CUE-OUT:30.0",
    "#EXT-OATCLS-SCTE35:/DAlAAAA==",
    "#EXT-X-DATERANGE:ID=\"ad\",START-DATE=\"2026-01-02T03:04:05Z\",DURATION=3.5,SCTE35-OUT=0xFC,X-NOTE=\"a, URI=b\"",
    "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-02T03:04:05Z\",X-AD-URI=\"urn:example:ad:17\",X-URI=\"skd://a\"",
    "#EXT-X-VENDOR:URI=\"vendor://x\",,B = 1",
    "#EXT-X-VENDOR:URI=\"file:///etc/hostname\"",
    // Whatever looks like one of ours, and is none.
    "#EXT-X-KEYS:METHOD=SAMPLE-AES,KEYFORMATS=\"x\"",
    "#EXT-X-MAPPED:TO=\"init.mp4\"",
    "#EXTRA",
    "# a comment",
    "#",
    "",
];

const VARIANT: [&str; 8] = [
    "AVERAGE-BANDWIDTH=900000",
    "CODECS=\"avc1.64001f,mp4a.40.2\"",
    "RESOLUTION=1280x720",
    "FRAME-RATE=29.970",
    "HDCP-LEVEL=TYPE-0",
    "AUDIO=\"sound\"",
    "PATHWAY-ID=\"A\"",
    "STABLE-VARIANT-ID=\"x,y=z\"",
];

/// Lines of multivariant playlists in which nothing is to be changed.
const MULTIVARIANT_PLAIN: [&str; 7] = [
    "#EXT-X-VERSION:9",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-SESSION-DATA:DATA-ID=\"com.example.title\",VALUE=\"a, b\",LANGUAGE=\"en\"",
    "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"CC1\",INSTREAM-ID=\"CC1\"",
    "#EXT-X-SESSION-KEYS:METHOD=SAMPLE-AES",
    "# a comment",
    "",
];

/// URIs of every form for files of that name.
pub fn uris(name: &'static str) -> impl Strategy<Value = String> {
    let of_form = move |(form, number): (u8, u8)| match form {
        0 => format!("../{name}{number}.m4s"),
        1 => format!("/root/{name}{number}.m4s?a=1&b=%20#c"),
        2 => format!("//other.example/{name}{number}.m4s"),
        3 => format!("https://other.example:8443/x/../{name}{number}.m4s?q={{$token}}"),
        4 => format!("?{name}={number}"),
        5 => format!("{{$folder}}/{name}{number}.m4s"),
        6 => format!("{{$above}}/{name}{number}.m4s"),
        7 => format!("{{$undefined}}/{name}, größer {number}=.m4s"),
        8 => format!("data:,{name}{number}"),
        _ => format!("{name}{number}.m4s"),
    };
    (0..20_u8, 0..50_u8).prop_map(of_form)
}

fn maps() -> impl Strategy<Value = Map> {
    let ranges = select(vec![
        ("", None),
        ("700", Some((0, 700))),
        ("700@100", Some((100, 700))),
        ("{$range}", Some((200, 600))),
    ]);
    let others = select(vec!["", "X-OTHER=\"a, b\"", "X-OTHER=7"]);
    // Few of them, so that one comes again.
    let uris = prop_oneof![
        3 => (0..2_u8).prop_map(|number| format!("init{number}.mp4")),
        1 => uris("init"),
    ];
    (uris, ranges, others, 0..4_usize).prop_map(|(uri, (written, range), other, style)| {
        let mut list = vec![format!("URI=\"{uri}\"")];
        if !written.is_empty() {
            list.push(format!("BYTERANGE=\"{written}\""));
        }
        list.extend((!other.is_empty()).then(|| other.to_owned()));
        Map {
            attributes: spelled(&list, style),
            uri,
            range,
        }
    })
}

fn line(
    kind: LineKind,
    before: &'static str,
    name: &'static str,
    after: &'static str,
) -> impl Strategy<Value = Line> {
    uris(name).prop_map(move |uri| Line {
        before: before.to_owned(),
        uri: Some(uri),
        after: after.to_owned(),
        kind,
    })
}

fn other_lines() -> impl Strategy<Value = Line> {
    use LineKind::{Other, Part, Report};
    prop_oneof![
        6 => select(&PLAIN[..]).prop_map(Line::plain),
        1 => line(
            Other,
            "#EXT-X-DATERANGE:ID=\"ad\",START-DATE=\"2026-01-02T03:04:05Z\",X-ASSET-URI=\"",
            "asset",
            "\",X-NOTE=\"a\"",
        ),
        1 => line(Report, "#EXT-X-RENDITION-REPORT:URI=\"", "list", "\",LAST-MSN=5,LAST-PART=1"),
        1 => line(Other, "#EXT-X-NEW:SIZE=7,,URI=\"", "file", "\""),
        1 => line(Part, "#EXT-X-PART:DURATION=0.5,INDEPENDENT=YES,URI=\"", "part", "\""),
        1 => line(Part, "#EXT-X-PART:DURATION=0.5,BYTERANGE=\"100@200\",URI=\"", "part", "\""),
        1 => line(Part, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"", "part", "\",BYTERANGE-START=300"),
    ]
}

fn segments() -> impl Strategy<Value = Item> {
    let durations = select(vec!["2", "2.000,", "4.004,title", "6.5, a title"]);
    let ranges = select(vec![
        None,
        None,
        Some((100, None)),
        Some((100, None)),
        Some((100, Some(0))),
        Some((100, Some(4000))),
    ]);
    let among = prop_oneof![
        keys().prop_map(Item::Key),
        maps().prop_map(Item::Map),
        other_lines().prop_map(Item::Line),
    ];
    let among = option::weighted(0.3, among.prop_map(Box::new));
    let uris = prop_oneof![1 => Just("all.mp4".to_owned()), 2 => uris("segment")];
    let segments = (durations, ranges, any::<bool>(), among, uris);
    segments.prop_map(|(duration, range, is_range_first, among, uri)| {
        Item::Segment(Segment {
            duration,
            range,
            is_range_first,
            among,
            uri,
        })
    })
}

fn styles() -> impl Strategy<Value = Style> {
    let first = select(vec![
        "#EXTM3U",
        "#EXTM3U",
        "\u{feff}#EXTM3U",
        "#EXTM3U x-tvg-url=\"http://example.com/epg.xml\"",
    ]);
    let styles = (first, select(vec!["\n", "\r\n"]), any::<bool>());
    styles.prop_map(|(first, line_end, is_last_line_ended)| Style {
        first,
        line_end,
        is_last_line_ended,
    })
}

fn definitions() -> impl Strategy<Value = Vec<&'static str>> {
    let tags = DEFINITIONS.map(|(tag, _, _)| tag);
    let (some, all) = tags.split_at(tags.len() - ALWAYS_DEFINED);
    let all = all.to_vec();
    let tags = subsequence(some.to_vec(), 0..=some.len());
    tags.prop_map(move |tags| [&tags[..], &all].concat())
}

fn headers(lines: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    let headers = (subsequence(lines, 0..=lines.len()), definitions());
    headers
        .prop_map(|(lines, definitions)| [lines, definitions].concat())
        .prop_shuffle()
}

pub fn media() -> impl Strategy<Value = Media> {
    let items = prop_oneof![
        6 => segments(),
        3 => keys().prop_map(Item::Key),
        2 => maps().prop_map(Item::Map),
        3 => other_lines().prop_map(Item::Line),
    ];
    let media = (
        headers(&MEDIA_HEADER),
        option::of(any::<u64>().prop_map(|number| number >> 1)),
        option::weighted(0.7, maps().prop_map(Item::Map)),
        vec(items, 0..16),
        any::<[bool; 2]>(),
        styles(),
    );
    media.prop_map(
        |(header, sequence, map, items, [has_end, is_protected], style)| Media {
            header,
            sequence,
            items: without_repeats(map.into_iter().chain(items)),
            has_end,
            style,
            is_protected,
        },
    )
}

/// Parts of one file may follow each other, but no file is played again as a whole.
fn without_repeats(items: impl Iterator<Item = Item>) -> Vec<Item> {
    let mut items: Vec<_> = items.collect();
    for (number, item) in items.iter_mut().enumerate() {
        if let Item::Segment(segment) = item
            && segment.range.is_none()
        {
            segment.uri.push_str(&format!("~{number}"));
        }
    }
    items
}

fn multivariant_lines() -> impl Strategy<Value = Vec<Line>> {
    use LineKind::{Other, Playlist};
    let list = subsequence(&VARIANT[..], 0..=VARIANT.len()).prop_shuffle();
    let between = option::of(select(vec!["", "# a comment", "#EXT-X-OTHER:1"]));
    let variant = (list, between, line(Playlist, "", "list", ""));
    prop_oneof![
        3 => variant.prop_map(|(list, between, uri)| {
            let list = list.iter().map(|one| format!(",{one}")).collect::<String>();
            let tag = Line::plain(&format!("#EXT-X-STREAM-INF:BANDWIDTH=1{list}"));
            let between = between.map(Line::plain);
            [Some(tag), between, Some(uri)].into_iter().flatten().collect()
        }),
        1 => line(Playlist, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"", "list", "\"")
            .prop_map(|line| vec![line]),
        2 => line(Playlist, "#EXT-X-MEDIA:URI=\"", "list", "\",TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"b\"")
            .prop_map(|line| vec![line]),
        1 => line(Other, "#EXT-X-SESSION-DATA:DATA-ID=\"d\",URI=\"", "data", "\"")
            .prop_map(|line| vec![line]),
        1 => line(Other, "#EXT-X-CONTENT-STEERING:SERVER-URI=\"", "steering", "\",PATHWAY-ID=\"A\"")
            .prop_map(|line| vec![line]),
        2 => select(&MULTIVARIANT_PLAIN[..]).prop_map(|line| vec![Line::plain(line)]),
    ]
}

pub fn multivariant() -> impl Strategy<Value = Multivariant> {
    // At least one that tells its kind.
    let first = line(LineKind::Playlist, "", "list", "")
        .prop_map(|uri| vec![Line::plain("#EXT-X-STREAM-INF:BANDWIDTH=1"), uri]);
    let parts = (
        definitions(),
        first,
        vec(multivariant_lines(), 0..12),
        vec(session_keys(), 0..3),
        styles(),
    );
    parts.prop_map(|(header, first, rest, session_keys, style)| {
        let keys = session_keys.iter().map(|key| Line {
            kind: LineKind::Removed,
            ..Line::plain(&format!("#EXT-X-SESSION-KEY:{}", key.attributes))
        });
        Multivariant {
            header,
            lines: first.into_iter().chain(keys).chain(rest.concat()).collect(),
            session_keys,
            style,
        }
    })
}
