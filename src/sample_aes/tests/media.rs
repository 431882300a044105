// SPDX-License-Identifier: MIT OR Apache-2.0

//! What Shaka Packager encrypted comes out as what it packages in the clear.

use std::fs;
use std::path::Path;

use super::encryptor::nals;
use super::{SegmentDecryptor, elementary};
use crate::cenc::ContentKey;
use crate::sample_aes::id3;

/// The picture's key and the vector of `tests/media/make`.
const KEY: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cd02;
const IV: u128 = 0x5e55_10c0_ffee_0001_0000_0000_0000_0000;

/// The file of that name as it is, decrypted, and in the clear.
fn versions(name: &str) -> [Vec<u8>; 3] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media/ts");
    let read = |version| fs::read(folder.join(version).join(name)).expect("a segment");
    let encrypted = read("sample-aes");
    let key = ContentKey::from_slice(&KEY.to_be_bytes()).expect("sixteen bytes");
    let mut decryptor = SegmentDecryptor::new(&key, IV.to_be_bytes());
    let mut decrypted = Vec::new();
    for part in encrypted.chunks(1000) {
        decryptor
            .push(part, &mut decrypted)
            .expect("a known container");
    }
    decryptor.finish(&mut decrypted).expect("a known container");
    assert_eq!(decrypted.len(), encrypted.len());
    [encrypted, decrypted, read("clear")]
}

/// The PID and the type of the only stream.
fn stream(segment: &[u8]) -> (u16, u8) {
    // A pointer of zero, and the table id.
    let start = [0, 2, 0xb0];
    let map = segment.windows(3).position(|bytes| bytes == start);
    let section = &segment[map.expect("a program map") + 1..];
    let info = usize::from(section[10] & 0xf) << 8 | usize::from(section[11]);
    let entry = &section[12 + info..];
    (u16::from_be_bytes([entry[1] & 0x1f, entry[2]]), entry[0])
}

#[test]
fn packager_pictures_match_clear_ones() {
    for name in ["v_1.ts", "v_2.ts", "zeros_1.ts"] {
        let [encrypted, decrypted, clear] = versions(name);
        let (pid, stream_type) = stream(&decrypted);
        assert_eq!((pid, stream_type), stream(&clear));
        assert_eq!(stream_type, 0x1b);
        let pictures = |segment: &[u8]| nals(&elementary(segment, pid));
        assert_ne!(pictures(&encrypted), pictures(&clear));
        assert_eq!(pictures(&decrypted), pictures(&clear), "{name}");
    }
}

#[test]
fn packager_sound_matches_clear_one() {
    for (codec, clear_type) in [("aac", 0x0f), ("ac3", 0x81), ("eac3", 0x87)] {
        for segment in 1..=2 {
            let [encrypted, decrypted, clear] = versions(&format!("{codec}_{segment}.ts"));
            let (pid, stream_type) = stream(&decrypted);
            assert_eq!((pid, stream_type), stream(&clear));
            assert_eq!(stream_type, clear_type);
            assert_ne!(elementary(&encrypted, pid), elementary(&clear, pid));
            assert_eq!(elementary(&decrypted, pid), elementary(&clear, pid));
        }
    }
}

#[test]
fn packager_packed_audio_matches_clear_one() {
    let untagged = |segment: &[u8]| match id3::tag(segment) {
        id3::Tag::Here(len) => segment[usize::try_from(len).expect("a small one")..].to_vec(),
        other => panic!("{other:?} in front of packed audio"),
    };
    for (codec, extension) in [("aac", "aac"), ("ac3", "ac3"), ("eac3", "ec3")] {
        for segment in 1..=2 {
            let name = format!("{codec}_{segment}.{extension}");
            let [encrypted, decrypted, clear] = versions(&name);
            assert_ne!(untagged(&encrypted), untagged(&clear));
            assert_eq!(untagged(&decrypted), untagged(&clear), "{name}");
        }
    }
}
