// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the playlists of one presentation name, and what has become of it: which paths have been
//! good, which playlist was the newest, what the first key is. Bounded, however long it plays.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use ring::rand::{SecureRandom, SystemRandom};
use url::Url;

use super::box_table::{BoxTable, Full};
use super::paths::{InitPath, Paths, Resource, SegmentPath};
use crate::error::Failure;
use crate::hls::{
    self, Context, Digest, FirstKey, InitLocation, InitProtection, InitSegment, KeyBoxes,
    Rewritten, Scheme, Segment, SharedBox, UrlMap, Variables, rewrite,
};
use crate::wait::lock;

/// Playlists that a presentation may have.
const MAX_PLAYLISTS: usize = 2000;

/// Paths of which is remembered that they were good, or are named with their init segment. A
/// demuxer asks again for the last few.
const MAX_REMEMBERED: usize = 8192;

/// Bytes of playlists that are kept for when there is no newer one.
const MAX_KEPT: usize = 64 * 1024 * 1024;

/// Init segments that follow each other have different numbers below this one.
const NUMBERS: u32 = 1000;

/// How often in a row the demuxer gets the playlist from before where there is no new one. It has
/// some segments left to play meanwhile.
const MAX_REPEATS: u32 = 5;

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
    reads_one_map: bool,
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
        let mut secret = [0; 64];
        let filled = SystemRandom::new().fill(&mut secret).ok();
        let paths = filled.and_then(|()| Paths::new(&secret));
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
            Failure::malformed("the playlist names something by a URI that is too long")
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

    /// The demuxer gets that, and this text if it is a media playlist.
    pub fn record_good(&self, resource: &Resource, playlist: Option<&Arc<str>>) {
        let digest = resource.digest();
        let mut state = lock(&self.state);
        state.has_good_playlist |= playlist.is_some();
        state.good.insert(digest);
        if let Some(playlist) = playlist {
            state.kept.keep(digest, playlist.clone());
        }
    }

    /// The demuxer gets that for the presentation's first playlist.
    pub fn record_first(&self, resource: &Resource, playlist: &Arc<str>) {
        lock(&self.state)
            .kept
            .keep(resource.digest(), playlist.clone());
    }

    /// Whether it has gone well before. What goes wrong then may be over when the demuxer asks again.
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

    /// Rewrites a playlist, and has a place for all that it names.
    ///
    /// # Errors
    ///
    /// `Malformed`, with what is wrong.
    pub fn rewrite(
        &self,
        resource: &Resource,
        playlist: &[u8],
        url: &Url,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<Rewritten, Failure> {
        let variables = self.variables();
        let first_key = self.first_key();
        let failure = OnceCell::new();
        // What has failed needs no end.
        let is_still_wanted = || failure.get().is_none() && is_wanted();
        let mut context = Context::new(url, &variables);
        context.first_key = first_key.as_ref();
        context.reads_one_map = self.reads_one_map;
        context.is_wanted = &is_still_wanted;
        let mut naming = Naming {
            map: self,
            begin: lock(&self.state).boxes.uses(),
            failure: &failure,
        };
        let rewritten = rewrite(text_of(playlist)?, &context, &mut naming);
        if let Some(failure) = failure.get() {
            return Err(failure.clone());
        }
        let mut rewritten = rewritten.map_err(objection)?;
        let mut state = lock(&self.state);
        let digest = resource.digest();
        if rewritten.has_direct_init {
            state.direct.insert(digest);
        }
        if state.direct.has(&digest) && rewritten.has_protected_init {
            rewritten.unplayable.get_or_insert(
                "protects segments with DRM keys behind clear ones, and nothing said so when the \
                 presentation began: list the keys in the multivariant playlist too \
                 (EXT-X-SESSION-KEY)"
                    .into(),
            );
        }
        Ok(rewritten)
    }

    /// What a playlist says of protection.
    ///
    /// # Errors
    ///
    /// `Malformed`, with what is wrong.
    pub fn survey(
        &self,
        playlist: &[u8],
        url: &Url,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<hls::Survey, Failure> {
        let variables = self.variables();
        let mut context = Context::new(url, &variables);
        context.is_wanted = is_wanted;
        hls::survey(text_of(playlist)?, &context).map_err(objection)
    }
}

/// Whether that lists playlists and not segments.
///
/// # Errors
///
/// `Malformed`, with what is wrong.
pub fn lists_playlists(playlist: &[u8]) -> Result<bool, Failure> {
    hls::lists_playlists(text_of(playlist)?).map_err(objection)
}

fn text_of(playlist: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(playlist)
        .map_err(|_| Failure::malformed("the playlist is no text in UTF-8"))
}

fn objection(what: &'static str) -> Failure {
    Failure::malformed(format!("the playlist {what}"))
}

/// Where one playlist finds URLs.
struct Naming<'a> {
    map: &'a PresentationMap,
    /// How many sets of boxes had been used before.
    begin: u64,
    failure: &'a OnceCell<Failure>,
}

