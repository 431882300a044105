// SPDX-License-Identifier: MIT OR Apache-2.0

//! Key tags (EXT-X-KEY), and the init data of the protection events that they become.
//!
//! AAMP keeps a tag's attributes as text, looks up KEYFORMAT and URI in it, and has a helper for
//! each DRM decode what stands behind the comma of the `data:` URI (`ProcessContentProtection`,
//! `getDrmHelper` and `getPsshData` in processProtectionHls.cpp; `parsePssh` and `createInitData`
//! of the helpers). Of the tags it takes one, the last whose DRM it has
//! (`StreamAbstractionAAMP_HLS::InitiateDrmProcess`). Here all of them become events: which of them
//! counts is up to the decryptors that there are, by which qtdemux chooses.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::{Uuid, uuid};

/// The common system of the W3C, whose boxes list key ids. It is all that `clearkeydec` needs.
pub const COMMON: Uuid = uuid!("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b");
pub const PLAYREADY: Uuid = uuid!("9a04f079-9840-4286-ab92-e65be0885f95");
pub const WIDEVINE: Uuid = uuid!("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed");

/// KEYFORMAT of keys that the playlist itself gives away.
const IDENTITY: &str = "identity";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTag {
    pub method: String,
    pub format: String,
    /// What its `data:` URI holds.
    data: Vec<u8>,
    key_id: Option<Uuid>,
}

/// What a protection event is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitData {
    pub system: Uuid,
    pub data: Vec<u8>,
}

impl KeyTag {
    /// Reads a tag's attributes.
    pub fn read(attributes: &str) -> Result<Self, String> {
        let text = |name| value_of(attributes, name).unwrap_or_default();
        let format = match text("KEYFORMAT") {
            "" => IDENTITY,
            format => format,
        };
        // Both are shown to people.
        if ![text("METHOD"), format].into_iter().all(is_name) {
            return Err("has a key tag whose METHOD or KEYFORMAT is no name".to_owned());
        }
        let data = match text("URI").strip_prefix("data:") {
            Some(data) => decoded(data).ok_or_else(|| {
                format!("has a key tag for {format} whose data: URI is no base64")
            })?,
            None => Vec::new(),
        };
        let key_id = match text("KEYID") {
            "" => None,
            digits => Some(key_id(digits).ok_or_else(|| {
                format!("has a key tag for {format} whose KEYID is not 0x and 32 digits")
            })?),
        };
        Ok(Self {
            method: text("METHOD").to_owned(),
            format: format.to_owned(),
            data,
            key_id,
        })
    }

    /// From here on nothing is encrypted.
    pub fn is_none(&self) -> bool {
        self.method == "NONE"
    }

    /// Whole segments are encrypted, with a key that the player fetches itself.
    pub fn is_for_segments(&self) -> bool {
        self.method == "AES-128" && !self.is_for_drm()
    }

    pub fn is_for_drm(&self) -> bool {
        self.format != IDENTITY
    }

    /// Whether it says anything to a decryptor.
    pub fn has_init_data(&self) -> bool {
        self.key_id.is_some() || (self.system().is_some() && self.data.len() >= 8)
    }

    fn system(&self) -> Option<Uuid> {
        match self.format.strip_prefix("urn:uuid:") {
            Some(id) => Uuid::parse_str(id).ok(),
            None => (self.format == "com.microsoft.playready").then_some(PLAYREADY),
        }
    }

    /// Whole `pssh` boxes stay as they are. What PlayReady's tags hold is its object, which belongs
    /// into such a box.
    fn init_data(&self) -> Option<InitData> {
        let system = self.system()?;
        let data = match self.data.get(4..8) {
            Some(b"pssh") => self.data.clone(),
            Some(_) => pssh(system, &[], &self.data),
            None => return None,
        };
        Some(InitData { system, data })
    }
}

/// What these tags, which are in force together, say to decryptors: one event for each of them, and
/// one with the ids of all their keys.
pub fn init_data(tags: &[Arc<KeyTag>]) -> Vec<InitData> {
    let mut found: Vec<_> = tags.iter().filter_map(|tag| tag.init_data()).collect();
    let mut key_ids: Vec<_> = tags.iter().filter_map(|tag| tag.key_id).collect();
    key_ids.sort_unstable();
    key_ids.dedup();
    if !key_ids.is_empty() {
        found.push(InitData {
            system: COMMON,
            data: pssh(COMMON, &key_ids, &[]),
        });
    }
    found
}

/// The name of a protection system, for people.
pub fn name_of(system: Uuid) -> String {
    match system {
        COMMON => "common system".to_owned(),
        PLAYREADY => "PlayReady".to_owned(),
        WIDEVINE => "Widevine".to_owned(),
        other => other.to_string(),
    }
}

/// A Protection System Specific Header box (ISO/IEC 23001-7, 8.1), of version 1 where it lists key
/// ids.
fn pssh(system: Uuid, key_ids: &[Uuid], data: &[u8]) -> Vec<u8> {
    // What comes from a playlist is far from the 4 GiB that 32 bits can count.
    let count = |count: usize| (count as u32).to_be_bytes();
    let mut content = vec![u8::from(!key_ids.is_empty()), 0, 0, 0];
    content.extend(system.as_bytes());
    if !key_ids.is_empty() {
        content.extend(count(key_ids.len()));
        content.extend(key_ids.iter().flat_map(Uuid::as_bytes));
    }
    content.extend(count(data.len()));
    content.extend(data);
    [&count(8 + content.len())[..], b"pssh", &content].concat()
}

fn is_name(text: &str) -> bool {
    text.len() <= 200 && text.chars().all(|one| one.is_ascii_graphic() || one == ' ')
}

/// The value of the attribute of that name, without quotes. Lists are `NAME=value,NAME="text, with
/// commas"` (RFC 8216, 4.2).
fn value_of<'a>(mut list: &'a str, name: &str) -> Option<&'a str> {
    loop {
        let (found, rest) = list.split_once('=')?;
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        if found.trim() == name {
            return Some(value.trim());
        }
        list = rest.strip_prefix(',')?;
    }
}

/// What stands behind the head of a `data:` URI (RFC 2397).
fn decoded(uri: &str) -> Option<Vec<u8>> {
    let (head, data) = uri.split_once(',')?;
    head.ends_with(";base64")
        .then(|| STANDARD.decode(data).ok())?
}

fn key_id(text: &str) -> Option<Uuid> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    Uuid::parse_str(digits).ok().filter(|_| digits.len() == 32)
}
