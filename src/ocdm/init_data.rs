// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a session is made for: the init data that a CDM gets, out of what protection events bring.

use uuid::Uuid;

use super::key_system::Family;
use super::session_keys::NO_ID;
use crate::cenc::pssh::{self, COMMON_SYSTEM_ID};
use crate::cenc::{InitData, KeyId, MAX_INIT_DATA, playready};

/// OpenCDM counts in 16 bits.
pub const MAX_BYTES: usize = u16::MAX as usize;

/// The init data for a CDM of that system, out of a protection event's. `None` where it says
/// nothing to such a CDM.
pub fn for_cdm(system: &str, init_data: &[u8]) -> Option<Vec<u8>> {
    if init_data.len() > MAX_INIT_DATA {
        return None;
    }
    let family = Family::of(system);
    if family == Family::ClearKey {
        let key_ids = InitData::read(init_data).key_ids;
        return (!key_ids.is_empty()).then(|| for_key_ids(&key_ids));
    }
    let number = Uuid::parse_str(system).ok()?.as_u128();
    let boxes = |bytes: &[u8]| {
        let mut all: Vec<&[u8]> = Vec::new();
        for one in pssh::whole_boxes_of(bytes, number) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
        (!all.is_empty()).then(|| all.concat())
    };
    let object = |bytes: &[u8]| {
        let is_object = family == Family::PlayReady && playready::is_object(bytes);
        is_object.then(|| pssh::write(number, &[], bytes))
    };
    if pssh::is_pssh(init_data) {
        return boxes(init_data);
    }
    let text = std::str::from_utf8(init_data).ok().map(str::trim);
    let packed = match text {
        Some(xml) if xml.starts_with('<') => playready::packed_in(xml),
        Some(text) if !text.is_empty() => vec![text.to_owned()],
        _ => Vec::new(),
    };
    let unpacked = packed
        .iter()
        .filter_map(|packed| playready::unpacked(packed));
    let found = unpacked
        .filter_map(|bytes| boxes(&bytes).or_else(|| object(&bytes)))
        .next();
    found.or_else(|| object(init_data))
}

/// The key ids that its boxes list. Those of version 0 list none.
pub fn listed_key_ids(init_data: &[u8]) -> Vec<KeyId> {
    let boxes = pssh::boxes(init_data);
    boxes
        .flat_map(|one| one.key_ids().collect::<Vec<_>>())
        .collect()
}

/// The keys that a session is for which is made for that init data, where it says: those of its
/// boxes and of PlayReady's header.
pub fn keys_of(init_data: &[u8]) -> Vec<KeyId> {
    let of_header = playready::key_ids(init_data);
    // One of zeros stands for none there.
    let of_header = of_header.into_iter().filter(|key_id| *key_id != NO_ID);
    listed_key_ids(init_data)
        .into_iter()
        .chain(of_header)
        .collect()
}

/// The init data that names these keys to a ClearKey CDM.
pub fn for_key_ids(key_ids: &[KeyId]) -> Vec<u8> {
    pssh::write(COMMON_SYSTEM_ID, key_ids, &[])
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::cenc::playready::{PLAYREADY_SYSTEM, PLAYREADY_SYSTEM_ID};
    use crate::cenc::{CLEARKEY_SYSTEM, WIDEVINE_SYSTEM};

    const WIDEVINE: u128 = 0xedef8ba9_79d6_4ace_a3c8_27dcd51d21ed;

    fn object() -> Vec<u8> {
        [&10_u32.to_le_bytes()[..], &[0; 6]].concat()
    }

    #[test]
    fn boxes_of_the_system_are_taken_whole_in_each_form() {
        let mine = pssh::write(WIDEVINE, &[], b"data");
        let other = pssh::write(PLAYREADY_SYSTEM_ID, &[], &object());
        let all = [&other[..], &mine, &mine].concat();
        let packed = STANDARD.encode(&all);
        let xml =
            format!("<ContentProtection><cenc:pssh>\n{packed} </cenc:pssh></ContentProtection>");
        for form in [&all[..], packed.as_bytes(), xml.as_bytes()] {
            let found = for_cdm(&WIDEVINE_SYSTEM.to_uppercase(), form);
            assert_eq!(found.as_ref(), Some(&mine), "{form:?}");
        }
        for none in [&other[..], b"", b"<", b"Widevine", b"value"] {
            assert_eq!(for_cdm(WIDEVINE_SYSTEM, none), None, "{none:?}");
        }
        assert_eq!(for_cdm("no system", &mine), None);
    }

    #[test]
    fn playready_header_object_becomes_a_box() {
        let boxed = pssh::write(PLAYREADY_SYSTEM_ID, &[], &object());
        let packed = STANDARD.encode(object());
        let xml = format!("<ContentProtection><mspr:pro>{packed}</mspr:pro></ContentProtection>");
        for form in [&boxed[..], &object(), packed.as_bytes(), xml.as_bytes()] {
            let found = for_cdm(PLAYREADY_SYSTEM, form);
            assert_eq!(found.as_ref(), Some(&boxed), "{form:?}");
        }
        assert_eq!(for_cdm(PLAYREADY_SYSTEM, b"MSPR 2.0"), None);
    }

    #[test]
    fn keys_of_a_session_are_those_of_boxes_and_header() {
        let header = r#"<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader"><DATA><KID>AwIBAAUEBwYICQoLDA0ODw==</KID><KID>AAAAAAAAAAAAAAAAAAAAAA==</KID></DATA></WRMHEADER>"#;
        let header: Vec<u8> = header.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let record = [
            &1_u16.to_le_bytes()[..],
            &(header.len() as u16).to_le_bytes(),
        ]
        .concat();
        let object = [&[0; 6][..], &record, &header].concat();
        let boxes = [
            pssh::write(PLAYREADY_SYSTEM_ID, &[], &object),
            pssh::write(COMMON_SYSTEM_ID, &[KeyId([7; 16])], &[]),
        ];
        let in_order = KeyId(std::array::from_fn(|at| at as u8));
        assert_eq!(keys_of(&boxes.concat()), [KeyId([7; 16]), in_order]);
        assert_eq!(keys_of(b"data"), []);
    }

    #[test]
    fn clearkey_init_data_is_one_box_of_the_common_system() {
        let key_ids = [KeyId([1; 16]), KeyId([2; 16])];
        let box_of_another = pssh::write(0xe2719d58_a985_b3c9_781a_b030af78d30e, &key_ids, &[]);
        let expected = pssh::write(COMMON_SYSTEM_ID, &key_ids, &[]);
        assert_eq!(for_cdm(CLEARKEY_SYSTEM, &box_of_another), Some(expected));
        assert_eq!(for_cdm(CLEARKEY_SYSTEM, b"ClearKey1.0"), None);
    }
}
