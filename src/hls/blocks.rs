// SPDX-License-Identifier: MIT OR Apache-2.0

//! What became of the segments of a media playlist, block by block. A live playlist is read again
//! every few seconds, and all but its ends is as it was: such a block is not read again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use url::Url;

use super::active_keys::{ActiveKeys, KeyBoxes};
use super::delivery::{Delivery, InitTag};
use super::digest::Digest;
use super::resource::InitSegment;
use super::segment_tags::SegmentTags;
use super::uris::Counts;
use super::variables::Variables;
use super::written_tags::{NamedInits, WrittenTags};

/// Segments of a block. At either end of a playlist there is part of one, which is read each time.
pub const SEGMENTS: u64 = 32;

/// Most that the blocks of one playlist may take. What comes behind is read each time.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What the lines so far mean for those that come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub tags: SegmentTags,
    pub keys: ActiveKeys,
    pub init: Option<InitTag>,
    /// That of what comes next, until a tag changes it.
    pub delivery: Option<Arc<Delivery>>,
    /// The demuxer has been told of that.
    pub is_written: bool,
    pub written: WrittenTags,
    /// That of the segment before.
    pub last_init: Option<Arc<InitSegment>>,
    /// The number of the next segment.
    pub sequence: u64,
}

impl State {
    pub fn new(has_whole_fragments: bool) -> Self {
        Self {
            tags: SegmentTags::default(),
            keys: ActiveKeys::default(),
            init: None,
            delivery: None,
            is_written: false,
            written: WrittenTags::new(has_whole_fragments),
            last_init: None,
            sequence: 0,
        }
    }

    /// What it takes, about. What it shares with others counts for each.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.tags.bytes()
            + self.keys.bytes()
            + self.init.as_ref().map_or(0, InitTag::bytes)
            + self
                .delivery
                .as_ref()
                .map_or(0, |delivery| delivery.bytes())
            + self.written.bytes()
            + self.last_init.as_ref().map_or(0, |init| init.bytes())
    }
}

/// What has to be here for the segments of a block.
#[derive(Debug, Default)]
struct Needs {
    keys: Vec<Url>,
    /// Digests of what init segments get from key tags.
    boxes: Vec<Digest>,
    /// What they take, about.
    bytes: usize,
}

impl Needs {
    fn add_key(&mut self, url: &Url) {
        self.bytes += size_of::<Url>() + url.as_str().len();
        self.keys.push(url.clone());
    }

    fn add_boxes(&mut self, boxes: &KeyBoxes) {
        self.bytes += size_of::<Digest>();
        self.boxes.push(boxes.digest());
    }
}

/// Some segments in a row.
#[derive(Debug)]
pub struct Block {
    /// Of its lines.
    digest: Digest,
    /// Bytes of its lines.
    pub length: usize,
    before: Arc<State>,
    pub after: Arc<State>,
    pub inits: NamedInits,
    needs: Needs,
    pub counts: Counts,
    pub segments: usize,
}

impl Block {
    /// The keys that it needs.
    pub fn keys(&self) -> impl Iterator<Item = &Url> {
        self.needs.keys.iter()
    }

    /// Digests of the boxes that it needs.
    pub fn boxes(&self) -> &[Digest] {
        &self.needs.boxes
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.before.bytes() + self.after.bytes() + self.needs.bytes
    }

    /// Whether these lines begin with its own.
    fn begins(&self, lines: &str) -> bool {
        let own = lines.as_bytes().get(..self.length);
        own.is_some_and(|own| Digest::of(own) == self.digest)
    }
}

/// What holds for all of a playlist, and without which no block means the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Without a query, which may be another one at each load.
    pub url: Url,
    pub variables: Variables,
    pub is_presentation_protected: bool,
}

/// Those of a playlist, by the number of their first segments, each with its place in the text.
#[derive(Debug)]
pub struct Blocks {
    setting: Setting,
    known: BTreeMap<u64, (Arc<Block>, Range<usize>)>,
    bytes: usize,
}

impl Blocks {
    fn new(setting: Setting) -> Self {
        Self {
            setting,
            known: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// What they take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there was room for it.
    fn insert(&mut self, block: Arc<Block>, text: Range<usize>) -> bool {
        let bytes = self.bytes + block.bytes();
        let has_room = bytes <= MAX_BYTES;
        if has_room {
            self.bytes = bytes;
            self.known.insert(block.before.sequence, (block, text));
        }
        has_room
    }
}

/// What the playlist became when it was read before.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    pub text: &'a str,
    pub blocks: &'a Blocks,
}

/// Where a block has begun.
struct Open<'a> {
    at: Position<'a>,
    before: Arc<State>,
}

