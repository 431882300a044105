// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys that are in force somewhere in a playlist: those of the key tags since the last
//! METHOD=NONE, one of each format (RFC 8216, 4.3.2.4), and what follows from them together.

use std::sync::Arc;

use crate::cenc::KeyId;
use crate::cenc::pssh::{self, COMMON_SYSTEM_ID};

use super::data_uri;
use super::digest::Digest;
use super::key_tag::{DrmKey, IdentityKey, KeyTag, Kind};

/// Formats whose key tags are in force at a time. Packagers write four.
const MAX_FORMATS: usize = 16;

/// Most that the boxes of the key tags in force may take.
const MAX_BOXES: usize = 64 * 1024;

/// Tags that an error names.
const MAX_NAMED: usize = 3;

/// How segments are protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    Clear,
    /// As a whole (METHOD=AES-128).
    Aes128(IdentityKey),
    /// By samples, with a key that is at a URI.
    SampleAes(IdentityKey),
    /// By samples, with a DRM system's key.
    Drm(KeyBoxes),
    /// So that no element can play them: why, to go on after "the playlist".
    Unplayable(Arc<str>),
}

/// What key tags have for decryptors: `pssh` boxes. Copies share them.
#[derive(Clone, Debug)]
pub struct KeyBoxes {
    boxes: Arc<[SharedBox]>,
    digest: Digest,
    /// The tags, for errors.
    pub label: Arc<str>,
}

/// One box, or all those of a key tag. There may be two thousand in one tag, so that they are taken
/// for one until they stand in an init segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedBox {
    pub digest: Digest,
    pub bytes: Arc<[u8]>,
}

impl SharedBox {
    pub fn new(bytes: Arc<[u8]>) -> Self {
        let digest = Digest::of(&bytes);
        Self { digest, bytes }
    }
}

impl std::ops::Deref for SharedBox {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl PartialEq for KeyBoxes {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for KeyBoxes {}

impl KeyBoxes {
    pub fn new(mut boxes: Vec<SharedBox>, label: &str) -> Self {
        // In one order, however the packager changes that of the tags.
        boxes.sort_unstable_by_key(|one| one.digest);
        boxes.dedup_by_key(|one| one.digest);
        let digests: Vec<_> = boxes.iter().map(|one| one.digest).collect();
        Self {
            digest: Digest::of_all(&digests),
            boxes: boxes.into(),
            label: label.into(),
        }
    }

    /// What lists that key for decryptors that need no more than its id.
    pub fn of_key(key_id: KeyId) -> Self {
        let common = pssh::write(COMMON_SYSTEM_ID, &[key_id], &[]);
        Self::new(vec![SharedBox::new(common.into())], "KEYFORMAT=identity")
    }

    pub fn boxes(&self) -> &[SharedBox] {
        &self.boxes
    }

    /// The same for the same boxes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The same boxes, each in the place that `shared` gives for it.
    pub fn shared_by(&self, shared: impl FnMut(&SharedBox) -> SharedBox) -> Self {
        Self {
            boxes: self.boxes.iter().map(shared).collect(),
            ..self.clone()
        }
    }
}

/// A tag in force.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ActiveTag {
    tag: KeyTag,
    /// What it takes, about.
    bytes: usize,
    boxes: Option<SharedBox>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActiveKeys {
    tags: Vec<ActiveTag>,
    /// What follows from them, once somebody has asked.
    protection: Option<Protection>,
}

impl ActiveKeys {
    /// A tag comes into force. Returns whether that changes anything.
    pub fn apply(&mut self, tag: KeyTag) -> bool {
        if tag.kind == Kind::None {
            self.protection = None;
            let had_some = !self.tags.is_empty();
            self.tags.clear();
            return had_some;
        }
        // Some packagers write them anew for each segment.
        if self.tags.iter().any(|known| known.tag == tag) {
            return false;
        }
        self.protection = None;
        // A segment is encrypted as a whole or by samples: the newest tag says how.
        let method = is_whole(&tag.kind);
        self.tags.retain(|known| {
            let other = is_whole(&known.tag.kind);
            let is_other_method = method.is_some() && other.is_some() && method != other;
            known.tag.key_format != tag.key_format && !is_other_method
        });
        if self.tags.len() == MAX_FORMATS {
            self.tags.remove(0);
        }
        let boxes = match &tag.kind {
            Kind::Drm(key) => match &key.boxes[..] {
                [] => None,
                [one] => Some(SharedBox::new(one.clone())),
                several => Some(SharedBox::new(several.concat().into())),
            },
            _ => None,
        };
        let bytes = tag.bytes();
        self.tags.push(ActiveTag { tag, bytes, boxes });
        true
    }

