// SPDX-License-Identifier: MIT OR Apache-2.0

//! HLS as packagers write it (RFC 8216 and its second edition, draft-pantos-hls-rfc8216bis):
//! playlists that no stock demuxer plays, and the init segments to which what their key tags say
//! belongs. No GStreamer here, and no network.

mod active_keys;
mod aes128;
mod attributes;
mod blocks;
#[cfg(test)]
mod blocks_tests;
#[cfg(test)]
mod bounds_tests;
mod clear_init;
mod data_uri;
mod delivery;
mod digest;
mod first_and_last_keys;
mod init_segment;
mod key_tag;
mod media;
mod media_blocks;
mod mp4;
mod multivariant;
mod playlist;
#[cfg(any(test, fuzzing))]
pub mod recording_map;
mod resource;
mod rewrite;
#[cfg(test)]
mod rewrite_properties;
#[cfg(test)]
mod rewrite_tests;
mod segment_tags;
mod survey;
mod tags;
mod uris;
mod url_map;
mod variables;
mod writer;
mod written_tags;

pub use active_keys::{KeyBoxes, SharedBox};
pub use aes128::{Aes128Decryptor, decrypt as decrypt_aes128};
pub use blocks::{Before, Blocks};
pub use clear_init::{Scheme, as_clear, is_protected, key_ids_of, scheme_of};
pub use data_uri::{decode as decode_data_uri, is_data_uri};
pub use digest::Digest;
pub use first_and_last_keys::FirstKeys;
pub use init_segment::{
    insert_free_box, is_clear, is_media, is_mp4, pssh_boxes, splice, systems, with_only,
};
pub use playlist::rewrite;
pub use resource::{
    ByteRange, FirstKey, InitCipher, InitProtection, InitSegment, Segment, SegmentCipher,
    SegmentMethod,
};
pub use rewrite::{Context, Rewritten, lists_playlists};
pub use survey::{InitLocation, Survey, survey};
pub use url_map::UrlMap;
pub use variables::Variables;
