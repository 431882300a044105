// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a rewritten playlist names and the demuxer has to get in another form than it lies there.

use url::Url;

use super::active_keys::KeyBoxes;

/// Part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    pub offset: u64,
    pub length: u64,
}

impl ByteRange {
    /// `length@offset`, with the offset where it is written (RFC 8216, 4.3.2.2).
    pub fn parse(text: &str) -> Option<(u64, Option<u64>)> {
        let text = text.trim();
        match text.split_once('@') {
            Some((length, offset)) => Some((length.parse().ok()?, Some(offset.parse().ok()?))),
            None => Some((text.parse().ok()?, None)),
        }
    }

    /// That of an init segment, which without an offset begins at the beginning (RFC 8216,
    /// 4.3.2.5).
    pub fn from_start(text: &str) -> Option<Self> {
        let (length, offset) = Self::parse(text)?;
        let offset = offset.unwrap_or(0);
        Some(Self { offset, length })
    }

    /// The first byte behind it.
    pub fn end(self) -> Option<u64> {
        self.offset.checked_add(self.length)
    }
}

/// An init segment (EXT-X-MAP), and what is to become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitSegment {
    pub url: Url,
    pub range: Option<ByteRange>,
    /// It may be encrypted as a whole (RFC 8216, 4.3.2.5).
    pub cipher: Option<InitCipher>,
    pub protection: InitProtection,
}

impl InitSegment {
    /// What it takes, about, besides boxes and keys of segments.
    pub fn bytes(&self) -> usize {
        let key = self
            .cipher
            .as_ref()
            .map_or(0, |cipher| cipher.key.as_str().len());
        size_of::<Self>() + self.url.as_str().len() + key
    }

    /// The demuxer may have it as it lies there.
    pub fn is_direct(&self) -> bool {
        self.cipher.is_none() && self.protection == InitProtection::None
    }
}

/// The key of an EXT-X-MAP: that of the EXT-X-KEY before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitCipher {
    pub key: Url,
    /// Required where the init segment is encrypted.
    pub iv: Option<[u8; 16]>,
}

/// What an init segment has to say of the segments behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitProtection {
    /// What it says.
    None,
    /// It gets these boxes.
    Drm(KeyBoxes),
    /// Its key is at that URL.
    Identity(Url),
    /// Nothing is encrypted, and it has to look as if something were: other parts of the
    /// presentation are, and the demuxer's caps must not change.
    Clear,
}

/// A media segment that goes through the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub url: Url,
    pub range: Option<ByteRange>,
    /// It comes behind its init segment.
    pub init: Option<InitSegment>,
    /// It is to be decrypted.
    pub cipher: Option<SegmentCipher>,
}

/// How a media segment is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentCipher {
    pub method: SegmentMethod,
    /// Where its key is.
    pub key: Url,
    pub iv: [u8; 16],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentMethod {
    Aes128,
    SampleAes,
}

/// What protects a presentation's first protected segment. Clear parts of the presentation are made
/// to look as if that did so for them too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstKey {
    Drm(KeyBoxes),
    /// At that URL.
    Identity(Url),
    /// Key tags will come, and nothing is known of them.
    Unknown,
}
