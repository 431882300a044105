// SPDX-License-Identifier: MIT OR Apache-2.0

//! Variables of playlists, and what URIs with them stand for.

use url::Url;

/// Where the playlists are.
const BASE: &str = "https://cdn.example/a/b/list.m3u8?token=t%20t";

/// Tags of variables, how these are written, and what they stand for.
pub const DEFINITIONS: [(&str, &str, &str); 6] = [
    (
        r#"#EXT-X-DEFINE:NAME="folder",VALUE="x/y""#,
        "{$folder}",
        "x/y",
    ),
    (r#"#EXT-X-DEFINE:QUERYPARAM="token""#, "{$token}", "t t"),
    (r#"#EXT-X-DEFINE:IMPORT="above""#, "{$above}", "../up"),
    (
        r#"#EXT-X-DEFINE:NAME="id",VALUE="0x00000000000000000000000000000009""#,
        "{$id}",
        "0x00000000000000000000000000000009",
    ),
    (
        r#"#EXT-X-DEFINE:NAME="own",VALUE="identity""#,
        "{$own}",
        "identity",
    ),
    (
        r#"#EXT-X-DEFINE:NAME="range",VALUE="600@200""#,
        "{$range}",
        "600@200",
    ),
];

/// What every playlist defines: its key tags and ranges would mean something else without.
pub const ALWAYS_DEFINED: usize = 3;

pub fn base() -> Url {
    Url::parse(BASE).expect("a URL")
}

/// The text, which is of a playlist that has these tags, with values in the place of variables.
pub fn substituted(header: &[&str], text: &str) -> String {
    let mut text = text.to_owned();
    for (tag, variable, value) in DEFINITIONS {
        if header.contains(&tag) {
            text = text.replace(variable, value);
        }
    }
    text
}

/// What a URI in a playlist with these tags stands for.
pub fn resolved(header: &[&str], uri: &str) -> String {
    let url = base().join(&substituted(header, uri)).expect("a URL");
    url.to_string()
}