/// Where the reading is: at the end of a block, with these lines to come.
#[derive(Clone, Copy)]
pub struct Position<'a> {
    pub lines: &'a str,
    /// Bytes that have been written.
    pub text: usize,
    pub counts: Counts,
    pub segments: usize,
}

/// Makes the blocks of a playlist.
pub struct Recorder<'a> {
    blocks: Blocks,
    /// Those from before, where they mean the same.
    before: Option<Before<'a>>,
    /// Bytes that may yet be compared with those from before: lines that look alike again and again
    /// would take for ever.
    compared: usize,
    open: Option<Open<'a>>,
    /// Bytes of all states that were copied.
    copied: usize,
    /// The rest of the playlist is read each time.
    is_stopped: bool,
    /// Of the block that is open.
    needs: Needs,
}

impl<'a> Recorder<'a> {
    /// For a playlist of that length.
    pub fn new(setting: Setting, before: Option<Before<'a>>, length: usize) -> Self {
        Self {
            before: before.filter(|before| before.blocks.setting == setting),
            compared: 2 * length + MAX_BYTES,
            blocks: Blocks::new(setting),
            open: None,
            copied: 0,
            is_stopped: false,
            needs: Needs::default(),
        }
    }

    /// The block from before with which these lines begin, and what became of it.
    pub fn find(&mut self, lines: &str, state: &State) -> Option<(Arc<Block>, &'a str)> {
        let before = self.before.filter(|_| !self.is_stopped)?;
        let (block, at) = before.blocks.known.get(&state.sequence)?;
        let compared = block.length + block.before.bytes();
        let Some(left) = self.compared.checked_sub(compared) else {
            self.stop();
            return None;
        };
        self.compared = left;
        let is_same = *state == *block.before && block.begins(lines);
        let text = before.text.get(at.clone()).filter(|_| is_same)?;
        Some((block.clone(), text))
    }

    /// Whether blocks are still looked for.
    #[cfg(test)]
    pub fn is_looking(&self) -> bool {
        !self.is_stopped
    }

    /// Segments are delivered so from here on.
    pub fn add_needs(&mut self, delivery: &Delivery) {
        if self.open.is_none() {
            return;
        }
        delivery.keys().for_each(|url| self.needs.add_key(url));
        if let Some(boxes) = delivery.boxes() {
            self.needs.add_boxes(boxes);
        }
        if self.needs.bytes > MAX_BYTES {
            self.stop();
        }
    }

    /// What has come depends on more than the lines so far: this block is read each time.
    pub fn leave_out(&mut self) {
        self.open = None;
        self.needs = Needs::default();
    }

    /// From here on blocks mean something else than before, or are too much: they are read each
    /// time.
    pub fn stop(&mut self) {
        self.leave_out();
        self.is_stopped = true;
    }

    /// A block ends here, in which these init segments were named, and another one begins.
    pub fn end(&mut self, at: Position<'a>, state: &State, inits: NamedInits) {
        let needs = std::mem::take(&mut self.needs);
        let open = self.open.take();
        // Each line may end a block, and most of them may be left out.
        self.copied += state.bytes();
        if self.is_stopped || self.copied > MAX_BYTES {
            self.stop();
            return;
        }
        let state = Arc::new(state.clone());
        self.begin(at, state.clone());
        // What stands before the first one is the head of the playlist.
        let Some(Open { at: begin, before }) = open else {
            return;
        };
        let lines = &begin.lines.as_bytes()[..begin.lines.len() - at.lines.len()];
        // A last line without an end may go on the next time.
        if !lines.ends_with(b"\n") {
            return;
        }
        let block = Block {
            digest: Digest::of(lines),
            length: lines.len(),
            before,
            after: state,
            inits,
            needs,
            counts: at.counts - begin.counts,
            segments: at.segments - begin.segments,
        };
        self.insert(Arc::new(block), begin.text..at.text);
    }

    fn insert(&mut self, block: Arc<Block>, text: Range<usize>) {
        if !self.blocks.insert(block, text) {
            self.stop();
        }
    }

    /// A block from before has been taken over whole, up to here.
    pub fn take_over(&mut self, block: &Arc<Block>, at: Position<'a>) {
        let open = self.open.take();
        self.begin(at, block.after.clone());
        if let Some(open) = open {
            self.insert(block.clone(), open.at.text..at.text);
        }
    }

    fn begin(&mut self, at: Position<'a>, before: Arc<State>) {
        self.needs = Needs::default();
        // Segments may need them that come before the next tag.
        let delivery = before.delivery.as_deref();
        if let Some(boxes) = delivery.and_then(Delivery::boxes) {
            self.needs.add_boxes(boxes);
        }
        self.open = Some(Open { at, before });
    }

    pub fn into_blocks(self) -> Blocks {
        self.blocks
    }
}
