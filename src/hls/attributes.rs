// SPDX-License-Identifier: MIT OR Apache-2.0

//! Attribute lists of tags: `NAME=value,NAME="text, with commas"` (RFC 8216, 4.2).

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
            .trim()
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(self.value.trim())
    }
}

/// The attributes of a list, in order. What is damaged ends it.
pub fn attributes(list: &str) -> impl Iterator<Item = Attribute<'_>> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let (attribute, after) = split_first(rest)?;
        rest = after;
        Some(attribute)
    })
}

/// The first attribute, and what comes behind it and its comma.
fn split_first(list: &str) -> Option<(Attribute<'_>, &str)> {
    let (name, after) = list.split_once('=')?;
    let end = match after.strip_prefix('"') {
        Some(quoted) => quoted.find('"')? + 2,
        None => after.find(',').unwrap_or(after.len()),
    };
    let (value, after) = after.split_at(end);
    let rest = match after.is_empty() {
        true => after,
        // What stands between a quote and the next comma belongs to neither.
        false => after.strip_prefix(',')?,
    };
    let name = name.trim();
    Some((Attribute { name, value }, rest))
}

/// The text of the attribute of that name.
pub fn text<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    attributes(list)
        .find(|attribute| attribute.name == name)
        .map(Attribute::text)
}

/// The list with some values changed: `change` gives the new text, which gets quotes, or `None` for what stays. What is damaged stays
/// as it is.
pub fn with_texts(list: &str, mut change: impl FnMut(Attribute) -> Option<String>) -> String {
    let mut changed = String::with_capacity(list.len());
    let mut rest = list;
    while let Some((attribute, after)) = split_first(rest) {
        match change(attribute) {
            Some(text) => {
                changed.push_str(&format!("{}=\"{text}\"", attribute.name));
                // The comma, if there is one.
                let written = &rest[..rest.len() - after.len()];
                changed.push_str(if written.ends_with(',') { "," } else { "" });
            }
            None => changed.push_str(&rest[..rest.len() - after.len()]),
        }
        rest = after;
    }
    changed + rest
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(with_texts(list, |_| None), list);
        assert_eq!(text(list, "IV"), Some("0x00"));
        assert_eq!(text(list, "RI"), None);
    }

    #[test]
    fn a_damaged_list_ends_where_it_is_damaged() {
        for (list, count) in [
            ("", 0),
            ("A", 0),
            ("A=1,B", 1),
            (r#"A=1,B="x"#, 1),
            (r#"A="1"2,B=3"#, 0),
            ("=,=", 2),
        ] {
            assert_eq!(attributes(list).count(), count, "{list}");
            assert_eq!(with_texts(list, |_| None), list);
        }
    }

    #[test]
    fn a_text_is_changed_in_its_place() {
        let changed = with_texts(r#"URI="a",BYTERANGE="7@0""#, |one| {
            (one.name == "URI").then(|| "b".to_owned())
        });
        assert_eq!(changed, r#"URI="b",BYTERANGE="7@0""#);
    }
}
