// SPDX-License-Identifier: MIT OR Apache-2.0

//! How key tags are made up: what they mean, and the spellings of that.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::key_model::*;
use super::strategies::uris;

/// A list of attributes, in one of four ways to write one.
pub fn spelled(attributes: &[String], style: usize) -> String {
    match style {
        0 => attributes.join(","),
        1 => {
            let spaced = attributes.iter().map(|one| one.replacen('=', " = ", 1));
            spaced.collect::<Vec<_>>().join(" , ")
        }
        2 => attributes.join(",,"),
        _ => format!(", {},", attributes.join(",\t")),
    }
}

pub fn no_key() -> Key {
    Key {
        attributes: "METHOD=NONE".to_owned(),
        format: "identity".to_owned(),
        meaning: Meaning::None,
    }
}

fn methods(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    let case = |(name, case): (&'static str, u8)| match case {
        0 => name.to_ascii_lowercase(),
        1 => name
            .char_indices()
            .map(|(at, one)| match at % 2 {
                0 => one.to_ascii_lowercase(),
                _ => one,
            })
            .collect(),
        _ => name.to_owned(),
    };
    (select(names), 0..4_u8).prop_map(case)
}

/// As it is written, and what it is.
fn ivs() -> impl Strategy<Value = Option<(String, u128)>> {
    let written = |(iv, style)| match style {
        0 => (format!("0x{iv:032x}"), iv),
        1 => (format!("0X{iv:032X}"), iv),
        _ => (format!("0x{iv:x}"), iv),
    };
    option::of((any::<u128>(), 0..3_u8).prop_map(written))
}

fn key_ids() -> impl Strategy<Value = Option<(String, u128)>> {
    let written = |(id, style)| match style {
        0 => (format!("0x{id:032x}"), id),
        1 => (format!("0X{id:032X}"), id),
        2 => (format!("{id:032x}"), id),
        3 => (uuid::Uuid::from_u128(id).to_string(), id),
        _ => ("{$id}".to_owned(), 9),
    };
    option::of((1..4_u128, 0..5_u8).prop_map(written))
}

/// A `data:` URI that holds these bytes.
fn data_uri(bytes: &[u8], style: u8) -> String {
    match style {
        0 => format!("data:text/plain;base64,{}", STANDARD.encode(bytes)),
        1 => format!("data:;base64,{}", STANDARD_NO_PAD.encode(bytes)),
        2 => format!(
            "data:text/plain;charset=UTF-16;base64,{}",
            URL_SAFE_NO_PAD.encode(bytes)
        ),
        3 => format!("DATA:text/plain;BASE64,{}", STANDARD.encode(bytes)),
        4 => format!("data:text/plain;base64, {}", STANDARD.encode(bytes)),
        5 => {
            let text = STANDARD.encode(bytes);
            let text = text
                .replace('+', "%2B")
                .replace('/', "%2f")
                .replace('=', "%3D");
            format!("data:text/plain;base64,{text}")
        }
        _ => {
            let text: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
            format!("data:,{text}")
        }
    }
}

/// Puts the attributes together, in some order.
fn key(
    list: Vec<Option<String>>,
    format: &str,
    (turn, style): (usize, usize),
    meaning: Meaning,
) -> Key {
    let mut list: Vec<String> = list.into_iter().flatten().collect();
    let turn = turn % list.len();
    list.rotate_left(turn);
    Key {
        attributes: spelled(&list, style),
        format: format.to_ascii_lowercase(),
        meaning,
    }
}

fn styles() -> impl Strategy<Value = (usize, usize)> {
    (0..6_usize, 0..4_usize)
}

/// The attribute of that name, quoted.
fn quoted(name: &str, text: &str) -> Option<String> {
    Some(format!("{name}=\"{text}\""))
}

/// KEYFORMAT as it is written, where it is.
fn identity() -> impl Strategy<Value = Option<String>> {
    let formats = ["identity", "Identity", "{$own}", ""];
    let written = formats.map(|format| quoted("KEYFORMAT", format));
    select([&written[..], &[None, None]].concat())
}

fn identity_keys() -> impl Strategy<Value = Key> {
    let names = &[
        "AES-128",
        "AES-128",
        "SAMPLE-AES",
        "SAMPLE-AES",
        "SAMPLE-AES-CTR",
    ];
    let uri = prop_oneof![
        4 => uris("key").prop_map(|uri| (uri, None)),
        // An id in the place of a key, or a key.
        1 => (1..4_u128, 0..7_u8).prop_map(|(id, style)| {
            (data_uri(&id.to_be_bytes(), style), Some(id))
        }),
    ];
    let parts = (methods(names), identity(), uri, ivs(), styles());
    parts.prop_map(|(method, format, (uri, key_id), iv, style)| {
        let number = iv.as_ref().map(|(_, number)| *number);
        let meaning = match method.to_ascii_uppercase().as_str() {
            "AES-128" => Meaning::Aes128(uri.clone(), number),
            name => Meaning::SampleAes {
                uri: uri.clone(),
                iv: number,
                is_counter_mode: name == "SAMPLE-AES-CTR",
                key_id,
            },
        };
        let list = vec![
            Some(format!("METHOD={method}")),
            quoted("URI", &uri),
            iv.map(|(iv, _)| format!("IV={iv}")),
            format,
            quoted("KEYFORMATVERSIONS", "1/2"),
        ];
        key(list, "identity", style, meaning)
    })
}

