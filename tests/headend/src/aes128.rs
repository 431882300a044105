// SPDX-License-Identifier: MIT OR Apache-2.0

//! The clear media for HLS with segments encrypted as a whole: AES-128 (RFC 8216, section 4.3.2.4),
//! which is no DRM, and which every player has to go on playing.
//!
//! GStreamer's own demuxers do so only with the init segment in front of each segment: one that
//! stands for itself they decrypt as well, whether it is encrypted or not, and as the beginning of
//! the segment after it (1.22).

use std::fs;
use std::path::Path;

use crate::key_server::encrypt_aes128;
use crate::keys::from_hex;

/// Anyone gets it who asks, which is why it may stand here.
const KEY: [u8; 16] = from_hex("fedcba9876543210fedcba9876543210");
const IV: &str = "5e5510c0ffee00010000000000000000";

/// Where clients find the init segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Init {
    /// In a file of its own, not encrypted.
    Apart,
    /// In front of each segment, and encrypted with it.
    InFront,
}

/// What has this name.
pub(crate) fn read(media: &Path, name: &str, init: Init) -> Option<Vec<u8>> {
    let clear = |name: &str| fs::read(media.join("clear").join(name)).ok();
    match name {
        "key.bin" => Some(KEY.to_vec()),
        "master.m3u8" => clear(name),
        "video.m3u8" | "audio.m3u8" => {
            let playlist = String::from_utf8(clear(name)?).ok()?;
            Some(with_key(&playlist, init).into())
        }
        "v_init.mp4" | "a_init.mp4" if init == Init::Apart => clear(name),
        "v_1.m4s" | "v_2.m4s" | "v_3.m4s" | "a_1.m4s" | "a_2.m4s" | "a_3.m4s" => {
            let segment = clear(name)?;
            let contents = match init {
                Init::Apart => segment,
                Init::InFront => [clear(&format!("{}init.mp4", &name[..2]))?, segment].concat(),
            };
            Some(encrypt_aes128(contents, &KEY, &from_hex(IV)))
        }
        _ => None,
    }
}

/// A playlist with the key from the first segment on. The init segment stands before it, if at all,
/// and so is not encrypted.
fn with_key(playlist: &str, init: Init) -> String {
    let key = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\",IV=0x{IV}\n#EXTINF:");
    let playlist = playlist.replacen("#EXTINF:", &key, 1);
    let maps = |line: &&str| init == Init::Apart || !line.starts_with("#EXT-X-MAP:");
    playlist.split_inclusive('\n').filter(maps).collect()
}
