// SPDX-License-Identifier: MIT OR Apache-2.0

//! What another parser says of rewritten playlists, with what is at URIs of ours in the place of
//! these.

use m3u8_rs::{ByteRange as Range, KeyMethod, MediaPlaylist, MediaSegment};

use super::delivery_model::{Delivered, Init, InitState};
use crate::hls::mp4::boxes_of;
use crate::hls::recording_map::{Place, RecordingMap};
use crate::hls::{ByteRange, InitProtection, InitSegment};

impl From<&InitSegment> for Init {
    fn from(init: &InitSegment) -> Self {
        let cipher = init.cipher.as_ref();
        Init {
            url: init.url.to_string(),
            range: init.range.map(offset_and_length),
            cipher: cipher.map(|one| (one.key.to_string(), one.iv.map(u128::from_be_bytes))),
            protection: match &init.protection {
                InitProtection::None => InitState::None,
                InitProtection::Clear => InitState::Clear,
                InitProtection::Identity(url) => InitState::Identity(url.to_string()),
                InitProtection::Drm(boxes) => {
                    let of_tag = boxes.boxes().iter().flat_map(|boxes| {
                        boxes_of(boxes, false).map(|one| boxes[one.whole].to_vec())
                    });
                    InitState::Drm(of_tag.collect())
                }
            },
        }
    }
}

fn offset_and_length(range: ByteRange) -> (u64, u64) {
    (range.offset, range.length)
}

fn written(range: Range) -> (u64, u64) {
    (range.offset.expect("an offset"), range.length)
}

/// What a demuxer gets for each segment and part.
pub fn deliveries(text: &str, map: &RecordingMap) -> Vec<Delivered> {
    let (mut key, mut init) = (None, None);
    let see = |segment: MediaSegment| {
        if let Some(new) = &segment.key {
            let uri = new.uri.as_deref();
            key = (new.method != KeyMethod::None).then(|| {
                let iv = new.iv.as_deref().map(|iv| {
                    u128::from_str_radix(iv.trim_start_matches("0x"), 16).expect("a number")
                });
                match map.at(uri.expect("a URI")) {
                    Some(Place::Key(url)) => (url.to_string(), iv),
                    other => panic!("a key is {other:?}"),
                }
            });
        }
        if let Some(new) = segment.map.clone() {
            init = Some(match map.at(&new.uri) {
                Some(Place::Init(init)) => {
                    assert_eq!(new.byte_range, None, "a part of a part");
                    (Init::from(init), false)
                }
                None => {
                    let direct = Init {
                        url: new.uri,
                        range: new.byte_range.map(written),
                        cipher: None,
                        protection: InitState::None,
                    };
                    (direct, true)
                }
                other => panic!("an init segment is {other:?}"),
            });
        }
        let mut delivered = Delivered {
            key: key.clone(),
            init: init.clone().map(|(init, _)| init),
            ..Delivered::default()
        };
        if segment.uri == PART {
            return delivered;
        }
        let mut url = segment.uri.clone();
        let mut range = segment.byte_range.clone().map(written);
        if let Some(Place::Segment(ours)) = map.at(&segment.uri) {
            assert_eq!(range, None, "a part of a part");
            url = ours.url.to_string();
            range = ours.range.map(offset_and_length);
            let cipher = ours.cipher.as_ref();
            delivered.cipher = cipher.map(|cipher| {
                let iv = u128::from_be_bytes(cipher.iv);
                (cipher.method, cipher.key.to_string(), iv)
            });
            delivered.init_before = ours.init.as_ref().map(Init::from);
        }
        let is_direct = init.as_ref().is_some_and(|(_, is_direct)| *is_direct);
        assert!(!(is_direct && delivered.cipher.is_some()), "{url}");
        delivered.range = range;
        delivered.segment = Some((segment.duration, segment.title, url));
        delivered
    };
    let segments = parsed(text).segments.into_iter();
    let mut all: Vec<_> = segments.map(see).collect();
    all.pop().expect("the end");
    all
}

/// How the demuxer names segments, and the init segments in force there.
pub fn names(text: &str) -> Vec<(String, Option<String>)> {
    let mut map = None;
    let segments = parsed(text).segments.into_iter();
    let named = segments.filter_map(|segment| {
        map = segment.map.map(|map| map.uri).or(map.take());
        let is_part = segment.uri == PART;
        (!is_part).then(|| (segment.uri, map.clone()))
    });
    let mut all: Vec<_> = named.collect();
    all.pop().expect("the end");
    all
}

/// Stands in the place of a part, of which the parser says nothing.
const PART: &str = "part:";

/// The first line, of which the parser knows no attributes.
const FIRST: &str = "#EXTM3U";

fn parsed(text: &str) -> MediaPlaylist {
    let mut lines = vec![FIRST.to_owned()];
    for line in text.lines().skip(1) {
        if line.starts_with("#EXT-X-PART:") || line.starts_with("#EXT-X-PRELOAD-HINT:") {
            lines.push(PART.to_owned());
        } else {
            // It knows no METHOD=NONE without one.
            lines.push(line.replace("METHOD=NONE", "METHOD=NONE,IV=0x00"));
        }
    }
    lines.push("end:\n".to_owned());
    let text = lines.join("\n");
    m3u8_rs::parse_media_playlist_res(text.as_bytes()).expect("a media playlist for the parser")
}

/// The playlists that a multivariant one names.
pub fn playlists(text: &str) -> Vec<String> {
    // It reads no last line that does not end.
    let lines = text.lines().skip(1).collect::<Vec<_>>().join("\n");
    let text = format!("{FIRST}\n{lines}\n");
    let playlist = m3u8_rs::parse_master_playlist_res(text.as_bytes());
    let playlist = playlist.expect("a multivariant playlist for the parser");
    let variants = playlist.variants.into_iter().map(|variant| variant.uri);
    let renditions = playlist.alternatives.into_iter();
    variants
        .chain(renditions.filter_map(|rendition| rendition.uri))
        .collect()
}
