// SPDX-License-Identifier: MIT OR Apache-2.0

//! How playlists are made up.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::model::*;

/// Tags at the beginning of media playlists.
const MEDIA_HEADER: [&str; 12] = [
    "#EXT-X-VERSION:9",
    "#EXT-X-TARGETDURATION:6",
    "#EXT-X-MEDIA-SEQUENCE:4711",
    "#EXT-X-DISCONTINUITY-SEQUENCE:12",
    "#EXT-X-PLAYLIST-TYPE:EVENT",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-I-FRAMES-ONLY",
    "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=36.0,PART-HOLD-BACK=1.5",
    "#EXT-X-PART-INF:PART-TARGET=0.5",
    "#EXT-X-START:TIME-OFFSET=-18.5,PRECISE=YES",
    "#EXT-X-SKIP:SKIPPED-SEGMENTS=3,RECENTLY-REMOVED-DATERANGES=\"a\tb\"",
    "#EXT-X-DEFINE:IMPORT=\"nobody\"",
];

/// Lines without a URI that may stand between the segments of media playlists.
const PLAIN: [&str; 14] = [
    "#EXT-X-DISCONTINUITY",
    "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:05.678Z",
    "#EXT-X-PROGRAM-DATE-TIME:2026-01-02T03:04:06+01:00",
    "#EXT-X-GAP",
    "#EXT-X-BITRATE:1234",
    "#EXT-X-CUE-OUT:30.0",
    "#EXT-OATCLS-SCTE35:/DAlAAAA==",
    "#EXT-X-DATERANGE:ID=\"ad\",START-DATE=\"2026-01-02T03:04:05Z\",DURATION=3.5,SCTE35-OUT=0xFC,X-NOTE=\"a, URI=b\"",
    // Whatever looks like one of ours, and is none.
    "#EXT-X-KEYS:METHOD=SAMPLE-AES,KEYFORMATS=\"x\"",
    "#EXT-X-MAPPED:TO=\"init.mp4\"",
    "#EXTRA",
    "# a comment",
    "#",
    "",
];

const VARIANT: [&str; 14] = [
    "BANDWIDTH=1000000",
    "AVERAGE-BANDWIDTH=900000",
    "CODECS=\"avc1.64001f,mp4a.40.2\"",
    "RESOLUTION=1280x720",
    "FRAME-RATE=29.970",
    "HDCP-LEVEL=TYPE-0",
    "AUDIO=\"sound\"",
    "VIDEO=\"pictures\"",
    "SUBTITLES=\"text\"",
    "CLOSED-CAPTIONS=NONE",
    "SCORE=1.5",
    "PATHWAY-ID=\"A\"",
    "STABLE-VARIANT-ID=\"x,y=z\"",
    "ALLOWED-CPC=\"com.example:HW/SW\"",
];

const RENDITION: [&str; 7] = [
    "LANGUAGE=\"en\"",
    "ASSOC-LANGUAGE=\"de\"",
    "DEFAULT=YES",
    "AUTOSELECT=YES",
    "CHARACTERISTICS=\"public.a,public.b\"",
    "CHANNELS=\"2\"",
    "STABLE-RENDITION-ID=\"x\"",
];

/// Lines of multivariant playlists in which nothing is to be changed.
const MULTIVARIANT_PLAIN: [&str; 9] = [
    "#EXT-X-VERSION:9",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-START:TIME-OFFSET=5",
    "#EXT-X-SESSION-DATA:DATA-ID=\"com.example.title\",VALUE=\"a, b\",LANGUAGE=\"en\"",
    "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"CC1\",INSTREAM-ID=\"CC1\"",
    "#EXT-X-UNKNOWN",
    "#EXT-X-SESSION-KEYS:METHOD=SAMPLE-AES",
    "# a comment",
    "",
];

/// URIs of every form for files of that name.
fn uris(name: &'static str) -> impl Strategy<Value = String> {
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
    (0..20_u8, 0..100_u8).prop_map(of_form)
}

fn key_ids() -> impl Strategy<Value = Vec<u128>> {
    vec(1..5_u128, 0..3)
}

fn boxes() -> impl Strategy<Value = Pssh> {
    let systems = select(vec![COMMON, CLEARKEY, PLAYREADY, WIDEVINE]);
    (systems, key_ids(), vec(any::<u8>(), 0..4)).prop_map(|(system, key_ids, data)| Pssh {
        system,
        key_ids,
        data,
    })
}

fn own_keys() -> impl Strategy<Value = Key> {
    let formats = select(vec![None, Some("identity"), Some("{$own}")]);
    let parts = (
        formats,
        uris("key"),
        option::of(any::<u64>()),
        any::<bool>(),
        0..5_usize,
    );
    parts.prop_map(|(format, uri, iv, has_versions, turn)| Key {
        method: "AES-128",
        format: format.map(str::to_owned),
        content: Content::Uri(uri),
        iv,
        key_id: None,
        has_versions,
        turn,
    })
}

