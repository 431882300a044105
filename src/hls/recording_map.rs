// SPDX-License-Identifier: MIT OR Apache-2.0

//! A map of URLs that remembers what it was asked for, for tests.

use url::Url;

use super::digest::Digest;
use super::resource::{InitSegment, Segment};
use super::url_map::UrlMap;

/// Where all that is rewritten is had.
pub const ORIGIN: &str = "http://127.0.0.1:9/";

/// What is at a URL.
#[allow(clippy::large_enum_variant, reason = "there are few of them")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Playlist(Url),
    Key(Url),
    Init(InitSegment),
    Segment(Segment),
}

/// What was asked for, in order, each once.
#[derive(Clone, Debug, Default)]
pub struct RecordingMap {
    pub places: Vec<Place>,
}

impl RecordingMap {
    fn url(&mut self, place: Place) -> String {
        let number = self.places.iter().position(|one| *one == place);
        let number = number.unwrap_or_else(|| {
            self.places.push(place);
            self.places.len() - 1
        });
        format!("{ORIGIN}{number}")
    }

    /// What is at a URL of ours.
    pub fn at(&self, url: &str) -> Option<&Place> {
        let number: usize = url.strip_prefix(ORIGIN)?.parse().ok()?;
        self.places.get(number)
    }
}

impl UrlMap for RecordingMap {
    fn playlist(&mut self, url: &Url) -> String {
        self.url(Place::Playlist(url.clone()))
    }

    fn known_playlist(&mut self, url: &Url) -> Option<String> {
        let place = Place::Playlist(url.clone());
        let is_known = self.places.contains(&place);
        is_known.then(|| self.url(place))
    }

    fn key(&mut self, url: &Url) -> String {
        self.url(Place::Key(url.clone()))
    }

    fn init_segment(&mut self, init: &InitSegment) -> String {
        self.url(Place::Init(init.clone()))
    }

    fn segment(&mut self, segment: &Segment) -> String {
        self.url(Place::Segment(segment.clone()))
    }

    fn has_any_with_init(&mut self) -> bool {
        let is_one = |place: &Place| matches!(place, Place::Segment(one) if one.init.is_some());
        self.places.iter().any(is_one)
    }

    fn has_boxes(&mut self, _digests: &[Digest]) -> bool {
        true
    }

    fn is_known(&mut self, segment: &Segment) -> bool {
        self.places.contains(&Place::Segment(segment.clone()))
    }
}
