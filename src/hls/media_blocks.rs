// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where a media playlist is as it was when it was read before.

use std::sync::Arc;

use super::blocks::{Block, Position, Recorder, Setting};
use super::media::Media;
use super::uris::Objection;
use super::url_map::UrlMap;

impl<'a, M: UrlMap> Media<'a, M> {
    /// A block has ended, and these lines come. Gives those behind all blocks that are as they were
    /// when the playlist was read before. `length` is that of the whole.
    pub(super) fn end_block(
        &mut self,
        mut lines: &'a str,
        length: usize,
    ) -> Result<&'a str, Objection> {
        let inits = std::mem::take(&mut self.inits_in_block);
        self.inits |= inits;
        let position = self.position(lines);
        let setting = || Setting {
            url: self.base.without_query(),
            variables: self.base.variables.clone(),
            is_presentation_protected: self.context.first_key.is_some(),
        };
        let recorder = self
            .recorder
            .get_or_insert_with(|| Recorder::new(setting(), self.context.before, length));
        if self.base.has_used_query() {
            recorder.stop();
        }
        recorder.end(position, &self.state, inits);
        while let Some((block, text)) = self.known_block(lines) {
            self.base.count(block.counts)?;
            self.count_segments(block.segments)?;
            self.out.write_lines(text)?;
            self.inits |= block.inits;
            block.keys().for_each(|url| self.delivered_keys.add(url));
            self.state.clone_from(&block.after);
            lines = &lines[block.length..];
            let position = self.position(lines);
            if let Some(recorder) = &mut self.recorder {
                recorder.take_over(&block, position);
            }
        }
        Ok(lines)
    }

    /// The block with which these lines begin, and what became of it.
    fn known_block(&mut self, lines: &str) -> Option<(Arc<Block>, &'a str)> {
        let recorder = self.recorder.as_mut()?;
        let found = recorder.find(lines, &self.state);
        found.filter(|(block, _)| self.map.has_boxes(block.boxes()))
    }

    fn position(&self, lines: &'a str) -> Position<'a> {
        Position {
            lines,
            text: self.out.written(),
            counts: self.base.counts(),
            segments: self.segments,
        }
    }
}
