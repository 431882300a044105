// SPDX-License-Identifier: MIT OR Apache-2.0

//! Media playlists: what stock demuxers cannot play is had from the server.

use std::rc::Rc;
use std::sync::Arc;

use super::active_keys::{ActiveKeys, Protection};
use super::attributes::{attributes, text};
use super::delivery::{Delivery, InForce, InitTag, MAX_STOCK_SEQUENCE};
use super::first_and_last_keys::FirstAndLastKeys;
use super::key_tag::{IdentityKey, KeyTag};
use super::resource::{ByteRange, InitCipher, InitSegment, Segment};
use super::rewrite::{Context, Rewritten, UrlMap, Writer};
use super::segment_tags::SegmentTags;
use super::tags::{Tag, tag};
use super::uris::{Base, Objection};
use super::written_tags::WrittenTags;

/// Segments of one playlist: eleven days in segments of five seconds.
const MAX_SEGMENTS: usize = 200_000;

/// Rewrites one.
pub fn rewrite(
    playlist: &str,
    context: &Context,
    map: &mut impl UrlMap,
) -> Result<Rewritten, Objection> {
    let mut media = Media {
        written: WrittenTags::new(may_have_whole_fragments(playlist)),
        out: Writer::new(playlist.len(), context),
        base: context.base(),
        context,
        map,
        tags: SegmentTags::default(),
        keys: ActiveKeys::default(),
        init: None,
        delivery: None,
        is_written: false,
        last_init: None,
        sequence: 0,
        segments: 0,
        delivered_keys: FirstAndLastKeys::default(),
        unplayable: None,
    };
    for line in playlist.lines() {
        let line = media.out.next_line(line)?;
        media.line(line)?;
    }
    media.end()
}

/// Whether segments with an init segment may be encrypted as a whole, as far as a look can tell.
pub fn may_have_whole_fragments(playlist: &str) -> bool {
    const METHOD: &[u8] = b"AES-128";
    let has_map = playlist.contains("#EXT-X-MAP:");
    let mut windows = playlist.as_bytes().windows(METHOD.len());
    has_map && windows.any(|window| window.eq_ignore_ascii_case(METHOD))
}

struct Media<'a, M> {
    out: Writer<'a>,
    base: Base<'a>,
    context: &'a Context<'a>,
    map: &'a mut M,
    tags: SegmentTags,
    keys: ActiveKeys,
    init: Option<InitTag>,
    /// That of what comes next, until a tag changes it.
    delivery: Option<Rc<Delivery>>,
    /// The demuxer has been told of that.
    is_written: bool,
    written: WrittenTags,
    /// That of the segment before.
    last_init: Option<Rc<InitSegment>>,
    /// The number of the next segment.
    sequence: u64,
    segments: usize,
    delivered_keys: FirstAndLastKeys,
    unplayable: Option<Arc<str>>,
}

