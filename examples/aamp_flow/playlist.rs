// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists: which tracks there are, and what of each is to be injected.

use std::sync::Arc;

use m3u8_rs::{AlternativeMediaType, MasterPlaylist, MediaPlaylist, MediaSegment};
use url::Url;

use crate::download::Place;
use crate::key_tag::KeyTag;

pub enum Playlist {
    Master(Master),
    Media(Media),
}

pub struct Master {
    pub variants: usize,
    /// The playlist of the first variant, with its bits a second.
    pub picture: Url,
    pub bandwidth: u64,
    /// None where the picture's has the sound too, or there is none.
    pub sound: Option<Url>,
}

pub struct Media {
    /// What to inject, in order.
    pub steps: Vec<Step>,
    pub segments: usize,
    pub duration: gst::ClockTime,
    /// There will be no more segments.
    pub is_whole: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// From here on these key tags are in force.
    Keys(Vec<Arc<KeyTag>>),
    /// The init segment (EXT-X-MAP) of the segments that follow.
    Init(Place),
    Segment {
        place: Place,
        start: gst::ClockTime,
        duration: gst::ClockTime,
    },
}

/// Reads a playlist from that URL. An error goes on after "the playlist".
pub fn read(bytes: &[u8], url: &Url) -> Result<Playlist, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| NO_PLAYLIST)?;
    // The parser wants an end of each line.
    let text = with_unknown_key_tags(text) + "\n";
    match m3u8_rs::parse_playlist_res(text.as_bytes()) {
        Ok(m3u8_rs::Playlist::MasterPlaylist(playlist)) => {
            master(playlist, url).map(Playlist::Master)
        }
        Ok(m3u8_rs::Playlist::MediaPlaylist(playlist)) => media(playlist, url).map(Playlist::Media),
        Err(_) => Err(NO_PLAYLIST.to_owned()),
    }
}

const NO_PLAYLIST: &str = "is none of HLS (which begins with #EXTM3U): check the URL";

/// Key tags that may be in force together, one for each DRM. There are not that many.
const MAX_KEY_TAGS: usize = 32;

/// The name by which the parser does not know a key tag.
const KEY_TAG: &str = "X-DRM-KEY";

/// The parser keeps no more than one key tag a segment, and not all that is in it. Of tags that it
/// does not know it keeps all.
fn with_unknown_key_tags(text: &str) -> String {
    text.replace("\n#EXT-X-KEY:", &format!("\n#EXT-{KEY_TAG}:"))
}

/// No more than what is needed to play: of the variants the first one, of its group of sounds the
/// one that is marked as default, or else the first.
fn master(playlist: MasterPlaylist, url: &Url) -> Result<Master, String> {
    let variants = || playlist.variants.iter().filter(|one| !one.is_i_frame);
    let variant = variants()
        .next()
        .filter(|variant| !variant.uri.is_empty())
        .ok_or("names no variant to play")?;
    let sounds = || {
        playlist.alternatives.iter().filter(|one| {
            one.media_type == AlternativeMediaType::Audio
                && one.uri.is_some()
                && Some(&one.group_id) == variant.audio.as_ref()
        })
    };
    let sound = sounds().find(|one| one.default).or_else(|| sounds().next());
    Ok(Master {
        variants: variants().count(),
        picture: joined(url, &variant.uri)?,
        bandwidth: variant.bandwidth,
        sound: sound
            .and_then(|one| one.uri.as_ref())
            .map(|uri| joined(url, uri))
            .transpose()?,
    })
}

fn media(playlist: MediaPlaylist, url: &Url) -> Result<Media, String> {
    let segments = playlist.segments.len();
    if segments == 0 {
        return Err("names no segments".to_owned());
    }
    let mut reading = Reading::new(url);
    for segment in &playlist.segments {
        reading.segment(segment)?;
    }
    Ok(Media {
        steps: reading.steps,
        segments,
        duration: reading.start,
        is_whole: playlist.end_list,
    })
}

