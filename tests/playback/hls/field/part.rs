// SPDX-License-Identifier: MIT OR Apache-2.0

//! Media segments. Each is there twice, protected and in the clear.

use std::fs;

use headend::{NEXT_VIDEO_KEY_ID, encrypt_aes128, key_of, retimed};
use support::folders::media;

use crate::hls::key_tag;

/// The vector of `hls/sample-aes` in the test media.
pub const SAMPLE_AES_IV: &str = "0x5e5510c0ffee00015e5510c0ffee0001";

/// Which of the two presentations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Protected,
    Clear,
}

/// Picture or sound, as the test media name their files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    Video,
    Audio,
}

impl Track {
    pub fn letter(self) -> char {
        match self {
            Track::Video => 'v',
            Track::Audio => 'a',
        }
    }

    fn playlist(self) -> &'static str {
        match self {
            Track::Video => "video.m3u8",
            Track::Audio => "audio.m3u8",
        }
    }
}

/// A file in its two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    clear: Vec<u8>,
    protected: Vec<u8>,
}

impl File {
    pub fn of(&self, form: Form) -> &[u8] {
        match form {
            Form::Protected => &self.protected,
            Form::Clear => &self.clear,
        }
    }
}

/// METHOD=AES-128.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aes128 {
    /// The name of the key on the key server.
    key: String,
    uri: String,
    /// The media sequence number where there is none.
    iv: Option<u128>,
    /// Whether the init segment is encrypted too.
    pub with_map: bool,
}

impl Aes128 {
    /// The key of this name, by its absolute path.
    pub fn key(name: &str) -> Self {
        Self {
            key: name.to_owned(),
            uri: format!("/keys/{name}"),
            iv: None,
            with_map: false,
        }
    }

    pub fn uri(mut self, uri: impl Into<String>) -> Self {
        self.uri = uri.into();
        self
    }

    pub fn iv(mut self, iv: u128) -> Self {
        self.iv = Some(iv);
        self
    }

    /// Encrypts the init segment too, for which the tag has to have a vector (RFC 8216, section
    /// 4.3.2.5).
    pub fn with_map(mut self) -> Self {
        assert!(self.iv.is_some());
        self.with_map = true;
        self
    }

    /// The line that names the key.
    pub fn tag(&self) -> String {
        let iv = self.iv.map(|iv| format!(",IV=0x{iv:032x}"));
        let iv = iv.unwrap_or_default();
        format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{}\"{iv}\n", self.uri)
    }

    pub fn encrypt(&self, contents: &[u8], sequence: u64) -> Vec<u8> {
        let iv = self.iv.unwrap_or(sequence.into());
        encrypt_aes128(contents.to_vec(), &key_of(&self.key), &iv.to_be_bytes())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    None,
    Aes128(Aes128),
    /// The file is protected in itself; these lines say by whose key.
    Tags(String),
}

/// One media segment.
#[derive(Clone, Debug)]
pub struct Part {
    pub file: File,
    pub map: Option<File>,
    pub extension: &'static str,
    /// As EXTINF has it.
    pub seconds: String,
    /// When it begins, and in how many ticks a second, where it is fragmented MP4.
    begins: u64,
    timescale: u64,
    pub protection: Protection,
    pub discontinuity: bool,
}

