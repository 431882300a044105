// SPDX-License-Identifier: MIT OR Apache-2.0

//! A live channel for HLS: the film of `tests/media` again and again, with the key of its first
//! part and that of the others by turns.
//!
//! A segment of two seconds is published every two seconds. The timeline goes on from one turn of
//! the film to the next, but before every other turn it begins anew, with a discontinuity. As
//! GStreamer's own demuxers do not play fragmented MP4 beyond that (1.22), there is the same
//! channel with the same discontinuities and a timeline that always goes on.
//!
//! Two more have the segments in the clear, and key tags all the same, of one key or of both by
//! turns: whoever measures what a demuxer makes of the tags needs no decryptor then.
//!
//! What there is at a moment is decided by nothing but the moment ([`Edge`]).

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::film::{self, FOLDERS, Film, PARTS, Track};
use crate::mp4;
use crate::playlist::{Segment, media_playlist};

/// How many segments a playlist has, unless a test wants others.
const WINDOW: u64 = 6;
/// How many segments more can be fetched, for clients that have an older playlist.
const GRACE: u64 = 3;
/// How often there is another segment.
const PACE: Duration = Duration::from_secs(2);
/// How many segments a turn of the film has.
const TURN: u64 = PARTS as u64;
/// The folder of the film that is not encrypted.
const CLEAR: &str = "clear";
/// After how many segments there is a discontinuity, where a timeline begins anew if it does.
const RENEWAL: u64 = 2 * TURN;

/// The channels' clock.
#[derive(Debug)]
pub(crate) struct Live {
    begun: Option<Instant>,
    window: u64,
    end: Option<u64>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            begun: None,
            window: WINDOW,
            end: None,
        }
    }
}

/// One of the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Its timeline begins anew before every other turn.
    Renewed,
    /// Its timeline goes on, until after a day its times have no room in the segments any more.
    Steady,
    /// That in the clear, with the tags of one key.
    Clear,
    /// That in the clear, with the tags of both keys by turns.
    ClearWithBothKeys,
}

/// How far the channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// How many segments have been published.
    published: u64,
    /// How many a playlist has.
    window: u64,
    /// Whether there are no more to come.
    ended: bool,
}

impl Live {
    /// Starts the clock unless it runs.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.begun.get_or_insert(now);
    }

    pub(crate) fn edge(&self, now: Instant) -> Edge {
        let elapsed = self.begun.map_or(Duration::ZERO, |begun| now - begun);
        Edge::after(elapsed, self.window, self.end)
    }

    /// Says how many segments a playlist has.
    pub(crate) fn set_window(&mut self, segments: u64) {
        self.window = segments;
    }

    /// Says after how many segments the channel ends. None is taken back that has been published.
    pub(crate) fn end_after(&mut self, segments: u64, now: Instant) {
        self.end = Some(segments.max(self.edge(now).published));
    }
}

impl Edge {
    /// That of a channel that has run for so long, and ends after so many segments.
    fn after(elapsed: Duration, window: u64, end: Option<u64>) -> Self {
        let published = window + elapsed.as_secs() / PACE.as_secs();
        Self {
            published: end.map_or(published, |end| end.min(published)),
            window,
            ended: end.is_some_and(|end| end <= published),
        }
    }

    /// The first segment of the playlist.
    fn first(self) -> u64 {
        self.published.saturating_sub(self.window)
    }

    fn has(self, number: u64) -> bool {
        (self.first().saturating_sub(GRACE)..self.published).contains(&number)
    }

    /// The playlist of a track.
    fn playlist(self, track: Track, film: &Film) -> String {
        let first = self.first();
        let segments: Vec<_> = (first..self.published)
            .map(|number| Segment {
                uri: format!("{}_{number}.m4s", track.letter()),
                seconds: &film.seconds[part(number)],
                protection: &film.protections[part(number)],
                discontinuity: is_discontinuity(number),
            })
            .collect();
        let gone = (0..first)
            .filter(|number| is_discontinuity(*number))
            .count();
        let tags = format!("#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-DISCONTINUITY-SEQUENCE:{gone}\n");
        media_playlist(&tags, &segments, self.ended)
    }
}

/// Which part of the film a segment is.
fn part(number: u64) -> usize {
    (number % TURN) as usize
}