impl<'a, M: UrlMap> Media<'a, M> {
    fn line(&mut self, line: &'a str) -> Result<(), Objection> {
        match tag(line) {
            Tag::Named("EXT-X-KEY", list) => {
                self.base.count_tag()?;
                let list = self.base.substitute(list)?;
                if self.keys.apply(KeyTag::read(&list)) {
                    self.delivery = None;
                }
            }
            Tag::Named("EXT-X-MAP", list) if text(list, "URI").is_some() => self.init_tag(list)?,
            Tag::Named("EXT-X-DEFINE", list) => {
                self.context.define(&mut self.base, list)?;
                self.push(line)?;
            }
            Tag::Named("EXT-X-MEDIA-SEQUENCE", number) => {
                self.sequence = number.trim().parse().unwrap_or(0);
                self.delivery = None;
                self.push(line)?;
            }
            // Segments that are left out count (draft-pantos-hls-rfc8216bis, 4.4.5.2).
            Tag::Named("EXT-X-SKIP", list) => {
                let skipped = text(list, "SKIPPED-SEGMENTS").and_then(|count| count.parse().ok());
                self.sequence = self.sequence.wrapping_add(skipped.unwrap_or(0));
                self.delivery = None;
                self.push(line)?;
            }
            Tag::Named("EXTINF", _) => self.tags.push(line),
            Tag::Named("EXT-X-BYTERANGE", range) => {
                let range = ByteRange::parse(&self.base.substitute(range)?);
                self.tags.push_range(line, range);
            }
            Tag::Named(name @ ("EXT-X-PART" | "EXT-X-PRELOAD-HINT"), list) => {
                self.part(name, list)?;
            }
            Tag::Named(name @ "EXT-X-RENDITION-REPORT", list) => {
                let list = self
                    .base
                    .with_uri(list, |url| self.map.known_playlist(url))?;
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
        if self.tags.is_empty() {
            return self.out.write(line);
        }
        self.tags.push(line);
        Ok(())
    }

    fn init_tag(&mut self, list: &str) -> Result<(), Objection> {
        self.base.count_tag()?;
        let Some(url) = self.base.fetched(text(list, "URI").unwrap_or_default())? else {
            return Ok(());
        };
        let range = text(list, "BYTERANGE").map(|range| self.base.substitute(range));
        let range = range.transpose()?;
        let cipher = match self.keys.protection()? {
            Protection::Aes128(IdentityKey { uri, iv, .. }) => {
                let iv = *iv;
                self.base.fetched(uri)?.map(|key| InitCipher { key, iv })
            }
            _ => None,
        };
        let range = range.as_deref().and_then(ByteRange::from_start);
        // One file is encrypted or not, whatever stands before the tag that names it again.
        let known = self.init.take();
        let known = known.filter(|init| init.url == url && init.range == range);
        let cipher = known.map_or(cipher, |init| init.cipher);
        let list = self.base.with_absolute_uris(list)?;
        let others = attributes(&list)
            .filter(|one| !["URI", "BYTERANGE"].contains(&one.name))
            .map(|one| format!(",{}={}", one.name, one.value));
        self.init = Some(InitTag {
            url,
            range,
            cipher,
            others: others.collect(),
        });
        self.delivery = None;
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

    /// The URI of a segment.
    fn segment(&mut self, uri: &str) -> Result<(), Objection> {
        self.segments += 1;
        if self.segments > MAX_SEGMENTS {
            return Err("has more than 200000 segments, which nobody plays");
        }
        let delivery = self.delivery()?;
        self.show(&delivery)?;
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        if sequence == MAX_STOCK_SEQUENCE {
            self.delivery = None;
        }
        if self.is_direct(&delivery) {
            let Some(url) = self.base.fetched_text(uri)? else {
                return self.write_segment(uri);
            };
            self.tags.forget_last_range();
            self.last_init.clone_from(&delivery.init);
            return self.write_segment(&url);
        }
        let Some(url) = self.base.fetched(uri)? else {
            return self.write_segment(uri);
        };
        let range = self.tags.range_of(&url);
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
        self.last_init.clone_from(&delivery.init);
        let uri = match segment.init.is_some() || segment.cipher.is_some() {
            true => {
                self.tags.remove_range();
                self.map.segment(&segment)
            }
            false => {
                if let Some(range) = range {
                    self.tags.write_offset(range);
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
        delivery.cipher.is_none() && !self.tags.has_range() && !has_own_init
    }

    /// Whether an init segment is another one than that of the segment before, to a demuxer that
    /// reads one by itself.
    fn is_new(&self, init: &Rc<InitSegment>) -> bool {
        self.last_init.as_ref().is_some_and(|last| {
            last != init && !(self.written.is_direct(last) && self.written.is_direct(init))
        })
    }

    /// The init segment with which a segment goes to a demuxer that reads one by itself.
    fn init_before(
        &mut self,
        segment: &Segment,
        init: &Rc<InitSegment>,
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
        self.out.write_lines(self.tags.lines())?;
        self.tags.clear();
        self.out.write(uri)
    }

    /// How what comes now gets to the demuxer.
    fn delivery(&mut self) -> Result<Rc<Delivery>, Objection> {
        if let Some(known) = &self.delivery {
            return Ok(known.clone());
        }
        let in_force = InForce {
            protection: self.keys.protection()?,
            init: self.init.as_ref(),
            sequence: self.sequence,
            is_presentation_protected: self.context.first_key.is_some(),
        };
        let delivery = Rc::new(in_force.delivery(&self.base, &mut self.unplayable)?);
        self.delivery = Some(delivery.clone());
        self.is_written = false;
        Ok(delivery)
    }

    /// Tells the demuxer of key and init segment of what comes now.
    fn show(&mut self, delivery: &Delivery) -> Result<(), Objection> {
        if std::mem::replace(&mut self.is_written, true) {
            return Ok(());
        }
        for url in delivery.keys() {
            self.delivered_keys.add(url);
        }
        self.written
            .write(delivery, self.init.as_ref(), &mut self.out, self.map)
    }

    fn end(mut self) -> Result<Rewritten, Objection> {
        self.out.write_lines(self.tags.lines())?;
        Ok(Rewritten {
            unplayable: self.unplayable,
            keys: self.delivered_keys.into_urls(),
            has_direct_init: self.written.has_direct_init,
            has_protected_init: self.written.has_protected_init,
            ..self.out.end(self.base.variables)
        })
    }
}
