// SPDX-License-Identifier: MIT OR Apache-2.0

//! The film on disk in three parts with two keys: the first part is that of `dash/cenc`, the others
//! are those of `dash/periods`.

use std::fs;
use std::path::Path;

use crate::playlist::Protection;

/// Into how many parts the film is cut.
pub(crate) const PARTS: usize = 3;

/// The folder of each part.
pub(crate) const FOLDERS: [&str; PARTS] = ["cenc", "periods", "periods"];

/// Picture or sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Track {
    Video,
    Audio,
}

/// One track of the film, as playlists have it.
#[derive(Debug)]
pub(crate) struct Film {
    /// For how long each part plays, as the packager writes it.
    pub(crate) seconds: [String; PARTS],
    pub(crate) protections: [Protection; PARTS],
}

impl Track {
    /// What the names of its segments begin with.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Video => 'v',
            Self::Audio => 'a',
        }
    }

    /// How long the film is, in ticks of the track's timescale: six seconds of 12 800 ticks, or 260
    /// frames of 1024 samples. By that the sound is 37 ms longer than the picture: its first frame
    /// only primes the decoder, and its last is not full.
    pub(crate) fn length(self) -> u64 {
        match self {
            Self::Video => 6 * 12_800,
            Self::Audio => 260 * 1024,
        }
    }

    /// How long the sound is, in ticks of this track's timescale. Where each track is followed by
    /// itself that much later, time and again, they stay together.
    pub(crate) fn longest_length(self) -> u64 {
        match self {
            Self::Video => Self::Audio.length() * 12_800 / 44_100,
            Self::Audio => self.length(),
        }
    }
}

impl Film {
    /// Reads a track of the film in this folder. The key of each part is that of the init segment
    /// in the part's folder of these; the client has its init segment where that says which gets
    /// that folder.
    pub(crate) fn read(
        media: &Path,
        track: Track,
        keys: [&str; PARTS],
        place: impl Fn(&str) -> String,
    ) -> Option<Self> {
        let name = match track {
            Track::Video => "cenc/video.m3u8",
            Track::Audio => "cenc/audio.m3u8",
        };
        let playlist = fs::read_to_string(media.join(name)).ok()?;
        let seconds: Vec<_> = playlist
            .lines()
            .filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(','))
            .map(str::to_owned)
            .collect();
        let mut protections = Vec::new();
        for folder in keys {
            let init = init(media, folder, track)?;
            protections.push(Protection::of(&init, &place(folder))?);
        }
        Some(Self {
            seconds: seconds.try_into().ok()?,
            protections: protections.try_into().ok()?,
        })
    }
}

/// The init segment in this folder.
pub(crate) fn init(media: &Path, folder: &str, track: Track) -> Option<Vec<u8>> {
    let name = format!("{folder}/{}_init.mp4", track.letter());
    fs::read(media.join(name)).ok()
}

/// Where a part is in the folder of the media, as a path.
pub(crate) fn part(track: Track, part: usize) -> String {
    format!("{}/{}", FOLDERS[part], part_name(track, part))
}

/// What the file of a part is called.
pub(crate) fn part_name(track: Track, part: usize) -> String {
    format!("{}_{}.m4s", track.letter(), part + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mp4::tests::decode_time;

    fn media() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../media/dash"))
    }

    #[test]
    fn film_has_the_packagers_durations_and_two_keys() {
        let film = Film::read(media(), Track::Audio, FOLDERS, str::to_owned).expect("a film");
        assert_eq!(film.seconds, ["2.020", "1.997", "1.983"]);
        let [first, second, third] = film.protections;
        assert_eq!(first.map, "#EXT-X-MAP:URI=\"cenc\"\n");
        assert_eq!(second.map, "#EXT-X-MAP:URI=\"periods\"\n");
        assert!(
            second
                .keys
                .contains("KEYID=0x00112233445566778899aabbccddee03,")
        );
        assert_ne!(first, second);
        assert_eq!(second, third);
    }

    // Were the second folder's times counted from its own start, two parts would lie on each other.
    #[test]
    fn all_parts_are_on_one_timeline() {
        let times = |track| {
            [0, 1, 2].map(|number| {
                let path = media().join(part(track, number));
                decode_time(&fs::read(path).expect("a part"))
            })
        };
        assert_eq!(times(Track::Video), [0, 25_600, 51_200]);
        assert_eq!(times(Track::Audio), [0, 88 * 1024, 174 * 1024]);
        // The last part of the sound has 86 frames.
        assert_eq!(Track::Audio.length(), (174 + 86) * 1024);
    }
}
