// SPDX-License-Identifier: MIT OR Apache-2.0

//! What stands in media playlists behind their header: key tags, maps, segments and other lines.

use super::key_model::Key;
use super::line_model::Line;

/// An EXT-X-MAP.
#[derive(Clone, Debug)]
pub struct Map {
    pub attributes: String,
    pub uri: String,
    /// Offset and length.
    pub range: Option<(u64, u64)>,
}

/// A media segment.
#[derive(Clone, Debug)]
pub struct Segment {
    pub duration: &'static str,
    /// Length and offset.
    pub range: Option<(u64, Option<u64>)>,
    pub is_range_first: bool,
    /// What stands between its tags.
    pub among: Option<Box<Item>>,
    pub uri: String,
}

#[derive(Clone, Debug)]
pub enum Item {
    Key(Key),
    Map(Map),
    Segment(Segment),
    Line(Line),
}

impl Item {
    pub fn lines(&self) -> Vec<String> {
        let segment = match self {
            Item::Key(key) => return vec![format!("#EXT-X-KEY:{}", key.attributes)],
            Item::Map(map) => return vec![format!("#EXT-X-MAP:{}", map.attributes)],
            Item::Line(line) => return vec![line.text()],
            Item::Segment(segment) => segment,
        };
        let mut tags = vec![vec![format!("#EXTINF:{}", segment.duration)]];
        tags.extend(segment.range.map(|(length, offset)| {
            let offset = offset.map_or(String::new(), |offset| format!("@{offset}"));
            vec![format!("#EXT-X-BYTERANGE:{length}{offset}")]
        }));
        if segment.is_range_first {
            tags.reverse();
        }
        let among = segment.among.as_ref().map(|item| item.lines());
        tags.splice(1..1, among);
        tags.push(vec![segment.uri.clone()]);
        tags.concat()
    }

    /// What stands among it, and this.
    pub fn flat(&self) -> Vec<&Item> {
        match self {
            Item::Segment(Segment {
                among: Some(item), ..
            }) => vec![item, self],
            _ => vec![self],
        }
    }
}
