// SPDX-License-Identifier: MIT OR Apache-2.0

//! What of a presentation is at which path of the server: only what its playlists name, each at a path that nobody can guess.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use url::Url;
use uuid::Uuid;

use crate::failure::Failure;
use crate::hls::{InitSegment, Places, Rewritten, Variables, rewrite};
use crate::wait::lock;

/// Places that one playlist may be the first to name. A presentation has some dozens, one whose keys change often a thousand a day.
const MAX_NEW: usize = 5000;

/// Init segments, and segments with one, that are kept. Live presentations name new ones for ever.
const MAX_PARTS: usize = 4 * MAX_NEW;

/// Playlists that are kept.
const MAX_PLAYLISTS: usize = 2000;

/// Init segments that follow each other have different numbers below this one.
const NUMBERS: u32 = 1000;

/// How often in a row the demuxer gets the playlist from before where there is no new one. It has some segments left to play meanwhile.
const MAX_MISSED: u32 = 5;

/// What is at a path.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// The presentation's first playlist, as a multivariant one.
    First(Url),
    Playlist(Url),
    InitSegment(Arc<InitSegment>),
    /// A media segment behind its init segment.
    Segment(Arc<InitSegment>, Url),
}

/// All places, and what has been there.
pub struct Directory {
    /// Scheme, host and port.
    origin: String,
    /// The demuxer reads one init segment, at the beginning of a rendition or after a seek.
    reads_one_map: bool,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    places: HashMap<String, Place>,
    paths: HashMap<Place, String>,
    /// Paths of init segments and segments, by when they were named or asked for last.
    parts: BTreeMap<u64, String>,
    /// The other way round.
    moments: HashMap<String, u64>,
    /// How many moments there have been.
    moment: u64,
    /// Of the init segments.
    numbers: HashMap<Arc<InitSegment>, u32>,
    /// How many there have been.
    numbered: u32,
    /// By the paths of what has been fine once.
    good: HashMap<String, Good>,
    /// A media playlist is among them.
    has_good_playlist: bool,
    /// Those of the multivariant playlist.
    variables: Variables,
}

/// What the demuxer has got already.
#[derive(Default)]
struct Good {
    /// The newest playlist, if it is one.
    playlist: Option<String>,
    /// How often it was repeated.
    missed: u32,
}

impl Directory {
    pub fn new(origin: String, reads_one_map: bool) -> Self {
        Self {
            origin,
            reads_one_map,
            entries: Mutex::default(),
        }
    }

    /// What is at that path.
    pub fn at(&self, path: &str) -> Option<Place> {
        let mut entries = lock(&self.entries);
        entries.touch(path);
        entries.places.get(path).cloned()
    }

    /// The URL of a place.
    ///
    /// # Errors
    ///
    /// `Malformed` where there are too many playlists.
    pub fn url(&self, place: Place) -> Result<String, Failure> {
        let path = lock(&self.entries).path(place)?;
        Ok(format!("{}{path}", self.origin))
    }

    /// The same of one that has been named, else nothing.
    fn known_url(&self, place: &Place) -> Option<String> {
        let mut entries = lock(&self.entries);
        let path = entries.paths.get(place)?.clone();
        entries.touch(&path);
        Some(format!("{}{path}", self.origin))
    }

    /// A number by which the demuxer's qtdemux tells an init segment from the one before, if it has to: from 1 on.
    pub fn number(&self, init: &InitSegment) -> Option<u32> {
        let number = lock(&self.entries).numbers.get(init).copied();
        number.filter(|_| self.reads_one_map)
    }

    /// Keeps the variables of the multivariant playlist, which the others may import.
    pub fn set_variables(&self, variables: Variables) {
        lock(&self.entries).variables = variables;
    }

    /// The demuxer gets what is at the path, and this playlist if it is a media playlist.
    pub fn went_well(&self, path: &str, playlist: Option<String>) {
        let mut entries = lock(&self.entries);
        entries.has_good_playlist |= playlist.is_some();
        let good = Good {
            playlist,
            missed: 0,
        };
        // It may have been forgotten meanwhile.
        if entries.places.contains_key(path) {
            entries.good.insert(path.to_owned(), good);
        }
    }

