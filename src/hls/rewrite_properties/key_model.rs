// SPDX-License-Identifier: MIT OR Apache-2.0

//! Key tags as they are meant. What a tag says is known before it is written, and is never read
//! from its text.

use std::collections::BTreeSet;

pub const COMMON: u128 = 0x1077efec_c0b2_4d02_ace3_3c1e52e2fb4b;
pub const FAIRPLAY: u128 = 0x94ce86fb_07ff_4f43_adb8_93d2fa968ca2;
pub const PLAYREADY: u128 = 0x9a04f079_9840_4286_ab92_e65be0885f95;
pub const WIDEVINE: u128 = 0xedef8ba9_79d6_4ace_a3c8_27dcd51d21ed;

/// A `pssh` box (ISO/IEC 23001-7, 8.1).
pub fn pssh(system: u128, key_ids: &[u128], data: &[u8]) -> Vec<u8> {
    let mut body = vec![u8::from(!key_ids.is_empty()), 0, 0, 0];
    body.extend(system.to_be_bytes());
    if !key_ids.is_empty() {
        body.extend((key_ids.len() as u32).to_be_bytes());
        body.extend(key_ids.iter().flat_map(|id| id.to_be_bytes()));
    }
    body.extend((data.len() as u32).to_be_bytes());
    body.extend(data);
    let size = (8 + body.len()) as u32;
    [&size.to_be_bytes()[..], b"pssh", &body].concat()
}

/// A key tag.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its attributes as they are written.
    pub attributes: String,
    /// In lower case.
    pub format: String,
    pub meaning: Meaning,
}

#[derive(Clone, Debug)]
pub enum Meaning {
    None,
    /// The URI of the key, which may have variables.
    Aes128(String, Option<u128>),
    SampleAes {
        uri: String,
        iv: Option<u128>,
        is_counter_mode: bool,
        /// That of a key, where the URI holds one in the place of the key.
        key_id: Option<u128>,
    },
    Drm {
        boxes: Vec<Vec<u8>>,
        key_id: Option<u128>,
        is_whole: bool,
    },
    Useless,
}

impl Meaning {
    /// Whether whole segments are encrypted, where the tag says how.
    fn is_whole(&self) -> Option<bool> {
        match self {
            Meaning::None | Meaning::Useless => None,
            Meaning::Aes128(..) => Some(true),
            Meaning::SampleAes { .. } => Some(false),
            Meaning::Drm { is_whole, .. } => Some(*is_whole),
        }
    }
}

/// What protects segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protection {
    Clear,
    Aes128(String, Option<u128>),
    SampleAes {
        uri: String,
        iv: Option<u128>,
        is_counter_mode: bool,
    },
    Drm(BTreeSet<Vec<u8>>),
    Unplayable,
}

/// The key tags in force: the newest of each format, for whole segments or for samples.
#[derive(Clone, Debug, Default)]
pub struct ActiveTags(pub Vec<Key>);

impl ActiveTags {
    pub fn apply(&mut self, key: &Key) {
        if matches!(key.meaning, Meaning::None) {
            return self.0.clear();
        }
        let is_whole = key.meaning.is_whole();
        self.0.retain(|known| {
            let both = known.meaning.is_whole().zip(is_whole);
            known.format != key.format && both.is_none_or(|(one, other)| one == other)
        });
        self.0.push(key.clone());
    }

    pub fn has(&self, format: &str) -> bool {
        self.0.iter().any(|key| key.format == format)
    }

    pub fn protection(&self) -> Protection {
        let meanings = || self.0.iter().map(|key| &key.meaning);
        if self.0.is_empty() {
            return Protection::Clear;
        }
        for meaning in meanings() {
            if let Meaning::Aes128(uri, iv) = meaning {
                return Protection::Aes128(uri.clone(), *iv);
            }
        }
        let is_for_systems = |one: &Meaning| matches!(one, Meaning::Drm { .. });
        let has_systems = meanings().any(is_for_systems);
        if meanings().any(|one| matches!(one, Meaning::Drm { is_whole: true, .. })) {
            return Protection::Unplayable;
        }
        let mut ids = BTreeSet::new();
        for meaning in meanings() {
            let Meaning::SampleAes {
                uri,
                iv,
                is_counter_mode,
                key_id,
            } = meaning
            else {
                continue;
            };
            // Beside the tags of DRM systems data are no key.
            if !has_systems || !uri.to_ascii_lowercase().starts_with("data:") {
                return Protection::SampleAes {
                    uri: uri.clone(),
                    iv: *iv,
                    is_counter_mode: *is_counter_mode,
                };
            }
            ids.extend(key_id);
        }
        if !has_systems {
            return Protection::Unplayable;
        }
        let mut all = BTreeSet::new();
        for meaning in meanings() {
            if let Meaning::Drm { boxes, key_id, .. } = meaning {
                all.extend(boxes.iter().cloned());
                ids.extend(key_id);
            }
        }
        if !ids.is_empty() {
            let ids: Vec<_> = ids.into_iter().collect();
            all.insert(pssh(COMMON, &ids, &[]));
        }
        Protection::Drm(all)
    }
}