/// Whether there is a discontinuity before a segment.
fn is_discontinuity(number: u64) -> bool {
    number > 0 && number.is_multiple_of(RENEWAL)
}

impl Channel {
    /// That of this folder of the origin.
    pub(crate) fn of(folder: &str) -> Option<Self> {
        match folder {
            "/hls/live" => Some(Self::Renewed),
            "/hls/live-steady" => Some(Self::Steady),
            "/hls/live-clear" => Some(Self::Clear),
            "/hls/live-clear-both-keys" => Some(Self::ClearWithBothKeys),
            _ => None,
        }
    }

    fn is_clear(self) -> bool {
        matches!(self, Self::Clear | Self::ClearWithBothKeys)
    }

    /// By whose key tags each part of the film goes.
    fn keys(self) -> [&'static str; PARTS] {
        match self {
            Self::Clear => [FOLDERS[0]; PARTS],
            Self::Renewed | Self::Steady | Self::ClearWithBothKeys => FOLDERS,
        }
    }

    /// What the init segment for the key from this folder is called.
    fn init_name(self, track: Track, folder: &str) -> String {
        match self.is_clear() {
            true => init_name(track, CLEAR),
            false => init_name(track, folder),
        }
    }

    /// Where a part of the film is in the folder of the media.
    fn part(self, track: Track, part: usize) -> String {
        match self.is_clear() {
            true => format!("{CLEAR}/{}", film::part_name(track, part)),
            false => film::part(track, part),
        }
    }

    /// By how many ticks a segment is later than its part of the film.
    fn offset(self, track: Track, number: u64) -> u64 {
        match self {
            Self::Renewed => number % RENEWAL / TURN * track.length(),
            _ => number / TURN * track.longest_length(),
        }
    }
}

/// The track of a media playlist of this name.
fn track_of(name: &str) -> Option<Track> {
    match name {
        "video.m3u8" => Some(Track::Video),
        "audio.m3u8" => Some(Track::Audio),
        _ => None,
    }
}

pub(crate) fn is_media_playlist(name: &str) -> bool {
    track_of(name).is_some()
}

/// What has this name, when the channel is that far.
pub(crate) fn read(media: &Path, name: &str, edge: Edge, channel: Channel) -> Option<Vec<u8>> {
    if let Some(track) = track_of(name) {
        let place = |folder: &str| channel.init_name(track, folder);
        let film = Film::read(media, track, channel.keys(), place)?;
        return Some(edge.playlist(track, &film).into());
    }
    if name == "master.m3u8" {
        return fs::read(media.join("cenc/master.m3u8")).ok();
    }
    for track in [Track::Video, Track::Audio] {
        for folder in [FOLDERS[0], FOLDERS[1], CLEAR] {
            if name == init_name(track, folder) {
                return film::init(media, folder, track);
            }
        }
        if let Some(number) = number_of(name, track) {
            let path = media.join(channel.part(track, part(number)));
            let offset = channel.offset(track, number);
            let segment = || mp4::retimed(fs::read(path).ok()?, offset);
            return edge.has(number).then(segment)?;
        }
    }
    None
}

/// What the init segment from this folder is called here.
fn init_name(track: Track, folder: &str) -> String {
    format!("{}_{folder}_init.mp4", track.letter())
}

