// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists, rewritten line by line so that a stock demuxer plays them from another place: key tags of DRM systems are taken out, what they say
//! goes with the init segments, URIs become absolute. Every other line stays as it is.

use url::Url;

use super::attributes::{attributes, text, with_texts};
use super::key_tag::{KeyTag, Kind};
use super::keys::{Keys, Lost, Shown};
use super::variables::Variables;

/// Longest line. A PlayReady header takes some kilobytes.
const MAX_LINE: usize = 64 * 1024;

/// What a playlist may become. It grows as its URIs are written out.
const MAX_REWRITTEN: usize = 64 * 1024 * 1024;

/// Where what a playlist names is to be had from now on.
pub trait Places {
    /// A URL for the playlist that is at this one.
    fn playlist(&mut self, url: &Url) -> String;

    /// The same for one that other playlists name, if they do.
    fn known_playlist(&mut self, url: &Url) -> Option<String>;

    /// A URL for an init segment with boxes added.
    fn init_segment(&mut self, segment: InitSegment) -> String;

    /// A URL for a media segment behind its init segment, or `None` where the demuxer reads an init segment wherever there is a new one.
    /// `is_new` says that the one before it in the playlist has another init segment; else it is only asked whether there is such a URL already.
    fn whole_segment(&mut self, init: &InitSegment, url: &Url, is_new: bool) -> Option<String>;
}

/// An init segment, and what belongs into it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InitSegment {
    pub url: Url,
    pub range: Option<ByteRange>,
    pub boxes: Vec<Vec<u8>>,
}

/// Part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    pub offset: u64,
    pub length: u64,
}

/// What came of a playlist.
#[derive(Debug)]
pub struct Rewritten {
    pub text: String,
    /// It lists playlists and not segments.
    pub is_multivariant: bool,
    pub variables: Variables,
    /// Why some of it cannot be played.
    pub lost: Option<Lost>,
}

/// Rewrites a playlist that is at `url`. `imported` are the variables of the multivariant playlist that names it.
///
/// # Errors
///
/// What is wrong with it, to go on after "the playlist".
pub fn rewrite(
    playlist: &str,
    url: &Url,
    imported: &Variables,
    places: &mut impl Places,
) -> Result<Rewritten, &'static str> {
    let playlist = playlist.strip_prefix('\u{feff}').unwrap_or(playlist);
    if playlist.lines().next().map(str::trim_end) != Some("#EXTM3U") {
        return Err("does not begin with #EXTM3U: it is none");
    }
    let mut rewriting = Rewriting {
        url,
        imported,
        places,
        out: String::with_capacity(playlist.len() + playlist.len() / 2),
        is_stale: false,
        segment_at: None,
        objection: None,
        variables: Variables::default(),
        is_multivariant: false,
        map: None,
        map_at: None,
        written_map: None,
        keys: Keys::default(),
        last_map: None,
        fresh_map: None,
        has_byte_range: false,
        lost: None,
        next_is_playlist: false,
    };
    for line in playlist.lines() {
        if line.len() > MAX_LINE {
            return Err("has a line of a length that nobody writes");
        }
        rewriting.line(line.trim_end_matches('\r'));
        if rewriting.out.len() > MAX_REWRITTEN {
            return Err("grows beyond all measure when its URIs are written out");
        }
        if let Some(objection) = rewriting.objection {
            return Err(objection);
        }
    }
    Ok(Rewritten {
        text: rewriting.out,
        is_multivariant: rewriting.is_multivariant,
        variables: rewriting.variables,
        lost: rewriting.lost,
    })
}

