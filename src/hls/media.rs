// SPDX-License-Identifier: MIT OR Apache-2.0

//! Media playlists: what stock demuxers cannot play is had from the server.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use url::Url;

use super::active_keys::{ActiveKeys, Protection};
use super::attributes::{attributes, text};
use super::key_tag::{IdentityKey, KeyTag};
use super::resource::{
    ByteRange, InitCipher, InitProtection, InitSegment, Segment, SegmentCipher, SegmentMethod,
};
use super::rewrite::{Context, Rewritten, UrlMap, Writer};
use super::segment_tags::SegmentTags;
use super::tags::{Tag, tag};
use super::uris::{Base, Objection};

/// Segments of one playlist: eleven days in segments of five seconds.
const MAX_SEGMENTS: usize = 200_000;

/// The last media sequence number that demuxers read.
const MAX_STOCK_SEQUENCE: u64 = i32::MAX as u64;

/// Keys at either end of a playlist that are fetched before the demuxer gets it: where it begins to
/// play there are three segments or so, each with a key of its own at the worst.
const KEYS_AT_AN_END: usize = 6;

const WITHOUT_INIT_SEGMENT: &str = "has DRM keys for segments without an init segment (EXT-X-MAP), which this element cannot play: package them as fragmented MP4";

const NOT_IN_FRAGMENTS: &str = "has samples encrypted in counter mode for segments without an init segment (EXT-X-MAP), of which there is no standard: package them as fragmented MP4, or with METHOD=SAMPLE-AES";

