// SPDX-License-Identifier: MIT OR Apache-2.0

//! Keys that somebody has written down, for tests and to bring a box up without a license server:
//! a JSON object, key id to key, each in hexadecimal or base64url.

use super::json_web_key::decoded;
use super::{ContentKey, KeyId};
use crate::json::{self, Pairs};
use crate::token::Secret;

/// Keys that a file may have.
const MAX_KEYS: usize = 256;

/// The keys of such an object.
///
/// # Errors
///
/// What is wrong with it, as a part of a sentence. It names key ids, and no key.
pub fn read_keys(text: &[u8]) -> Result<Vec<(KeyId, ContentKey)>, String> {
    let Pairs(pairs) = json::read::<Pairs>(text)?;
    if pairs.len() > MAX_KEYS {
        return Err(format!("holds more than {MAX_KEYS} keys"));
    }
    let keys = pairs.into_iter().enumerate();
    keys.map(|(number, (name, key))| {
        let id = sixteen(&Secret::new(name));
        let id = id.and_then(|bytes| KeyId::from_slice(&bytes));
        let id = id.ok_or_else(|| {
            let number = number + 1;
            format!("has a key id, number {number}, that is not sixteen bytes in hexadecimal or base64url")
        })?;
        let key = sixteen(&key).and_then(|bytes| ContentKey::from_slice(&bytes));
        let key = key.ok_or_else(|| {
            format!("has a key for the key id {id} that is not sixteen bytes in hexadecimal or base64url")
        })?;
        Ok((id, key))
    })
    .collect()
}

/// Hexadecimal, with dashes as in a UUID, or base64url.
fn sixteen(text: &Secret) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let digits = text.expose().bytes().filter(|byte| *byte != b'-');
    let digits = zeroize::Zeroizing::new(digits.collect::<Vec<_>>());
    let nibble = |byte: &u8| char::from(*byte).to_digit(16);
    if digits.len() == 32 && digits.iter().all(|byte| nibble(byte).is_some()) {
        let byte = |pair: &[u8]| {
            let pair = pair.iter().filter_map(nibble);
            pair.fold(0_u32, |byte, nibble| byte << 4 | nibble) as u8
        };
        let bytes = digits.chunks_exact(2).map(byte);
        return Some(zeroize::Zeroizing::new(bytes.collect()));
    }
    decoded(text).filter(|bytes| bytes.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_each_spelling() {
        let text = br#"{
            "00112233445566778899aabbccddeeff": "FFEEDDCCBBAA99887766554433221100",
            "00112233-4455-6677-8899-aabbccddee00": "AAECAwQFBgcICQoLDA0ODw",
            "ABEiM0RVZneImaq7zN3uAQ": "AAECAwQFBgcICQoLDA0ODw=="
        }"#;
        let keys = read_keys(text).expect("three keys");
        let ids: Vec<_> = keys.iter().map(|(id, _)| id.to_string()).collect();
        assert_eq!(
            ids,
            [
                "00112233445566778899aabbccddeeff",
                "00112233445566778899aabbccddee00",
                "00112233445566778899aabbccddee01"
            ]
        );
    }

    #[test]
    fn what_is_no_key_is_named_and_not_quoted() {
        for (text, says) in [
            (
                &br#"{"SECRET":"00112233445566778899aabbccddeeff"}"#[..],
                "number 1",
            ),
            (
                br#"{"00112233445566778899aabbccddeeff":"SECRET"}"#,
                "00112233445566778899aabbccddeeff",
            ),
            (br#"["SECRET"]"#, ""),
            (br#"{"SECRET"#, ""),
        ] {
            let error = read_keys(text).expect_err("no keys");
            assert!(error.contains(says), "{error}");
            assert!(!error.contains("SECRET"), "{error}");
        }
    }
}