/// What the URI of a DRM system's tag holds: the URI, and the boxes for decryptors by the
/// protection system of the tag.
#[derive(Clone, Debug)]
enum Content {
    Nothing,
    Uri(String),
    Skd(u8),
    Boxes(Vec<Vec<u8>>, u8),
    Object(Vec<u8>, u8),
}

fn contents() -> impl Strategy<Value = Content> {
    let boxes = (
        select(vec![COMMON, PLAYREADY, WIDEVINE]),
        vec(1..5_u128, 0..3),
        vec(any::<u8>(), 0..4),
    );
    let boxes = boxes.prop_map(|(system, ids, data)| pssh(system, &ids, &data));
    prop_oneof![
        1 => Just(Content::Nothing),
        1 => uris("key").prop_filter("no data", |uri| !uri.starts_with("data:"))
            .prop_map(Content::Uri),
        2 => (0..4_u8).prop_map(Content::Skd),
        3 => (vec(boxes, 1..3), 0..7_u8).prop_map(|(boxes, style)| Content::Boxes(boxes, style)),
        // No box: it begins with the type of none.
        3 => (vec(any::<u8>(), 1..4), 0..7_u8)
            .prop_map(|(object, style)| Content::Object(object, style)),
    ]
}

fn system_keys(names: &'static [&'static str]) -> impl Strategy<Value = Key> {
    const APPLE: &str = "com.apple.streamingkeydelivery";
    let formats = select(vec![
        (APPLE, Some(FAIRPLAY)),
        ("com.microsoft.playready", Some(PLAYREADY)),
        (
            "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",
            Some(WIDEVINE),
        ),
        (
            "URN:UUID:1077EFEC-C0B2-4D02-ACE3-3C1E52E2FB4B",
            Some(COMMON),
        ),
        ("com.example.other", None),
    ]);
    let parts = (
        methods(names),
        formats,
        contents(),
        ivs(),
        key_ids(),
        styles(),
    );
    parts.prop_map(|(method, (format, system), content, iv, key_id, style)| {
        let object = system.filter(|_| format != APPLE);
        let (uri, boxes) = match content {
            Content::Nothing => (None, vec![]),
            Content::Uri(uri) => (Some(uri), vec![]),
            Content::Skd(id) => {
                let uri = format!("skd://key/{id}");
                let boxes = match format == APPLE {
                    true => vec![pssh(FAIRPLAY, &[], uri.as_bytes())],
                    false => vec![],
                };
                (Some(uri), boxes)
            }
            Content::Boxes(boxes, style) => (Some(data_uri(&boxes.concat(), style)), boxes),
            Content::Object(data, style) => {
                let boxes = object.map(|system| pssh(system, &[], &data));
                (Some(data_uri(&data, style)), boxes.into_iter().collect())
            }
        };
        let meaning = Meaning::Drm {
            boxes,
            key_id: key_id.as_ref().map(|(_, id)| *id),
            is_whole: method.eq_ignore_ascii_case("AES-128"),
        };
        let list = vec![
            (!method.is_empty()).then(|| format!("METHOD={method}")),
            uri.and_then(|uri| quoted("URI", &uri)),
            iv.map(|(iv, _)| format!("IV={iv}")),
            key_id.map(|(id, _)| format!("KEYID={id}")),
            quoted("KEYFORMAT", format),
        ];
        key(list, format, style, meaning)
    })
}

/// METHOD=NONE, also with what it should not have.
fn none_keys() -> impl Strategy<Value = Key> {
    let others = select(vec![
        None,
        quoted("URI", "skd://key"),
        quoted("KEYFORMAT", "com.apple.streamingkeydelivery"),
        Some("IV=0x01".to_owned()),
    ]);
    (methods(&["NONE"]), others, styles()).prop_map(|(method, other, style)| {
        let list = vec![Some(format!("METHOD={method}")), other];
        key(list, "identity", style, Meaning::None)
    })
}

/// Tags with which nobody can do anything.
fn useless_keys() -> impl Strategy<Value = Key> {
    let lists = select(vec![
        ("identity", r#"METHOD=AES-256,URI="key""#),
        ("identity", r#"METHOD=AES-128"#),
        ("identity", r#"METHOD=SAMPLE-AES,URI="skd://key""#),
        (
            "identity",
            r#"METHOD=AES-128,URI="key",IV=0x123456789012345678901234567890123"#,
        ),
        ("identity", r#"METHOD=SAMPLE-AES,URI="key",IV=12"#),
        ("identity", r#"URI="key""#),
        (
            "com.example.drm",
            r#"METHOD=ROT-13,URI="key",KEYFORMAT="com.example.drm""#,
        ),
    ]);
    lists.prop_map(|(format, list)| Key {
        attributes: list.to_owned(),
        format: format.to_owned(),
        meaning: Meaning::Useless,
    })
}

/// Those of a DRM system for samples.
const SAMPLES: [&str; 5] = [
    "SAMPLE-AES",
    "SAMPLE-AES-CTR",
    "SAMPLE-AES-CENC",
    "ISO-23001-7",
    "",
];

pub fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        30 => none_keys(),
        60 => identity_keys(),
        80 => system_keys(&SAMPLES),
        2 => system_keys(&["AES-128"]),
        2 => useless_keys(),
    ]
}

pub fn session_keys() -> impl Strategy<Value = Key> {
    prop_oneof![1 => identity_keys(), 2 => system_keys(&SAMPLES)]
}
