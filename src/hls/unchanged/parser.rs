// SPDX-License-Identifier: MIT OR Apache-2.0

//! What another parser says of playlists, with what URIs stand for in the place of URIs.

use std::collections::BTreeMap;

use m3u8_rs::{
    ByteRange as Range, ExtTag, Key as OwnKey, KeyMethod, Map, MasterPlaylist, MediaPlaylist,
    MediaSegment, QuotedOrUnquoted, SessionDataField,
};
use url::Url;

use super::desk::{Desk, ORIGIN, Place};
use super::model::{base, substituted};
use crate::hls::{ByteRange, InitSegment};

/// Without key tags of DRM systems, but for an end of the demuxer's own key where samples have another.
pub fn without_systems(text: &str) -> String {
    let is_systems = |line: &str| {
        let is_identity = !line.contains("KEYFORMAT=") || line.contains("KEYFORMAT=\"identity\"");
        let is_own = is_identity && line.contains("METHOD=AES-128");
        !is_own && !line.contains("METHOD=NONE")
    };
    let is_key = |line: &str| line.starts_with("#EXT-X-KEY:");
    let is_left = |line: &&str| match *line {
        line if line.starts_with("#EXT-X-SESSION-KEY:") => !is_systems(line),
        line if is_key(line) => !is_systems(line) || !line.contains("METHOD=AES-128"),
        _ => true,
    };
    let written = |line| match line {
        line if is_key(line) && is_systems(line) => "#EXT-X-KEY:METHOD=NONE",
        line => line,
    };
    let lines: Vec<_> = text.lines().filter(is_left).map(written).collect();
    lines.join("\n")
}

/// The side of a comparison.
pub struct Side<'a> {
    base: Url,
    desk: &'a Desk,
}

impl<'a> Side<'a> {
    pub fn before(desk: &'a Desk) -> Self {
        let base = base();
        Side { base, desk }
    }

    /// Here nothing may depend on where the playlist is.
    pub fn after(desk: &'a Desk) -> Self {
        let base = Url::parse(ORIGIN).expect("a URL");
        Side { base, desk }
    }

    /// What a URI stands for.
    fn url(&self, uri: &str) -> String {
        match self.desk.at(uri) {
            Some(Place::Playlist(url) | Place::Whole(_, url)) => url.to_string(),
            Some(Place::Init(_)) => panic!("an init segment is where there is none: {uri}"),
            None => self.base.join(uri).expect("a URL").to_string(),
        }
    }

    /// What is seen at each segment and part, and at the end.
    pub fn media(&self, text: &str) -> Vec<Seen> {
        let mut playlist = media(&self.written_out(text));
        let segments = std::mem::take(&mut playlist.segments);
        let mut seen = Seen {
            playlist,
            ..Seen::default()
        };
        let see = |segment| {
            self.see(segment, &mut seen);
            seen.clone()
        };
        let mut all: Vec<_> = segments.into_iter().map(see).collect();
        // An init segment behind the last segment is none's.
        all.iter_mut().last().expect("the end").init = None;
        all
    }

    /// Goes on from a segment to the next.
    fn see(&self, mut segment: MediaSegment, seen: &mut Seen) {
        if let Some(mut key) = segment.key.take() {
            key.uri = key.uri.map(|uri| self.url(&uri));
            seen.key = Some(key).filter(|key| key.method != KeyMethod::None);
        }
        if let Some(map) = segment.map.take() {
            seen.init = Some(self.init(map));
        }
        for tag in &mut segment.unknown_tags {
            self.tag(tag);
        }
        let range = segment.daterange.iter_mut();
        for (name, value) in range.flat_map(|range| &mut range.x_prefixed).flatten() {
            self.attribute(name, value);
        }
        seen.whole = match self.desk.at(&segment.uri) {
            Some(Place::Whole(init, _)) => Some(Init::of(init)),
            _ => None,
        };
        segment.uri = self.url(&segment.uri);
        seen.segment = segment;
    }

    fn init(&self, mut map: Map) -> Init {
        for (name, value) in &mut map.other_attributes {
            self.attribute(name, value);
        }
        let others = map.other_attributes.into_iter().map(text_of).collect();
        if let Some(Place::Init(init)) = self.desk.at(&map.uri) {
            assert!(!init.boxes.is_empty(), "a place for nothing: {init:?}");
            assert_eq!(map.byte_range, None, "a part of a part: {init:?}");
            return Init {
                others,
                ..Init::of(init)
            };
        }
        // Where the offset is not said it is the beginning.
        let range = map.byte_range.map(|range| Range {
            offset: range.offset.or(Some(0)),
            ..range
        });
        Init {
            url: self.url(&map.uri),
            range,
            boxes: Vec::new(),
            others,
        }
    }

    /// A tag that the parser leaves as it is: its attributes, in one order.
    fn tag(&self, tag: &mut ExtTag) {
        let list = tag.rest.as_deref().unwrap_or_default();
        if !list.contains("URI=") {
            return;
        }
        // It does read those of this tag, which has a URI and a range of its own.
        let list = list.replace("URI=", "X-URI=").replace("BYTERANGE", "RANGE");
        let text = format!("#EXTM3U\n#EXT-X-MAP:URI=\"none:\",{list}\nx\n");
        let map = media(&text).segments.remove(0).map;
        let mut attributes = map.expect("attributes").other_attributes;
        for (name, value) in &mut attributes {
            self.attribute(name, value);
        }
        let attributes: BTreeMap<_, _> = attributes.into_iter().map(text_of).collect();
        tag.rest = Some(format!("{attributes:?}"));
    }