struct Rewriting<'a, P> {
    url: &'a Url,
    imported: &'a Variables,
    places: &'a mut P,
    out: String,
    /// The demuxer has not been told of the newest map and keys.
    is_stale: bool,
    /// Where in `out` the tags of the current segment begin.
    segment_at: Option<usize>,
    /// Why there is no going on.
    objection: Option<&'static str>,
    variables: Variables,
    is_multivariant: bool,
    /// The attributes of the EXT-X-MAP in force.
    map: Option<String>,
    /// Where in `out` it stood, if the demuxer has not been told of it: a key tag that comes next is not the key of an init segment.
    map_at: Option<usize>,
    /// What the demuxer was told last of it.
    written_map: Option<InitSegment>,
    /// The init segment of the segment before.
    last_map: Option<InitSegment>,
    /// The demuxer has just been told of an init segment. It is another one than that of the segment before.
    fresh_map: Option<bool>,
    /// The current segment is part of a file.
    has_byte_range: bool,
    keys: Keys,
    lost: Option<Lost>,
    next_is_playlist: bool,
}

impl<P: Places> Rewriting<'_, P> {
    fn line(&mut self, line: &str) {
        let tag = line.strip_prefix('#');
        match tag.map(|tag| tag.split_once(':')) {
            Some(Some(("EXT-X-KEY", list))) => {
                let list = self.variables.substitute(list);
                self.key(&list, line);
            }
            Some(Some(("EXT-X-MAP", list))) if text(list, "URI").is_some() => {
                self.map = Some(list.to_owned());
                self.map_at = Some(self.out.len());
                self.written_map = None;
                self.is_stale = true;
            }
            Some(Some(("EXT-X-DEFINE", list))) => {
                self.variables.define(list, self.imported, self.url);
                self.write(line);
            }
            Some(Some(("EXT-X-STREAM-INF", _))) => {
                self.is_multivariant = true;
                self.next_is_playlist = true;
                self.write(line);
            }
            Some(Some((name @ ("EXT-X-MEDIA" | "EXT-X-I-FRAME-STREAM-INF"), list))) => {
                self.is_multivariant = true;
                let list = self.with_playlist(list);
                self.write(&format!("#{name}:{list}"));
            }
            Some(Some((name @ "EXT-X-RENDITION-REPORT", list))) => {
                let list = with_texts(list, |attribute| {
                    let url =
                        (attribute.name == "URI").then(|| self.absolute(attribute.text()))??;
                    Some(
                        self.places
                            .known_playlist(&url)
                            .unwrap_or_else(|| url.into()),
                    )
                });
                self.write(&format!("#{name}:{list}"));
            }
            Some(Some((name @ ("EXTINF" | "EXT-X-BYTERANGE"), _))) => {
                self.has_byte_range |= name == "EXT-X-BYTERANGE";
                self.segment_at.get_or_insert(self.out.len());
                self.write(line);
            }
            // What the demuxer would ask a DRM system for is none of its business.
            Some(Some(("EXT-X-SESSION-KEY", list)))
                if !matches!(
                    KeyTag::read(&self.variables.substitute(list)).kind,
                    Kind::Demuxers
                ) => {}
            Some(Some((name, list))) if name.starts_with("EXT-X-") && list.contains("URI=") => {
                if ["EXT-X-PART", "EXT-X-PRELOAD-HINT"].contains(&name) {
                    self.before_segment();
                    self.segment_at = None;
                }
                let list = self.with_absolute_uris(list);
                self.write(&format!("#{name}:{list}"));
            }
            Some(_) => self.write(line),
            None if line.trim().is_empty() => self.write(line),
            None => self.uri(line.trim()),
        }
    }

    fn write(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    /// The URI of a segment or, behind EXT-X-STREAM-INF, of a playlist.
    fn uri(&mut self, uri: &str) {
        if std::mem::take(&mut self.next_is_playlist) {
            let place = match self.absolute(uri) {
                Some(url) => self.places.playlist(&url),
                None => uri.to_owned(),
            };
            return self.write(&place);
        }
        self.before_segment();
        self.segment_at = None;
        let uri = match self.absolute(uri) {
            Some(url) => self.whole_segment(&url).unwrap_or_else(|| url.into()),
            None => uri.to_owned(),
        };
        // Parts are not segments to all demuxers.
        if self.fresh_map.take().is_some() {
            self.last_map.clone_from(&self.written_map);
        }
        self.has_byte_range = false;
        self.write(&uri);
    }

    /// Where the segment is to be had with its init segment, if that is new to a demuxer that else would not notice.
    fn whole_segment(&mut self, url: &Url) -> Option<String> {
        let is_new = self.fresh_map?;
        // What is decrypted as a whole, or is a part, has to come as it is.
        if self.keys.has_demuxers() || self.has_byte_range {
            return None;
        }
        self.places
            .whole_segment(self.written_map.as_ref()?, url, is_new)
    }

    fn key(&mut self, list: &str, line: &str) {
        self.is_stale = true;
        match self.keys.take(KeyTag::read(list)) {
            Shown::AsItIs if text(list, "URI").is_some() => {
                let list = self.with_absolute_uris(list);
                self.write(&format!("#EXT-X-KEY:{list}"));
            }
            Shown::AsItIs => self.write(line),
            Shown::None => self.write("#EXT-X-KEY:METHOD=NONE"),
            Shown::Nothing => {}
        }
    }

    /// Tells the demuxer of the init segment for what comes now: a new one where there are other keys.
    fn before_segment(&mut self) {
        if !std::mem::take(&mut self.is_stale) {
            return;
        }
        let at = self.map_at.take().or(self.segment_at);
        let boxes = match self.keys.boxes() {
            Ok(boxes) => boxes,
            Err(objection) => {
                self.objection = Some(objection);
                return;
            }
        };
        let lost = self.keys.lost(self.map.is_some(), &boxes);
        self.lost = self.lost.or(lost);
        let Some(map) = self.map.clone() else {
            return;
        };
        let map = map.as_str();
        let uri = text(map, "URI").unwrap_or_default();
        let Some(url) = self.absolute(uri) else {
            return;
        };
        let segment = InitSegment {
            url,
            range: text(map, "BYTERANGE")
                .and_then(|range| byte_range(&self.variables.substitute(range))),
            boxes,
        };
        if self.written_map.as_ref() == Some(&segment) {
            return;
        }
        let line = match segment.boxes.is_empty() {
            true => format!("#EXT-X-MAP:{}", self.with_absolute_uris(map)),
            false => {
                let place = self.places.init_segment(segment.clone());
                let map = self.with_absolute_uris(map);
                // The place has the part alone.
                let others = attributes(&map)
                    .filter(|one| !["URI", "BYTERANGE"].contains(&one.name))
                    .map(|one| format!(",{}={}", one.name, one.value));
                format!("#EXT-X-MAP:URI=\"{place}\"{}", others.collect::<String>())
            }
        };
        // Of what is not protected a demuxer makes what it always does.
        let is_new = |last: &InitSegment| {
            *last != segment && !(last.boxes.is_empty() && segment.boxes.is_empty())
        };
        self.fresh_map = Some(self.last_map.as_ref().is_some_and(is_new));
        self.written_map = Some(segment);
        // Not between a segment's tags: to some demuxers a byte range is that of whatever comes next.
        self.out
            .insert_str(at.unwrap_or(self.out.len()), &(line + "\n"));
    }

    fn with_playlist(&mut self, list: &str) -> String {
        with_texts(list, |attribute| {
            let url = (attribute.name == "URI").then(|| self.absolute(attribute.text()))??;
            Some(self.places.playlist(&url))
        })
    }

    fn with_absolute_uris(&mut self, list: &str) -> String {
        with_texts(list, |attribute| {
            // Parsers read one without quotes too.
            let is_uri = attribute.name == "URI" || attribute.name.ends_with("-URI");
            is_uri.then(|| self.absolute(attribute.text()).map(String::from))?
        })
    }

    fn absolute(&mut self, uri: &str) -> Option<Url> {
        let url = self.url.join(&self.variables.substitute(uri)).ok()?;
        if !["http", "https", "data"].contains(&url.scheme()) && url.scheme() != self.url.scheme() {
            self.objection =
                Some("names something that is neither on a web server nor where it is itself");
        }
        Some(url)
    }
}

