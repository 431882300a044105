// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the playlists of one presentation name, and what has become of it: which paths have been
//! good, which playlist was the newest, what the first key is. Bounded, however long it plays.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use super::box_table::{BoxTable, Full};
use super::kept_playlists::KeptPlaylists;
use super::paths::{InitPath, Paths, Resource};
use super::recent_digests::{Numbers, RecentSet};
use crate::error::Failure;
use crate::hls::{
    Blocks, Digest, FirstKey, InitLocation, KeyBoxes, Rewritten, Scheme, SharedBox, Variables,
};
use crate::random;
use crate::wait::lock;

/// Playlists that a presentation may have.
pub(super) const MAX_PLAYLISTS: usize = 2000;

/// What protected parts of the presentation look like, which clear ones have to look like.
#[derive(Clone, Debug)]
pub struct Model {
    pub scheme: Scheme,
    pub boxes: Vec<SharedBox>,
}

/// What there is to know of one presentation.
pub struct PresentationMap {
    /// Scheme, host and port of the server.
    origin: String,
    paths: Paths,
    /// The demuxer reads one init segment, at the beginning of a rendition or after a seek.
    pub(super) reads_one_map: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    playlists: HashSet<Digest>,
    boxes: BoxTable,
    numbers: Numbers,
    /// Segments that come with their init segment.
    with_init: RecentSet,
    good: RecentSet,
    kept: KeptPlaylists,
    has_good_playlist: bool,
    /// Those of the multivariant playlist.
    variables: Arc<Variables>,
    first_key: Option<FirstKey>,
    /// Where the first init segments of protected segments are.
    first_inits: Vec<InitLocation>,
    model: Option<Arc<Model>>,
    /// Playlists with segments that are encrypted as a whole.
    whole_fragments: RecentSet,
    /// Playlists whose clear init segments went to the demuxer as they are.
    direct: RecentSet,
}

impl PresentationMap {
    /// The server is at `origin`.
    ///
    /// # Errors
    ///
    /// `Transient` where the system has no random numbers.
    pub fn new(origin: String, reads_one_map: bool) -> Result<Self, Failure> {
        let paths = random::try_bytes::<64>().and_then(|secret| Paths::new(&secret));
        Ok(Self {
            origin,
            paths: paths.ok_or_else(|| {
                Failure::transient("this system gives no random numbers for the paths of playlists")
            })?,
            reads_one_map,
            state: Mutex::default(),
        })
    }

    /// What is at that path.
    pub fn at(&self, path: &str) -> Option<Resource> {
        self.paths.resource(path)
    }

    /// The URL of a resource.
    ///
    /// # Errors
    ///
    /// `Malformed` where it would be too long.
    pub fn url(&self, resource: &Resource) -> Result<String, Failure> {
        let path = self.paths.path(resource).ok_or_else(|| {
            Failure::malformed("the playlist names something by a URI that is too long").of_stream()
        })?;
        Ok(format!("{}{path}", self.origin))
    }

    /// A number by which the demuxer's qtdemux tells an init segment from the one before, if it has
    /// to: from 1 on.
    pub fn number(&self, init: &InitPath) -> Option<u32> {
        let digest = Resource::InitSegment(Box::new(init.clone())).digest();
        self.reads_one_map
            .then(|| lock(&self.state).numbers.number(digest))
    }

    /// Has a set of boxes here, as a playlist has that names it.
    #[cfg(test)]
    pub fn insert_boxes(&self, boxes: &KeyBoxes) -> Digest {
        let inserted = lock(&self.state).boxes.insert(boxes, 0);
        assert_eq!(inserted, Ok(()));
        boxes.digest()
    }

    pub fn boxes(&self, digest: Digest) -> Option<KeyBoxes> {
        lock(&self.state).boxes.get(digest)
    }

    /// Keeps the variables of the multivariant playlist, which the others may import.
    pub fn set_variables(&self, variables: Variables) {
        lock(&self.state).variables = Arc::new(variables);
    }

    pub fn variables(&self) -> Arc<Variables> {
        lock(&self.state).variables.clone()
    }

    pub fn first_key(&self) -> Option<FirstKey> {
        lock(&self.state).first_key.clone()
    }

    /// Keeps what protects the first protected segments. What is known stays: clear parts look the
    /// same for ever.
    pub fn set_first_key(&self, key: FirstKey, inits: Vec<InitLocation>) {
        let mut state = lock(&self.state);
        state.first_key.get_or_insert(key);
        if state.first_inits.is_empty() {
            state.first_inits = inits;
        }
    }

    /// Whether all is known that the first protected segments say.
    pub fn has_first_inits(&self) -> bool {
        !lock(&self.state).first_inits.is_empty()
    }

    pub fn first_inits(&self) -> Vec<InitLocation> {
        lock(&self.state).first_inits.clone()
    }

    pub fn model(&self) -> Option<Arc<Model>> {
        lock(&self.state).model.clone()
    }

    /// Keeps what a protected init segment looks like; the first one counts.
    pub fn set_model(&self, model: Model) -> Arc<Model> {
        let mut state = lock(&self.state);
        state.model.get_or_insert_with(|| Arc::new(model)).clone()
    }

    /// The demuxer gets that.
    pub fn record_good(&self, resource: &Resource) {
        lock(&self.state).good.insert(resource.digest());
    }