    /// What they take, about, with what follows from them.
    pub fn bytes(&self) -> usize {
        2 * self.tags.iter().map(|one| one.bytes).sum::<usize>()
    }

    /// Whether a tag of that format is in force.
    pub fn has(&self, key_format: &str) -> bool {
        self.tags.iter().any(|one| one.tag.key_format == key_format)
    }

    /// How segments are protected from here on.
    ///
    /// # Errors
    ///
    /// What is wrong, to go on after "the playlist".
    pub fn protection(&mut self) -> Result<&Protection, &'static str> {
        if self.protection.is_none() {
            self.protection = Some(self.decide()?);
        }
        self.protection.as_ref().ok_or("has no keys")
    }

    fn decide(&self) -> Result<Protection, &'static str> {
        if self.tags.is_empty() {
            return Ok(Protection::Clear);
        }
        let kinds = || self.tags.iter().map(|one| &one.tag.kind);
        let whole = kinds().find_map(|kind| match kind {
            Kind::Aes128(key) => Some(key.clone()),
            _ => None,
        });
        if let Some(key) = whole {
            // Other tags for whole segments are other ways to the same key.
            return Ok(Protection::Aes128(key));
        }
        if kinds().any(|kind| matches!(kind, Kind::Drm(DrmKey { is_whole: true, .. }))) {
            return Ok(self.unplayable(
                "has whole segments encrypted with the key of a DRM system, which no demuxer can play: package them with METHOD=SAMPLE-AES or SAMPLE-AES-CTR",
            ));
        }
        let identity = kinds().find_map(|kind| match kind {
            Kind::SampleAes(key) => Some(key),
            _ => None,
        });
        let has_drm = kinds().any(|kind| matches!(kind, Kind::Drm(_)));
        match identity {
            // A key at a URI can be had by everybody, whatever DRM systems there are besides.
            Some(key) if !has_drm || !data_uri::is_data_uri(&key.uri) => {
                Ok(Protection::SampleAes(key.clone()))
            }
            // Beside the tags of DRM systems Shaka Packager writes the key's id there, and not the
            // key.
            Some(key) => self.drm(data_uri::decode(&key.uri).as_deref().and_then(KeyId::from_slice)),
            None if has_drm => self.drm(None),
            None => Ok(self.unplayable(
                "has a key tag that no element can use: its METHOD is unknown, it names no key that can be fetched, or its IV is no number of 128 bits",
            )),
        }
    }

    fn drm(&self, key_id: Option<KeyId>) -> Result<Protection, &'static str> {
        let mut boxes: Vec<SharedBox> = Vec::new();
        let mut key_ids: Vec<KeyId> = key_id.into_iter().collect();
        for one in &self.tags {
            if let Kind::Drm(key) = &one.tag.kind {
                boxes.extend(one.boxes.iter().cloned());
                key_ids.extend(key.key_id);
            }
        }
        key_ids.sort_unstable();
        key_ids.dedup();
        if !key_ids.is_empty() {
            // For decryptors that need no more than the ids.
            let common = pssh::write(COMMON_SYSTEM_ID, &key_ids, &[]);
            boxes.push(SharedBox::new(common.into()));
        }
        if boxes.iter().map(|one| one.len()).sum::<usize>() > MAX_BOXES {
            return Err("has key tags of a size that nobody writes");
        }
        Ok(Protection::Drm(KeyBoxes::new(boxes, &self.label())))
    }

    fn unplayable(&self, why: &str) -> Protection {
        Protection::Unplayable(format!("{why} ({})", self.label()).into())
    }

    fn label(&self) -> String {
        let labels = self.tags.iter().map(|one| one.tag.label.as_str());
        let labels: Vec<_> = labels.take(MAX_NAMED).collect();
        labels.join("; ")
    }
}

