// SPDX-License-Identifier: MIT OR Apache-2.0

//! PlayReady's header, as far as a key request needs it ("PlayReady Header Object" in Microsoft's
//! documentation of PlayReady). Whether a license is granted is PlayReady's own affair.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::NsReader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;

use super::pssh::{self, MAX_KEY_IDS};
use super::{KeyId, MAX_INIT_DATA};

pub const PLAYREADY_SYSTEM: &str = "9a04f079-9840-4286-ab92-e65be0885f95";
pub const PLAYREADY_SYSTEM_ID: u128 = 0x9a04f079_9840_4286_ab92_e65be0885f95;

/// Type of the record that holds the header.
const HEADER_RECORD: u16 = 1;

/// Where the operator's policy for the content stands in the header (AAMP's
/// `DRM_METADATA_TAG_START`).
const POLICY_NAMESPACE: &str = "urn:ccp:ckm";
const POLICY: &str = "policy";

/// Namespace of the header.
const HEADER_NAMESPACE: &str = "http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader";

/// Element with the URL of the license server ("PlayReady Header Specification", `LA_URL`).
const LICENSE_URL: &str = "LA_URL";

/// Element with the id of a key (the same, `KID`).
const KEY_ID: &str = "KID";

/// The text of `ckm:policy` in the header of a PlayReady init data, as it is written, if there is
/// one: in a `pssh` box, in the ContentProtection element of an MPD, in what dashdemux2 leaves of
/// that (base64), or in a header object as it stands.
pub fn policy(init_data: &[u8]) -> Option<String> {
    find(init_data, |header| {
        text_of(header, POLICY_NAMESPACE, POLICY)
    })
}

/// The license server that the header of a PlayReady init data names, if it names one. The init
/// data may be of the same forms.
pub fn license_url(init_data: &[u8]) -> Option<String> {
    let url = find(init_data, |header| {
        text_of(header, HEADER_NAMESPACE, LICENSE_URL)
    })?;
    let url = unescape(url.trim()).ok()?;
    (!url.is_empty()).then(|| url.into_owned())
}

/// The key ids that the header of a PlayReady init data lists, which may be of the same forms.
pub fn key_ids(init_data: &[u8]) -> Vec<KeyId> {
    find(init_data, |header| {
        let found = key_ids_of(header);
        (!found.is_empty()).then_some(found)
    })
    .unwrap_or_default()
}

/// What is found in the header, or in the XML in whose place it may stand.
fn find<T>(init_data: &[u8], read: impl Fn(&str) -> Option<T> + Copy) -> Option<T> {
    if init_data.len() > MAX_INIT_DATA {
        return None;
    }
    if pssh::is_pssh(init_data) {
        return find_in_boxes(init_data, read);
    }
    let text = std::str::from_utf8(init_data).ok().map(str::trim);
    match text {
        Some(xml) if xml.starts_with('<') => read(xml).or_else(|| {
            packed_in(xml)
                .iter()
                .find_map(|packed| find_in_base64(packed, read))
        }),
        Some(packed) if !packed.is_empty() => {
            find_in_base64(packed, read).or_else(|| find_in_object(init_data, read))
        }
        _ => find_in_object(init_data, read),
    }
}

fn find_in_base64<T>(packed: &str, read: impl Fn(&str) -> Option<T> + Copy) -> Option<T> {
    let bytes = unpacked(packed)?;
    match pssh::is_pssh(&bytes) {
        true => find_in_boxes(&bytes, read),
        false => find_in_object(&bytes, read),
    }
}

/// What base64 with white space stands for.
pub fn unpacked(packed: &str) -> Option<Vec<u8>> {
    let packed = packed.split_ascii_whitespace().collect::<String>();
    STANDARD.decode(packed).ok()
}

fn find_in_boxes<T>(bytes: &[u8], read: impl Fn(&str) -> Option<T> + Copy) -> Option<T> {
    pssh::boxes(bytes)
        .filter(|one| one.system == PLAYREADY_SYSTEM_ID)
        .find_map(|one| find_in_object(one.data, read))
}

/// A header object: its size, the number of records, and the records, each with type and size; all
/// of it little endian.
fn find_in_object<T>(object: &[u8], read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut rest = object.get(6..)?;
    while let Some((head, after)) = rest.split_first_chunk::<4>() {
        let kind = u16::from_le_bytes([head[0], head[1]]);
        let size = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let (record, after) = after.split_at_checked(size)?;
        if kind == HEADER_RECORD {
            let units = record.chunks_exact(2);
            let units = units.map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            let header = char::decode_utf16(units)
                .collect::<Result<String, _>>()
                .ok()?;
            return read(&header);
        }
        rest = after;
    }
    None
}

/// Whether that is a header object as it stands: its first four bytes are its size.
pub fn is_object(bytes: &[u8]) -> bool {
    let size = bytes.first_chunk::<4>().copied().map(u32::from_le_bytes);
    size.is_some_and(|size| usize::try_from(size) == Ok(bytes.len()))
}

