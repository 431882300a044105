// SPDX-License-Identifier: MIT OR Apache-2.0

//! Media playlists: what stock demuxers cannot play is had from the server.

use std::sync::Arc;

use super::active_keys::Protection;
use super::attributes::{attributes, text};
use super::blocks::{Recorder, State};
use super::delivery::{Delivery, InForce, InitTag, MAX_STOCK_SEQUENCE};
use super::first_and_last_keys::FirstAndLastKeys;
use super::key_tag::{IdentityKey, KeyTag};
use super::resource::{ByteRange, InitCipher, InitSegment, Segment};
use super::rewrite::{Context, Rewritten};
use super::tags::{Tag, tag};
use super::uris::{Base, Objection};
use super::url_map::UrlMap;
use super::writer::Writer;
use super::written_tags::NamedInits;

/// Segments of one playlist: eleven days in segments of five seconds.
const MAX_SEGMENTS: usize = 200_000;

/// Rewrites one.
pub fn rewrite(
    playlist: &str,
    context: &Context,
    map: &mut impl UrlMap,
) -> Result<Rewritten, Objection> {
    let has_whole_fragments = context.has_whole_fragments || may_have_whole_fragments(playlist);
    let mut media = Media {
        state: State::new(has_whole_fragments),
        has_whole_fragments,
        out: Writer::new(playlist.len(), context.is_wanted),
        base: context.base(),
        context,
        map,
        segments: 0,
        delivered_keys: FirstAndLastKeys::default(),
        unplayable: None,
        inits: NamedInits::default(),
        inits_in_block: NamedInits::default(),
        // What has an end is not read again.
        is_live: !playlist.trim_end().ends_with("#EXT-X-ENDLIST"),
        recorder: None,
    };
    let mut rest = playlist;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        let line = media.out.next_line(line)?;
        let segments = media.segments;
        media.line(line)?;
        if media.segments > segments && media.is_at_block_end() {
            rest = media.end_block(rest, playlist.len())?;
        }
    }
    media.end()
}

/// Whether segments with an init segment may be encrypted as a whole, as far as a look can tell.
pub fn may_have_whole_fragments(playlist: &str) -> bool {
    let has_map = playlist.contains("#EXT-X-MAP:");
    let is_aes = |(at, _)| {
        let before = playlist.as_bytes()[..at].last_chunk::<3>();
        before.is_some_and(|name| name.eq_ignore_ascii_case(b"AES"))
    };
    has_map && playlist.match_indices("-128").any(is_aes)
}

/// A media playlist that is being read.
pub(super) struct Media<'a, M> {
    pub(super) out: Writer<'a>,
    pub(super) base: Base<'a>,
    pub(super) context: &'a Context<'a>,
    pub(super) map: &'a mut M,
    pub(super) state: State,
    pub(super) segments: usize,
    pub(super) delivered_keys: FirstAndLastKeys,
    unplayable: Option<Arc<str>>,
    has_whole_fragments: bool,
    /// Those of all blocks that have ended.
    pub(super) inits: NamedInits,
    pub(super) inits_in_block: NamedInits,
    is_live: bool,
    /// From the end of the first block on, if the playlist will be read again.
    pub(super) recorder: Option<Recorder<'a>>,
}