/// Whether whole segments are encrypted, where the tag says how.
fn is_whole(kind: &Kind) -> Option<bool> {
    match kind {
        Kind::None | Kind::Unusable => None,
        Kind::Aes128(_) => Some(true),
        Kind::SampleAes(_) => Some(false),
        Kind::Drm(key) => Some(key.is_whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AES_128: &str = r#"METHOD=AES-128,URI="k""#;
    const WHOLE: &str = r#"METHOD=AES-128,URI="drm://k",KEYFORMAT="x""#;
    const FAIRPLAY: &str =
        r#"METHOD=SAMPLE-AES,URI="skd://k",KEYFORMAT="com.apple.streamingkeydelivery""#;
    const IDENTITY: &str = r#"METHOD=SAMPLE-AES,URI="https://h/k""#;
    const KEY_ID: &str = r#"METHOD=SAMPLE-AES,URI="data:;base64,AQEBAQEBAQEBAQEBAQEBAQ==""#;

    fn keys(tags: &[&str]) -> ActiveKeys {
        let mut keys = ActiveKeys::default();
        for tag in tags {
            keys.apply(KeyTag::read(tag));
            // What is in force already changes nothing.
            assert!(!keys.apply(KeyTag::read(tag)), "{tag}");
        }
        keys
    }

    fn protection(tags: &[&str]) -> Protection {
        keys(tags).protection().expect("sound tags").clone()
    }

    fn boxes(tags: &[&str]) -> usize {
        match protection(tags) {
            Protection::Drm(key) => key.boxes().len(),
            other => panic!("{tags:?}: {other:?}"),
        }
    }

    #[test]
    fn newest_key_tag_decides_whole_segment_encryption() {
        assert_eq!(boxes(&[AES_128, FAIRPLAY]), 1);
        for tags in [
            &[FAIRPLAY, AES_128][..],
            &[AES_128, WHOLE],
            &[WHOLE, AES_128],
        ] {
            assert!(
                matches!(protection(tags), Protection::Aes128(_)),
                "{tags:?}"
            );
        }
        assert_eq!(protection(&[AES_128, "METHOD=NONE"]), Protection::Clear);
    }

    #[test]
    fn key_at_a_uri_is_preferred_and_a_key_id_is_one() {
        for tags in [&[IDENTITY, FAIRPLAY][..], &[IDENTITY], &[KEY_ID]] {
            assert!(
                matches!(protection(tags), Protection::SampleAes(_)),
                "{tags:?}"
            );
        }
        // FairPlay's, and one that lists the key's id.
        assert_eq!(boxes(&[KEY_ID, FAIRPLAY]), 2);
    }

    #[test]
    fn what_nobody_can_play_is_named() {
        for (tags, says) in [
            (&[WHOLE][..], "KEYFORMAT=x"),
            (&[r#"METHOD=AES-256,URI="k""#], "METHOD=AES-256"),
        ] {
            match protection(tags) {
                Protection::Unplayable(why) => assert!(why.contains(says), "{why}"),
                other => panic!("{tags:?}: {other:?}"),
            }
        }
        // One tag that can be used is enough.
        assert_eq!(boxes(&[r#"METHOD=AES-256,URI="k""#, FAIRPLAY]), 1);
    }

    #[test]
    fn order_of_tags_changes_nothing() {
        let other = r#"METHOD=SAMPLE-AES,KEYFORMAT="x",KEYID=0x00112233445566778899aabbccddee01"#;
        let one = protection(&[FAIRPLAY, other]);
        assert_eq!(one, protection(&[other, FAIRPLAY]));
        assert_ne!(one, protection(&[FAIRPLAY]));
        let Protection::Drm(key) = one else {
            panic!("a DRM key");
        };
        let again = KeyBoxes::new(key.boxes().to_vec(), "");
        assert_eq!(again.digest(), key.digest());
    }

    #[test]
    fn boxes_are_bounded() {
        let tag = |format: u8| {
            let data = data_uri::encode(&[0; 30_000]);
            format!(
                r#"METHOD=SAMPLE-AES,URI="{data}",KEYFORMAT="urn:uuid:0000000{format}-0000-0000-0000-000000000000""#
            )
        };
        let [one, two, three] = [tag(1), tag(2), tag(3)];
        assert!(keys(&[&one, &two]).protection().is_ok());
        assert!(keys(&[&one, &two, &three]).protection().is_err());
    }
}
