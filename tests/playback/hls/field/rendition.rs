// SPDX-License-Identifier: MIT OR Apache-2.0

//! Media playlists of parts, and the files that they name.

use headend::Headend;

use super::part::{Aes128, Form, Part, Protection};

/// How a playlist says what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// What changes where it changes.
    #[default]
    Brief,
    /// Init segment and key, or METHOD=NONE, for each segment, as ad insertion writes it.
    Repeated,
    /// Brief, and nothing says that keys end: a clear init segment follows a protected one.
    WithoutNone,
    /// Brief, with all of it in one file. In the clear it is in many: hlsdemux2 of 1.22 reads no
    /// init segment that is a part of a file.
    OneFile,
}

/// A media playlist.
#[derive(Clone, Debug, Default)]
pub struct Rendition {
    parts: Vec<Part>,
    style: Style,
    sequence: u64,
    tags: String,
    first_line: Option<String>,
    tells_nothing_ahead: bool,
}

impl<P: IntoIterator<Item = Part>> From<P> for Rendition {
    fn from(parts: P) -> Self {
        Self {
            parts: parts.into_iter().collect(),
            ..Self::default()
        }
    }
}

impl Rendition {
    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// The media sequence number of the first segment.
    pub fn sequence(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }

    /// No window says that there are discontinuities before it has one.
    pub fn telling_nothing_ahead(mut self) -> Self {
        self.tells_nothing_ahead = true;
        self
    }

    /// With these lines at its head, where it is protected.
    pub fn tagged(mut self, tags: &str) -> Self {
        self.tags += tags;
        self
    }

    /// With this first line, where it is protected.
    pub fn first_line(mut self, line: &str) -> Self {
        self.first_line = Some(line.to_owned());
        self
    }

    /// Everything that it is made of, with names that begin so. The playlist comes last.
    pub fn contents(&self, form: Form, name: &str) -> Vec<(String, Vec<u8>)> {
        let files = self.files(form, name);
        let playlist = self.playlist(form, &files, 0..self.parts.len(), true);
        let mut contents = files.contents();
        contents.push((format!("{name}.m3u8"), playlist.into()));
        contents
    }

    /// Publishes it as a live playlist: windows of so many segments, each of which begins with
    /// the segment after the one before when the playlist is asked for again. The last one ends.
    pub fn publish_live(
        &self,
        headend: &Headend,
        form: Form,
        folder: &str,
        window: usize,
    ) -> String {
        let files = self.files(form, "live");
        for (name, contents) in files.contents() {
            headend.set_file(&format!("{folder}/{name}"), contents);
        }
        let path = format!("{folder}/live.m3u8");
        let last = self.parts.len() - window;
        let versions = (0..=last)
            .map(|first| self.playlist(form, &files, first..first + window, first == last));
        headend.set_file_versions(&path, versions);
        path
    }

    fn files(&self, form: Form, name: &str) -> Files {
        let in_one = self.style == Style::OneFile && form == Form::Protected;
        let whole = in_one.then(|| format!("{name}.{}", self.parts[0].extension));
        let mut files = Files::new(name, whole);
        for (part, sequence) in self.parts.iter().zip(self.sequence..) {
            let aes128 = match (&part.protection, form) {
                (Protection::Aes128(aes128), Form::Protected) => Some(aes128),
                _ => None,
            };
            let map = part.map.as_ref().map(|map| {
                let contents = map.of(form);
                let contents = match aes128 {
                    Some(aes128) if aes128.with_map => aes128.encrypt(contents, sequence),
                    _ => contents.to_vec(),
                };
                files.add_map(contents)
            });
            let contents = part.file.of(form);
            let contents = match aes128 {
                Some(aes128) => aes128.encrypt(contents, sequence),
                None => contents.to_vec(),
            };
            files.add_segment(map, contents, part.extension);
        }
        files
    }

