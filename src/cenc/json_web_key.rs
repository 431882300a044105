// SPDX-License-Identifier: MIT OR Apache-2.0

//! One key of a ClearKey license: a symmetric JSON Web Key (RFC 7517, RFC 7518, 6.4) with base64 as
//! servers write it.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{ContentKey, KeyId};
use crate::json::Scalar;
use crate::token::Secret;

/// What base64 becomes before it is decoded. EME prescribes base64url without padding; servers send
/// the standard alphabet, padding and line breaks, and bits beyond the last byte.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// A JSON Web Key (RFC 7517), whatever its members hold.
#[derive(Deserialize)]
pub struct Jwk {
    kty: Option<Scalar>,
    kid: Option<Scalar>,
    k: Option<Scalar>,
    /// When it ends.
    pub exp: Option<Scalar>,
}

/// A key that can be used.
pub struct UsableKey {
    pub key_id: KeyId,
    pub bytes: Zeroizing<Vec<u8>>,
    pub key: ContentKey,
}

impl Jwk {
    /// Its key, if that can be used.
    ///
    /// # Errors
    ///
    /// What is wrong with it, to follow "a key in the license". It quotes nothing.
    pub fn usable(&self) -> Result<UsableKey, String> {
        let text = |member: &Option<Scalar>| member.as_ref().and_then(Scalar::text).cloned();
        if let Some(kty) = &self.kty {
            // Without `kty` the other members tell a symmetric key.
            let is_oct = |kty: &Secret| kty.expose().eq_ignore_ascii_case("oct");
            if !kty.text().is_some_and(is_oct) {
                return Err("has a `kty` other than `oct`".to_owned());
            }
        }
        let key_id = text(&self.kid).ok_or("has no `kid`")?;
        let key_id = decoded(&key_id)
            .and_then(|bytes| KeyId::from_slice(&bytes))
            .ok_or("has a `kid` that is not sixteen bytes in base64url")?;
        let k = text(&self.k).ok_or_else(|| format!("has no `k` for the key id {key_id}"))?;
        decoded(&k)
            .and_then(|bytes| {
                let key = ContentKey::from_slice(&bytes)?;
                Some(UsableKey { key_id, bytes, key })
            })
            .ok_or_else(|| {
                format!("has a `k` for the key id {key_id} that is not sixteen bytes in base64url")
            })
    }
}

/// The bytes of a text in base64url or base64, with or without padding and white space.
/// The bytes that base64 stands for, as servers write it.
pub fn decoded(text: &Secret) -> Option<Zeroizing<Vec<u8>>> {
    let characters = text.expose().trim_ascii_end().trim_end_matches('=').chars();
    let characters = characters.filter(|letter| !letter.is_ascii_whitespace());
    let urlsafe = characters.map(|letter| match letter {
        '+' => '-',
        '/' => '_',
        letter => letter,
    });
    let mut packed = Zeroizing::new(String::with_capacity(text.expose().len()));
    packed.extend(urlsafe);
    LENIENT.decode(packed.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_in_either_alphabet() {
        let bytes = 0xfbff01_u32.to_be_bytes();
        for text in ["-_8B", "+/8B", "-/8B", " +_8\r\nB ", "+ / 8 B"] {
            let read = decoded(&Secret::from(text));
            assert_eq!(
                read.as_deref().map(Vec::as_slice),
                Some(&bytes[1..]),
                "{text}"
            );
        }
        for (text, length) in [("-_8=", 2), ("-_8", 2), ("-_9=\n", 2), ("-w==", 1), ("", 0)] {
            let read = decoded(&Secret::from(text));
            assert_eq!(read.map(|bytes| bytes.len()), Some(length), "{text}");
        }
        for text in ["-", "=-_8B", "-_=8B", "-_8B\0", "-_8.", "%2B_8B"] {
            assert!(decoded(&Secret::from(text)).is_none(), "{text}");
        }
    }
}
