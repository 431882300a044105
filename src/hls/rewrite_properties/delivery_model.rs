// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a demuxer gets for a segment: its init segment, and who decrypts it.

use std::collections::BTreeSet;

use crate::hls::SegmentMethod;

/// An init segment as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Init {
    pub url: String,
    /// Offset and length.
    pub range: Option<(u64, u64)>,
    pub cipher: Option<(String, Option<u128>)>,
    pub protection: InitState,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InitState {
    None,
    Drm(BTreeSet<Vec<u8>>),
    Identity(String),
    Clear,
}

impl Init {
    pub fn is_direct(&self) -> bool {
        self.cipher.is_none() && self.protection == InitState::None
    }

    /// Whether key tags have several boxes for it.
    pub fn has_boxes(&self) -> bool {
        matches!(&self.protection, InitState::Drm(boxes) if boxes.len() > 1)
    }
}

/// What a demuxer gets for a segment or a part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delivered {
    /// Duration, title and URL of a segment.
    pub segment: Option<(f32, Option<String>, String)>,
    /// Offset and length.
    pub range: Option<(u64, u64)>,
    /// Of whole segments, by the demuxer: where its key is had, and its IV.
    pub key: Option<(String, Option<u128>)>,
    /// By the server.
    pub cipher: Option<(SegmentMethod, String, u128)>,
    pub init: Option<Init>,
    /// It comes behind that.
    pub init_before: Option<Init>,
}
