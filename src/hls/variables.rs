// SPDX-License-Identifier: MIT OR Apache-2.0

//! Variables of a playlist: `{$name}`, from EXT-X-DEFINE (draft-pantos-hls-rfc8216bis, 4.3 and
//! 4.4.2.3).

use std::borrow::Cow;
use std::collections::HashMap;

use url::Url;

use super::attributes::text;

/// Most text that substitution may make of a line.
const MAX_LINE: usize = 64 * 1024;

/// Longest name that is looked for.
const MAX_NAME: usize = 256;

/// Variables that one playlist may define, and the bytes of their names and values. Operators
/// define a handful.
const MAX_VARIABLES: usize = 256;
const MAX_BYTES: usize = 128 * 1024;

/// Names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    values: HashMap<String, String>,
    bytes: usize,
}

impl Variables {
    /// Takes in the attributes of an EXT-X-DEFINE. `imported` are those of the multivariant
    /// playlist, `query` are the parameters in the URL of this one. Of one name the first
    /// definition counts: a second one is an error (draft-pantos-hls-rfc8216bis, 4.4.2.3).
    pub fn define(&mut self, list: &str, imported: &Variables, query: &QueryParameters) {
        let (name, value) = if let Some(name) = text(list, "NAME") {
            (name, text(list, "VALUE"))
        } else if let Some(name) = text(list, "IMPORT") {
            (name, imported.values.get(name).map(String::as_str))
        } else if let Some(name) = text(list, "QUERYPARAM") {
            (name, query.0.get(name).map(String::as_str))
        } else {
            return;
        };
        let Some(value) = value else {
            return;
        };
        // Before anything is read that does not stand in the tag: there may be a million of them.
        let bytes = self.bytes + name.len() + value.len();
        let is_full = self.values.len() >= MAX_VARIABLES || bytes > MAX_BYTES;
        if !is_full && !self.values.contains_key(name) && is_sound(value) {
            self.bytes = bytes;
            self.values.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The text with values in the place of names. A name that is not defined stays.
    pub fn substitute<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.values.is_empty() || !text.contains("{$") {
            return Cow::Borrowed(text);
        }
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, reference)) = rest.split_once("{$") {
            result.push_str(before);
            let end = reference
                .bytes()
                .take(MAX_NAME)
                .position(|byte| byte == b'}');
            let known = end.and_then(|end| {
                let value = self.values.get(&reference[..end])?;
                Some((value, &reference[end + 1..]))
            });
            match known {
                Some((value, after)) if result.len() + value.len() <= MAX_LINE => {
                    result.push_str(value);
                    rest = after;
                }
                _ => {
                    result.push_str("{$");
                    rest = reference;
                }
            }
        }
        Cow::Owned(result + rest)
    }
}

/// The parameters in a playlist's URL, read once.
#[derive(Debug, Default)]
pub struct QueryParameters(HashMap<String, String>);

impl QueryParameters {
    pub fn of(url: &Url) -> Self {
        let mut parameters = HashMap::new();
        for (name, value) in url.query_pairs().take(MAX_VARIABLES) {
            // Of one name the first counts.
            let value = || value.into_owned();
            parameters.entry(name.into_owned()).or_insert_with(value);
        }
        parameters.retain(|_, value| is_sound(value));
        Self(parameters)
    }
}

/// Whether that is the value of a variable. What would end a text or a line is in nobody's.
fn is_sound(value: &str) -> bool {
    !value.contains(|one: char| one == '"' || one.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Variables {
        Variables::default()
    }

    #[test]
    fn variables_come_from_playlist_parent_and_query() {
        let url = Url::parse("https://h/p.m3u8?token=a%20b&token=c").expect("a URL");
        let query = QueryParameters::of(&url);
        let mut master = Variables::default();
        master.define(r#"NAME="host",VALUE="cdn""#, &none(), &query);
        let mut media = Variables::default();
        media.define(r#"IMPORT="host""#, &master, &query);
        media.define(r#"IMPORT="unknown""#, &master, &query);
        media.define(r#"QUERYPARAM="token""#, &master, &query);
        assert_eq!(
            media.substitute("https://{$host}/{$unknown}/{$token}{$"),
            "https://cdn/{$unknown}/a b{$"
        );
        assert_eq!(media.substitute("plain"), "plain");
    }

    #[test]
    fn define_is_bounded() {
        let query = QueryParameters::default();
        let mut many = Variables::default();
        for number in 0..2 * MAX_VARIABLES {
            many.define(&format!(r#"NAME="{number}",VALUE="v""#), &none(), &query);
        }
        assert_eq!(many.values.len(), MAX_VARIABLES);
        let mut large = Variables::default();
        let value = "x".repeat(60_000);
        for name in ["a", "b", "a", "c", "d"] {
            let list = format!(r#"NAME="{name}",VALUE="{value}""#);
            large.define(&list, &none(), &query);
        }
        assert_eq!(large.values.len(), 2);
        assert!(large.bytes <= MAX_BYTES);
    }
}
