// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where what rewritten playlists name is to be had.

use url::Url;

use super::model::base;
use crate::hls::{InitSegment, Places};

/// Where the demuxer gets what is rewritten.
pub const ORIGIN: &str = "http://127.0.0.1:9/";

#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Playlist(Url),
    Init(InitSegment),
    Whole(InitSegment, Url),
}

/// Keeps what playlists name, and knows it again.
#[derive(Debug, Default)]
pub struct Desk {
    reads_one_map: bool,
    places: Vec<Place>,
}

impl Desk {
    pub fn new(reads_one_map: bool) -> Self {
        Desk {
            reads_one_map,
            places: Vec::new(),
        }
    }

    /// Playlists of which others may report.
    pub fn know_reported_playlists(&mut self) {
        for number in 0..50 {
            let url = base().join(&format!("list{number}.m4s"));
            self.playlist(&url.expect("a URL"));
        }
    }

    pub fn has_playlist(&self, url: &str) -> bool {
        let is_it =
            |place: &Place| matches!(place, Place::Playlist(known) if known.as_str() == url);
        self.places.iter().any(is_it)
    }

    fn known(&self, place: &Place) -> Option<String> {
        let number = self.places.iter().position(|one| one == place)?;
        Some(format!("{ORIGIN}{number}"))
    }

    fn place(&mut self, place: Place) -> String {
        if !self.places.contains(&place) {
            self.places.push(place.clone());
        }
        self.known(&place).expect("it has just been noted")
    }

    /// What is at a URL of ours.
    pub fn at(&self, url: &str) -> Option<&Place> {
        let number = url.strip_prefix(ORIGIN)?;
        Some(&self.places[number.parse::<usize>().expect("a place")])
    }
}

impl Places for Desk {
    fn playlist(&mut self, url: &Url) -> String {
        self.place(Place::Playlist(url.clone()))
    }

    fn known_playlist(&mut self, url: &Url) -> Option<String> {
        self.known(&Place::Playlist(url.clone()))
    }

    fn init_segment(&mut self, segment: InitSegment) -> String {
        self.place(Place::Init(segment))
    }

    fn whole_segment(&mut self, init: &InitSegment, url: &Url, is_new: bool) -> Option<String> {
        let place = Place::Whole(init.clone(), url.clone());
        match is_new && self.reads_one_map {
            true => Some(self.place(place)),
            false => self.known(&place),
        }
    }
}
