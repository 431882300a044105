// SPDX-License-Identifier: MIT OR Apache-2.0

//! The one type for text that must not be seen: tokens, credentials, bodies that hold them.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// A text that is wiped when it is dropped and that no formatter prints.
///
/// There is no `Display`, and `Debug` says only that there is something. Whoever needs the text
/// calls [`Secret::expose`], which is easy to search for.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; the caller's `String` is not copied.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the wire or for the structure of a key request and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_line_does_not_give_a_token_away() {
        let secret = Secret::from("eyJhbGciOi");
        let printed = format!("{secret:?} {:#?}", Some(&secret));
        assert!(!printed.contains("eyJ"), "{printed}");
    }
}