/// Rewrites one.
pub fn rewrite(
    playlist: &str,
    context: &Context,
    map: &mut impl UrlMap,
) -> Result<Rewritten, Objection> {
    let mut media = Media {
        has_whole_fragments: may_have_whole_fragments(playlist),
        out: Writer::new(playlist.len(), context),
        base: context.base(),
        context,
        map,
        tags: SegmentTags::default(),
        keys: ActiveKeys::default(),
        init: None,
        delivery: None,
        is_shown: false,
        shown_key: None,
        shown_init: None,
        last_init: None,
        sequence: 0,
        segments: 0,
        first_keys: Vec::new(),
        last_keys: VecDeque::new(),
        unplayable: None,
        has_direct_init: false,
        has_protected_init: false,
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

/// The EXT-X-MAP in force.
struct InitTag {
    url: Url,
    range: Option<ByteRange>,
    cipher: Option<InitCipher>,
    /// Its attributes but for URI and BYTERANGE, each behind a comma.
    others: String,
}

/// What the demuxer was told last of a key of its own.
#[derive(Clone, PartialEq, Eq)]
struct ShownKey {
    url: Url,
    iv: Option<[u8; 16]>,
}

struct Media<'a, M> {
    /// The server may decrypt some segments, so that it has all init segments: whoever gets one again
    /// from elsewhere takes it for another one.
    has_whole_fragments: bool,
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
    is_shown: bool,
    shown_key: Option<ShownKey>,
    /// What it was told last of an init segment, and whether it gets that as it lies there.
    shown_init: Option<(Rc<InitSegment>, bool)>,
    /// That of the segment before.
    last_init: Option<Rc<InitSegment>>,
    /// The number of the next segment.
    sequence: u64,
    segments: usize,
    first_keys: Vec<Url>,
    last_keys: VecDeque<Url>,
    unplayable: Option<Arc<str>>,
    has_direct_init: bool,
    has_protected_init: bool,
}

/// How segments get to the demuxer.
#[derive(Default)]
struct Delivery {
    init: Option<Rc<InitSegment>>,
    /// The demuxer decrypts.
    key: Option<ShownKey>,
    /// The server does.
    cipher: Option<Cipher>,
}

/// How segments are encrypted.
struct Cipher {
    method: SegmentMethod,
    key: Url,
    iv: Option<[u8; 16]>,
}

impl Cipher {
    fn of_segment(&self, sequence: u64) -> SegmentCipher {
        SegmentCipher {
            method: self.method,
            key: self.key.clone(),
            // RFC 8216, 5.2.
            iv: self.iv.unwrap_or(u128::from(sequence).to_be_bytes()),
        }
    }
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
        // Parts of what the server decrypts are not to be had; the segments that they are parts of are.
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
        let url = self.base.fetched(uri)?;
        let delivery = self.delivery()?;
        self.show(&delivery)?;
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        if sequence == MAX_STOCK_SEQUENCE {
            self.delivery = None;
        }
        let Some(url) = url else {
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

    /// The init segment with which a segment goes to a demuxer that reads one by itself.
    fn init_before(
        &mut self,
        segment: &Segment,
        init: &Rc<InitSegment>,
    ) -> Result<Option<InitSegment>, Objection> {
        let is_new = self
            .last_init
            .as_ref()
            .is_some_and(|last| last != init && !(self.is_direct(last) && self.is_direct(init)));
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
        let delivery = Rc::new(self.decide()?);
        self.delivery = Some(delivery.clone());
        self.is_shown = false;
        Ok(delivery)
    }

    fn decide(&mut self) -> Result<Delivery, Objection> {
        let protection = self.keys.protection()?;
        let init = self.init.as_ref();
        self.base
            .count_work(init.map_or(0, |init| init.url.as_str().len()))?;
        let with = |protection| {
            let init = init?;
            Some(Rc::new(InitSegment {
                url: init.url.clone(),
                range: init.range,
                cipher: init.cipher.clone(),
                protection,
            }))
        };
        let of_clear = match self.context.first_key {
            Some(_) => InitProtection::Clear,
            None => InitProtection::None,
        };
        Ok(match protection {
            Protection::Clear => Delivery {
                init: with(of_clear),
                ..Delivery::default()
            },
            Protection::Drm(boxes) => {
                let init = with(InitProtection::Drm(boxes.clone()));
                if init.is_none() && self.unplayable.is_none() {
                    let why = format!("{WITHOUT_INIT_SEGMENT} ({})", boxes.label);
                    self.unplayable = Some(why.into());
                }
                Delivery {
                    init,
                    ..Delivery::default()
                }
            }
            Protection::Unplayable(why) => {
                self.unplayable.get_or_insert(why.clone());
                Delivery::default()
            }
            Protection::Aes128(key) | Protection::SampleAes(key) => {
                let Some(url) = self.base.fetched(&key.uri)? else {
                    return Err("has a key tag whose URI is none");
                };
                let is_whole = matches!(protection, Protection::Aes128(_));
                if key.is_counter_mode && init.is_none() {
                    self.unplayable.get_or_insert(NOT_IN_FRAGMENTS.into());
                }
                let cipher = |method| Cipher {
                    method,
                    key: url.clone(),
                    iv: key.iv,
                };
                match (is_whole, init.is_some()) {
                    (true, true) => Delivery {
                        init: with(of_clear),
                        cipher: Some(cipher(SegmentMethod::Aes128)),
                        key: None,
                    },
                    // Demuxers count in 32 bits, and their default vector would be another.
                    (true, false) if key.iv.is_none() && self.sequence > MAX_STOCK_SEQUENCE => {
                        Delivery {
                            cipher: Some(cipher(SegmentMethod::Aes128)),
                            ..Delivery::default()
                        }
                    }
                    (true, false) => Delivery {
                        key: Some(ShownKey { url, iv: key.iv }),
                        ..Delivery::default()
                    },
                    (false, true) => Delivery {
                        init: with(InitProtection::Identity(url)),
                        ..Delivery::default()
                    },
                    (false, false) => Delivery {
                        cipher: Some(cipher(SegmentMethod::SampleAes)),
                        ..Delivery::default()
                    },
                }
            }
        })
    }

    /// Whether the demuxer gets the init segment as it lies there.
    fn is_direct(&self, init: &InitSegment) -> bool {
        init.is_direct() && !self.has_whole_fragments
    }

    /// Tells the demuxer of key and init segment of what comes now, where they are new to it.
    fn show(&mut self, delivery: &Delivery) -> Result<(), Objection> {
        if std::mem::replace(&mut self.is_shown, true) {
            return Ok(());
        }
        if self.shown_key != delivery.key {
            self.shown_key.clone_from(&delivery.key);
            let line = match &delivery.key {
                Some(key) => {
                    let uri = self.map.key(&key.url);
                    let iv = key.iv.map(u128::from_be_bytes);
                    let iv = iv.map_or(String::new(), |iv| format!(",IV=0x{iv:032x}"));
                    format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{uri}\"{iv}")
                }
                None => "#EXT-X-KEY:METHOD=NONE".to_owned(),
            };
            self.out.write(&line)?;
        }
        let keys = [
            delivery.key.as_ref().map(|key| &key.url),
            delivery.cipher.as_ref().map(|cipher| &cipher.key),
            match delivery.init.as_ref().map(|init| &init.protection) {
                Some(InitProtection::Identity(url)) => Some(url),
                _ => None,
            },
        ];
        keys.into_iter()
            .flatten()
            .for_each(|url| self.remember_key(url));
        let (Some(init), Some(tag)) = (&delivery.init, &self.init) else {
            return Ok(());
        };
        // hlsdemux2 asks for other bytes of a range (1.22) where the segments have none.
        let is_direct = self.is_direct(init) && delivery.cipher.is_none();
        let shown = Some((init.clone(), is_direct));
        if self.shown_init == shown {
            return Ok(());
        }
        self.shown_init = shown;
        self.has_direct_init |= is_direct;
        self.has_protected_init |= init.protection != InitProtection::None;
        let (uri, range) = match is_direct {
            true => (init.url.to_string(), init.range),
            // The place has the part alone.
            false => (self.map.init_segment(init), None),
        };
        let range = range.map_or(String::new(), |range| {
            format!(",BYTERANGE=\"{}@{}\"", range.length, range.offset)
        });
        let line = format!("#EXT-X-MAP:URI=\"{uri}\"{range}{}", tag.others);
        self.out.write(&line)
    }

    fn remember_key(&mut self, url: &Url) {
        if self.first_keys.contains(url) || self.last_keys.contains(url) {
            return;
        }
        if self.first_keys.len() < KEYS_AT_AN_END {
            self.first_keys.push(url.clone());
            return;
        }
        if self.last_keys.len() == KEYS_AT_AN_END {
            self.last_keys.pop_front();
        }
        self.last_keys.push_back(url.clone());
    }

    fn end(mut self) -> Result<Rewritten, Objection> {
        self.out.write_lines(self.tags.lines())?;
        let mut keys = self.first_keys;
        keys.extend(self.last_keys);
        Ok(Rewritten {
            unplayable: self.unplayable,
            keys,
            has_direct_init: self.has_direct_init,
            has_protected_init: self.has_protected_init,
            ..self.out.end(self.base.variables)
        })
    }
}