/// What is in force at a place in a media playlist.
struct Reading<'a> {
    url: &'a Url,
    steps: Vec<Step>,
    keys: Vec<Arc<KeyTag>>,
    /// Those of the last step with keys.
    written_keys: Vec<Arc<KeyTag>>,
    init: Option<Place>,
    /// The segment before, a part of whose file comes next where a part has no offset.
    before: Option<Place>,
    start: gst::ClockTime,
}

impl<'a> Reading<'a> {
    fn new(url: &'a Url) -> Self {
        Self {
            url,
            steps: Vec::new(),
            keys: Vec::new(),
            written_keys: Vec::new(),
            init: None,
            before: None,
            start: gst::ClockTime::ZERO,
        }
    }

    fn segment(&mut self, segment: &MediaSegment) -> Result<(), String> {
        let key_tags = segment.unknown_tags.iter().filter(|tag| tag.tag == KEY_TAG);
        for tag in key_tags {
            self.key_tag(KeyTag::read(tag.rest.as_deref().unwrap_or_default())?)?;
        }
        self.write_keys()?;
        if let Some(map) = &segment.map {
            let range = map.byte_range.as_ref();
            let init = Place {
                url: joined(self.url, &map.uri)?,
                range: range.map(|range| (range.offset.unwrap_or(0), range.length)),
            };
            if self.init.as_ref() != Some(&init) {
                self.steps.push(Step::Init(init.clone()));
                self.init = Some(init);
            }
        }
        if self.init.is_none() {
            return Err("has segments without an init segment (EXT-X-MAP): only fragmented MP4 is played here".to_owned());
        }
        self.write_segment(segment)
    }

    /// Each takes the place of the one before it of the same KEYFORMAT (RFC 8216, 4.3.2.4).
    fn key_tag(&mut self, tag: KeyTag) -> Result<(), String> {
        if tag.is_none() {
            self.keys.clear();
        } else if tag.is_for_segments() {
            return Err("has segments that are encrypted as a whole (AES-128): only those of DRM systems are played here".to_owned());
        } else if tag.is_for_drm() {
            self.keys.retain(|other| other.format != tag.format);
            if self.keys.len() == MAX_KEY_TAGS {
                return Err("has more key tags at once than anybody writes".to_owned());
            }
            self.keys.push(Arc::new(tag));
        }
        Ok(())
    }

    fn write_keys(&mut self) -> Result<(), String> {
        if self.keys.is_empty() {
            return Err("has segments without a key tag of a DRM system (EXT-X-KEY): only what is protected is played here".to_owned());
        }
        if self.keys == self.written_keys {
            return Ok(());
        }
        if !self.keys.iter().any(|tag| tag.has_init_data()) {
            return Err(format!(
                "has key tags for {} alone, which say nothing to the decryptors of GStreamer",
                self.keys[0].format
            ));
        }
        self.steps.push(Step::Keys(self.keys.clone()));
        self.written_keys.clone_from(&self.keys);
        Ok(())
    }

    fn write_segment(&mut self, segment: &MediaSegment) -> Result<(), String> {
        let url = joined(self.url, &segment.uri)?;
        let before = self.before.take().filter(|before| before.url == url);
        let end_before = before
            .and_then(|before| before.range)
            .map(|(at, length)| at.saturating_add(length));
        let range = match &segment.byte_range {
            Some(range) => {
                let offset = range.offset.or(end_before);
                let offset = offset.ok_or(
                    "has a part of a file (EXT-X-BYTERANGE) that does not say where it begins",
                )?;
                Some((offset, range.length))
            }
            None => None,
        };
        let place = Place { url, range };
        self.before = Some(place.clone());
        let seconds = f64::from(segment.duration);
        let duration = gst::ClockTime::try_from_seconds_f64(seconds).unwrap_or_default();
        self.steps.push(Step::Segment {
            place,
            start: self.start,
            duration,
        });
        self.start = self.start.saturating_add(duration);
        Ok(())
    }
}

fn joined(base: &Url, uri: &str) -> Result<Url, String> {
    base.join(uri)
        .map_err(|_| "has something else where a URL should be".to_owned())
}
