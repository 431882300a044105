// SPDX-License-Identifier: MIT OR Apache-2.0

//! A master playlist with two variants for HLS: the same picture at two bandwidths, with two keys.
//!
//! `low.m3u8` is the picture of `dash/cenc`. There is no second whole film with other keys, so
//! `high.m3u8` is its first part too, but has the others from `dash/periods`: from two seconds on
//! the variants differ in the key. The sound is that of `dash/cenc`.

use std::fs;
use std::path::Path;

use crate::film::{self, FOLDERS, Film, PARTS, Track};
use crate::playlist::{Segment, media_playlist};

/// What the better variant claims to need, many times what the other does.
const HIGH: &str = "BANDWIDTH=1500000,AVERAGE-BANDWIDTH=1500000,";

/// What has this name.
pub(crate) fn read(media: &Path, name: &str) -> Option<Vec<u8>> {
    let text = match name {
        "master.m3u8" => master(&fs::read_to_string(media.join("cenc/master.m3u8")).ok()?)?,
        "low.m3u8" => low(&fs::read_to_string(media.join("cenc/video.m3u8")).ok()?),
        "high.m3u8" => high(media)?,
        _ => return None,
    };
    Some(text.into())
}

/// The packager's master playlist with another variant.
fn master(packaged: &str) -> Option<String> {
    let (head, variant) = packaged.split_once("#EXT-X-STREAM-INF:")?;
    let head = head.replace("\"audio.m3u8\"", "\"../cenc/audio.m3u8\"");
    // Both bandwidths come first.
    let codecs = &variant[variant.find("CODECS=")?..];
    let low = variant.replace("video.m3u8", "low.m3u8");
    let high = codecs.replace("video.m3u8", "high.m3u8");
    Some(format!(
        "{head}#EXT-X-STREAM-INF:{low}#EXT-X-STREAM-INF:{HIGH}{high}"
    ))
}

/// The packager's playlist, for clients that find it in this folder.
fn low(packaged: &str) -> String {
    packaged
        .replace("URI=\"v_init", "URI=\"../cenc/v_init")
        .replace("\nv_", "\n../cenc/v_")
}

fn high(media: &Path) -> Option<String> {
    let place = |folder: &str| format!("../{folder}/v_init.mp4");
    let film = Film::read(media, Track::Video, FOLDERS, place)?;
    let segments: Vec<_> = (0..PARTS)
        .map(|part| Segment {
            uri: format!("../{}", film::part(Track::Video, part)),
            seconds: &film.seconds[part],
            protection: &film.protections[part],
            discontinuity: false,
        })
        .collect();
    Some(media_playlist(
        "#EXT-X-PLAYLIST-TYPE:VOD\n",
        &segments,
        true,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> String {
        let media = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../media/dash"));
        String::from_utf8(read(media, name).expect(name)).expect("a text")
    }

    #[test]
    fn master_has_two_variants_differing_in_bandwidth() {
        let master = text("master.m3u8");
        let lines: Vec<_> = master.lines().collect();
        let [.., low, "low.m3u8", high, "high.m3u8"] = &lines[..] else {
            panic!("no two variants: {master}");
        };
        let rest = |line: &str| line.split_once("CODECS=").map(|(_, rest)| rest.to_owned());
        assert_eq!(rest(low), rest(high));
        assert!(rest(low).is_some_and(|rest| rest.contains("AUDIO=\"audio\"")));
        assert!(
            low.starts_with("#EXT-X-STREAM-INF:BANDWIDTH=173705,"),
            "{low}"
        );
        assert!(
            high.starts_with("#EXT-X-STREAM-INF:BANDWIDTH=1500000,"),
            "{high}"
        );
        assert!(master.contains("URI=\"../cenc/audio.m3u8\""));
    }

    #[test]
    fn variants_share_first_segment_but_not_later_keys() {
        let [low, high] = ["low.m3u8", "high.m3u8"].map(text);
        let files = |playlist: &str| -> Vec<String> {
            let lines = playlist.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(
            files(&low),
            [1, 2, 3].map(|part| format!("../cenc/v_{part}.m4s"))
        );
        assert_eq!(
            files(&high),
            [
                "../cenc/v_1.m4s",
                "../periods/v_2.m4s",
                "../periods/v_3.m4s"
            ]
        );
        assert_eq!(
            low.matches("#EXT-X-MAP:URI=\"../cenc/v_init.mp4\"\n")
                .count(),
            1
        );
        assert!(high.contains("#EXT-X-MAP:URI=\"../periods/v_init.mp4\"\n"));
        let keys = |playlist: &str| playlist.matches(",KEYID=0x").count();
        assert_eq!([keys(&low), keys(&high)], [1, 2]);
        assert!(high.ends_with("#EXT-X-ENDLIST\n"));
    }
}
