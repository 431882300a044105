// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists as their packagers think of them, and what a demuxer has to get of them.

use std::collections::BTreeSet;

use url::Url;

use super::key_model::{ActiveTags, Key, Protection};
use crate::hls::SegmentMethod;

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

/// One line with a URI, or without.
#[derive(Clone, Debug)]
pub struct Line {
    pub before: String,
    pub uri: Option<String>,
    pub after: String,
    pub kind: LineKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// What is in it is nobody's to fetch.
    Other,
    /// It names a playlist, which is had from the server.
    Playlist,
    /// It tells of a playlist, which is had from the server where others name it.
    Report,
    /// Part of a segment.
    Part,
    /// EXT-X-SESSION-KEY.
    Removed,
}

impl Line {
    pub fn plain(text: &str) -> Self {
        Self {
            before: text.to_owned(),
            uri: None,
            after: String::new(),
            kind: LineKind::Other,
        }
    }

    pub fn text(&self) -> String {
        let uri = self.uri.as_deref().unwrap_or_default();
        format!("{}{uri}{}", self.before, self.after)
    }

    /// As it has to be rewritten, where `place` gives playlists their places.
    pub fn rewritten(
        &self,
        header: &[&str],
        place: impl FnOnce(&str) -> Option<String>,
    ) -> Option<String> {
        let Some(uri) = &self.uri else {
            return (self.kind != LineKind::Removed).then(|| self.text());
        };
        let url = resolved(header, uri);
        let is_webs = url.starts_with("http");
        let uri = match self.kind {
            LineKind::Removed => return None,
            LineKind::Playlist | LineKind::Report => place(&url).unwrap_or(url),
            LineKind::Other if !is_webs => uri.clone(),
            LineKind::Other | LineKind::Part => url,
        };
        Some(format!("{}{uri}{}", self.before, self.after))
    }
}

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
    fn lines(&self) -> Vec<String> {
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
    fn flat(&self) -> Vec<&Item> {
        match self {
            Item::Segment(Segment {
                among: Some(item), ..
            }) => vec![item, self],
            _ => vec![self],
        }
    }
}

/// How lines are written.
#[derive(Clone, Debug)]
pub struct Style {
    pub first: &'static str,
    pub line_end: &'static str,
    pub is_last_line_ended: bool,
}

impl Style {
    fn text(&self, lines: &[String]) -> String {
        let last = match self.is_last_line_ended {
            true => self.line_end,
            false => "",
        };
        let first = [self.first.to_owned()];
        let all: Vec<_> = first.iter().chain(lines).map(String::as_str).collect();
        format!("{}{last}", all.join(self.line_end))
    }
}

/// A media playlist.
#[derive(Clone, Debug)]
pub struct Media {
    pub header: Vec<&'static str>,
    pub sequence: Option<u64>,
    pub items: Vec<Item>,
    pub has_end: bool,
    pub style: Style,
    /// Something in the presentation is protected.
    pub is_protected: bool,
}

/// An init segment as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Init {
    pub url: String,
    /// Offset and length.
    pub range: Option<(u64, u64)>,
    pub cipher: Option<(String, Option<u128>)>,
    pub protection: InitState,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InitState {
    None,
    Drm(BTreeSet<Vec<u8>>),
    Identity(String),
    Clear,
}

impl Init {
    pub fn is_direct(&self) -> bool {
        self.cipher.is_none() && self.protection == InitState::None
    }
}

/// What a demuxer gets for a segment or a part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivered {
    /// Duration, title and URL of a segment.
    pub segment: Option<(f32, Option<String>, String)>,
    /// Offset and length.
    pub range: Option<(u64, u64)>,
    /// Of whole segments, by the demuxer: where its key is had, and its IV.
    pub key: Option<(String, Option<u128>)>,
    /// By the server.
    pub cipher: Option<(SegmentMethod, String, u128)>,
    pub init: Option<Init>,
    /// It comes behind that.
    pub init_before: Option<Init>,
}

/// The last sequence number that a demuxer counts to, and makes vectors of.
const MAX_STOCK: u128 = i32::MAX as u128;

/// What a playlist says at a place in it.
#[derive(Clone, Default)]
struct Force {
    keys: ActiveTags,
    map: Option<(Map, ActiveTags)>,
    sequence: u64,
    last_end: Option<(String, u64)>,
}

