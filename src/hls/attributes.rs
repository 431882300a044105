// SPDX-License-Identifier: MIT OR Apache-2.0

//! Attribute lists of tags: `NAME=value,NAME="text, with commas"` (RFC 8216, 4.2).
//!
//! Packagers also write white space around names and values, and empty attributes (`,,`).

/// One attribute, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    pub name: &'a str,
    /// With its quotes, where it has some.
    pub value: &'a str,
}

impl<'a> Attribute<'a> {
    /// The value without quotes.
    pub fn text(self) -> &'a str {
        self.value
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(self.value)
    }
}

/// One attribute, and where it stands in its list.
struct Found<'a> {
    /// Commas and white space before it.
    before: &'a str,
    attribute: Attribute<'a>,
    /// The attribute and its comma, as written.
    written: &'a str,
    rest: &'a str,
}

/// The attributes of a list, in order. What is damaged ends it.
pub fn attributes(list: &str) -> impl Iterator<Item = Attribute<'_>> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let found = split_first(rest)?;
        rest = found.rest;
        Some(found.attribute)
    })
}

fn split_first(list: &str) -> Option<Found<'_>> {
    let start = list.len() - list.trim_start_matches([',', ' ', '\t']).len();
    let (before, list) = list.split_at(start);
    let (name, value) = list.split_once('=')?;
    let value = value.trim_start_matches([' ', '\t']);
    let end = match value.strip_prefix('"') {
        Some(quoted) => quoted.find('"')? + 2,
        None => value.find(',').unwrap_or(value.len()),
    };
    let (value, after) = value.split_at(end);
    let after = after.trim_start_matches([' ', '\t']);
    let rest = match after.is_empty() {
        true => after,
        // What stands between a quote and the next comma belongs to neither.
        false => after.strip_prefix(',')?,
    };
    Some(Found {
        before,
        attribute: Attribute {
            name: name.trim(),
            value: value.trim_end(),
        },
        written: &list[..list.len() - rest.len()],
        rest,
    })
}

/// The text of the attribute of that name.
pub fn text<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    attributes(list)
        .find(|attribute| attribute.name == name)
        .map(Attribute::text)
}

/// The list with some values changed: `change` gives the new text, which gets quotes, or `None` for
/// what stays. What is damaged stays as it is.
///
/// # Errors
///
/// The list would have more than `max` bytes.
pub fn with_texts(
    list: &str,
    max: usize,
    mut change: impl FnMut(Attribute) -> Option<String>,
) -> Result<String, TooLong> {
    let mut changed = String::with_capacity(list.len());
    let mut rest = list;
    while let Some(found) = split_first(rest) {
        match change(found.attribute) {
            Some(text) => {
                changed.push_str(found.before);
                changed.push_str(&format!("{}=\"{text}\"", found.attribute.name));
                // The comma, if there is one.
                changed.push_str(if found.written.ends_with(',') {
                    ","
                } else {
                    ""
                });
            }
            None => changed.push_str(&rest[..rest.len() - found.rest.len()]),
        }
        if changed.len() > max {
            return Err(TooLong);
        }
        rest = found.rest;
    }
    Ok(changed + rest)
}

/// A line that grows beyond its bound when its URIs are written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1000;

    #[test]
    fn commas_and_signs_in_a_text_belong_to_it() {
        let list = r#"METHOD=SAMPLE-AES,URI="data:text/plain;base64,AA==",IV=0x00,KEYFORMAT="a,b""#;
        let found: Vec<_> = attributes(list).map(|one| (one.name, one.text())).collect();
        assert_eq!(
            found,
            [
                ("METHOD", "SAMPLE-AES"),
                ("URI", "data:text/plain;base64,AA=="),
                ("IV", "0x00"),
                ("KEYFORMAT", "a,b"),
            ]
        );
        assert_eq!(with_texts(list, MAX, |_| None).as_deref(), Ok(list));
        assert_eq!(text(list, "IV"), Some("0x00"));
        assert_eq!(text(list, "RI"), None);
    }

    #[test]
    fn white_space_and_empty_attributes_are_passed_over() {
        for list in [
            r#"METHOD = AES-128 , URI = "k" ,, IV=0x01"#,
            r#", METHOD=AES-128,	URI="k",,,IV= 0x01 ,"#,
        ] {
            let found: Vec<_> = attributes(list).map(|one| (one.name, one.text())).collect();
            assert_eq!(
                found,
                [("METHOD", "AES-128"), ("URI", "k"), ("IV", "0x01")],
                "{list}"
            );
            assert_eq!(with_texts(list, MAX, |_| None).as_deref(), Ok(list));
        }
    }

    #[test]
    fn damaged_list_ends_where_it_is_damaged() {
        for (list, count) in [
            ("", 0),
            ("A", 0),
            ("A=1,B", 1),
            (r#"A=1,B="x"#, 1),
            (r#"A="1"2,B=3"#, 0),
            ("=,=", 2),
        ] {
            assert_eq!(attributes(list).count(), count, "{list}");
            assert_eq!(with_texts(list, MAX, |_| None).as_deref(), Ok(list));
        }
    }

    #[test]
    fn text_is_changed_in_its_place() {
        let changed = with_texts(r#"URI="a",BYTERANGE="7@0""#, MAX, |one| {
            (one.name == "URI").then(|| "b".to_owned())
        });
        assert_eq!(changed.as_deref(), Ok(r#"URI="b",BYTERANGE="7@0""#));
    }

    #[test]
    fn with_texts_is_bounded() {
        let list = ["URI=a"; 100].join(",");
        let mut calls = 0;
        let changed = with_texts(&list, MAX, |_| {
            calls += 1;
            Some("x".repeat(500))
        });
        assert_eq!((changed, calls), (Err(TooLong), 2));
    }
}
