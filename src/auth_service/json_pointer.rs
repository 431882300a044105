// SPDX-License-Identifier: MIT OR Apache-2.0

//! A value in a JSON text, found by a JSON Pointer (RFC 6901). Nothing else of the text is kept.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::Failure;
use crate::json::{self, Scalar};

/// Names and numbers in a pointer: the depth to which serde_json reads at all.
const MAX_PARTS: usize = 64;

/// Longest pointer, in bytes.
const MAX_LEN: usize = 1024;

/// Where a value stands in a JSON text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonPointer(Vec<String>);

impl JsonPointer {
    /// `setting` is the property that the text came from, for the error.
    ///
    /// # Errors
    ///
    /// `Misconfigured` for what is no pointer.
    pub fn parse(text: &str, setting: &str) -> Result<Self, Failure> {
        let complaint = |what: &str| {
            Err(Failure::misconfigured(format!(
                "`{setting}` is no JSON Pointer (RFC 6901): {what}"
            )))
        };
        let Some(parts) = text.strip_prefix('/') else {
            return complaint("write it with a slash before each name, as in /data/token");
        };
        if text.len() > MAX_LEN {
            return complaint("it is longer than 1024 bytes");
        }
        let parts: Option<Vec<_>> = parts.split('/').map(unescaped).collect();
        match parts {
            None => complaint("a ~ stands for nothing but in ~0 and ~1"),
            Some(parts) if parts.len() > MAX_PARTS => complaint("it has more than 64 parts"),
            Some(parts) => Ok(Self(parts)),
        }
    }

    /// The value at this place; `None` where there is none.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, to go on after "it is". A name on the way that comes twice is
    /// an error: which one counts would be anybody's guess.
    pub fn find(&self, text: &[u8]) -> Result<Option<Scalar>, String> {
        json::read_by(text, At(&self.0))
    }
}

/// `~1` stands for `/` and `~0` for `~` (RFC 6901, 4); `None` for any other use of `~`.
fn unescaped(part: &str) -> Option<String> {
    let mut pieces = part.split('~');
    let mut text = pieces.next()?.to_owned();
    for piece in pieces {
        let (escaped, rest) = match piece.as_bytes().first()? {
            b'0' => ('~', &piece[1..]),
            b'1' => ('/', &piece[1..]),
            _ => return None,
        };
        text.push(escaped);
        text.push_str(rest);
    }
    Some(text)
}

/// The place in an array: digits without a leading zero (RFC 6901, 4).
fn index(part: &str) -> Option<usize> {
    let is_digits = part.bytes().all(|byte| byte.is_ascii_digit());
    let is_canonical = part == "0" || !part.starts_with('0');
    part.parse().ok().filter(|_| is_digits && is_canonical)
}

/// Reads the value that these parts lead to from here.
struct At<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<Scalar>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => Scalar::deserialize(deserializer).map(Some),
            [first, rest @ ..] => deserializer.deserialize_any(Inside { first, rest }),
        }
    }
}

/// Looks for `first` in an object or an array, and goes on with the rest.
struct Inside<'a> {
    first: &'a str,
    rest: &'a [String],
}

impl<'de> Visitor<'de> for Inside<'_> {
    type Value = Option<Scalar>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(Is(self.first))? {
            if !is_it {
                map.next_value::<IgnoredAny>()?;
            } else if found.is_some() {
                return Err(de::Error::custom("a name comes twice"));
            } else {
                found = Some(map.next_value_seed(At(self.rest))?);
            }
        }
        Ok(found.flatten())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        if let Some(wanted) = index(self.first) {
            let mut at = 0;
            while at < wanted && seq.next_element::<IgnoredAny>()?.is_some() {
                at += 1;
            }
            found = seq.next_element_seed(At(self.rest))?;
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found.flatten())
    }

    // There is nothing inside the others.

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a name is this one.
struct Is<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(text: &str) -> JsonPointer {
        JsonPointer::parse(text, "token-pointer").unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    fn found(at: &str, text: &str) -> Result<Option<String>, String> {
        let scalar = pointer(at).find(text.as_bytes())?;
        let text = scalar.map(|scalar| match scalar {
            Scalar::Text(text) => text.expose().to_owned(),
            Scalar::Integer(number) => number.to_string(),
            _ => "another".to_owned(),
        });
        Ok(text)
    }

    #[test]
    fn find_reads_the_example_of_rfc_6901() {
        let text = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
        for (at, value) in [
            ("/foo", "another"),
            ("/foo/0", "bar"),
            ("/foo/1", "baz"),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            assert_eq!(found(at, text), Ok(Some(value.to_owned())), "{at}");
        }
    }

    #[test]
    fn find_gives_nothing_where_nothing_is() {
        let text = r#"{"a":{"b":["x"]},"t":"text","n":1}"#;
        for at in [
            "/b", "/a/c", "/a/b/1", "/a/b/00", "/a/b/-", "/a/b/x", "/t/0", "/n/x", "/A",
        ] {
            assert_eq!(found(at, text), Ok(None), "{at}");
        }
        for text in ["[]", "1", "null", r#""a""#, "true", "0.5"] {
            assert_eq!(found("/a", text), Ok(None), "{text}");
        }
    }

    #[test]
    fn find_takes_no_name_that_comes_twice() {
        for text in [
            r#"{"a":{"t":"SECRET"},"a":{"t":"SECRET"}}"#,
            r#"{"a":{"t":"SECRET","t":"SECRET"}}"#,
            r#"{"a":{"t":"SECRET"}"#,
            r#"{"a":{"t":"SECRET"}} SECRET"#,
            "SECRET",
            "",
        ] {
            let complaint = found("/a/t", text).expect_err(text);
            assert!(!complaint.contains("SECRET"), "{complaint}");
        }
        // One that is not on the way is no concern.
        let text = r#"{"b":1,"b":2,"a":{"t":"x"}}"#;
        assert_eq!(found("/a/t", text), Ok(Some("x".to_owned())));
    }

    #[test]
    fn find_survives_a_deep_text() {
        let deep = format!(r#"{{"a":{}"#, "[".repeat(100_000));
        assert!(found("/a/0", &deep).is_err());
    }

    #[test]
    fn pointer_that_is_none_is_an_error_with_its_property() {
        let long = format!("/{}", "a".repeat(2000));
        let deep = "/a".repeat(65);
        for text in ["a", "a/b", "#/a", "/a~", "/a~2b", "/~", &long, &deep] {
            let failure = JsonPointer::parse(text, "expires-pointer").expect_err(text);
            assert!(
                failure.what.contains("`expires-pointer`"),
                "{}",
                failure.what
            );
        }
    }
}