impl Force {
    fn range(&mut self, segment: &Segment, url: &str) -> Option<(u64, u64)> {
        let last = self.last_end.take();
        let (length, offset) = segment.range?;
        let behind = last.filter(|(file, _)| file == url).map(|(_, end)| end);
        let offset = offset.or(behind).unwrap_or(0);
        self.last_end = Some((url.to_owned(), offset + length));
        Some((offset, length))
    }
}

impl Media {
    fn header_lines(&self) -> Vec<String> {
        let sequence = self.sequence;
        let sequence = sequence.map(|number| format!("#EXT-X-MEDIA-SEQUENCE:{number}"));
        let header = self.header.iter().map(|line| line.to_string());
        header.chain(sequence).collect()
    }

    fn end(&self) -> Option<String> {
        self.has_end.then(|| "#EXT-X-ENDLIST".to_owned())
    }

    pub fn text(&self) -> String {
        let items = self.items.iter().flat_map(Item::lines);
        let lines = self.header_lines().into_iter().chain(items);
        self.style
            .text(&lines.chain(self.end()).collect::<Vec<_>>())
    }

    fn begin(&self) -> Force {
        Force {
            sequence: self.sequence.unwrap_or(0),
            ..Force::default()
        }
    }

    fn url(&self, uri: &str) -> String {
        resolved(&self.header, uri)
    }

    /// Goes over an item. Gives what the demuxer gets of it; an error where that cannot be played.
    fn step(&self, force: &mut Force, item: &Item) -> Result<Option<Delivered>, ()> {
        match item {
            Item::Key(key) => force.keys.apply(key),
            Item::Map(map) => {
                // One file is encrypted or not, whatever stands before the tag that names it again.
                let place = |map: &Map| (self.url(&map.uri), map.range);
                let known = force.map.take();
                let known = known.filter(|(known, _)| place(known) == place(map));
                let keys = known.map_or(force.keys.clone(), |(_, keys)| keys);
                force.map = Some((map.clone(), keys));
            }
            Item::Line(line) if line.kind == LineKind::Part => {
                let delivered = self.delivered(force)?;
                return Ok(Some(delivered).filter(|one| one.cipher.is_none()));
            }
            Item::Line(_) => {}
            Item::Segment(segment) => {
                let url = self.url(&segment.uri);
                let range = force.range(segment, &url);
                let delivered = self.delivered(force);
                force.sequence += 1;
                let (duration, title) = match segment.duration.split_once(',') {
                    Some((duration, title)) => (duration, Some(title)),
                    None => (segment.duration, None),
                };
                let duration = duration.parse().expect("a number");
                let title = title.filter(|title| !title.is_empty());
                return Ok(Some(Delivered {
                    segment: Some((duration, title.map(str::to_owned), url)),
                    range,
                    ..delivered?
                }));
            }
        }
        Ok(None)
    }

    fn delivered(&self, force: &Force) -> Result<Delivered, ()> {
        let of_clear = match self.is_protected {
            true => InitState::Clear,
            false => InitState::None,
        };
        let init = |protection| {
            let (map, keys) = force.map.as_ref()?;
            Some(Init {
                url: self.url(&map.uri),
                range: map.range,
                cipher: match keys.protection() {
                    Protection::Aes128(uri, iv) => Some((self.url(&uri), iv)),
                    _ => None,
                },
                protection,
            })
        };
        let with_init = |protection| {
            let init = Some(init(protection).ok_or(())?);
            Ok(Delivered {
                init,
                ..Delivered::default()
            })
        };
        // RFC 8216, 5.2.
        let number = u128::from(force.sequence);
        match force.keys.protection() {
            Protection::Clear => Ok(Delivered {
                init: init(of_clear),
                ..Delivered::default()
            }),
            Protection::Drm(boxes) => with_init(InitState::Drm(boxes)),
            Protection::Unplayable => Err(()),
            Protection::Aes128(uri, iv)
                if force.map.is_some() || iv.is_none() && number > MAX_STOCK =>
            {
                Ok(Delivered {
                    cipher: Some((SegmentMethod::Aes128, self.url(&uri), iv.unwrap_or(number))),
                    init: init(of_clear),
                    ..Delivered::default()
                })
            }
            Protection::Aes128(uri, iv) => Ok(Delivered {
                key: Some((self.url(&uri), iv)),
                ..Delivered::default()
            }),
            Protection::SampleAes { uri, .. } if force.map.is_some() => {
                with_init(InitState::Identity(self.url(&uri)))
            }
            Protection::SampleAes {
                is_counter_mode: true,
                ..
            } => Err(()),
            Protection::SampleAes { uri, iv, .. } => Ok(Delivered {
                cipher: Some((
                    SegmentMethod::SampleAes,
                    self.url(&uri),
                    iv.unwrap_or(number),
                )),
                ..Delivered::default()
            }),
        }
    }