impl<'a, M: UrlMap> Media<'a, M> {
    fn line(&mut self, line: &'a str) -> Result<(), Objection> {
        match tag(line) {
            Tag::Named("EXT-X-KEY", list) => {
                self.base.count_tag()?;
                let list = self.base.substitute(list)?;
                if self.state.keys.apply(KeyTag::read(&list)) {
                    self.state.delivery = None;
                }
            }
            Tag::Named("EXT-X-MAP", list) if text(list, "URI").is_some() => self.init_tag(list)?,
            Tag::Named("EXT-X-DEFINE", list) => {
                self.context.define(&mut self.base, list)?;
                // It is no part of the state.
                self.recorder.iter_mut().for_each(Recorder::stop);
                self.push(line)?;
            }
            Tag::Named("EXT-X-MEDIA-SEQUENCE", number) => {
                self.state.sequence = number.trim().parse().unwrap_or(0);
                self.state.delivery = None;
                self.push(line)?;
            }
            // Segments that are left out count (draft-pantos-hls-rfc8216bis, 4.4.5.2).
            Tag::Named("EXT-X-SKIP", list) => {
                let skipped = text(list, "SKIPPED-SEGMENTS").and_then(|count| count.parse().ok());
                self.state.sequence = self.state.sequence.wrapping_add(skipped.unwrap_or(0));
                self.state.delivery = None;
                self.push(line)?;
            }
            Tag::Named("EXTINF", _) => self.state.tags.push(line),
            Tag::Named("EXT-X-BYTERANGE", range) => {
                let range = ByteRange::parse(&self.base.substitute(range)?);
                self.state.tags.push_range(line, range);
            }
            Tag::Named(name @ ("EXT-X-PART" | "EXT-X-PRELOAD-HINT"), list) => {
                self.part(name, list)?;
            }
            Tag::Named(name @ "EXT-X-RENDITION-REPORT", list) => {
                let list = self
                    .base
                    .with_uri(list, |url| self.map.known_playlist(url))?;
                // It may be known the next time.
                self.recorder.iter_mut().for_each(Recorder::leave_out);
                self.push(&format!("#{name}:{list}"))?;
            }
            // It is of no use to a demuxer, and belongs into a multivariant playlist.
            Tag::Named("EXT-X-SESSION-KEY", _) => {}
            Tag::Named(name, list) if list.contains("URI") => {
                let list = self.base.with_absolute_uris(list)?;
                self.push(&format!("#{name}:{list}"))?;
            }
            Tag::Named(..) | Tag::Other => self.push(line)?,
            Tag::Uri(uri) => self.segment(uri)?,
        }
        Ok(())
    }

    /// A line that stays where it is.
    fn push(&mut self, line: &str) -> Result<(), Objection> {
        if self.state.tags.is_empty() {
            return self.out.write(line);
        }
        self.state.tags.push(line);
        Ok(())
    }

    fn init_tag(&mut self, list: &str) -> Result<(), Objection> {
        self.base.count_tag()?;
        let Some(url) = self.base.fetched(text(list, "URI").unwrap_or_default())? else {
            return Ok(());
        };
        let range = text(list, "BYTERANGE").map(|range| self.base.substitute(range));
        let range = range.transpose()?;
        let cipher = match self.state.keys.protection()? {
            Protection::Aes128(IdentityKey { uri, iv, .. }) => {
                let iv = *iv;
                self.base.fetched(uri)?.map(|key| InitCipher { key, iv })
            }
            _ => None,
        };
        let range = range.as_deref().and_then(ByteRange::from_start);
        // One file is encrypted or not, whatever stands before the tag that names it again.
        let known = self.state.init.take();
        let known = known.filter(|init| init.url == url && init.range == range);
        let cipher = known.map_or(cipher, |init| init.cipher);
        let list = self.base.with_absolute_uris(list)?;
        let others = attributes(&list)
            .filter(|one| !["URI", "BYTERANGE"].contains(&one.name))
            .map(|one| format!(",{}={}", one.name, one.value));
        self.state.init = Some(InitTag {
            url,
            range,
            cipher,
            others: others.collect(),
        });
        self.state.delivery = None;
        Ok(())
    }

    /// Part of a segment, or what the next one will be.
    fn part(&mut self, name: &str, list: &str) -> Result<(), Objection> {
        self.base.count_tag()?;
        let delivery = self.delivery()?;
        // Parts of what the server decrypts are not to be had; the segments that they are parts of
        // are.
        if delivery.cipher.is_some() {
            return Ok(());
        }
        self.show(&delivery)?;
        let list = self.base.with_uri(list, |_| None)?;
        self.out.write_tag(name, &list)
    }

    pub(super) fn count_segments(&mut self, segments: usize) -> Result<(), Objection> {
        self.segments += segments;
        match self.segments > MAX_SEGMENTS {
            true => Err("has more than 200000 segments, which nobody plays"),
            false => Ok(()),
        }
    }

    /// The URI of a segment.
    fn segment(&mut self, uri: &str) -> Result<(), Objection> {
        self.count_segments(1)?;
        let delivery = self.delivery()?;
        self.show(&delivery)?;
        let sequence = self.state.sequence;
        self.state.sequence = sequence.wrapping_add(1);
        if sequence == MAX_STOCK_SEQUENCE {
            self.state.delivery = None;
        }
        if self.is_direct(&delivery) {
            let Some(url) = self.base.fetched_text(uri)? else {
                return self.write_segment(uri);
            };
            self.state.tags.forget_last_range();
            self.state.last_init.clone_from(&delivery.init);
            return self.write_segment(&url);
        }
        let Some(url) = self.base.fetched(uri)? else {
            return self.write_segment(uri);
        };
        let range = self.state.tags.range_of(&url);
        let cipher = delivery.cipher.as_ref();
        let mut segment = Segment {
            url,
            range,
            init: None,
            cipher: cipher.map(|cipher| cipher.of_segment(sequence)),
        };
        if let Some(init) = &delivery.init
            && self.context.reads_one_map
        {
            segment.init = self.init_before(&segment, init)?;
        }
        self.state.last_init.clone_from(&delivery.init);
        let uri = match segment.init.is_some() || segment.cipher.is_some() {
            true => {
                self.state.tags.remove_range();
                self.map.segment(&segment)
            }
            false => {
                if let Some(range) = range {
                    self.state.tags.write_offset(range);
                }
                segment.url.into()
            }
        };
        self.write_segment(&uri)
    }

