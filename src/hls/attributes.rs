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
            .strip_prefix('"')
            .and_then(|value| value.strip_suffix('"'))
            .unwrap_or(self.value)
    }
}

/// The attributes of a list, in order. What is damaged ends it.
pub fn attributes(list: &str) -> impl Iterator<Item = Attribute<'_>> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let end = match after.strip_prefix('"') {
            Some(quoted) => quoted.find('"')? + 2,
            None => after.find(',').unwrap_or(after.len()),
        };
        let (value, after) = after.split_at(end);
        rest = after.strip_prefix(',').unwrap_or("");
        Some(Attribute {
            name: name.trim(),
            value,
        })
    })
}

/// The text of the attribute of that name.
pub fn text<'a>(list: &'a str, name: &str) -> Option<&'a str> {
    attributes(list)
        .find(|attribute| attribute.name == name)
        .map(Attribute::text)
}

/// The list with some values changed: `change` gives the new text, which gets quotes, or `None` for what stays.
pub fn with_texts(list: &str, mut change: impl FnMut(Attribute) -> Option<String>) -> String {
    let changed = attributes(list).map(|attribute| match change(attribute) {
        Some(text) => format!("{}=\"{text}\"", attribute.name),
        None => format!("{}={}", attribute.name, attribute.value),
    });
    changed.collect::<Vec<_>>().join(",")
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
            ("=,=", 2),
        ] {
            assert_eq!(attributes(list).count(), count, "{list}");
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