    /// What the demuxer gets, in order. `None` where some of it cannot be played.
    pub fn deliveries(&self) -> Option<Vec<Delivered>> {
        let mut force = self.begin();
        let mut all = Vec::new();
        for item in self.items.iter().flat_map(Item::flat) {
            all.extend(self.step(&mut force, item).ok()?);
        }
        Some(all)
    }

    /// The lines that are left but for keys, init segments, byte ranges and URIs of segments.
    pub fn other_lines(&self, place: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let mut lines = self.header_lines();
        let mut force = self.begin();
        for item in &self.items {
            let mut own = Vec::new();
            for item in item.flat() {
                let delivered = self.step(&mut force, item).ok().flatten();
                match item {
                    Item::Segment(segment) => {
                        let duration = format!("#EXTINF:{}", segment.duration);
                        let at = match segment.is_range_first && segment.range.is_some() {
                            true => own.len(),
                            false => 0,
                        };
                        own.insert(at, duration);
                    }
                    // They come before the tags of the segment that they stand in.
                    Item::Line(line) if line.kind == LineKind::Part => {
                        lines.extend(delivered.and_then(|_| line.rewritten(&self.header, |_| None)))
                    }
                    Item::Line(line) => own.extend(line.rewritten(&self.header, &place)),
                    _ => {}
                }
            }
            lines.extend(own);
        }
        lines.extend(self.end());
        lines
    }

    /// The same some segments later: what was in force at the end of what is gone stands at the
    /// beginning, and byte ranges say where they begin.
    pub fn later(&self, segments: usize) -> Self {
        let mut force = self.begin();
        let mut gone = 0;
        let mut items = self.items.iter();
        while gone < segments
            && let Some(item) = items.next()
        {
            gone += usize::from(matches!(item, Item::Segment(_)));
            for item in item.flat() {
                let _ = self.step(&mut force, item);
            }
        }
        let keys = |keys: &ActiveTags| -> Vec<_> {
            // In another order than before.
            keys.0.iter().rev().cloned().map(Item::Key).collect()
        };
        let mut later = Vec::new();
        if let Some((map, at_map)) = &force.map {
            later.extend(keys(at_map));
            later.push(Item::Map(map.clone()));
            later.push(Item::Key(super::strategies::no_key()));
        }
        later.extend(keys(&force.keys));
        let sequence = force.sequence;
        for item in items {
            let mut item = item.clone();
            if let Item::Segment(segment) = &mut item {
                let range = force.range(segment, &self.url(&segment.uri));
                segment.range = range.map(|(offset, length)| (length, Some(offset)));
            }
            later.push(item);
        }
        Media {
            items: later,
            sequence: Some(sequence),
            ..self.clone()
        }
    }
}

/// A multivariant playlist.
#[derive(Clone, Debug)]
pub struct Multivariant {
    pub header: Vec<&'static str>,
    pub lines: Vec<Line>,
    pub session_keys: Vec<Key>,
    pub style: Style,
}

impl Multivariant {
    pub fn text(&self) -> String {
        let header = self.header.iter().map(|line| line.to_string());
        let lines = self.lines.iter().map(Line::text);
        self.style.text(&header.chain(lines).collect::<Vec<_>>())
    }

    /// What protects its segments, as far as it says that itself. Of one format the first tag counts.
    pub fn protection(&self) -> Protection {
        let mut keys = ActiveTags::default();
        for key in &self.session_keys {
            if !keys.has(&key.format) {
                keys.apply(key);
            }
        }
        keys.protection()
    }
}