impl Naming<'_> {
    fn url(&mut self, resource: &Resource) -> String {
        self.map.url(resource).unwrap_or_else(|failure| {
            self.failure.get_or_init(|| failure);
            String::new()
        })
    }

    fn remember(&mut self, init: &InitSegment) {
        let InitProtection::Drm(boxes) = &init.protection else {
            return;
        };
        let inserted = lock(&self.map.state).boxes.insert(boxes, self.begin);
        if inserted == Err(Full) {
            self.failure.get_or_init(|| {
                Failure::malformed("the playlist names more keys than anybody plays")
            });
        }
    }
}

impl UrlMap for Naming<'_> {
    fn playlist(&mut self, url: &Url) -> String {
        let resource = Resource::Playlist(url.clone());
        let is_full = {
            let mut state = lock(&self.map.state);
            let digest = resource.digest();
            let is_full = state.playlists.len() >= MAX_PLAYLISTS;
            let is_refused = is_full && !state.playlists.contains(&digest);
            if !is_refused {
                state.playlists.insert(digest);
            }
            is_refused
        };
        if is_full {
            self.failure.get_or_init(|| {
                Failure::malformed(format!(
                    "the presentation has more than {MAX_PLAYLISTS} playlists"
                ))
            });
        }
        self.url(&resource)
    }

    fn known_playlist(&mut self, url: &Url) -> Option<String> {
        let resource = Resource::Playlist(url.clone());
        let is_known = lock(&self.map.state).playlists.contains(&resource.digest());
        is_known.then(|| self.url(&resource))
    }

    fn key(&mut self, url: &Url) -> String {
        self.url(&Resource::Key(url.clone()))
    }

    fn init_segment(&mut self, init: &InitSegment) -> String {
        self.remember(init);
        self.url(&Resource::InitSegment(Box::new(init.into())))
    }

    fn segment(&mut self, segment: &Segment) -> String {
        let resource = Resource::Segment(Box::new(SegmentPath::from(segment)));
        if let Some(init) = &segment.init {
            self.remember(init);
            lock(&self.map.state).with_init.insert(resource.digest());
        }
        self.url(&resource)
    }

    fn is_known(&mut self, segment: &Segment) -> bool {
        let digest = Resource::Segment(Box::new(SegmentPath::from(segment))).digest();
        lock(&self.map.state).with_init.has(&digest)
    }
}

/// The digests that came last.
#[derive(Default)]
struct RecentSet {
    known: HashSet<Digest>,
    order: VecDeque<Digest>,
}

impl RecentSet {
    fn insert(&mut self, digest: Digest) {
        if !self.known.insert(digest) {
            return;
        }
        self.order.push_back(digest);
        if self.order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn has(&self, digest: &Digest) -> bool {
        self.known.contains(digest)
    }
}

/// Numbers that tell init segments apart.
#[derive(Default)]
struct Numbers {
    known: HashMap<Digest, u32>,
    order: VecDeque<Digest>,
    last: u32,
}

impl Numbers {
    fn number(&mut self, digest: Digest) -> u32 {
        if let Some(known) = self.known.get(&digest) {
            return *known;
        }
        self.last = self.last % NUMBERS + 1;
        self.known.insert(digest, self.last);
        self.order.push_back(digest);
        if self.order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.last
    }
}

/// The newest media playlists that the demuxer got.
#[derive(Default)]
struct KeptPlaylists {
    known: HashMap<Digest, KeptPlaylist>,
    bytes: usize,
}

struct KeptPlaylist {
    text: Arc<str>,
    /// How often it was repeated.
    repeats: u32,
}

impl KeptPlaylists {
    fn keep(&mut self, digest: Digest, text: Arc<str>) {
        if let Some(before) = self.known.remove(&digest) {
            self.bytes -= before.text.len();
        }
        if self.bytes + text.len() > MAX_KEPT {
            // Those of other renditions: the demuxer asks for them again when it needs them.
            self.known.clear();
            self.bytes = 0;
        }
        self.bytes += text.len();
        self.known.insert(digest, KeptPlaylist { text, repeats: 0 });
    }