    /// The demuxer gets that media playlist, whose text this gives.
    pub fn record_playlist(&self, resource: &Resource, playlist: Rewritten) -> Arc<str> {
        let digest = resource.digest();
        let text: Arc<str> = playlist.text.into();
        let blocks = playlist.blocks.map(Arc::new);
        let mut state = lock(&self.state);
        state.has_good_playlist = true;
        state.good.insert(digest);
        if playlist.has_whole_fragments {
            state.whole_fragments.insert(digest);
        }
        state.kept.keep(digest, text.clone(), blocks);
        text
    }

    /// What a media playlist became when it was read before.
    pub(super) fn before(&self, resource: &Resource) -> Option<(Arc<str>, Arc<Blocks>)> {
        lock(&self.state).kept.before(&resource.digest())
    }

    /// The demuxer gets that for the presentation's first playlist.
    pub fn record_first(&self, resource: &Resource, playlist: &Arc<str>) {
        lock(&self.state)
            .kept
            .keep(resource.digest(), playlist.clone(), None);
    }

    /// Whether it has gone well before. What goes wrong then may be over when the demuxer asks
    /// again.
    pub fn was_good(&self, resource: &Resource) -> bool {
        lock(&self.state).good.has(&resource.digest())
    }

    /// Whether the demuxer has any media playlist, and may do without another one.
    pub fn has_good_playlist(&self) -> bool {
        lock(&self.state).has_good_playlist
    }

    /// The playlist from before, where there is no new one.
    pub fn repeated(&self, resource: &Resource) -> Option<Arc<str>> {
        lock(&self.state).kept.repeat(&resource.digest())
    }

    /// Has a playlist here, which another one names.
    ///
    /// # Errors
    ///
    /// `Malformed` where there are too many.
    pub(super) fn add_playlist(&self, playlist: &Resource) -> Result<(), Failure> {
        let mut state = lock(&self.state);
        let digest = playlist.digest();
        if state.playlists.len() >= MAX_PLAYLISTS && !state.playlists.contains(&digest) {
            let what = format!("the presentation has more than {MAX_PLAYLISTS} playlists");
            return Err(Failure::malformed(what).of_stream());
        }
        state.playlists.insert(digest);
        Ok(())
    }

    /// Whether another playlist has named that one.
    pub(super) fn has_playlist(&self, playlist: &Resource) -> bool {
        lock(&self.state).playlists.contains(&playlist.digest())
    }

    /// How many sets of boxes have been used.
    pub(super) fn box_uses(&self) -> u64 {
        lock(&self.state).boxes.uses()
    }

    /// Has a set of boxes here. Those that were used since `begin` stay.
    ///
    /// # Errors
    ///
    /// `Malformed` where there is no room.
    pub(super) fn add_boxes(&self, boxes: &KeyBoxes, begin: u64) -> Result<(), Failure> {
        let inserted = lock(&self.state).boxes.insert(boxes, begin);
        inserted.map_err(|Full| {
            Failure::malformed("the playlist names more keys than anybody plays").of_stream()
        })
    }

    /// A playlist names that segment with its init segment.
    pub(super) fn record_with_init(&self, segment: &Resource) {
        lock(&self.state).with_init.insert(segment.digest());
    }

    /// Whether a playlist has done so for any.
    pub(super) fn has_any_with_init(&self) -> bool {
        !lock(&self.state).with_init.is_empty()
    }

    /// Whether a playlist has done so.
    pub(super) fn is_with_init(&self, segment: &Resource) -> bool {
        lock(&self.state).with_init.has(&segment.digest())
    }

    /// The demuxer gets that playlist. Whether a clear init segment of it goes there as it is, now
    /// or before.
    pub(super) fn record_direct(&self, playlist: &Resource, is_direct: bool) -> bool {
        let mut state = lock(&self.state);
        let digest = playlist.digest();
        if is_direct {
            state.direct.insert(digest);
        }
        state.direct.has(&digest)
    }

    /// Whether a playlist has had segments that are encrypted as a whole.
    pub(super) fn has_whole_fragments(&self, playlist: &Resource) -> bool {
        lock(&self.state).whole_fragments.has(&playlist.digest())
    }

    /// How many segments with their init segment are remembered, and how many good paths.
    #[cfg(test)]
    pub(super) fn remembered(&self) -> [usize; 2] {
        let state = lock(&self.state);
        [state.with_init.len(), state.good.len()]
    }

    /// What the boxes take, about.
    #[cfg(test)]
    pub(super) fn box_bytes(&self) -> usize {
        lock(&self.state).boxes.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::kept_playlists::MAX_REPEATS;
    use super::*;
    use url::Url;

    #[test]
    fn repeats_of_a_playlist_are_counted() {
        let map = PresentationMap::new("http://here".to_owned(), false).expect("random numbers");
        let resource = Resource::Playlist(Url::parse("https://cdn/video.m3u8").expect("a URL"));
        assert_eq!(map.repeated(&resource), None);
        let text: Arc<str> = "#EXTM3U".into();
        let record = || {
            let playlist = Rewritten {
                text: text.to_string(),
                ..Rewritten::default()
            };
            map.record_playlist(&resource, playlist)
        };
        record();
        for _ in 0..MAX_REPEATS {
            assert_eq!(map.repeated(&resource), Some(text.clone()));
        }
        assert_eq!(map.repeated(&resource), None);
        record();
        assert_eq!(map.repeated(&resource), Some(text));
    }
}
