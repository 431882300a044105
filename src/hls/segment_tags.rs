// SPDX-License-Identifier: MIT OR Apache-2.0

//! The tags of one media segment, from its EXTINF or EXT-X-BYTERANGE on. They wait for its URI,
//! since only then all is known of it, and nothing of ours may come between them: to some demuxers
//! a byte range is that of whatever comes next.

use std::ops::Range;

use url::Url;

use super::resource::ByteRange;

/// The lines that wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SegmentTags {
    /// Each with its end.
    lines: String,
    range: Option<RangeTag>,
    /// Where the byte range of the segment before ends, and of which file.
    last_end: Option<(Url, u64)>,
}

/// A tag EXT-X-BYTERANGE.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RangeTag {
    /// Where its line is.
    at: Range<usize>,
    length: u64,
    offset: Option<u64>,
}

impl SegmentTags {
    /// What they take, about.
    pub fn bytes(&self) -> usize {
        let last = self
            .last_end
            .as_ref()
            .map_or(0, |(url, _)| url.as_str().len());
        self.lines.len() + last
    }

    /// Whether the tags of a segment have begun.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn push(&mut self, line: &str) {
        self.lines.push_str(line);
        self.lines.push('\n');
    }

    /// An EXT-X-BYTERANGE, with what it says where that can be read.
    pub fn push_range(&mut self, line: &str, range: Option<(u64, Option<u64>)>) {
        let start = self.lines.len();
        self.push(line);
        let at = start..self.lines.len();
        self.range = range.map(|(length, offset)| RangeTag { at, length, offset });
    }

    /// Whether the segment is part of a file.
    pub fn has_range(&self) -> bool {
        self.range.is_some()
    }

    /// The segment is a whole file, so the next one has to say where it begins.
    pub fn forget_last_range(&mut self) {
        self.last_end = None;
    }

    /// The byte range of the segment, which is of that file. Without an offset it begins where the
    /// one before has ended (RFC 8216, 4.3.2.2).
    pub fn range_of(&mut self, url: &Url) -> Option<ByteRange> {
        let before = self.last_end.take();
        let range = self.range.as_ref()?;
        let behind = before.filter(|(file, _)| file == url).map(|(_, end)| end);
        let range = ByteRange {
            offset: range.offset.or(behind).unwrap_or(0),
            length: range.length,
        };
        self.last_end = range.end().map(|end| (url.clone(), end));
        Some(range)
    }

    /// What the server gives is a file of its own.
    pub fn remove_range(&mut self) {
        if let Some(range) = self.range.take() {
            self.lines.replace_range(range.at, "");
        }
    }

    /// Where the range before may not be seen by the demuxer, this one's offset is written out.
    pub fn write_offset(&mut self, range: ByteRange) {
        if let Some(tag) = self.range.take_if(|tag| tag.offset.is_none()) {
            let ByteRange { offset, length } = range;
            let line = format!("#EXT-X-BYTERANGE:{length}@{offset}\n");
            self.lines.replace_range(tag.at, &line);
        }
    }

    /// The lines, which are those of this segment.
    pub fn lines(&self) -> &str {
        &self.lines
    }

    /// The next segment begins.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.range = None;
    }
}