    fn repeat(&mut self, digest: &Digest) -> Option<Arc<str>> {
        let kept = self.known.get_mut(digest)?;
        kept.repeats += 1;
        (kept.repeats <= MAX_REPEATS).then(|| kept.text.clone())
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

    fn resource() -> Resource {
        Resource::Playlist(url())
    }

    fn map(reads_one_map: bool) -> PresentationMap {
        PresentationMap::new("http://here".to_owned(), reads_one_map).expect("random numbers")
    }

    // A box that is never switched off would run out of memory where an operator changes keys often.
    #[test]
    fn live_presentation_fills_no_memory() {
        for reads_one_map in [false, true] {
            let map = map(reads_one_map);
            for first in (0..60_000).step_by(1000) {
                let text = playlist(first..first + 1000 + 10);
                let rewritten = map.rewrite(&resource(), text.as_bytes(), &url(), &|| true);
                for line in rewritten.expect("it is").text.lines() {
                    if let Some(path) = line.strip_prefix("http://here") {
                        map.record_good(&map.at(path).expect("a path"), None);
                    }
                }
            }
            let state = lock(&map.state);
            assert!(state.with_init.known.len() <= MAX_REMEMBERED);
            assert_eq!(state.with_init.known.len(), state.with_init.order.len());
            assert_eq!(state.good.known.len(), state.good.order.len());
            assert_eq!(state.with_init.known.is_empty(), !reads_one_map);
        }
    }

    // Each time it is read again it is the same to the demuxer, which would begin anew with other names.
    #[test]
    fn playlist_that_is_read_again_has_the_same_urls() {
        for reads_one_map in [false, true] {
            let map = map(reads_one_map);
            let read = |keys| {
                let rewritten =
                    map.rewrite(&resource(), playlist(keys).as_bytes(), &url(), &|| true);
                rewritten.expect("a playlist").text
            };
            let text = read(0..100);
            assert_eq!(read(0..100), text);
            // When it slides, what stays has the URL that it had.
            let segments = |text: &str| -> Vec<String> {
                let lines = text.lines().filter(|line| !line.starts_with('#'));
                lines.map(str::to_owned).collect()
            };
            assert_eq!(segments(&read(7..100)), segments(&text)[7..]);
        }
    }

    #[test]
    fn repeats_of_a_playlist_are_counted() {
        let map = map(false);
        let resource = resource();
        assert_eq!(map.repeated(&resource), None);
        let text: Arc<str> = "#EXTM3U".into();
        map.record_good(&resource, Some(&text));
        for _ in 0..MAX_REPEATS {
            assert_eq!(map.repeated(&resource), Some(text.clone()));
        }
        assert_eq!(map.repeated(&resource), None);
        map.record_good(&resource, Some(&text));
        assert_eq!(map.repeated(&resource), Some(text));
    }

    #[test]
    fn protection_behind_clear_content_is_told() {
        let map = map(false);
        let rewrite = |text: &str| map.rewrite(&resource(), text.as_bytes(), &url(), &|| true);
        let clear = "#EXTM3U\n#EXT-X-MAP:URI=\"c.mp4\"\n#EXTINF:2,\n1.m4s\n";
        rewrite(clear).expect("a clear playlist");
        let later = rewrite(&format!("{clear}{}", &playlist(0..1)[8..]));
        let why = later.expect("a playlist").unplayable.expect("it is told");
        assert!(why.contains("EXT-X-SESSION-KEY"), "{why}");
    }
}

#[cfg(test)]
#[path = "url_map_bounds.rs"]
mod bounds;
