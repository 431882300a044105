// SPDX-License-Identifier: MIT OR Apache-2.0

//! Films of any number of segments: a few files that a playlist names over and over again.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use support::folders::{media, scratch};

use crate::demuxers::Tags;

/// Segments with the same key where keys change. A thousand keys in the longest playlist, as
/// hlsdrmdemux takes it.
pub const WITH_ONE_KEY: usize = 20;

/// Segments that lie there.
const FILES: usize = 3;

/// The key id in the packager's key tag.
const KEY_ID: &str = "KEYID=0x00112233445566778899aabbccddee02";

/// A folder with the clear picture, and playlists of it that have these numbers of segments: in
/// `/hls/long`, by [`name`].
pub fn folder(lengths: &[usize]) -> PathBuf {
    let folder = scratch().join("origin");
    let to = folder.join("dash/long");
    fs::create_dir_all(&to).expect("a scratch folder");
    for name in ["v_init.mp4", "v_1.m4s", "v_2.m4s", "v_3.m4s"] {
        fs::copy(media().join("dash/clear").join(name), to.join(name)).expect("the test media");
    }
    for length in lengths {
        for tags in [Tags::None, Tags::OneKey, Tags::ManyKeys] {
            let name = name(*length, tags);
            let master = format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlist-{name}\n");
            fs::write(to.join(&name), master).expect("a scratch file");
            let list = to.join(format!("list-{name}"));
            fs::write(list, playlist(*length, tags)).expect("a scratch file");
        }
    }
    folder
}

/// The name of a multivariant playlist.
pub fn name(length: usize, tags: Tags) -> String {
    format!("{tags:?}-{length}.m3u8")
}

/// The key tags that the packager writes, for the key with that number.
pub fn key_tags(number: usize) -> String {
    packaged_tags().replace(KEY_ID, &format!("KEYID=0x{number:032x}"))
}

fn packaged_tags() -> &'static str {
    static TAGS: OnceLock<String> = OnceLock::new();
    TAGS.get_or_init(|| {
        let packaged = media().join("dash/cenc/video.m3u8");
        let packaged = fs::read_to_string(packaged).expect("the test media");
        let is_tag = |line: &&str| line.starts_with("#EXT-X-KEY:");
        let tag_lines: Vec<_> = packaged.lines().filter(is_tag).collect();
        let key = tag_lines.join("\n") + "\n";
        assert!(key.contains(KEY_ID), "{key}");
        key
    })
}

/// A film of so many segments, with these key tags.
pub fn playlist(length: usize, tags: Tags) -> String {
    let mut playlist = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI=\"v_init.mp4\"\n".to_owned();
    for number in 0..length {
        match tags {
            Tags::OneKey if number == 0 => playlist += packaged_tags(),
            Tags::ManyKeys if number % WITH_ONE_KEY == 0 => {
                playlist += &key_tags(number);
            }
            _ => {}
        }
        playlist += &format!("#EXTINF:2.000,\nv_{}.m4s\n", number % FILES + 1);
    }
    playlist + "#EXT-X-ENDLIST\n"
}