    /// Whether it has gone well before. What goes wrong then may be over when the demuxer asks again.
    pub fn is_good(&self, path: &str) -> bool {
        lock(&self.entries).good.contains_key(path)
    }

    /// Whether the demuxer has any media playlist, and may do without another one.
    pub fn has_good_playlist(&self) -> bool {
        lock(&self.entries).has_good_playlist
    }

    /// The playlist from before, where there is no new one.
    pub fn repeated(&self, path: &str) -> Option<String> {
        let mut entries = lock(&self.entries);
        let good = entries.good.get_mut(path)?;
        good.missed += 1;
        let is_fresh = good.missed <= MAX_MISSED;
        good.playlist.clone().filter(|_| is_fresh)
    }

    /// Rewrites a playlist, and has a place for all that it names.
    ///
    /// # Errors
    ///
    /// `Malformed`, with what is wrong.
    pub fn rewrite(&self, playlist: &[u8], url: &Url) -> Result<Rewritten, Failure> {
        let text = std::str::from_utf8(playlist)
            .map_err(|_| Failure::malformed("the playlist is no text in UTF-8"))?;
        let imported = lock(&self.entries).variables.clone();
        let mut desk = Desk {
            directory: self,
            new: 0,
            failure: None,
        };
        let rewritten = rewrite(text, url, &imported, &mut desk)
            .map_err(|what| Failure::malformed(format!("the playlist {what}")))?;
        match desk.failure {
            Some(failure) => Err(failure),
            None => Ok(rewritten),
        }
    }
}

impl Entries {
    fn path(&mut self, place: Place) -> Result<String, Failure> {
        if let Some(known) = self.paths.get(&place).cloned() {
            self.touch(&known);
            return Ok(known);
        }
        let path = format!("/{}", Uuid::new_v4().simple());
        match &place {
            Place::InitSegment(_) | Place::Segment(..) => {
                if self.parts.len() >= MAX_PARTS {
                    self.forget_oldest();
                }
                self.moment += 1;
                self.parts.insert(self.moment, path.clone());
                self.moments.insert(path.clone(), self.moment);
                if let Place::InitSegment(init) = &place {
                    self.numbered = self.numbered % NUMBERS + 1;
                    self.numbers.insert(init.clone(), self.numbered);
                }
            }
            Place::First(_) | Place::Playlist(_) => {
                if self.places.len() - self.parts.len() >= MAX_PLAYLISTS {
                    return Err(Failure::malformed(format!(
                        "the presentation has more than {MAX_PLAYLISTS} playlists"
                    )));
                }
            }
        }
        self.places.insert(path.clone(), place.clone());
        self.paths.insert(place, path.clone());
        Ok(path)
    }

    /// It is in use.
    fn touch(&mut self, path: &str) {
        if let Some(before) = self.moments.get_mut(path) {
            let path = self.parts.remove(before);
            self.moment += 1;
            *before = self.moment;
            self.parts.extend(path.map(|path| (self.moment, path)));
        }
    }

    /// Of a live presentation old ones are of no use.
    fn forget_oldest(&mut self) {
        if let Some((_, path)) = self.parts.pop_first() {
            self.moments.remove(&path);
            self.good.remove(&path);
            if let Some(place) = self.places.remove(&path) {
                self.paths.remove(&place);
                if let Place::InitSegment(init) = &place {
                    self.numbers.remove(init);
                }
            }
        }
    }
}

/// Where one playlist finds places.
struct Desk<'a> {
    directory: &'a Directory,
    new: usize,
    failure: Option<Failure>,
}

impl Desk<'_> {
    fn place(&mut self, place: Place) -> String {
        if let Some(known) = self.directory.known_url(&place) {
            return known;
        }
        self.new += 1;
        let found = match self.new > MAX_NEW {
            true => Err(Failure::malformed(format!(
                "the playlist names more than {MAX_NEW} new playlists and init segments"
            ))),
            false => self.directory.url(place),
        };
        found.unwrap_or_else(|failure| {
            self.failure.get_or_insert(failure);
            String::new()
        })
    }
}

