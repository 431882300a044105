// SPDX-License-Identifier: MIT OR Apache-2.0

//! Protection System Specific Header boxes (ISO/IEC 23001-7, 8.1).

use super::KeyId;

/// The W3C common system, whose boxes only list key ids.
pub const COMMON_SYSTEM: &str = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b";
pub const COMMON_SYSTEM_ID: u128 = 0x1077efec_c0b2_4d02_ace3_3c1e52e2fb4b;

/// DASH-IF's ClearKey.
pub const CLEARKEY_SYSTEM: &str = "e2719d58-a985-b3c9-781a-b030af78d30e";
const CLEARKEY_SYSTEM_ID: u128 = 0xe2719d58_a985_b3c9_781a_b030af78d30e;

/// Whether that is one of these two, which are one for a decryptor: the former's boxes list the
/// keys, the latter's element in an MPD says where to ask. Some MPDs write system ids in upper
/// case.
pub fn is_clearkey(system: &str) -> bool {
    let mut ours = [COMMON_SYSTEM, CLEARKEY_SYSTEM].into_iter();
    ours.any(|ours| ours.eq_ignore_ascii_case(system))
}

/// Google's Widevine.
pub const WIDEVINE_SYSTEM: &str = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed";

/// Key ids that one init data may name. A presentation has a handful; the bound keeps a made-up
/// box from making a request of megabytes.
pub const MAX_KEY_IDS: usize = 128;

/// Whether this begins like a box of the type `pssh`.
pub fn is_pssh(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(b"pssh")
}

/// What a box says.
pub struct Pssh<'a> {
    pub system: u128,
    /// Sixteen bytes each, in a box of version 1 or newer.
    key_ids: &'a [u8],
    pub data: &'a [u8],
}

impl Pssh<'_> {
    /// The key ids that it lists, as they stand.
    pub fn key_ids(&self) -> impl Iterator<Item = KeyId> {
        self.key_ids.chunks_exact(16).filter_map(KeyId::from_slice)
    }
}

/// The boxes at the beginning of `bytes`, up to what is no whole box.
pub fn boxes(bytes: &[u8]) -> impl Iterator<Item = Pssh<'_>> {
    readable(bytes).map(|(_, read)| read)
}

/// The bytes of each of them.
pub fn whole_boxes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    readable(bytes).map(|(whole, _)| whole)
}

/// The bytes of each box of that system.
pub fn whole_boxes_of(bytes: &[u8], system: u128) -> impl Iterator<Item = &[u8]> {
    let boxes = readable(bytes);
    boxes
        .filter(move |(_, read)| read.system == system)
        .map(|(whole, _)| whole)
}

/// Each box as it stands, and what it says. One that lies about what is in it says nothing.
fn readable(bytes: &[u8]) -> impl Iterator<Item = (&[u8], Pssh<'_>)> {
    let mut rest = bytes;
    let split = std::iter::from_fn(move || {
        let (body, after) = split_box(rest)?;
        let whole = &rest[..rest.len() - after.len()];
        rest = after;
        Some((whole, body))
    });
    split.filter_map(|(whole, body)| Some((whole, read(body)?)))
}

/// A box that lists these key ids (then of version 1) and holds these data.
pub fn write(system: u128, key_ids: &[KeyId], data: &[u8]) -> Vec<u8> {
    // Neither comes near what 32 bits can count: both stood in one line of a playlist.
    let size = |count: usize| (count as u32).to_be_bytes();
    let mut body = vec![u8::from(!key_ids.is_empty()), 0, 0, 0];
    body.extend(system.to_be_bytes());
    if !key_ids.is_empty() {
        body.extend(size(key_ids.len()));
        body.extend(key_ids.iter().flat_map(|key_id| key_id.0));
    }
    body.extend(size(data.len()));
    body.extend(data);
    [&size(8 + body.len())[..], b"pssh", &body].concat()
}