fn contents() -> impl Strategy<Value = Content> {
    prop_oneof![
        1 => Just(Content::Nothing),
        1 => uris("key").prop_map(Content::Uri),
        2 => (0..4_u8).prop_map(|id| Content::Uri(format!("skd://{{$token}}/{id}"))),
        3 => vec(boxes(), 1..3).prop_map(Content::Boxes),
        // No box: it begins with the type of none.
        3 => vec(any::<u8>(), 0..4).prop_map(Content::Object),
    ]
}

fn system_keys() -> impl Strategy<Value = Key> {
    let formats = select(vec![
        None,
        Some("identity"),
        Some("com.apple.streamingkeydelivery"),
        Some("com.microsoft.playready"),
        Some("URN:UUID:9A04F079-9840-4286-AB92-E65BE0885F95"),
        Some("urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"),
        Some("urn:uuid:1077efec-c0b2-4d02-ace3-3c1e52e2fb4b"),
        Some("com.example.other"),
        Some("{$format}"),
        Some("{$own}"),
    ]);
    let methods = select(vec![
        "SAMPLE-AES",
        "SAMPLE-AES-CTR",
        "ISO-23001-7",
        "AES-128",
    ]);
    let key_ids = select(vec![
        None,
        Some("0x00112233445566778899aabbccddee01"),
        Some("0x00112233445566778899AABBCCDDEE02"),
        Some("{$id}"),
    ]);
    let parts = (
        methods,
        formats,
        contents(),
        option::of(any::<u64>()),
        key_ids,
        any::<bool>(),
        0..7_usize,
    );
    let keys = parts.prop_map(
        |(method, format, content, iv, key_id, has_versions, turn)| Key {
            method,
            format: format.map(str::to_owned),
            content,
            iv,
            key_id: key_id.map(str::to_owned),
            has_versions,
            turn,
        },
    );
    let may_be_own = |key: &Key| key.is_own() || key.is_whole() && key.format() == "{$own}";
    keys.prop_filter("the demuxer's own", move |key| !may_be_own(key))
}

fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        3 => Just(Key::none()),
        4 => own_keys(),
        8 => system_keys(),
    ]
}

fn maps() -> impl Strategy<Value = String> {
    let ranges = select(vec![
        "",
        ",BYTERANGE=\"700\"",
        ",BYTERANGE=\"700@100\"",
        ",BYTERANGE=\"{$range}\"",
    ]);
    let others = select(vec![
        "",
        ",X-OTHER=\"a, b\"",
        ",X-OTHER=7",
        ",X-OTHER-URI=\"other\"",
    ]);
    // Few of them, so that one comes again.
    let uris = prop_oneof![
        2 => (0..2_u8).prop_map(|number| format!("init{number}.mp4")),
        1 => uris("init"),
    ];
    (uris, ranges, others).prop_map(|(uri, range, other)| format!("URI=\"{uri}\"{range}{other}"))
}

fn other_lines() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(&PLAIN[..]).prop_map(str::to_owned),
        1 => uris("asset").prop_map(|uri| format!(
            "#EXT-X-DATERANGE:ID=\"ad\",START-DATE=\"2026-01-02T03:04:05Z\",X-ASSET-URI=\"{uri}\",X-NOTE=\"a\""
        )),
        1 => uris("list").prop_map(|uri| format!(
            "#EXT-X-RENDITION-REPORT:URI=\"{uri}\",LAST-MSN=5,LAST-PART=1"
        )),
        1 => uris("file").prop_map(|uri| format!("#EXT-X-NEW:SIZE=7,URI=\"{uri}\"")),
        // Nobody may write that, and demuxers read it.
        1 => Just("#EXT-X-NEW:URI=file.bin,SIZE=7".to_owned()),
    ]
}

fn parts() -> impl Strategy<Value = String> {
    let forms = select(vec![
        "#EXT-X-PART:DURATION=0.5,INDEPENDENT=YES,URI=",
        "#EXT-X-PART:DURATION=0.5,BYTERANGE=\"100@200\",URI=",
        "#EXT-X-PRELOAD-HINT:TYPE=PART,BYTERANGE-START=300,URI=",
        "#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=",
    ]);
    (forms, uris("part")).prop_map(|(form, uri)| format!("{form}\"{uri}\""))
}

