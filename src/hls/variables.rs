// SPDX-License-Identifier: MIT OR Apache-2.0

//! Variables of a playlist: `{$name}`, from EXT-X-DEFINE (draft-pantos-hls-rfc8216bis, 4.3 and 4.4.2.3).

use std::collections::HashMap;

use url::Url;

use super::attributes::text;

/// Most text that substitution may make of a line.
const MAX_LINE: usize = 64 * 1024;

/// Longest name that is looked for.
const MAX_NAME: usize = 256;

/// Names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(HashMap<String, String>);

impl Variables {
    /// Takes in the attributes of an EXT-X-DEFINE. `imported` are those of the multivariant playlist, `url` is that of this one.
    pub fn define(&mut self, list: &str, imported: &Variables, url: &Url) {
        let (name, value) = if let Some(name) = text(list, "NAME") {
            (name, text(list, "VALUE").map(str::to_owned))
        } else if let Some(name) = text(list, "IMPORT") {
            (name, imported.0.get(name).cloned())
        } else if let Some(name) = text(list, "QUERYPARAM") {
            let of_name = |(known, _): &(_, _)| *known == name;
            let pair = url.query_pairs().find(of_name);
            (name, pair.map(|(_, value)| value.into_owned()))
        } else {
            return;
        };
        // What would end a text or a line is in nobody's value.
        let is_sound = |value: &String| !value.contains(|one: char| one == '"' || one.is_control());
        if let Some(value) = value.filter(is_sound) {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// The text with values in the place of names. A name that is not defined stays.
    pub fn substitute(&self, text: &str) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, reference)) = rest.split_once("{$") {
            result.push_str(before);
            let end = reference
                .bytes()
                .take(MAX_NAME)
                .position(|byte| byte == b'}');
            let known = end.and_then(|end| {
                let value = self.0.get(&reference[..end])?;
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
        result + rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_from_the_playlist_the_one_above_it_and_the_query() {
        let url = Url::parse("https://h/p.m3u8?token=a%20b").expect("a URL");
        let mut master = Variables::default();
        master.define(r#"NAME="host",VALUE="cdn""#, &Variables::default(), &url);
        let mut media = Variables::default();
        media.define(r#"IMPORT="host""#, &master, &url);
        media.define(r#"IMPORT="unknown""#, &master, &url);
        media.define(r#"QUERYPARAM="token""#, &master, &url);
        assert_eq!(
            media.substitute("https://{$host}/{$unknown}/{$token}{$"),
            "https://cdn/{$unknown}/a b{$"
        );
        assert_eq!(media.substitute("plain"), "plain");
    }
}