/// The key ids that the boxes of ClearKey's systems in `bytes` list, in order, each once.
/// Boxes of other systems are passed over, and so is what follows the last whole box.
pub fn key_ids(bytes: &[u8]) -> Vec<KeyId> {
    let mut found = Vec::new();
    let ours =
        boxes(bytes).filter(|one| [COMMON_SYSTEM_ID, CLEARKEY_SYSTEM_ID].contains(&one.system));
    for one in ours {
        let listed = one.key_ids.chunks_exact(16).take(MAX_KEY_IDS);
        for key_id in listed.filter_map(KeyId::from_slice) {
            if !found.contains(&key_id) && found.len() < MAX_KEY_IDS {
                found.push(key_id);
            }
        }
    }
    found
}

/// The body of the `pssh` box at the beginning and what comes after the box.
fn split_box(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, _) = bytes.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_be_bytes(*size)).ok()?;
    let (whole, after) = bytes.split_at_checked(size)?;
    is_pssh(whole).then(|| (&whole[8..], after))
}

fn read(body: &[u8]) -> Option<Pssh<'_>> {
    let (version_and_flags, body) = body.split_first_chunk::<4>()?;
    let (system, body) = body.split_first_chunk::<16>()?;
    let (key_ids, body) = match version_and_flags[0] {
        0 => (&[][..], body),
        _ => {
            let (count, body) = body.split_first_chunk::<4>()?;
            let count = usize::try_from(u32::from_be_bytes(*count)).ok()?;
            body.split_at_checked(count.checked_mul(16)?)?
        }
    };
    let (size, data) = body.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_be_bytes(*size)).ok()?;
    Some(Pssh {
        system: u128::from_be_bytes(*system),
        key_ids,
        data: data.get(..size)?,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A box without key ids.
    pub fn box_of(version: u8, system: u128, data: &[u8]) -> Vec<u8> {
        let mut body = vec![version, 0, 0, 0];
        body.extend(system.to_be_bytes());
        body.extend((data.len() as u32).to_be_bytes());
        body.extend(data);
        let size = (8 + body.len()) as u32;
        [&size.to_be_bytes()[..], b"pssh", &body].concat()
    }

    pub fn pssh(version: u8, system: u128, key_ids: &[[u8; 16]]) -> Vec<u8> {
        let mut body = vec![version, 0, 0, 0];
        body.extend(system.to_be_bytes());
        body.extend((key_ids.len() as u32).to_be_bytes());
        body.extend(key_ids.concat());
        body.extend(0_u32.to_be_bytes());
        let size = (8 + body.len()) as u32;
        [&size.to_be_bytes()[..], b"pssh", &body].concat()
    }

    #[test]
    fn pssh_key_ids_come_only_from_clearkey_boxes() {
        let widevine = pssh(1, 0xedef8ba9_79d6_4ace_a3c8_27dcd51d21ed, &[[9; 16]]);
        let common = pssh(1, COMMON_SYSTEM_ID, &[[1; 16], [2; 16]]);
        let clearkey = pssh(1, CLEARKEY_SYSTEM_ID, &[[2; 16], [3; 16]]);
        let ids = key_ids(&[widevine, common, clearkey].concat());
        assert_eq!(ids, [KeyId([1; 16]), KeyId([2; 16]), KeyId([3; 16])]);
        assert_eq!(key_ids(&pssh(0, COMMON_SYSTEM_ID, &[])), []);
    }

    #[test]
    fn malformed_pssh_size_or_count_yields_no_key_ids() {
        let good = pssh(1, COMMON_SYSTEM_ID, &[[1; 16]]);
        for cut in 0..good.len() {
            assert_eq!(key_ids(&good[..cut]), [], "cut at {cut}");
        }
        let mut lying_count = good.clone();
        lying_count[28..32].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(key_ids(&lying_count), []);
        for size in [0_u32, 7, 8, 11, u32::MAX] {
            let mut lying_size = good.clone();
            lying_size[..4].copy_from_slice(&size.to_be_bytes());
            assert_eq!(key_ids(&lying_size), [], "size {size}");
        }
    }

    #[test]
    fn box_with_thousands_of_key_ids_is_bounded() {
        let many = (0..5000_u128).map(u128::to_be_bytes).collect::<Vec<_>>();
        assert_eq!(
            key_ids(&pssh(1, COMMON_SYSTEM_ID, &many)).len(),
            MAX_KEY_IDS
        );
    }
}