    /// Whether the next segment goes to the demuxer as it lies there, whatever its URL is.
    fn is_direct(&mut self, delivery: &Delivery) -> bool {
        let has_own_init = match &delivery.init {
            Some(init) if self.context.reads_one_map => {
                self.is_new(init) || self.map.has_any_with_init()
            }
            _ => false,
        };
        delivery.cipher.is_none() && !self.state.tags.has_range() && !has_own_init
    }

    /// Whether an init segment is another one than that of the segment before, to a demuxer that
    /// reads one by itself.
    fn is_new(&self, init: &Arc<InitSegment>) -> bool {
        self.state.last_init.as_ref().is_some_and(|last| {
            last != init
                && !(self.state.written.is_direct(last) && self.state.written.is_direct(init))
        })
    }

    /// The init segment with which a segment goes to a demuxer that reads one by itself.
    fn init_before(
        &mut self,
        segment: &Segment,
        init: &Arc<InitSegment>,
    ) -> Result<Option<InitSegment>, Objection> {
        let is_new = self.is_new(init);
        self.base
            .count_work(init.url.as_str().len() + segment.url.as_str().len())?;
        let with_init = Segment {
            init: Some(InitSegment::clone(init)),
            ..segment.clone()
        };
        // Once with its init segment it stays so, lest a playlist that slides name it anew.
        let is_with_init = is_new || self.map.is_known(&with_init);
        Ok(with_init.init.filter(|_| is_with_init))
    }

    fn write_segment(&mut self, uri: &str) -> Result<(), Objection> {
        self.out.write_lines(self.state.tags.lines())?;
        self.state.tags.clear();
        self.out.write(uri)
    }

    /// How what comes now gets to the demuxer.
    fn delivery(&mut self) -> Result<Arc<Delivery>, Objection> {
        if let Some(known) = &self.state.delivery {
            return Ok(known.clone());
        }
        let in_force = InForce {
            protection: self.state.keys.protection()?,
            init: self.state.init.as_ref(),
            sequence: self.state.sequence,
            is_presentation_protected: self.context.first_key.is_some(),
        };
        let delivery = Arc::new(in_force.delivery(&self.base, &mut self.unplayable)?);
        self.state.delivery = Some(delivery.clone());
        self.state.is_written = false;
        Ok(delivery)
    }

    /// Tells the demuxer of key and init segment of what comes now.
    fn show(&mut self, delivery: &Delivery) -> Result<(), Objection> {
        if std::mem::replace(&mut self.state.is_written, true) {
            return Ok(());
        }
        for url in delivery.keys() {
            self.delivered_keys.add(url);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.add_needs(delivery);
        }
        self.state.written.write(
            delivery,
            self.state.init.as_ref(),
            &mut self.out,
            self.map,
            &mut self.inits_in_block,
        )
    }

    fn is_at_block_end(&self) -> bool {
        let segments = self.context.segments_in_block;
        self.is_live && self.state.sequence.is_multiple_of(segments)
    }

    fn end(mut self) -> Result<Rewritten, Objection> {
        self.out.write_lines(self.state.tags.lines())?;
        self.inits |= self.inits_in_block;
        // What cannot be played goes to nobody.
        let blocks = self.recorder.filter(|_| self.unplayable.is_none());
        Ok(Rewritten {
            unplayable: self.unplayable,
            keys: self.delivered_keys.into_keys(self.is_live),
            has_direct_init: self.inits.has_direct,
            has_protected_init: self.inits.has_protected,
            has_whole_fragments: self.has_whole_fragments,
            blocks: blocks.map(Recorder::into_blocks),
            text: self.out.into_text(),
            variables: self.base.variables,
            ..Rewritten::default()
        })
    }
}
