// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is made up: playlists as their packagers think of them, which say what belongs to which segment.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::hls::Lost;

/// Where the playlists are.
const BASE: &str = "https://cdn.example/a/b/list.m3u8?token=t%20t";

pub const COMMON: u128 = 0x1077efec_c0b2_4d02_ace3_3c1e52e2fb4b;
pub const CLEARKEY: u128 = 0xe2719d58_a985_b3c9_781a_b030af78d30e;
const FAIRPLAY: u128 = 0x94ce86fb_07ff_4f43_adb8_93d2fa968ca2;
pub const PLAYREADY: u128 = 0x9a04f079_9840_4286_ab92_e65be0885f95;
pub const WIDEVINE: u128 = 0xedef8ba9_79d6_4ace_a3c8_27dcd51d21ed;

/// Tags of variables, how these are written, and what they stand for.
pub const DEFINITIONS: [(&str, &str, &str); 7] = [
    (
        r#"#EXT-X-DEFINE:NAME="folder",VALUE="x/y""#,
        "{$folder}",
        "x/y",
    ),
    (r#"#EXT-X-DEFINE:QUERYPARAM="token""#, "{$token}", "t t"),
    (r#"#EXT-X-DEFINE:IMPORT="above""#, "{$above}", "../up"),
    (
        r#"#EXT-X-DEFINE:NAME="format",VALUE="com.microsoft.playready""#,
        "{$format}",
        "com.microsoft.playready",
    ),
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

pub fn base() -> Url {
    Url::parse(BASE).expect("a URL")
}

/// The text, which is of a playlist that has these lines, with values in the place of variables.
pub fn substituted(playlist: &str, text: &str) -> String {
    let mut text = text.to_owned();
    for (tag, variable, value) in DEFINITIONS {
        if playlist.contains(tag) {
            text = text.replace(variable, value);
        }
    }
    text
}

/// A box for a DRM system.
#[derive(Clone, Debug)]
pub struct Pssh {
    pub system: u128,
    pub key_ids: Vec<u128>,
    pub data: Vec<u8>,
}

impl Pssh {
    fn bytes(&self) -> Vec<u8> {
        let mut body = vec![u8::from(!self.key_ids.is_empty()), 0, 0, 0];
        body.extend(self.system.to_be_bytes());
        if !self.key_ids.is_empty() {
            body.extend((self.key_ids.len() as u32).to_be_bytes());
            let key_ids = self.key_ids.iter().flat_map(|id| id.to_be_bytes());
            body.extend(key_ids);
        }
        body.extend((self.data.len() as u32).to_be_bytes());
        body.extend(&self.data);
        let size = (8 + body.len()) as u32;
        [&size.to_be_bytes()[..], b"pssh", &body].concat()
    }
}

/// What the URI of a key tag is, or holds.
#[derive(Clone, Debug)]
pub enum Content {
    Nothing,
    Uri(String),
    Boxes(Vec<Pssh>),
    /// As PlayReady has it.
    Object(Vec<u8>),
}

/// A key tag.
#[derive(Clone, Debug)]
pub struct Key {
    pub method: &'static str,
    pub format: Option<String>,
    pub content: Content,
    pub iv: Option<u64>,
    pub key_id: Option<String>,
    pub has_versions: bool,
    /// Which attribute comes first.
    pub turn: usize,
}

impl Key {
    pub fn none() -> Self {
        Key {
            method: "NONE",
            format: None,
            content: Content::Nothing,
            iv: None,
            key_id: None,
            has_versions: false,
            turn: 0,
        }
    }

    fn uri(&self) -> Option<String> {
        let data = match &self.content {
            Content::Nothing => return None,
            Content::Uri(uri) => return Some(uri.clone()),
            Content::Boxes(boxes) => boxes.iter().flat_map(Pssh::bytes).collect(),
            Content::Object(object) => object.clone(),
        };
        let head = ["data:text/plain;base64,", "data:;base64,"][self.turn % 2];
        Some(format!("{head}{}", STANDARD.encode(data)))
    }

    pub fn attributes(&self) -> String {
        let mut attributes = vec![format!("METHOD={}", self.method)];
        attributes.extend(self.uri().map(|uri| format!("URI=\"{uri}\"")));
        attributes.extend(self.iv.map(|iv| format!("IV=0x{iv:032x}")));
        attributes.extend(self.key_id.iter().map(|id| format!("KEYID={id}")));
        let format = self.format.iter();
        attributes.extend(format.map(|format| format!("KEYFORMAT=\"{format}\"")));
        let versions = "KEYFORMATVERSIONS=\"1/2\"".to_owned();
        attributes.extend(self.has_versions.then_some(versions));
        let turn = self.turn % attributes.len();
        attributes.rotate_left(turn);
        attributes.join(",")
    }

    /// What a playlist that begins like this says with it.
    fn meant(&self, header: &str) -> Self {
        let substituted = |text: &String| substituted(header, text);
        Key {
            format: self.format.as_ref().map(substituted),
            key_id: self.key_id.as_ref().map(substituted),
            content: match &self.content {
                Content::Uri(uri) => Content::Uri(substituted(uri)),
                other => other.clone(),
            },
            ..self.clone()
        }
    }

    pub fn format(&self) -> &str {
        self.format.as_deref().unwrap_or("identity")
    }

    pub fn is_own(&self) -> bool {
        self.method == "AES-128" && self.format() == "identity"
    }

    /// For whole segments, with the key of a DRM system.
    pub fn is_whole(&self) -> bool {
        self.method == "AES-128" && !self.is_own()
    }

    /// What a DRM system gets.
    fn boxes(&self) -> Vec<Vec<u8>> {
        let of_system = |system, data: &[u8]| Pssh {
            system,
            key_ids: Vec::new(),
            data: data.to_vec(),
        };
        match (&self.content, system(self.format())) {
            (Content::Boxes(boxes), _) => boxes.iter().map(Pssh::bytes).collect(),
            (Content::Object(object), Some(system)) => vec![of_system(system, object).bytes()],
            (Content::Uri(uri), _)
                if uri.starts_with("skd:") && self.format() == "com.apple.streamingkeydelivery" =>
            {
                vec![of_system(FAIRPLAY, uri.as_bytes()).bytes()]
            }
            _ => Vec::new(),
        }
    }

    fn key_id(&self) -> Option<u128> {
        let digits = self.key_id.as_ref()?.strip_prefix("0x")?;
        u128::from_str_radix(digits, 16).ok()
    }
}

fn system(format: &str) -> Option<u128> {
    match format.to_ascii_lowercase().as_str() {
        "com.microsoft.playready" | "urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95" => {
            Some(PLAYREADY)
        }
        "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed" => Some(WIDEVINE),
        "urn:uuid:1077efec-c0b2-4d02-ace3-3c1e52e2fb4b" => Some(COMMON),
        _ => None,
    }
}

/// A media segment.
#[derive(Clone, Debug)]
pub struct Segment {
    pub duration: &'static str,
    pub range: Option<&'static str>,
    pub is_range_first: bool,
    /// What stands between its tags.
    pub among: Option<Box<Item>>,
    pub uri: String,
}

/// One or more lines of a media playlist.
#[derive(Clone, Debug)]
pub enum Item {
    Key(Key),
    /// The attributes of an EXT-X-MAP.
    Map(String),
    Segment(Segment),
    /// EXT-X-PART or EXT-X-PRELOAD-HINT, for which keys and init segment are those of a segment in their place.
    Part(String),
    Other(String),
}

impl Item {
    fn lines(&self) -> Vec<String> {
        let segment = match self {
            Item::Key(key) => return vec![format!("#EXT-X-KEY:{}", key.attributes())],
            Item::Map(list) => return vec![format!("#EXT-X-MAP:{list}")],
            Item::Part(line) | Item::Other(line) => return vec![line.clone()],
            Item::Segment(segment) => segment,
        };
        let mut tags = vec![vec![format!("#EXTINF:{}", segment.duration)]];
        let range = segment
            .range
            .map(|range| vec![format!("#EXT-X-BYTERANGE:{range}")]);
        tags.extend(range);
        if segment.is_range_first {
            tags.reverse();
        }
        let among = segment.among.as_ref().map(|item| item.lines());
        tags.splice(1..1, among);
        tags.push(vec![segment.uri.clone()]);
        tags.concat()
    }

    /// This and what stands among it, in order.
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
    pub has_byte_order_mark: bool,
    pub line_end: &'static str,
    pub is_last_line_ended: bool,
}

impl Style {
    fn text(&self, lines: &[String]) -> String {
        let mark = if self.has_byte_order_mark {
            "\u{feff}"
        } else {
            ""
        };
        let last = if self.is_last_line_ended {
            self.line_end
        } else {
            ""
        };
        format!(
            "{mark}#EXTM3U{0}{1}{last}",
            self.line_end,
            lines.join(self.line_end)
        )
    }
}

/// A media playlist.
#[derive(Clone, Debug)]
pub struct Media {
    pub header: Vec<&'static str>,
    pub items: Vec<Item>,
    pub has_end: bool,
    pub style: Style,
}

/// What holds at a segment or part.
#[derive(Debug)]
pub struct Moment {
    pub is_segment: bool,
    /// For decryptors.
    pub boxes: Vec<Vec<u8>>,
    pub lost: Option<Lost>,
}

impl Media {
    pub fn text(&self) -> String {
        let header = self.header.iter().map(|line| line.to_string());
        let items = self.items.iter().flat_map(Item::lines);
        let end = self.has_end.then(|| "#EXT-X-ENDLIST".to_owned());
        self.style
            .text(&header.chain(items).chain(end).collect::<Vec<_>>())
    }

    fn flat(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().flat_map(Item::flat)
    }

    /// It has keys of the demuxer's and of DRM systems.
    pub fn has_mixed_keys(&self) -> bool {
        let header = self.header.join("\n");
        let keys = self.flat().filter_map(|item| match item {
            Item::Key(key) if key.method != "NONE" => Some(key.meant(&header).is_own()),
            _ => None,
        });
        keys.collect::<BTreeSet<_>>().len() > 1
    }

    /// What holds at each of its segments and parts.
    pub fn moments(&self) -> Vec<Moment> {
        let header = self.header.join("\n");
        let mut force = Force::default();
        let mut moments = Vec::new();
        for item in self.flat() {
            match item {
                Item::Segment(_) | Item::Part(_) => moments.push(Moment {
                    is_segment: matches!(item, Item::Segment(_)),
                    boxes: force.boxes(),
                    lost: force.lost(),
                }),
                other => force.take(other, &header),
            }
        }
        moments
    }

    /// The same some segments later: what was in force at the end of what is gone stands at the beginning.
    pub fn later(&self, segments: usize) -> Self {
        let header = self.header.join("\n");
        let mut force = Force::default();
        let mut gone = 0;
        let mut items = self.items.iter();
        while gone < segments
            && let Some(item) = items.next()
        {
            gone += usize::from(matches!(item, Item::Segment(_)));
            item.flat()
                .iter()
                .for_each(|item| force.take(item, &header));
        }
        let mut later = force.items();
        later.extend(items.cloned());
        Media {
            items: later,
            ..self.clone()
        }
    }
}

/// Key tags and init segment in force.
#[derive(Default)]
struct Force {
    /// The newest of each format, oldest first.
    keys: Vec<Key>,
    /// Its attributes.
    map: Option<String>,
}

impl Force {
    fn take(&mut self, item: &Item, header: &str) {
        let key = match item {
            Item::Map(map) => return self.map = Some(map.clone()),
            Item::Key(key) => key.meant(header),
            _ => return,
        };
        if key.method == "NONE" {
            return self.keys.clear();
        }
        let is_for_samples = !key.is_own() && !key.is_whole();
        self.keys.retain(|known| {
            let is_another = known.is_own() && is_for_samples;
            known.format() != key.format() && !is_another
        });
        self.keys.push(key);
    }

    /// In another order than before, as far as that is of no account.
    fn items(&self) -> Vec<Item> {
        let map = self.map.clone().map(Item::Map);
        let (own, of_systems): (Vec<&Key>, _) = self.keys.iter().partition(|key| key.is_own());
        let keys = of_systems.into_iter().rev().chain(own).cloned();
        map.into_iter().chain(keys.map(Item::Key)).collect()
    }

    /// Those that the demuxer cannot have itself. Whole segments have one key, whoever hands it out.
    fn of_systems(&self) -> impl Iterator<Item = &Key> {
        let has_own = self.keys.iter().any(Key::is_own);
        let is_for_systems = move |key: &&Key| !(key.is_own() || has_own && key.is_whole());
        self.keys.iter().filter(is_for_systems)
    }

    /// In order.
    fn boxes(&self) -> Vec<Vec<u8>> {
        let mut boxes: Vec<_> = self.of_systems().flat_map(Key::boxes).collect();
        let key_ids: BTreeSet<_> = self.of_systems().filter_map(Key::key_id).collect();
        let common = (!key_ids.is_empty()).then(|| Pssh {
            system: COMMON,
            key_ids: key_ids.into_iter().collect(),
            data: Vec::new(),
        });
        boxes.extend(common.map(|common| common.bytes()));
        boxes.sort();
        boxes
    }

    fn lost(&self) -> Option<Lost> {
        if self.of_systems().any(Key::is_whole) && self.boxes().is_empty() {
            return Some(Lost::WholeSegments);
        }
        let is_lost = self.map.is_none() && self.of_systems().next().is_some();
        is_lost.then_some(Lost::WithoutInitSegment)
    }
}

/// A multivariant playlist.
#[derive(Clone, Debug)]
pub struct Multivariant {
    pub lines: Vec<String>,
    pub style: Style,
}

impl Multivariant {
    pub fn text(&self) -> String {
        self.style.text(&self.lines)
    }
}
