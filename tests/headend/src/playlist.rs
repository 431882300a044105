// SPDX-License-Identifier: MIT OR Apache-2.0

//! Media playlists of HLS, written as Shaka Packager writes them.

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::keys::{from_hex, hex};
use crate::mp4;

const PLAYREADY: [u8; 16] = from_hex("9a04f07998404286ab92e65be0885f95");
const WIDEVINE: [u8; 16] = from_hex("edef8ba979d64acea3c827dcd51d21ed");

/// What a key brings with it: an init segment, and the tags that say whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Protection {
    pub(crate) map: String,
    /// A line each.
    pub(crate) keys: String,
}

/// One media segment.
#[derive(Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) uri: String,
    /// For how long it plays, as it is to be written.
    pub(crate) seconds: &'a str,
    pub(crate) protection: &'a Protection,
    /// Whether the timeline begins anew with it.
    pub(crate) discontinuity: bool,
}

impl Protection {
    /// That of an init segment encrypted by the scheme `cenc`, which lies there for the client.
    pub(crate) fn of(init: &[u8], uri: &str) -> Option<Self> {
        let key_id = hex(mp4::key_id(init)?);
        let (_, playready) = mp4::pssh(init, &PLAYREADY)?;
        let (widevine, _) = mp4::pssh(init, &WIDEVINE)?;
        let [playready, widevine] = [playready, widevine].map(|data| BASE64_STANDARD.encode(data));
        Some(Self {
            map: format!("#EXT-X-MAP:URI=\"{uri}\"\n"),
            keys: format!(
                "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,\
                 URI=\"data:text/plain;charset=UTF-16;base64,{playready}\",\
                 KEYFORMATVERSIONS=\"1\",KEYFORMAT=\"com.microsoft.playready\"\n\
                 #EXT-X-KEY:METHOD=SAMPLE-AES-CTR,\
                 URI=\"data:text/plain;base64,{widevine}\",\
                 KEYID=0x{key_id},KEYFORMATVERSIONS=\"1\",\
                 KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"\n"
            ),
        })
    }
}

/// A media playlist: these tags, these segments, and whether there are no more to come. The init
/// segment and the key tags are written where they change.
///
/// The segments are no more than two seconds long, give or take less than a half, so that is the
/// target duration (RFC 8216, section 4.3.3.1).
pub(crate) fn media_playlist(tags: &str, segments: &[Segment<'_>], ended: bool) -> String {
    let mut playlist = format!("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n{tags}");
    let mut current = None;
    for segment in segments {
        if segment.discontinuity {
            playlist += "#EXT-X-DISCONTINUITY\n";
        }
        if current != Some(segment.protection) {
            current = Some(segment.protection);
            playlist += &segment.protection.map;
            playlist += &segment.protection.keys;
        }
        playlist += &format!("#EXTINF:{},\n{}\n", segment.seconds, segment.uri);
    }
    if ended {
        playlist += "#EXT-X-ENDLIST\n";
    }
    playlist
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../media/dash/");
        std::fs::read(format!("{folder}{name}")).expect("the test media")
    }

    #[test]
    fn tags_are_the_packagers_own() {
        for (letter, name) in [('v', "video"), ('a', "audio")] {
            let init = read(&format!("cenc/{letter}_init.mp4"));
            let uri = format!("{letter}_init.mp4");
            let protection = Protection::of(&init, &uri).expect("the tags");
            let packaged = read(&format!("cenc/{name}.m3u8"));
            let packaged = String::from_utf8(packaged).expect("a text");
            let tags = format!("{}{}#EXTINF", protection.map, protection.keys);
            assert!(packaged.contains(&tags), "{packaged}\n{tags}");
        }
    }

    #[test]
    fn what_is_not_encrypted_has_no_tags() {
        assert_eq!(Protection::of(&read("clear/v_init.mp4"), "i"), None);
    }

    #[test]
    fn key_is_written_where_it_changes() {
        let [one, two] = ["1", "2"].map(|name| Protection {
            map: format!("map {name}\n"),
            keys: format!("keys {name}\n"),
        });
        let segment = |uri: &str, protection, discontinuity| Segment {
            uri: uri.to_owned(),
            seconds: "2.000",
            protection,
            discontinuity,
        };
        let segments = [
            segment("a", &one, false),
            segment("b", &one, true),
            segment("c", &two, false),
        ];
        assert_eq!(
            media_playlist("#TAG\n", &segments, true),
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#TAG\n\
             map 1\nkeys 1\n#EXTINF:2.000,\na\n\
             #EXT-X-DISCONTINUITY\n#EXTINF:2.000,\nb\n\
             map 2\nkeys 2\n#EXTINF:2.000,\nc\n\
             #EXT-X-ENDLIST\n"
        );
    }
}