/// A file of the test media.
pub fn read(path: &str) -> Vec<u8> {
    fs::read(media().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read_text(path: &str) -> String {
    String::from_utf8(read(path)).expect("a playlist is text")
}

/// How long the segment of this name is, by the playlist that has it.
fn seconds(playlist: &str, name: &str) -> String {
    let text = read_text(playlist);
    let mut lines = text.lines();
    let mut last = None;
    lines
        .find_map(|line| match line.strip_prefix("#EXTINF:") {
            Some(seconds) => {
                last = Some(seconds.trim_end_matches(','));
                None
            }
            None if line == name => last.map(str::to_owned),
            None => None,
        })
        .unwrap_or_else(|| panic!("{playlist} has no {name}"))
}

/// The key tags in a playlist of the packager's.
pub fn key_tags(folder: &str, track: Track) -> String {
    let text = read_text(&format!("dash/{folder}/{}", track.playlist()));
    let tags = text.lines().filter(|line| line.starts_with("#EXT-X-KEY:"));
    tags.map(|line| format!("{line}\n")).collect()
}

impl Part {
    fn clear(path: &str, seconds: String, extension: &'static str) -> Self {
        let clear = read(path);
        Self {
            file: File {
                protected: clear.clone(),
                clear,
            },
            map: None,
            extension,
            seconds,
            begins: 0,
            timescale: 0,
            protection: Protection::None,
            discontinuity: false,
        }
    }

    /// Picture and sound in one MPEG-TS.
    pub fn muxed(number: usize) -> Self {
        let name = format!("m_{number}.ts");
        let seconds = seconds("hls/muxed/media.m3u8", &name);
        Self::clear(&format!("hls/muxed/{name}"), seconds, "ts")
    }

    /// One of `hls/clear`: a track in an MPEG-TS, or packed audio. The playlist says which codec.
    fn transport(track: Track, extension: &'static str, number: usize) -> Self {
        let playlist = match (track, extension) {
            (_, "ts") => track.playlist().to_owned(),
            _ => format!("{extension}.m3u8"),
        };
        let name = format!("{}_{number}.{extension}", track.letter());
        let seconds = seconds(&format!("hls/clear/{playlist}"), &name);
        Self::clear(&format!("hls/clear/{name}"), seconds, extension)
    }

    pub fn ts(track: Track, number: usize) -> Self {
        Self::transport(track, "ts", number)
    }

    /// Packed audio: `aac`, `ac3` or `ec3`.
    pub fn packed(extension: &'static str, number: usize) -> Self {
        Self::transport(Track::Audio, extension, number)
    }

    /// A segment of fragmented MP4 in the clear, of the film (`clear`) or of the ad (`ad`).
    pub fn mp4(folder: &str, track: Track, number: usize) -> Self {
        let name = format!("{}_{number}.m4s", track.letter());
        let playlist = format!("dash/{folder}/{}", track.playlist());
        let part = Self::clear(
            &format!("dash/{folder}/{name}"),
            seconds(&playlist, &name),
            "m4s",
        );
        let map = read(&format!("dash/{folder}/{}_init.mp4", track.letter()));
        let map = File {
            protected: map.clone(),
            clear: map,
        };
        Self {
            map: Some(map),
            begins: 2 * (number as u64 - 1),
            timescale: match (track, folder) {
                (Track::Video, _) => 12_800,
                (Track::Audio, "ad") => 48_000,
                (Track::Audio, _) => 44_100,
            },
            ..part
        }
    }

    /// A segment of fragmented MP4 as the packager has protected it: `cenc`, `cbcs`, `ad-cenc` or
    /// `ad-cbcs`. What is clear there, is so in `clear` or `ad`.
    pub fn drm(folder: &str, track: Track, number: usize) -> Self {
        let twin = match folder.starts_with("ad") {
            true => "ad",
            false => "clear",
        };
        let mut part = Self::mp4(twin, track, number);
        let letter = track.letter();
        part.file.protected = read(&format!("dash/{folder}/{letter}_{number}.m4s"));
        if let Some(map) = &mut part.map {
            map.protected = read(&format!("dash/{folder}/{letter}_init.mp4"));
        }
        part.protection = Protection::Tags(key_tags(folder, track));
        part
    }

    /// A segment of the picture by the other key, after `cenc`'s first one.
    pub fn periods(number: usize) -> Self {
        let mut part = Self::mp4("clear", Track::Video, number);
        part.file.protected = read(&format!("dash/periods/v_{number}.m4s"));
        let map = part.map.as_mut().expect("fragmented MP4");
        map.protected = read("dash/periods/v_init.mp4");
        part.keyed(key_tag(NEXT_VIDEO_KEY_ID))
    }

    /// One of the clear segments of a presentation with a clear lead (`lead-cenc`, `lead-cbcs`),
    /// in front of which the packager names no key, behind a protected init segment.
    pub fn lead(folder: &str, track: Track, number: usize) -> Self {
        let mut part = Self::drm(folder, track, number);
        part.protection = Protection::None;
        part
    }

    /// The init segment of `folder` in front of this clear segment.
    pub fn behind_map_of(mut self, folder: &str, track: Track) -> Self {
        let map = self.map.as_mut().expect("fragmented MP4");
        map.protected = read(&format!("dash/{folder}/{}_init.mp4", track.letter()));
        self
    }

    /// Its twin in `hls/sample-aes`, with this key URI.
    pub fn sample_aes(mut self, track: Track, number: usize, key_uri: &str) -> Self {
        let path = format!(
            "hls/sample-aes/{}_{number}.{}",
            track.letter(),
            self.extension
        );
        self.file.protected = read(&path);
        self.keyed(format!(
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"{key_uri}\",IV={SAMPLE_AES_IV}\n"
        ))
    }

    /// Moved so that it begins at this time, in seconds, where it is fragmented MP4. That is not
    /// before its own.
    pub fn beginning_at(mut self, seconds: u64) -> Self {
        let ticks = (seconds - self.begins) * self.timescale;
        self.begins = seconds;
        for file in [&mut self.file.clear, &mut self.file.protected] {
            let moved = retimed(std::mem::take(file), ticks);
            *file = moved.expect("the time has room");
        }
        self
    }

    /// Encrypted as a whole.
    pub fn aes128(mut self, aes128: &Aes128) -> Self {
        self.protection = Protection::Aes128(aes128.clone());
        self
    }

    /// With these key tags instead of the packager's.
    pub fn keyed(mut self, tags: impl Into<String>) -> Self {
        self.protection = Protection::Tags(tags.into());
        self
    }

    pub fn after_discontinuity(mut self) -> Self {
        self.discontinuity = true;
        self
    }

    /// The protected init segment without `pssh` boxes.
    pub fn without_pssh(mut self) -> Self {
        let map = self.map.as_mut().expect("fragmented MP4");
        map.protected = without_pssh(&map.protected);
        self
    }
}

/// Turns the `pssh` boxes into `free` ones.
fn without_pssh(init: &[u8]) -> Vec<u8> {
    let mut init = init.to_vec();
    let places: Vec<_> = (0..init.len().saturating_sub(3))
        .filter(|place| &init[*place..place + 4] == b"pssh")
        .collect();
    assert!(!places.is_empty(), "there are boxes");
    for place in places {
        init[place..place + 4].copy_from_slice(b"free");
    }
    init
}