fn segments() -> impl Strategy<Value = Item> {
    let durations = select(vec!["2", "2.000,", "4.004,title", "6.5, a title"]);
    let ranges = select(vec![
        None,
        None,
        Some("100"),
        Some("100@0"),
        Some("100@4000"),
    ]);
    let among = prop_oneof![
        keys().prop_map(Item::Key),
        maps().prop_map(Item::Map),
        other_lines().prop_map(Item::Other),
    ];
    let among = option::weighted(0.3, among.prop_map(Box::new));
    let segments = (durations, ranges, any::<bool>(), among, uris("segment"));
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
    let styles = (
        proptest::bool::weighted(0.1),
        select(vec!["\n", "\r\n"]),
        any::<bool>(),
    );
    styles.prop_map(
        |(has_byte_order_mark, line_end, is_last_line_ended)| Style {
            has_byte_order_mark,
            line_end,
            is_last_line_ended,
        },
    )
}

fn definitions() -> impl Strategy<Value = Vec<&'static str>> {
    // No playlist has a range that is not defined.
    let [others @ .., (range, _, _)] = DEFINITIONS;
    let others = others.map(|(tag, _, _)| tag).to_vec();
    let count = others.len();
    let tags = subsequence(others, 0..=count);
    tags.prop_map(move |tags| [&tags[..], &[range]].concat())
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
        4 => keys().prop_map(Item::Key),
        2 => maps().prop_map(Item::Map),
        2 => parts().prop_map(Item::Part),
        3 => other_lines().prop_map(Item::Other),
    ];
    let media = (
        headers(&MEDIA_HEADER),
        vec(items, 0..16),
        any::<bool>(),
        styles(),
    );
    media.prop_map(|(header, items, has_end, style)| Media {
        header,
        items: without_repeats(items),
        has_end,
        style,
    })
}

/// Parts of one file may follow each other, but no file is played again as a whole.
fn without_repeats(mut items: Vec<Item>) -> Vec<Item> {
    for (number, item) in items.iter_mut().enumerate() {
        if let Item::Segment(segment) = item
            && segment.range.is_none()
        {
            segment.uri.push_str(&format!("~{number}"));
        }
    }
    items
}

fn attributes(list: &'static [&'static str]) -> impl Strategy<Value = String> {
    let attributes = subsequence(list, 1..=list.len()).prop_shuffle();
    attributes.prop_map(|attributes| attributes.join(","))
}

fn multivariant_lines() -> impl Strategy<Value = Vec<String>> {
    let between = select(vec!["", "# a comment", "#EXT-X-OTHER:1"]);
    let variant = (attributes(&VARIANT), option::of(between), uris("list"));
    let i_frames = (attributes(&VARIANT), uris("list"));
    let types = select(vec!["AUDIO", "VIDEO", "SUBTITLES"]);
    let rendition = (types, attributes(&RENDITION), option::of(uris("list")));
    let session_keys = prop_oneof![own_keys(), system_keys()];
    prop_oneof![
        3 => variant.prop_map(|(list, between, uri)| {
            let between = between.map(str::to_owned);
            let tag = format!("#EXT-X-STREAM-INF:BANDWIDTH=1,{list}");
            [Some(tag), between, Some(uri)].into_iter().flatten().collect()
        }),
        1 => i_frames.prop_map(|(list, uri)| vec![format!(
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"{uri}\",{list}"
        )]),
        2 => rendition.prop_map(|(kind, list, uri)| {
            let uri = uri.map_or(String::new(), |uri| format!("URI=\"{uri}\","));
            vec![format!("#EXT-X-MEDIA:{uri}TYPE={kind},GROUP-ID=\"a\",NAME=\"b\",{list}")]
        }),
        2 => session_keys.prop_map(|key| vec![format!("#EXT-X-SESSION-KEY:{}", key.attributes())]),
        1 => uris("data").prop_map(|uri| vec![format!(
            "#EXT-X-SESSION-DATA:DATA-ID=\"d\",URI=\"{uri}\""
        )]),
        1 => uris("steering").prop_map(|uri| vec![format!(
            "#EXT-X-CONTENT-STEERING:SERVER-URI=\"{uri}\",PATHWAY-ID=\"A\""
        )]),
        2 => select(&MULTIVARIANT_PLAIN[..]).prop_map(|line| vec![line.to_owned()]),
    ]
}

pub fn multivariant() -> impl Strategy<Value = Multivariant> {
    // At least one that tells its kind.
    let first = uris("list").prop_map(|uri| {
        let tag = "#EXT-X-STREAM-INF:BANDWIDTH=1".to_owned();
        vec![tag, uri]
    });
    let parts = (
        definitions(),
        first,
        vec(multivariant_lines(), 0..12),
        styles(),
    );
    parts.prop_map(|(header, first, rest, style)| {
        let header = header.iter().map(|line| line.to_string());
        let lines = header.chain(first).chain(rest.concat()).collect();
        Multivariant { lines, style }
    })
}
