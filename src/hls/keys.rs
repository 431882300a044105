// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys that are in force somewhere in a playlist: those of the key tags since the last METHOD=NONE, one of each format (RFC 8216, 4.3.2.4).

use crate::cenc::KeyId;

use super::key_tag::{KeyTag, Kind, common_box};

/// Formats whose key tags are in force at a time. Packagers write four.
const MAX_FORMATS: usize = 16;

/// Most that the boxes of the key tags in force may take.
const MAX_BOXES: usize = 64 * 1024;

/// Keys of DRM systems for what no decryptor gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Segments without an init segment, so that no box can carry what the tags say.
    WithoutInitSegment,
    /// Whole segments (METHOD=AES-128), of which demuxers know nothing.
    WholeSegments,
}

impl Lost {
    /// What is the matter, to go on after "the playlist".
    pub fn what(self) -> &'static str {
        match self {
            Lost::WithoutInitSegment => {
                "has DRM keys for segments without an init segment (EXT-X-MAP), which this element cannot play: package them as fragmented MP4"
            }
            Lost::WholeSegments => {
                "has whole segments encrypted (METHOD=AES-128) with the key of a DRM system, which no demuxer can play: package them with METHOD=SAMPLE-AES or SAMPLE-AES-CTR"
            }
        }
    }
}

/// What the demuxer is to see of a key tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The tag.
    AsItIs,
    /// METHOD=NONE: the key that it had is not in force any more.
    None,
    Nothing,
}

#[derive(Debug, Default)]
pub struct Keys {
    /// Those of DRM systems.
    tags: Vec<KeyTag>,
    /// The demuxer was told of a key of its own.
    has_demuxers: bool,
}

impl Keys {
    /// A tag comes into force.
    pub fn take(&mut self, tag: KeyTag) -> Shown {
        self.tags.retain(|known| known.key_format != tag.key_format);
        match tag.kind {
            Kind::None => {
                self.tags.clear();
                self.has_demuxers = false;
                Shown::AsItIs
            }
            Kind::Demuxers => {
                self.has_demuxers = true;
                Shown::AsItIs
            }
            Kind::Drm { is_whole, .. } => {
                if self.tags.len() == MAX_FORMATS {
                    self.tags.remove(0);
                }
                self.tags.push(tag);
                // For whole segments it is another way to the key that the demuxer has already.
                match !is_whole && std::mem::take(&mut self.has_demuxers) {
                    true => Shown::None,
                    false => Shown::Nothing,
                }
            }
        }
    }

    /// The demuxer decrypts the segments.
    pub fn has_demuxers(&self) -> bool {
        self.has_demuxers
    }

    /// What the decryptor has to get.
    ///
    /// # Errors
    ///
    /// What is wrong, to go on after "the playlist".
    pub fn boxes(&self) -> Result<Vec<Vec<u8>>, &'static str> {
        let mut found: Vec<Vec<u8>> = Vec::new();
        let mut key_ids: Vec<KeyId> = Vec::new();
        for tag in self.for_decryptors() {
            if let Kind::Drm { boxes, key_id, .. } = &tag.kind {
                found.extend(boxes.iter().cloned());
                key_ids.extend(key_id);
            }
        }
        key_ids.sort_unstable();
        key_ids.dedup();
        if !key_ids.is_empty() {
            found.push(common_box(&key_ids));
        }
        // In one order, however the packager changes that of the tags.
        found.sort_unstable();
        match found.iter().map(Vec::len).sum::<usize>() > MAX_BOXES {
            true => Err("has key tags of a size that nobody writes"),
            false => Ok(found),
        }
    }

    /// Why a segment with these boxes cannot be played.
    pub fn lost(&self, has_init_segment: bool, boxes: &[Vec<u8>]) -> Option<Lost> {
        let is_whole = |tag: &KeyTag| matches!(tag.kind, Kind::Drm { is_whole: true, .. });
        if boxes.is_empty() && self.for_decryptors().any(is_whole) {
            return Some(Lost::WholeSegments);
        }
        let is_lost = !has_init_segment && self.for_decryptors().next().is_some();
        is_lost.then_some(Lost::WithoutInitSegment)
    }

    fn for_decryptors(&self) -> impl Iterator<Item = &KeyTag> {
        let is_overruled = |tag: &KeyTag| {
            self.has_demuxers && matches!(tag.kind, Kind::Drm { is_whole: true, .. })
        };
        self.tags.iter().filter(move |tag| !is_overruled(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: &str = r#"METHOD=AES-128,URI="k""#;
    const WHOLE: &str = r#"METHOD=AES-128,URI="drm://k",KEYFORMAT="x""#;
    const SAMPLES: &str =
        r#"METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery""#;

    fn keys(tags: &[&str]) -> (Keys, Vec<Shown>) {
        let mut keys = Keys::default();
        let shown = tags.iter().map(|tag| keys.take(KeyTag::read(tag)));
        let shown = shown.collect();
        (keys, shown)
    }

    #[test]
    fn a_drm_key_for_samples_ends_the_demuxers_own() {
        let (keys, shown) = keys(&[IDENTITY, SAMPLES]);
        assert_eq!(shown, [Shown::AsItIs, Shown::None]);
        assert!(!keys.has_demuxers());
        let boxes = keys.boxes().expect("boxes");
        assert_eq!(boxes.len(), 1);
        assert_eq!(keys.lost(true, &boxes), None);
        assert_eq!(keys.lost(false, &boxes), Some(Lost::WithoutInitSegment));
    }

    #[test]
    fn the_demuxer_plays_what_it_can_decrypt_whoever_else_could() {
        for tags in [[IDENTITY, WHOLE], [WHOLE, IDENTITY]] {
            let (keys, shown) = keys(&tags);
            assert!(!shown.contains(&Shown::None), "{tags:?}");
            assert!(keys.has_demuxers(), "{tags:?}");
            assert_eq!(keys.boxes().expect("none"), Vec::<Vec<u8>>::new());
            assert_eq!(keys.lost(false, &[]), None, "{tags:?}");
        }
    }

    #[test]
    fn whole_segments_for_a_drm_system_are_told() {
        let (whole, _) = keys(&[WHOLE]);
        assert_eq!(whole.lost(true, &[]), Some(Lost::WholeSegments));
        let (ended, shown) = keys(&[WHOLE, "METHOD=NONE"]);
        assert_eq!(shown, [Shown::Nothing, Shown::AsItIs]);
        assert_eq!(ended.lost(false, &[]), None);
    }
}