    fn playlist(
        &self,
        form: Form,
        files: &Files,
        window: std::ops::Range<usize>,
        ended: bool,
    ) -> String {
        let first_line = match form {
            Form::Protected => self.first_line.as_deref(),
            Form::Clear => None,
        };
        let first_line = first_line.unwrap_or("#EXTM3U");
        let sequence = self.sequence + window.start as u64;
        let discontinuities = self.parts[..window.start].iter();
        let discontinuities = discontinuities.filter(|part| part.discontinuity).count();
        let mut text = format!(
            "{first_line}\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n\
             #EXT-X-MEDIA-SEQUENCE:{sequence}\n"
        );
        if discontinuities > 0 || !self.tells_nothing_ahead {
            text += &format!("#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}\n");
        }
        if ended && window.start == 0 {
            text += "#EXT-X-PLAYLIST-TYPE:VOD\n";
        }
        if form == Form::Protected {
            text += &self.tags;
        }
        let mut map = None;
        let mut keys = String::new();
        for (part, place) in self.parts[window.clone()]
            .iter()
            .zip(&files.segments[window])
        {
            if part.discontinuity {
                text += "#EXT-X-DISCONTINUITY\n";
            }
            let new_keys = match (&part.protection, form) {
                (Protection::None, _) | (_, Form::Clear) => String::new(),
                (Protection::Aes128(aes128), _) => aes128.tag(),
                (Protection::Tags(tags), _) => tags.clone(),
            };
            let repeats = self.style == Style::Repeated;
            let map_tag = place
                .map
                .as_ref()
                .filter(|new| repeats || map != Some(*new));
            let key_tag = match new_keys == keys && !repeats {
                true => String::new(),
                false if new_keys.is_empty() && self.style == Style::WithoutNone => String::new(),
                false if new_keys.is_empty() && form == Form::Clear => String::new(),
                false if new_keys.is_empty() => "#EXT-X-KEY:METHOD=NONE\n".to_owned(),
                false => new_keys.clone(),
            };
            let map_tag = map_tag.map_or(String::new(), |map| map.tag("#EXT-X-MAP:URI="));
            // An encrypted init segment is behind its key, a clear one before it.
            let is_encrypted = matches!(
                (&part.protection, form),
                (
                    Protection::Aes128(Aes128 { with_map: true, .. }),
                    Form::Protected
                )
            );
            let clears = new_keys.is_empty();
            text += &match is_encrypted || clears {
                true => key_tag + &map_tag,
                false => map_tag + &key_tag,
            };
            keys = new_keys;
            map = place.map.as_ref();
            text += &format!("#EXTINF:{},\n{}", part.seconds, place.segment.line());
        }
        if ended {
            text += "#EXT-X-ENDLIST\n";
        }
        text
    }
}

/// Where something is: a file, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    uri: String,
    range: Option<(usize, usize)>,
}

impl Place {
    fn tag(&self, tag: &str) -> String {
        let range = self
            .range
            .map(|(offset, length)| format!(",BYTERANGE=\"{length}@{offset}\""));
        format!("{tag}\"{}\"{}\n", self.uri, range.unwrap_or_default())
    }

    fn line(&self) -> String {
        let range = self
            .range
            .map(|(offset, length)| format!("#EXT-X-BYTERANGE:{length}@{offset}\n"));
        format!("{}{}\n", range.unwrap_or_default(), self.uri)
    }
}

#[derive(Debug)]
struct Segment {
    map: Option<Place>,
    segment: Place,
}

/// What a playlist names.
#[derive(Debug)]
struct Files {
    name: String,
    /// All of it, if in one file, and the name of that.
    whole: Option<(String, Vec<u8>)>,
    files: Vec<(String, Vec<u8>)>,
    maps: Vec<(Vec<u8>, Place)>,
    segments: Vec<Segment>,
}

impl Files {
    fn new(name: &str, whole: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            whole: whole.map(|uri| (uri, b"something before".to_vec())),
            files: Vec::new(),
            maps: Vec::new(),
            segments: Vec::new(),
        }
    }

    fn add(&mut self, uri: String, contents: Vec<u8>) -> Place {
        match &mut self.whole {
            Some((uri, whole)) => {
                let range = Some((whole.len(), contents.len()));
                whole.extend(contents);
                let uri = uri.clone();
                Place { uri, range }
            }
            None => {
                self.files.push((uri.clone(), contents));
                Place { uri, range: None }
            }
        }
    }

    fn add_map(&mut self, contents: Vec<u8>) -> Place {
        if let Some((_, known)) = self.maps.iter().find(|(known, _)| *known == contents) {
            return known.clone();
        }
        let uri = format!("{}_init_{}.mp4", self.name, self.maps.len());
        let place = self.add(uri, contents.clone());
        self.maps.push((contents, place.clone()));
        place
    }

    fn add_segment(&mut self, map: Option<Place>, contents: Vec<u8>, extension: &str) {
        let uri = format!("{}_{}.{extension}", self.name, self.segments.len());
        let segment = self.add(uri, contents);
        self.segments.push(Segment { map, segment });
    }

    fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let whole = self.whole.iter();
        whole.chain(&self.files).cloned().collect()
    }
}