/// What stands in the first element of that name, as it is written.
fn text_of(xml: &str, namespace: &str, name: &str) -> Option<String> {
    let mut reader = NsReader::from_str(xml);
    loop {
        match reader.read_resolved_event().ok()? {
            (ResolveResult::Bound(bound), Event::Start(element))
                if element.local_name().as_ref() == name && bound.as_ref() == namespace =>
            {
                let text = reader.read_text(element.name()).ok()?;
                return Some(text.to_string());
            }
            (_, Event::Eof) => return None,
            _ => {}
        }
    }
}

/// The key ids of all elements `KID`, which hold them as text (version 4.0 of the header) or in an
/// attribute `VALUE` (since 4.1): base64 of a GUID as it stands in memory.
fn key_ids_of(header: &str) -> Vec<KeyId> {
    let mut reader = NsReader::from_str(header);
    let mut found = Vec::new();
    let add = |found: &mut Vec<KeyId>, packed: &str| {
        let bytes = unpacked(packed);
        let key_id = bytes.and_then(|bytes| KeyId::from_slice(&bytes));
        found.extend(key_id.map(|key_id| key_id.in_guid_order()));
    };
    while found.len() < MAX_KEY_IDS {
        match reader.read_resolved_event() {
            Ok((ResolveResult::Bound(bound), Event::Start(element) | Event::Empty(element)))
                if element.local_name().as_ref() == KEY_ID
                    && bound.as_ref() == HEADER_NAMESPACE =>
            {
                match element.try_get_attribute("VALUE") {
                    Ok(Some(value)) => add(&mut found, &value.value),
                    _ => match reader.read_text(element.name()) {
                        Ok(text) => add(&mut found, &text),
                        Err(_) => break,
                    },
                }
            }
            Ok((_, Event::Eof)) | Err(_) => break,
            Ok(_) => {}
        }
    }
    found
}

/// The texts of all elements `pro` and `pssh`.
pub fn packed_in(xml: &str) -> Vec<String> {
    let mut reader = NsReader::from_str(xml);
    let mut found = Vec::new();
    loop {
        match reader.read_resolved_event() {
            Ok((_, Event::Start(element)))
                if ["pro", "pssh"].contains(&element.local_name().as_ref()) =>
            {
                match reader.read_text(element.name()) {
                    Ok(text) => found.push(text.to_string()),
                    Err(_) => return found,
                }
            }
            Ok((_, Event::Eof)) | Err(_) => return found,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cenc::pssh::tests::box_of;

    const HEADER: &str = r#"<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" version="4.0.0.0"><DATA><KID>AAAAAAAAAAAAAAAAAAAAAA==</KID><LA_URL> https://h/l?a=1&amp;b=2 </LA_URL><ckm:policy xmlns:ckm="urn:ccp:ckm">policy &amp; more</ckm:policy></DATA></WRMHEADER>"#;

    fn object(header: &str) -> Vec<u8> {
        let text: Vec<u8> = header.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let other = [2_u16.to_le_bytes(), 2_u16.to_le_bytes(), [7, 7]].concat();
        let head = [
            HEADER_RECORD.to_le_bytes(),
            (text.len() as u16).to_le_bytes(),
        ]
        .concat();
        let records = [other, head, text].concat();
        let size = (6 + records.len() as u32).to_le_bytes();
        [&size[..], &2_u16.to_le_bytes(), &records].concat()
    }

    #[test]
    fn playready_policy_is_found_in_all_demuxer_formats() {
        let object = object(HEADER);
        let boxed = box_of(0, PLAYREADY_SYSTEM_ID, &object);
        let packed = STANDARD.encode(&object);
        let (first, second) = packed.split_at(20);
        let forms = [
            object.clone(),
            boxed.clone(),
            packed.clone().into_bytes(),
            HEADER.as_bytes().to_vec(),
            format!(
                "<ContentProtection xmlns:mspr='urn:microsoft:playready'><mspr:pro>{first}\n {second}</mspr:pro></ContentProtection>"
            )
            .into_bytes(),
            format!(
                "<ContentProtection><cenc:pssh>{}</cenc:pssh></ContentProtection>",
                STANDARD.encode(boxed)
            )
            .into_bytes(),
        ];
        for form in forms {
            assert_eq!(
                policy(&form).as_deref(),
                Some("policy &amp; more"),
                "{form:?}"
            );
            assert_eq!(
                license_url(&form).as_deref(),
                Some("https://h/l?a=1&b=2"),
                "{form:?}"
            );
        }
    }

    #[test]
    fn what_has_no_policy_or_is_damaged_gives_none() {
        let elsewhere = HEADER.replace("urn:ccp:ckm", "urn:other");
        let without = object("<WRMHEADER/>");
        let whole = object(HEADER);
        let widevine = box_of(0, 0xedef8ba9_79d6_4ace_a3c8_27dcd51d21ed, &whole);
        for form in [
            elsewhere.as_bytes(),
            &without,
            &widevine,
            b"MSPR 2.0",
            b"<",
            b"",
        ] {
            assert_eq!(policy(form), None);
        }
        for cut in 0..whole.len() {
            assert_eq!(policy(&whole[..cut]), None, "cut at {cut}");
        }
    }
}