/// `length@offset`; without an offset it begins at the beginning (RFC 8216, 4.3.2.5).
fn byte_range(text: &str) -> Option<ByteRange> {
    let (length, offset) = text.split_once('@').unwrap_or((text, "0"));
    Some(ByteRange {
        offset: offset.parse().ok()?,
        length: length.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Desk {
        playlists: Vec<String>,
        segments: Vec<InitSegment>,
        reads_one_map: bool,
        whole: Vec<Url>,
    }

    impl Places for Desk {
        fn playlist(&mut self, url: &Url) -> String {
            self.playlists.push(url.to_string());
            format!("http://here/p{}", self.playlists.len())
        }

        fn known_playlist(&mut self, url: &Url) -> Option<String> {
            let known = self.playlists.iter().position(|one| one == url.as_str())?;
            Some(format!("http://here/p{}", known + 1))
        }

        fn init_segment(&mut self, segment: InitSegment) -> String {
            let known = self.segments.iter().position(|one| *one == segment);
            let number = known.unwrap_or_else(|| {
                self.segments.push(segment);
                self.segments.len() - 1
            });
            format!("http://here/i{number}")
        }

        fn whole_segment(&mut self, init: &InitSegment, url: &Url, is_new: bool) -> Option<String> {
            let known = self.whole.iter().any(|one| one == url);
            if is_new && self.reads_one_map && !known {
                self.whole.push(url.clone());
            }
            let number = self.segments.iter().position(|one| one == init);
            let name = number.map_or("clear".to_owned(), |number| format!("i{number}"));
            (known || is_new && self.reads_one_map)
                .then(|| format!("http://here/{name}{}", url.path()))
        }
    }

    fn rewritten(playlist: &str) -> (Rewritten, Desk) {
        let mut desk = Desk::default();
        let url = Url::parse("https://cdn/a/b/list.m3u8?x=1").expect("a URL");
        let rewritten = rewrite(playlist, &url, &Variables::default(), &mut desk);
        (rewritten.expect("a playlist"), desk)
    }

    const WIDEVINE: &str = r#"#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:text/plain;base64,AAAAIHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAA=",KEYID=0x00112233445566778899aabbccddee01,KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed""#;

    #[test]
    fn a_playlist_without_drm_stays_but_for_its_uris() {
        let playlist = "#EXTM3U\n#EXT-X-VERSION:6\n# a comment\n\n#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x01\n#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"7@1\"\n#EXTINF:2.000,title, with comma\n#EXT-X-BYTERANGE:10@0\n../1.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXTINF:2,\nhttps://other/2.m4s\n#EXT-X-ENDLIST\n";
        let (result, desk) = rewritten(playlist);
        let expected = playlist
            .replace("\"key.bin\"", "\"https://cdn/a/b/key.bin\"")
            .replace("../1.m4s", "https://cdn/a/1.m4s")
            .replace("\n#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"7@1\"", "")
            .replace(
                "#EXTINF:2.000,title",
                "#EXT-X-MAP:URI=\"https://cdn/a/b/init.mp4\",BYTERANGE=\"7@1\"\n#EXTINF:2.000,title",
            );
        assert_eq!(result.text, expected);
        assert!(!result.is_multivariant && result.lost.is_none());
        assert!(desk.playlists.is_empty() && desk.segments.is_empty());
    }

    #[test]
    fn key_tags_of_drm_systems_go_with_the_init_segment() {
        let playlist = format!(
            "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"700@100\"\n{WIDEVINE}\n#EXTINF:2,\n1.m4s\n#EXTINF:2,\n2.m4s\n"
        );
        let (result, desk) = rewritten(&playlist);
        assert_eq!(
            result.text,
            "#EXTM3U\n#EXT-X-MAP:URI=\"http://here/i0\"\n#EXTINF:2,\nhttps://cdn/a/b/1.m4s\n#EXTINF:2,\nhttps://cdn/a/b/2.m4s\n"
        );
        let [segment] = &desk.segments[..] else {
            panic!("{:?}", desk.segments);
        };
        assert_eq!(segment.url.as_str(), "https://cdn/a/b/init.mp4");
        let range = ByteRange {
            offset: 100,
            length: 700,
        };
        assert_eq!(segment.range, Some(range));
        // Widevine's own, and one that lists the key's id.
        assert_eq!(segment.boxes.len(), 2);
    }

    #[test]
    fn another_key_for_the_same_init_segment_is_another_init_segment() {
        let other = WIDEVINE.replace("ee01", "ee02");
        let playlist = format!(
            "#EXTM3U\n{WIDEVINE}\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2,\n1.m4s\n{other}\n#EXTINF:2,\n2.m4s\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:2,\n3.m4s\n"
        );
        let (result, desk) = rewritten(&playlist);
        assert_eq!(desk.segments.len(), 2);
        let maps: Vec<_> = result
            .text
            .lines()
            .filter(|line| line.starts_with("#EXT-X-MAP"))
            .collect();
        assert_eq!(
            maps,
            [
                "#EXT-X-MAP:URI=\"http://here/i0\"",
                "#EXT-X-MAP:URI=\"http://here/i1\"",
                "#EXT-X-MAP:URI=\"https://cdn/a/b/init.mp4\"",
            ]
        );
    }

    #[test]
    fn playlists_of_a_multivariant_playlist_are_had_from_another_place() {
        let playlist = "#EXTM3U\n#EXT-X-DEFINE:NAME=\"v\",VALUE=\"video\"\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"audio.m3u8\",GROUP-ID=\"a\"\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\n{$v}.m3u8\n#EXT-X-I-FRAME-STREAM-INF:URI=\"i.m3u8\",BANDWIDTH=1\n#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://k\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n#EXT-X-SESSION-DATA:DATA-ID=\"d\",URI=\"d.json\"\n";
        let (result, desk) = rewritten(playlist);
        assert!(result.is_multivariant);
        assert_eq!(
            desk.playlists,
            [
                "https://cdn/a/b/audio.m3u8",
                "https://cdn/a/b/video.m3u8",
                "https://cdn/a/b/i.m3u8"
            ]
        );
        assert_eq!(
            result.text,
            "#EXTM3U\n#EXT-X-DEFINE:NAME=\"v\",VALUE=\"video\"\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"http://here/p1\",GROUP-ID=\"a\"\n#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nhttp://here/p2\n#EXT-X-I-FRAME-STREAM-INF:URI=\"http://here/p3\",BANDWIDTH=1\n#EXT-X-SESSION-DATA:DATA-ID=\"d\",URI=\"https://cdn/a/b/d.json\"\n"
        );
    }

    #[test]
    fn a_drm_key_ends_the_demuxers_own_and_keys_without_an_init_segment_are_noticed() {
        let playlist = format!(
            "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:2,\n1.ts\n{WIDEVINE}\n#EXTINF:2,\n2.ts\n"
        );
        let (result, _) = rewritten(&playlist);
        assert_eq!(result.lost, Some(Lost::WithoutInitSegment));
        let keys: Vec<_> = result
            .text
            .lines()
            .filter(|line| line.starts_with("#EXT-X-KEY"))
            .collect();
        assert_eq!(
            keys,
            [
                "#EXT-X-KEY:METHOD=AES-128,URI=\"https://cdn/a/b/k\"",
                "#EXT-X-KEY:METHOD=NONE"
            ]
        );
    }

    #[test]
    fn a_demuxer_that_reads_one_init_segment_gets_another_with_the_segment() {
        let url = Url::parse("https://cdn/list.m3u8").expect("a URL");
        let mut desk = Desk {
            reads_one_map: true,
            ..Desk::default()
        };
        let mut uris = |playlist: &str| -> Vec<String> {
            let rewritten = rewrite(playlist, &url, &Variables::default(), &mut desk);
            let text = rewritten.expect("a playlist").text;
            let uris = text.lines().filter(|line| line.starts_with("http"));
            uris.map(str::to_owned).collect()
        };
        let other = WIDEVINE.replace("ee01", "ee02");
        let first = format!("{WIDEVINE}\n#EXT-X-MAP:URI=\"i\"\n1\n");
        let then = format!("{other}\n2\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"i\"\n3\n");
        let playlist = format!("#EXTM3U\n{first}{then}");
        assert_eq!(
            uris(&playlist),
            ["https://cdn/1", "http://here/i1/2", "https://cdn/3"]
        );
        // When it has come to the top of a live playlist it is where it was.
        let slid = format!("#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n{other}\n2\n3\n");
        assert_eq!(uris(&slid), ["http://here/i1/2", "https://cdn/3"]);
        let ranges = playlist.replace("\n2\n", "\n#EXT-X-BYTERANGE:1@0\n2\n");
        assert_eq!(uris(&ranges)[1], "https://cdn/2");
        let clear = "#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n8\n#EXT-X-MAP:URI=\"j\"\n9\n";
        assert_eq!(uris(clear), ["https://cdn/8", "https://cdn/9"]);
    }

    #[test]
    fn a_playlist_made_to_fill_the_memory_is_refused() {
        let url = Url::parse("https://cdn/").expect("a URL");
        let refused = |text: &str| {
            let mut desk = Desk::default();
            rewrite(text, &url, &Variables::default(), &mut desk).expect_err("refused")
        };
        let other = WIDEVINE.replace("ee01", "ee02");
        let turn = format!("{WIDEVINE}\n1.m4s\n{other}\n2.m4s\n");
        let map = format!(
            "#EXTM3U\n#EXT-X-MAP:URI=\"i\",X=\"{}\"\n",
            "x".repeat(60_000)
        );
        assert!(refused(&(map + &turn.repeat(600))).starts_with("grows"));
        let long = "x".repeat(70_000);
        assert!(refused(&format!("#EXTM3U\n{long}\n")).starts_with("has a line"));
        let tag = |format: u8| {
            let data = "A".repeat(40_000);
            format!(
                "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:;base64,{data}\",KEYFORMAT=\"urn:uuid:0000000{format}-0000-0000-0000-000000000000\"\n"
            )
        };
        let tags = format!("#EXTM3U\n{}{}{}1.m4s\n", tag(1), tag(2), tag(3));
        assert!(refused(&tags).starts_with("has key tags"));
    }

    #[test]
    fn a_playlist_cannot_have_files_of_this_machine_read() {
        let url = Url::parse("https://cdn/").expect("a URL");
        for line in [
            "file:///etc/passwd",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"file:///etc/passwd\"",
        ] {
            let text = format!("#EXTM3U\n#EXTINF:2,\n{line}\n");
            let mut desk = Desk::default();
            let refused = rewrite(&text, &url, &Variables::default(), &mut desk);
            assert!(refused.expect_err(line).starts_with("names something"));
        }
    }

    #[test]
    fn what_is_no_playlist_is_refused() {
        let url = Url::parse("https://cdn/").expect("a URL");
        for text in ["", "<html>", "#EXTM3", "\n#EXTM3U"] {
            let mut desk = Desk::default();
            let result = rewrite(text, &url, &Variables::default(), &mut desk);
            assert!(result.is_err(), "{text}");
        }
    }
}