impl Places for Desk<'_> {
    fn playlist(&mut self, url: &Url) -> String {
        self.place(Place::Playlist(url.clone()))
    }

    fn known_playlist(&mut self, url: &Url) -> Option<String> {
        self.directory.known_url(&Place::Playlist(url.clone()))
    }

    fn init_segment(&mut self, segment: InitSegment) -> String {
        self.place(Place::InitSegment(Arc::new(segment)))
    }

    fn whole_segment(&mut self, init: &InitSegment, url: &Url, is_new: bool) -> Option<String> {
        if !self.directory.reads_one_map {
            return None;
        }
        let place = Place::Segment(Arc::new(init.clone()), url.clone());
        match is_new {
            true => Some(self.place(place)),
            false => self.directory.known_url(&place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Url {
        Url::parse("https://cdn/live/video.m3u8").expect("a URL")
    }

    /// A playlist whose key is another one with each segment, these of them.
    fn playlist(keys: std::ops::Range<usize>) -> String {
        let segments = keys.map(|key| {
            format!("#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,KEYID=0x{key:032x},KEYFORMAT=\"drm\"\n#EXTINF:2,\n{key}.m4s\n")
        });
        format!(
            "#EXTM3U\n#EXT-X-MAP:URI=\"i.mp4\"\n{}",
            segments.collect::<String>()
        )
    }

    /// How many places there are, and how many things are known of them.
    fn counts(directory: &Directory) -> [usize; 5] {
        let entries = lock(&directory.entries);
        [
            entries.places.len(),
            entries.paths.len(),
            entries.parts.len(),
            entries.moments.len(),
            entries.good.len(),
        ]
    }

    // A box that is never switched off would run out of memory where an operator changes keys often.
    #[test]
    fn a_live_presentation_whose_keys_change_for_ever_fills_no_memory() {
        for reads_one_map in [false, true] {
            let directory = Directory::new("http://here".to_owned(), reads_one_map);
            let mut most = [0; 5];
            for first in (0..3 * MAX_PARTS).step_by(1000) {
                let text = playlist(first..first + 1000 + 10);
                directory.rewrite(text.as_bytes(), &url()).expect("it is");
                let paths: Vec<_> = lock(&directory.entries).places.keys().cloned().collect();
                paths
                    .iter()
                    .for_each(|path| directory.went_well(path, None));
                let now = counts(&directory);
                most = std::array::from_fn(|one| most[one].max(now[one]));
            }
            assert_eq!(most, [MAX_PARTS; 5], "{reads_one_map}");
        }
    }

    // Each time it is read again it is the same to the demuxer, which would begin anew with other names.
    #[test]
    fn a_playlist_that_is_read_again_has_the_same_places_and_no_more_of_them() {
        for reads_one_map in [false, true] {
            let directory = Directory::new("http://here".to_owned(), reads_one_map);
            let read = || {
                let rewritten = directory.rewrite(playlist(0..100).as_bytes(), &url());
                rewritten.expect("a playlist").text
            };
            let (text, before) = (read(), counts(&directory));
            for _ in 0..50 {
                assert_eq!(read(), text);
            }
            assert_eq!(counts(&directory), before);
        }
    }

    #[test]
    fn a_playlist_that_names_more_than_anybody_plays_is_refused() {
        let directory = Directory::new("http://here".to_owned(), false);
        let fits = directory.rewrite(playlist(0..MAX_NEW).as_bytes(), &url());
        fits.expect("a playlist");
        let directory = Directory::new("http://here".to_owned(), false);
        let refused = directory.rewrite(playlist(0..MAX_NEW + 1).as_bytes(), &url());
        let failure = refused.expect_err("it is refused");
        assert!(failure.what.contains("more than 5000"), "{}", failure.what);
    }
}
