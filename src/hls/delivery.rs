// SPDX-License-Identifier: MIT OR Apache-2.0

//! How segments get to the demuxer, by the key tags and the init segment in force: who decrypts
//! what.

use std::sync::Arc;

use url::Url;

use super::active_keys::{KeyBoxes, Protection};
use super::resource::{
    ByteRange, InitCipher, InitProtection, InitSegment, SegmentCipher, SegmentMethod,
};
use super::uris::{Base, Objection};

/// The last media sequence number that demuxers read.
pub const MAX_STOCK_SEQUENCE: u64 = i32::MAX as u64;

const WITHOUT_INIT_SEGMENT: &str = "has DRM keys for segments without an init segment \
     (EXT-X-MAP), which this element cannot play: package them as fragmented MP4";

const NOT_IN_FRAGMENTS: &str = "has samples encrypted in counter mode for segments without an init \
     segment (EXT-X-MAP), of which there is no standard: package them as fragmented MP4, or with \
     METHOD=SAMPLE-AES";

/// The EXT-X-MAP in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitTag {
    pub url: Url,
    pub range: Option<ByteRange>,
    pub cipher: Option<InitCipher>,
    /// Its attributes but for URI and BYTERANGE, each behind a comma.
    pub others: String,
}

impl InitTag {
    /// What it takes, about.
    pub fn bytes(&self) -> usize {
        let key = self
            .cipher
            .as_ref()
            .map_or(0, |cipher| cipher.key.as_str().len());
        self.url.as_str().len() + key + self.others.len()
    }
}

/// A key of whole segments, for the demuxer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemuxerKey {
    pub url: Url,
    pub iv: Option<[u8; 16]>,
}

/// How segments get to the demuxer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub init: Option<Arc<InitSegment>>,
    /// The demuxer decrypts.
    pub key: Option<DemuxerKey>,
    /// The server does.
    pub cipher: Option<Cipher>,
}

impl Delivery {
    /// What it takes, about, besides boxes.
    pub fn bytes(&self) -> usize {
        let init = self.init.as_ref().map_or(0, |init| init.bytes());
        let keys = self.keys().map(|url| url.as_str().len());
        size_of::<Self>() + init + keys.sum::<usize>()
    }

    /// What its init segment gets from key tags, if that is anything.
    pub fn boxes(&self) -> Option<&KeyBoxes> {
        match self.init.as_ref().map(|init| &init.protection) {
            Some(InitProtection::Drm(boxes)) => Some(boxes),
            _ => None,
        }
    }

    /// The keys that it needs.
    pub fn keys(&self) -> impl Iterator<Item = &Url> {
        let keys = [
            self.key.as_ref().map(|key| &key.url),
            self.cipher.as_ref().map(|cipher| &cipher.key),
            match self.init.as_ref().map(|init| &init.protection) {
                Some(InitProtection::Identity(url)) => Some(url),
                _ => None,
            },
        ];
        keys.into_iter().flatten()
    }
}

/// How segments are encrypted.
#[derive(Debug, PartialEq, Eq)]
pub struct Cipher {
    method: SegmentMethod,
    key: Url,
    iv: Option<[u8; 16]>,
}

impl Cipher {
    pub fn of_segment(&self, sequence: u64) -> SegmentCipher {
        SegmentCipher {
            method: self.method,
            key: self.key.clone(),
            // RFC 8216, 5.2.
            iv: self.iv.unwrap_or(u128::from(sequence).to_be_bytes()),
        }
    }
}

/// What is in force where a segment stands.
pub struct InForce<'a> {
    pub protection: &'a Protection,
    pub init: Option<&'a InitTag>,
    /// The segment's number.
    pub sequence: u64,
    /// Something in the presentation is protected.
    pub is_presentation_protected: bool,
}

impl InForce<'_> {
    /// How that gets to the demuxer. The first reason why it cannot play something stays in
    /// `unplayable`.
    ///
    /// # Errors
    ///
    /// What is wrong with the playlist.
    pub fn delivery(
        &self,
        base: &Base,
        unplayable: &mut Option<Arc<str>>,
    ) -> Result<Delivery, Objection> {
        let (protection, init) = (self.protection, self.init);
        base.count_work(init.map_or(0, |init| init.url.as_str().len()))?;
        let with = |protection| {
            let init = init?;
            Some(Arc::new(InitSegment {
                url: init.url.clone(),
                range: init.range,
                cipher: init.cipher.clone(),
                protection,
            }))
        };
        let of_clear = match self.is_presentation_protected {
            true => InitProtection::Clear,
            false => InitProtection::None,
        };
        Ok(match protection {
            Protection::Clear => Delivery {
                init: with(of_clear),
                ..Delivery::default()
            },
            Protection::Drm(boxes) => {
                let init = with(InitProtection::Drm(boxes.clone()));
                if init.is_none() && unplayable.is_none() {
                    let why = format!("{WITHOUT_INIT_SEGMENT} ({})", boxes.label);
                    *unplayable = Some(why.into());
                }
                Delivery {
                    init,
                    ..Delivery::default()
                }
            }
            Protection::Unplayable(why) => {
                unplayable.get_or_insert(why.clone());
                Delivery::default()
            }
            Protection::Aes128(key) | Protection::SampleAes(key) => {
                let Some(url) = base.fetched(&key.uri)? else {
                    return Err("has a key tag whose URI is none");
                };
                let is_whole = matches!(protection, Protection::Aes128(_));
                if key.is_counter_mode && init.is_none() {
                    unplayable.get_or_insert(NOT_IN_FRAGMENTS.into());
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
                        key: Some(DemuxerKey { url, iv: key.iv }),
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
}
