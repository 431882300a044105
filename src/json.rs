// SPDX-License-Identifier: MIT OR Apache-2.0

//! JSON from servers and files, read strictly: objects where objects belong, each name once, and no
//! error text that quotes what it read.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};

use crate::token::Secret;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a whole text as one JSON object.
///
/// # Errors
///
/// What is wrong and where, to go on after "it is": serde's own texts can quote what was read, so
/// only their place and class are passed on.
pub fn read_object<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    read::<Object<T>>(text).map(|object| object.0)
}

/// As [`read_object`], for whatever shape `T` has.
///
/// A byte order mark is ignored, as RFC 8259, 8.1 allows: some servers send one.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    read_by(text, PhantomData)
}

/// As [`read`], of which `seed` makes what it will.
pub fn read_by<'a, S: DeserializeSeed<'a>>(text: &'a [u8], seed: S) -> Result<S::Value, String> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    // serde_json looks only at what it keeps, and JSON is UTF-8 throughout (RFC 8259, 8.1).
    let text = std::str::from_utf8(text).map_err(|_| "not JSON: it is not UTF-8".to_owned())?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| complaint(&error))
}

fn complaint(error: &serde_json::Error) -> String {
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Eof => format!("not JSON: it ends at {place}"),
        serde_json::error::Category::Data => {
            format!("JSON of another shape than expected ({place})")
        }
        _ => format!("not JSON ({place})"),
    }
}

/// A value that must be written as an object. What serde derives for a struct would take an array's
/// elements for its fields, in order.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer
            .deserialize_map(Fields(PhantomData))
            .map(Object)
    }
}

/// An element of a list in which others than objects are ignored.
pub enum Element<T> {
    Object(T),
    Other,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Element<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = Element<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Element::Object)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Element<T>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Element::Other)
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Element<T>, E> {
                Ok(Element::Other)
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Element<T>, E> {
                Ok(Element::Other)
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Element<T>, E> {
                Ok(Element::Other)
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Element<T>, E> {
                Ok(Element::Other)
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Element<T>, E> {
                Ok(Element::Other)
            }

            fn visit_unit<E: de::Error>(self) -> Result<Element<T>, E> {
                Ok(Element::Other)
            }
        }

        deserializer.deserialize_any(Any(PhantomData))
    }
}

/// A JSON value of which only the simple ones are of use.
pub enum Scalar {
    Text(Secret),
    Integer(i64),
    /// A number with a fraction or an exponent.
    Fraction(f64),
    Bool(bool),
    Other,
}

impl Scalar {
    /// A whole number, or a string of decimal digits that holds one.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Scalar::Integer(number) => Some(*number),
            Scalar::Text(text) => decimal(text.expose()),
            Scalar::Fraction(_) | Scalar::Bool(_) | Scalar::Other => None,
        }
    }

    /// A time in seconds since the epoch, which may have a fraction (NumericDate, RFC 7519, 2).
    pub fn date(&self) -> Option<SystemTime> {
        let since_epoch = match self {
            Scalar::Integer(seconds) => Duration::from_secs(u64::try_from(*seconds).ok()?),
            Scalar::Fraction(seconds) => Duration::try_from_secs_f64(*seconds).ok()?,
            Scalar::Text(_) | Scalar::Bool(_) | Scalar::Other => return None,
        };
        SystemTime::UNIX_EPOCH.checked_add(since_epoch)
    }

    pub fn text(&self) -> Option<&Secret> {
        match self {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Digits, with a minus before them or without.
fn decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_decimal = digits.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal)
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(Secret::from(text)))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(i64::try_from(number).map_or(Scalar::Other, Scalar::Integer))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::Fraction(number))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// An object of names and values, texts for the most part, in the order in which it is written. A
/// name may come once.
pub struct Pairs<T = Secret>(pub Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Pairs<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<T>, A::Error> {
                let mut pairs: Vec<(String, T)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if pairs.iter().any(|(known, _)| *known == name) {
                        return Err(de::Error::custom("a name comes twice"));
                    }
                    pairs.push((name, value));
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_keep_written_order() {
        let Ok(Pairs(pairs)) = read::<Pairs>(br#"{"z":"1","a":"2","m":""}"#) else {
            panic!("an object of strings");
        };
        let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["z", "a", "m"]);
        assert_eq!(pairs[1].1.expose(), "2");
    }

    #[test]
    fn invalid_pairs_error_describes_without_quoting() {
        for (text, says) in [
            (r#"{"SECRET":"SECRET","SECRET":"SECRET"}"#, "shape"),
            (r#"{"SECRET":17}"#, "shape"),
            (r#"["SECRET"]"#, "shape"),
            (r#"{"SECRET":"SECRET"} SECRET"#, "not JSON"),
            (r#"{"SECRET":"#, "ends at line 1"),
            ("", "ends at line 1"),
        ] {
            let Err(complaint) = read::<Pairs>(text.as_bytes()) else {
                panic!("{text} was accepted");
            };
            assert!(complaint.contains(says), "{text}: {complaint}");
            assert!(!complaint.contains("SECRET"), "{complaint}");
        }
    }

    #[test]
    fn number_in_a_string_is_digits_and_nothing_else() {
        for (text, number) in [
            ("0", Some(0)),
            ("-17", Some(-17)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("+0", None),
            (" 0", None),
            ("0x0", None),
            ("-", None),
            ("--1", None),
            ("", None),
        ] {
            assert_eq!(
                Scalar::Text(Secret::from(text)).integer(),
                number,
                "{text:?}"
            );
        }
    }

    #[test]
    fn date_is_epoch_seconds_with_optional_fraction() {
        let date = |text: &str| match read::<Scalar>(text.as_bytes()) {
            Ok(scalar) => scalar.date(),
            Err(complaint) => panic!("{text} is {complaint}"),
        };
        let at = |milliseconds| Some(SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds));
        assert_eq!(date("1300819380"), at(1_300_819_380_000));
        assert_eq!(date("1300819380.5"), at(1_300_819_380_500));
        for text in ["-1", "1e300", "\"1300819380\"", "true", "null", "[1]"] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn read_ignores_a_byte_order_mark() {
        let Ok(Pairs(pairs)) = read::<Pairs>(b"\xef\xbb\xbf {\"z\":\"1\"}") else {
            panic!("an object of strings");
        };
        assert_eq!(pairs.len(), 1);
        // One alone, and not in the middle.
        for text in [
            &b"\xef\xbb\xbf\xef\xbb\xbf{}"[..],
            b"{\xef\xbb\xbf}",
            b"\xef\xbb\xbf",
        ] {
            assert!(read::<Pairs>(text).is_err());
        }
    }

    #[test]
    fn element_is_an_object_or_ignored() {
        let text = br#"[{"z":"1"},["z"],"z",1,-1,0.5,true,null]"#;
        let Ok(elements) = read::<Vec<Element<Pairs>>>(text) else {
            panic!("a list");
        };
        let is_object = |one: &Element<_>| matches!(one, Element::Object(_));
        let objects: Vec<_> = elements.iter().map(is_object).collect();
        assert_eq!(
            objects,
            [true, false, false, false, false, false, false, false]
        );
    }

    #[test]
    fn array_is_not_taken_for_the_fields_of_an_object() {
        #[derive(Deserialize)]
        struct Reply {
            token: String,
        }
        let reply = read_object::<Reply>(br#"{"token":"t"}"#).map(|reply| reply.token);
        assert_eq!(reply, Ok("t".to_owned()));
        assert!(read_object::<Reply>(br#"["t"]"#).is_err());
        assert!(read::<Object<Reply>>(br#"["t"]"#).is_err());
    }
}