    fn attribute(&self, name: &str, value: &mut QuotedOrUnquoted) {
        if name.ends_with("URI") {
            *value = QuotedOrUnquoted::Quoted(self.url(value.as_str()));
        }
    }

    /// What the parser does not know of playlists is written out for it.
    fn written_out(&self, text: &str) -> String {
        let mut lines = Vec::new();
        let mut key = "none".to_owned();
        for line in text.trim_start_matches('\u{feff}').lines() {
            if let Some(list) = line.strip_prefix("#EXT-X-KEY:") {
                key = self.key(list);
                // It knows no METHOD=NONE without one.
                lines.push(line.replace("METHOD=NONE", "METHOD=NONE,IV=0x00"));
                continue;
            }
            // It says of segments alone what holds for them.
            if line.starts_with("#EXT-X-PART:") || line.starts_with("#EXT-X-PRELOAD-HINT:") {
                lines.push("part:".to_owned());
            }
            // The key that is in force at a map is that of the map.
            lines.push(match line.starts_with("#EXT-X-MAP:") {
                true => format!("{line},X-KEY=\"{key}\""),
                false => line.to_owned(),
            });
        }
        lines.push("end:\n".to_owned());
        lines.join("\n")
    }

    /// A key as the value of an attribute.
    fn key(&self, list: &str) -> String {
        let uri = list
            .split_once("URI=\"")
            .and_then(|(_, uri)| uri.split('"').next());
        uri.map_or("none".to_owned(), |uri| {
            list.replace(uri, &self.url(uri)).replace('"', "'")
        })
    }

    pub fn multivariant(&self, text: &str) -> MasterPlaylist {
        let mut playlist = multivariant(text);
        for variant in &mut playlist.variants {
            variant.uri = self.url(&variant.uri);
        }
        for rendition in &mut playlist.alternatives {
            rendition.uri = rendition.uri.as_ref().map(|uri| self.url(uri));
        }
        for data in &mut playlist.session_data {
            if let SessionDataField::Uri(uri) = &mut data.field {
                *uri = self.url(uri);
            }
        }
        for key in &mut playlist.session_key {
            key.0.uri = key.0.uri.as_ref().map(|uri| self.url(uri));
        }
        for tag in &mut playlist.unknown_tags {
            self.tag(tag);
        }
        playlist
    }
}

fn media(text: &str) -> MediaPlaylist {
    let playlist = m3u8_rs::parse_media_playlist_res(text.as_bytes());
    playlist.expect("a media playlist for the parser")
}

fn multivariant(text: &str) -> MasterPlaylist {
    // It reads no last line that does not end.
    let text = format!("{}\n", text.trim_start_matches('\u{feff}'));
    let playlist = m3u8_rs::parse_master_playlist_res(text.as_bytes());
    playlist.expect("a multivariant playlist for the parser")
}

/// What a multivariant playlist names playlists by.
pub fn playlists(text: &str) -> Vec<String> {
    let playlist = multivariant(text);
    let variants = playlist.variants.into_iter().map(|variant| variant.uri);
    let renditions = playlist.alternatives.into_iter();
    variants
        .chain(renditions.filter_map(|rendition| rendition.uri))
        .collect()
}

/// What the demuxer gets segments and init segments by.
pub fn written(text: &str) -> Vec<(String, Option<String>)> {
    let mut map = None;
    let segments = media(&substituted(text, text)).segments.into_iter();
    let with_map = |segment: MediaSegment| {
        map = segment.map.map(|map| map.uri).or(map.take());
        (segment.uri, map.clone())
    };
    segments.map(with_map).collect()
}

fn text_of((name, value): (String, QuotedOrUnquoted)) -> (String, String) {
    (name, value.to_string())
}

/// What is seen of a segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Without its segments.
    pub playlist: MediaPlaylist,
    pub segment: MediaSegment,
    /// In force.
    pub key: Option<OwnKey>,
    pub init: Option<Init>,
    /// What it comes with.
    pub whole: Option<Init>,
}

impl Seen {
    /// What has to be the same. Where the demuxer's own keys and those of DRM systems take turns, an init segment is told again behind the tags of
    /// other keys, of which nobody can say whether they are its own.
    pub fn comparable(&self, has_mixed_keys: bool) -> Self {
        let mut seen = self.clone();
        seen.whole = None;
        if let Some(init) = seen.init.as_mut().filter(|_| has_mixed_keys) {
            init.others.remove("X-KEY");
        }
        seen
    }
}

/// An init segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Init {
    pub url: String,
    pub range: Option<Range>,
    /// In order.
    pub boxes: Vec<Vec<u8>>,
    /// Other attributes.
    pub others: BTreeMap<String, String>,
}

impl Init {
    fn of(segment: &InitSegment) -> Self {
        let mut boxes = segment.boxes.clone();
        boxes.sort();
        let range = |range: ByteRange| Range {
            length: range.length,
            offset: Some(range.offset),
        };
        Init {
            url: segment.url.to_string(),
            range: segment.range.map(range),
            boxes,
            others: BTreeMap::new(),
        }
    }

    /// The part of a file, and what is put into it.
    pub fn content(&self) -> (&str, &Option<Range>, &[Vec<u8>]) {
        (&self.url, &self.range, &self.boxes)
    }
}
