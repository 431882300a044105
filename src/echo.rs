// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether a server's text repeats a secret: as it is, in other case, as hexadecimal digits, as
//! base64, percent-encoded, or a part of any of these.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use crate::token::Secret;

/// So many bytes in a row of a secret give it away.
const PART: usize = 8;

/// So many, where the part may be a word: a password may have `password` in it.
const WORD: usize = 12;

/// A text as it is searched.
pub struct Haystack {
    /// In lower case.
    text: Zeroizing<String>,
    parts: HashSet<[u8; PART]>,
    long_parts: HashSet<[u8; WORD]>,
}

impl Haystack {
    pub fn new(text: &str) -> Self {
        let text = Zeroizing::new(text.to_lowercase());
        Self {
            parts: parts(&text).collect(),
            long_parts: parts(&text).collect(),
            text,
        }
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
        forms
            .into_iter()
            .any(|form| self.has(&Zeroizing::new(form)))
    }

    fn has(&self, form: &str) -> bool {
        let lower = Zeroizing::new(form.to_lowercase());
        if lower.len() <= PART || lower.len() < WORD && is_word(form) {
            return self.text.contains(&**lower);
        }
        let words = form.as_bytes().windows(PART).map(is_word_part);
        let short = parts(&lower).zip(words);
        short
            .into_iter()
            .any(|(part, is_word)| !is_word && self.parts.contains(&part))
            || parts(&lower).any(|part| self.long_parts.contains(&part))
    }
}

/// All that is so long.
fn parts<const LENGTH: usize>(text: &str) -> impl Iterator<Item = [u8; LENGTH]> {
    let windows = text.as_bytes().windows(LENGTH);
    windows.map(|bytes| {
        let mut part = [0; LENGTH];
        part.copy_from_slice(bytes);
        part
    })
}

fn is_word(text: &str) -> bool {
    is_word_part(text.as_bytes())
}

/// Letters of one case, the first one aside.
fn is_word_part(bytes: &[u8]) -> bool {
    let rest = bytes.get(1..).unwrap_or_default();
    bytes.iter().all(u8::is_ascii_alphabetic)
        && (rest.iter().all(u8::is_ascii_lowercase) || rest.iter().all(u8::is_ascii_uppercase))
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
    fn word_that_a_secret_has_is_none() {
        let repeats = |text: &str| Haystack::new(text).repeats(&Secret::from("SECRET-PASSWORD"));
        assert!(!repeats("Wrong password."));
        assert!(!repeats("This is secret."));
        assert!(repeats("Wrong: secret-password."));
        assert!(repeats("Wrong: …ret-password."));
        assert!(repeats("Wrong: secret-p…"));
        let word = Secret::from("troubadour");
        assert!(Haystack::new("no Troubadour here").repeats(&word));
        assert!(!Haystack::new("no troubado here").repeats(&word));
    }

    #[test]
    fn short_secret_is_found_whole() {
        let repeats = |text: &str| Haystack::new(text).repeats(&Secret::from("Tr0ub4"));
        assert!(repeats("user tr0ub4 is unknown"));
        assert!(repeats(&hex(b"Tr0ub4")));
        assert!(!repeats("tr0ub"));
    }
}
