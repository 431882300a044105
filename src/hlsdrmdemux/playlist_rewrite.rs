// SPDX-License-Identifier: MIT OR Apache-2.0

//! Reads the playlists of one presentation, and rewrites them with URLs of the server.

use std::cell::OnceCell;

use url::Url;

use super::paths::{Resource, SegmentPath};
use super::url_map::PresentationMap;
use crate::error::Failure;
use crate::hls::{
    self, Before, Context, Digest, InitProtection, InitSegment, Rewritten, Segment, UrlMap, rewrite,
};

impl PresentationMap {
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
        context.has_whole_fragments = self.has_whole_fragments(resource);
        let before = self.before(resource);
        context.before = before
            .as_ref()
            .map(|(text, blocks)| Before { text, blocks });
        context.is_wanted = &is_still_wanted;
        let mut naming = Naming {
            map: self,
            begin: self.box_uses(),
            failure: &failure,
        };
        let rewritten = rewrite(text_of(playlist)?, &context, &mut naming);
        if let Some(failure) = failure.get() {
            return Err(failure.clone());
        }
        let mut rewritten = rewritten.map_err(objection)?;
        let has_been_direct = self.record_direct(resource, rewritten.has_direct_init);
        if has_been_direct && rewritten.has_protected_init {
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
        .map_err(|_| Failure::malformed("the playlist is no text in UTF-8").of_stream())
}

fn objection(what: &'static str) -> Failure {
    Failure::malformed(format!("the playlist {what}")).of_stream()
}

/// Where one playlist finds URLs.
struct Naming<'a> {
    map: &'a PresentationMap,
    /// How many sets of boxes had been used before.
    begin: u64,
    failure: &'a OnceCell<Failure>,
}

impl Naming<'_> {
    /// Goes on with `T::default` after a failure, of which the first one counts.
    fn checked<T: Default>(&mut self, result: Result<T, Failure>) -> T {
        result.unwrap_or_else(|failure| {
            self.failure.get_or_init(|| failure);
            T::default()
        })
    }

    fn url(&mut self, resource: &Resource) -> String {
        self.checked(self.map.url(resource))
    }

    fn remember(&mut self, init: &InitSegment) {
        if let InitProtection::Drm(boxes) = &init.protection {
            self.checked(self.map.add_boxes(boxes, self.begin));
        }
    }
}

impl UrlMap for Naming<'_> {
    fn playlist(&mut self, url: &Url) -> String {
        let resource = Resource::Playlist(url.clone());
        self.checked(self.map.add_playlist(&resource));
        self.url(&resource)
    }

    fn known_playlist(&mut self, url: &Url) -> Option<String> {
        let resource = Resource::Playlist(url.clone());
        let is_known = self.map.has_playlist(&resource);
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
            self.map.record_with_init(&resource);
        }
        self.url(&resource)
    }

    fn has_any_with_init(&mut self) -> bool {
        self.map.has_any_with_init()
    }

    fn has_boxes(&mut self, digests: &[Digest]) -> bool {
        digests
            .iter()
            .all(|digest| self.map.boxes(*digest).is_some())
    }

    fn is_known(&mut self, segment: &Segment) -> bool {
        let resource = Resource::Segment(Box::new(SegmentPath::from(segment)));
        self.map.is_with_init(&resource)
    }
}

#[cfg(test)]
mod tests {
    use super::super::recent_digests::MAX_REMEMBERED;
    use super::*;

    fn url() -> Url {
        Url::parse("https://cdn/live/video.m3u8").expect("a URL")
    }

    /// A playlist whose key is another one with each segment, these of them.
    fn playlist(keys: std::ops::Range<usize>) -> String {
        let segments = keys.map(|key| {
            format!(
                "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,KEYID=0x{key:032x},KEYFORMAT=\"drm\"\n\
                 #EXTINF:2,\n{key}.m4s\n"
            )
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

    // A box that is never switched off would run out of memory where an operator changes keys
    // often.
    #[test]
    fn live_presentation_fills_no_memory() {
        for reads_one_map in [false, true] {
            let map = map(reads_one_map);
            for first in (0..60_000).step_by(1000) {
                let text = playlist(first..first + 1000 + 10);
                let rewritten = map.rewrite(&resource(), text.as_bytes(), &url(), &|| true);
                for line in rewritten.expect("it is").text.lines() {
                    if let Some(path) = line.strip_prefix("http://here") {
                        map.record_good(&map.at(path).expect("a path"));
                    }
                }
            }
            let [with_init, _] = map.remembered();
            assert!(with_init <= MAX_REMEMBERED);
            assert_eq!(with_init == 0, !reads_one_map);
        }
    }

    // Each time it is read again it is the same to the demuxer, which would begin anew with other
    // names.
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
#[path = "playlist_rewrite_bounds.rs"]
mod bounds;
