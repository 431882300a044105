// SPDX-License-Identifier: MIT OR Apache-2.0

//! EXT-X-KEY and EXT-X-MAP as the demuxer gets them: where they are new to it.

use std::sync::Arc;

use super::delivery::{Delivery, DemuxerKey, InitTag};
use super::resource::{InitProtection, InitSegment};
use super::uris::Objection;
use super::url_map::UrlMap;
use super::writer::Writer;

/// What init segments the demuxer is told of.
#[derive(Clone, Copy, Debug, Default)]
pub struct NamedInits {
    /// One goes to the demuxer as it lies there.
    pub has_direct: bool,
    /// One says that segments are protected.
    pub has_protected: bool,
}

impl std::ops::BitOrAssign for NamedInits {
    fn bitor_assign(&mut self, others: Self) {
        self.has_direct |= others.has_direct;
        self.has_protected |= others.has_protected;
    }
}

/// What the demuxer was told last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenTags {
    /// The server may decrypt some segments, so that it has all init segments: whoever gets one
    /// again from elsewhere takes it for another one.
    has_whole_fragments: bool,
    key: Option<DemuxerKey>,
    /// An init segment, and whether the demuxer gets that as it lies there.
    init: Option<(Arc<InitSegment>, bool)>,
}

impl WrittenTags {
    pub fn new(has_whole_fragments: bool) -> Self {
        Self {
            has_whole_fragments,
            key: None,
            init: None,
        }
    }

    /// What it takes, about.
    pub fn bytes(&self) -> usize {
        let key = self.key.as_ref().map_or(0, |key| key.url.as_str().len());
        let init = self.init.as_ref().map_or(0, |(init, _)| init.bytes());
        key + init
    }

    /// Whether the demuxer gets the init segment as it lies there.
    pub fn is_direct(&self, init: &InitSegment) -> bool {
        init.is_direct() && !self.has_whole_fragments
    }

    /// Writes the tags for what comes now, whose init segment `tag` names.
    ///
    /// # Errors
    ///
    /// The playlist grows too long.
    pub fn write(
        &mut self,
        delivery: &Delivery,
        tag: Option<&InitTag>,
        out: &mut Writer,
        map: &mut impl UrlMap,
        inits: &mut NamedInits,
    ) -> Result<(), Objection> {
        if self.key != delivery.key {
            self.key.clone_from(&delivery.key);
            let line = match &delivery.key {
                Some(key) => {
                    let uri = map.key(&key.url);
                    let iv = key.iv.map(u128::from_be_bytes);
                    let iv = iv.map_or(String::new(), |iv| format!(",IV=0x{iv:032x}"));
                    format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{uri}\"{iv}")
                }
                None => "#EXT-X-KEY:METHOD=NONE".to_owned(),
            };
            out.write(&line)?;
        }
        let (Some(init), Some(tag)) = (&delivery.init, tag) else {
            return Ok(());
        };
        // hlsdemux2 asks for other bytes of a range (1.22) where the segments have none.
        let is_direct = self.is_direct(init) && delivery.cipher.is_none();
        let shown = Some((init.clone(), is_direct));
        if self.init == shown {
            return Ok(());
        }
        self.init = shown;
        inits.has_direct |= is_direct;
        inits.has_protected |= init.protection != InitProtection::None;
        let (uri, range) = match is_direct {
            true => (init.url.to_string(), init.range),
            // The place has the part alone.
            false => (map.init_segment(init), None),
        };
        let range = range.map_or(String::new(), |range| {
            format!(",BYTERANGE=\"{}@{}\"", range.length, range.offset)
        });
        let line = format!("#EXT-X-MAP:URI=\"{uri}\"{range}{}", tag.others);
        out.write(&line)
    }
}
