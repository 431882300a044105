// SPDX-License-Identifier: MIT OR Apache-2.0

//! The media playlists that the demuxer got last, for when there is no newer one.

use std::collections::HashMap;
use std::sync::Arc;

use crate::hls::{Blocks, Digest};

/// Bytes of playlists that are kept for when there is no newer one.
const MAX_KEPT: usize = 64 * 1024 * 1024;

/// How often in a row the demuxer gets the playlist from before where there is no new one. It has
/// some segments left to play meanwhile.
pub const MAX_REPEATS: u32 = 5;

/// The newest media playlists that the demuxer got.
#[derive(Default)]
pub struct KeptPlaylists {
    known: HashMap<Digest, KeptPlaylist>,
    bytes: usize,
}

struct KeptPlaylist {
    text: Arc<str>,
    /// Of the text, where the playlist will be read again.
    blocks: Option<Arc<Blocks>>,
    /// How often it was repeated.
    repeats: u32,
}

impl KeptPlaylist {
    fn bytes(&self) -> usize {
        self.text.len() + self.blocks.as_ref().map_or(0, |blocks| blocks.bytes())
    }
}

impl KeptPlaylists {
    pub fn keep(&mut self, digest: Digest, text: Arc<str>, blocks: Option<Arc<Blocks>>) {
        if let Some(before) = self.known.remove(&digest) {
            self.bytes -= before.bytes();
        }
        let kept = KeptPlaylist {
            text,
            blocks,
            repeats: 0,
        };
        if self.bytes + kept.bytes() > MAX_KEPT {
            // Those of other renditions: the demuxer asks for them again when it needs them.
            self.known.clear();
            self.bytes = 0;
        }
        self.bytes += kept.bytes();
        self.known.insert(digest, kept);
    }

    /// The playlist from before, and its blocks.
    pub fn before(&self, digest: &Digest) -> Option<(Arc<str>, Arc<Blocks>)> {
        let kept = self.known.get(digest)?;
        Some((kept.text.clone(), kept.blocks.clone()?))
    }

    pub fn repeat(&mut self, digest: &Digest) -> Option<Arc<str>> {
        let kept = self.known.get_mut(digest)?;
        kept.repeats += 1;
        (kept.repeats <= MAX_REPEATS).then(|| kept.text.clone())
    }
}