/// The number of the segment of this name, if it is one of this track.
fn number_of(name: &str, track: Track) -> Option<u64> {
    let number = name.strip_suffix(".m4s")?;
    let number = number.strip_prefix(track.letter())?.strip_prefix('_')?;
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mp4::tests::decode_time;
    use crate::playlist::Protection;

    fn media() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../media/dash"))
    }

    fn film() -> Film {
        let protection = |name: &str| Protection {
            map: format!("map {name}\n"),
            keys: format!("keys {name}\n"),
        };
        Film {
            seconds: ["2.1", "2.2", "2.3"].map(str::to_owned),
            protections: ["one", "two", "two"].map(protection),
        }
    }

    fn playlist(seconds: u64, end: Option<u64>) -> String {
        Edge::after(Duration::from_secs(seconds), WINDOW, end).playlist(Track::Video, &film())
    }

    /// The media playlist without what comes before its segments.
    fn segments(playlist: &str) -> Vec<&str> {
        let (_, segments) = playlist
            .split_once("#EXT-X-DISCONTINUITY-SEQUENCE:")
            .expect("the last of the header");
        segments.lines().skip(1).collect()
    }

    fn sequences(playlist: &str) -> [u64; 2] {
        ["#EXT-X-MEDIA-SEQUENCE:", "#EXT-X-DISCONTINUITY-SEQUENCE:"].map(|tag| {
            let line = playlist.lines().find_map(|line| line.strip_prefix(tag));
            line.expect("a tag").parse().expect("a number")
        })
    }

    #[test]
    fn full_window_is_there_at_once() {
        assert_eq!(
            playlist(0, None),
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n\
             #EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n\
             map one\nkeys one\n#EXTINF:2.1,\nv_0.m4s\n\
             map two\nkeys two\n#EXTINF:2.2,\nv_1.m4s\n#EXTINF:2.3,\nv_2.m4s\n\
             map one\nkeys one\n#EXTINF:2.1,\nv_3.m4s\n\
             map two\nkeys two\n#EXTINF:2.2,\nv_4.m4s\n#EXTINF:2.3,\nv_5.m4s\n"
        );
    }

    #[test]
    fn playlist_slides_by_one_segment_every_two_seconds() {
        for seconds in (0..60).step_by(2) {
            let (before, after) = (playlist(seconds, None), playlist(seconds + 2, None));
            assert_eq!(playlist(seconds + 1, None), before);
            let uris = |playlist: &str| -> Vec<String> {
                let lines = playlist.lines().filter(|line| line.ends_with(".m4s"));
                lines.map(str::to_owned).collect()
            };
            assert_eq!(uris(&after).len(), 6);
            assert_eq!(uris(&after)[..5], uris(&before)[1..], "{seconds} s");
            assert_eq!(sequences(&after)[0], sequences(&before)[0] + 1);
            // What is there of both is written alike, from the first change of key on.
            let common = segments(&after);
            let change = common
                .iter()
                .skip(1)
                .position(|line| line.starts_with("map"));
            let change = change.expect("a change of key") + 1;
            let start = common[change..]
                .iter()
                .position(|line| line.ends_with(".m4s"));
            let uri = common[change + start.expect("a segment")];
            let from = |lines: &[&str]| {
                let place = lines.iter().position(|line| *line == uri).expect("it");
                lines[place..]
                    .iter()
                    .map(|line| line.to_string())
                    .collect::<Vec<_>>()
            };
            let before = from(&segments(&before));
            assert_eq!(from(&common)[..before.len()], before);
        }
    }

    #[test]
    fn every_other_turn_begins_with_a_discontinuity() {
        // What comes before the first six segments of both turns of the second timeline.
        let playlist = playlist(12, None);
        assert_eq!(sequences(&playlist), [6, 0]);
        let lines = segments(&playlist);
        assert_eq!(lines[0], "#EXT-X-DISCONTINUITY");
        let count = lines.iter().filter(|line| line.contains("DISCONTINUITY"));
        assert_eq!(count.count(), 1);
    }

    // A client that joins late has to number the timelines as one does that was there before.
    #[test]
    fn discontinuities_that_have_slid_out_are_counted() {
        let at = |first: u64| playlist(2 * first, None);
        for (first, gone) in [(0, 0), (5, 0), (6, 0), (7, 1), (12, 1), (13, 2), (600, 99)] {
            assert_eq!(sequences(&at(first)), [first, gone]);
        }
        // The timeline of one segment is the same in every playlist that has it.
        let timeline_of = |playlist: &str, uri: &str| {
            let (before, _) = playlist.split_once(uri).expect("the segment");
            let tags = before.matches("#EXT-X-DISCONTINUITY\n").count() as u64;
            sequences(playlist)[1] + tags
        };
        for first in 8..=13 {
            assert_eq!(timeline_of(&at(first), "v_13.m4s"), 2, "{first}");
        }
    }

    #[test]
    fn it_ends_when_it_is_told_to() {
        assert!(!playlist(2, Some(8)).contains("ENDLIST"));
        let last = playlist(4, Some(8));
        assert!(last.ends_with("v_7.m4s\n#EXT-X-ENDLIST\n"), "{last}");
        assert_eq!(playlist(1000, Some(8)), last);
        assert!(playlist(0, Some(2)).ends_with("v_1.m4s\n#EXT-X-ENDLIST\n"));
    }

    #[test]
    fn no_segment_is_taken_back() {
        let mut live = Live::default();
        let start = Instant::now();
        live.begin(start);
        let later = start + 3 * PACE;
        live.begin(later);
        live.end_after(1, later);
        let edge = Edge {
            published: 9,
            window: WINDOW,
            ended: true,
        };
        assert_eq!(live.edge(later), edge);
        assert_eq!(live.edge(later + PACE), edge);
    }

    #[test]
    fn segments_are_there_from_some_time_to_some_time() {
        let edge = Edge::after(Duration::from_secs(20), WINDOW, None);
        let there: Vec<_> = (0..30).filter(|number| edge.has(*number)).collect();
        assert_eq!(there, (7..16).collect::<Vec<_>>());
        assert!(read(media(), "v_16.m4s", edge, Channel::Renewed).is_none());
        assert!(read(media(), "v_15.m4s", edge, Channel::Renewed).is_some());
        assert!(read(media(), "a_6.m4s", edge, Channel::Renewed).is_none());
        for name in ["v_+8.m4s", "v_.m4s", "v_8.mp4", "x_8.m4s", "v8.m4s"] {
            assert!(
                read(media(), name, edge, Channel::Renewed).is_none(),
                "{name}"
            );
        }
    }

    #[test]
    fn timeline_continues_until_discontinuity_resets_it() {
        let times = |track: Track| -> Vec<u32> {
            let time = |number: u64| {
                let name = format!("{}_{number}.m4s", track.letter());
                let edge = Edge::after(PACE * number as u32, WINDOW, None);
                decode_time(&read(media(), &name, edge, Channel::Renewed).expect("a segment"))
            };
            (0..13).map(time).collect()
        };
        let film = [0, 25_600, 51_200, 76_800, 102_400, 128_000];
        let video = times(Track::Video);
        assert_eq!(
            [&video[..6], &video[6..12], &video[12..]],
            [&film[..], &film, &[0]]
        );
        let frames = [0, 88, 174, 260, 348, 434].map(|frame| frame * 1024);
        let audio = times(Track::Audio);
        assert_eq!(
            [&audio[..6], &audio[6..12], &audio[12..]],
            [&frames[..], &frames, &[0]]
        );
    }

    // The sound of the film is longer than its picture: each by its own length they would be half a
    // minute apart by then.
    #[test]
    fn steady_timeline_keeps_audio_and_video_in_sync() {
        let edge = Edge::after(Duration::from_secs(6000), WINDOW, None);
        let name = |track: Track| format!("{}_2999.m4s", track.letter());
        let time = |track: Track, scale: f64| {
            let segment = read(media(), &name(track), edge, Channel::Steady).expect("a segment");
            f64::from(decode_time(&segment)) / scale
        };
        let (video, audio) = (time(Track::Video, 12_800.0), time(Track::Audio, 44_100.0));
        // In the film it is 40 ms.
        assert!((audio - video - 0.04).abs() < 0.04, "{video} {audio}");
        for track in [Track::Video, Track::Audio] {
            assert!(track.longest_length() >= track.length());
        }
    }

    #[test]
    fn every_file_in_a_playlist_is_there() {
        let edge = Edge::after(Duration::from_secs(100), WINDOW, None);
        let text = |name| {
            String::from_utf8(read(media(), name, edge, Channel::Renewed).expect(name))
                .expect("a text")
        };
        let master = text("master.m3u8");
        for name in ["video.m3u8", "audio.m3u8"] {
            assert!(is_media_playlist(name) && master.contains(name), "{name}");
            let playlist = text(name);
            let maps = playlist
                .lines()
                .filter_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")?.strip_suffix('"'));
            let files: Vec<_> = playlist
                .lines()
                .filter(|line| !line.starts_with('#'))
                .collect();
            assert_eq!(files.len(), 6);
            for name in maps.chain(files) {
                assert!(
                    read(media(), name, edge, Channel::Renewed).is_some(),
                    "{name}"
                );
            }
        }
        assert!(!is_media_playlist("master.m3u8"));
    }
}
