// SPDX-License-Identifier: MIT OR Apache-2.0

//! Media playlists as their packagers think of them, and what a demuxer has to get of them.

use super::delivery_model::{Delivered, Init, InitState};
use super::item_model::{Item, Map, Segment};
use super::key_model::{ActiveTags, Protection};
use super::line_model::{LineKind, Style};
use super::variable_model::resolved;
use crate::hls::SegmentMethod;

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
