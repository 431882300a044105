// SPDX-License-Identifier: MIT OR Apache-2.0

//! HLS as packagers write it (RFC 8216 and its second edition, draft-pantos-hls-rfc8216bis): playlists with key tags of DRM systems, and the
//! init segments to which what these say belongs. No GStreamer here, and no network.

mod attributes;
mod init_segment;
mod key_tag;
mod keys;
mod playlist;
#[cfg(test)]
mod unchanged;
mod variables;

pub use init_segment::{moved, splice};
pub use keys::Lost;
pub use playlist::{ByteRange, InitSegment, Places, Rewritten, rewrite};
pub use variables::Variables;
