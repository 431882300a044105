// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether a server's text repeats a secret: as it is, in other case, as hexadecimal digits, as
//! base64, percent-encoded, or a part of any of these.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use crate::token::Secret;

/// So many bytes in a row of a secret give it away, and are no word of a language by chance.
const PART: usize = 8;

/// A text as it is searched.
pub struct Haystack {
    /// In lower case.
    text: Zeroizing<String>,
    parts: HashSet<[u8; PART]>,
}

impl Haystack {
    pub fn new(text: &str) -> Self {
        let text = Zeroizing::new(text.to_lowercase());
        let parts = text.as_bytes().windows(PART).map(part).collect();
        Self { text, parts }
    }

    /// Whether the text repeats it, or a part of it. Nothing repeats an empty one.
    pub fn repeats(&self, secret: &Secret) -> bool {
        let secret = secret.expose();
        if secret.is_empty() {
            return false;
        }
        let bytes = secret.as_bytes();
        let forms = [
            secret.to_owned(),
            hex(bytes),
            STANDARD_NO_PAD.encode(bytes),
            URL_SAFE_NO_PAD.encode(bytes),
            byte_serialize(bytes).collect(),
        ];
        forms.into_iter().any(|form| {
            let form = Zeroizing::new(form);
            self.has(&Zeroizing::new(form.to_lowercase()))
        })
    }

    fn has(&self, form: &str) -> bool {
        match form.len() {
            ..=PART => self.text.contains(form),
            _ => form
                .as_bytes()
                .windows(PART)
                .any(|bytes| self.parts.contains(&part(bytes))),
        }
    }
}

fn part(bytes: &[u8]) -> [u8; PART] {
    let mut part = [0; PART];
    part.copy_from_slice(bytes);
    part
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "Correct/Horse+Battery?Staple";

    fn repeats(text: &str) -> bool {
        Haystack::new(text).repeats(&Secret::from(SECRET))
    }

    #[test]
    fn secret_is_found_in_each_form() {
        for text in [
            SECRET.to_owned(),
            SECRET.to_lowercase(),
            SECRET.to_uppercase(),
            hex(SECRET.as_bytes()),
            hex(SECRET.as_bytes()).to_uppercase(),
            STANDARD_NO_PAD.encode(SECRET),
            URL_SAFE_NO_PAD.encode(SECRET),
            byte_serialize(SECRET.as_bytes()).collect(),
        ] {
            assert!(repeats(&format!("no such user: {text}, sorry")), "{text}");
            // A part of it gives enough away.
            assert!(repeats(&format!("…{}…", &text[4..16])), "{text}");
        }
    }

    #[test]
    fn text_of_its_own_is_none() {
        for text in [
            "",
            "correct",
            "This account may not watch channel 7.",
            "batter",
        ] {
            assert!(!repeats(text), "{text}");
        }
        assert!(!Haystack::new("anything").repeats(&Secret::from("")));
    }

    #[test]
    fn short_secret_is_found_whole() {
        let repeats = |text: &str| Haystack::new(text).repeats(&Secret::from("Tr0ub4"));
        assert!(repeats("user tr0ub4 is unknown"));
        assert!(repeats(&hex(b"Tr0ub4")));
        assert!(!repeats("tr0ub"));
    }
}
