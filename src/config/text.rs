// SPDX-License-Identifier: MIT OR Apache-2.0

//! A serialized structure of simple fields, read without a word about its values: the part of
//! GStreamer's grammar (`gst_structure_to_string`) in which a configuration is written.
//!
//! `name, field=value, field=(type)value, field=(string)"quoted \"text\"";`

use crate::token::Secret;

/// Reads a structure of the given name.
///
/// # Errors
///
/// A sentence that names the field and how to write it; it never quotes a value.
pub fn parse(text: &str, name: &str) -> Result<Vec<(String, Secret)>, String> {
    let mut rest = text.trim();
    rest = rest
        .strip_prefix(name)
        .ok_or_else(|| format!("the text does not begin with {name}"))?
        .trim_start();
    let mut fields: Vec<(String, Secret)> = Vec::new();
    loop {
        rest = rest.strip_prefix(';').unwrap_or(rest).trim_start();
        if rest.is_empty() {
            return Ok(fields);
        }
        rest = rest
            .strip_prefix(',')
            .ok_or_else(|| after(&fields))?
            .trim_start();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-_+/:.".contains(c)))
            .unwrap_or(rest.len());
        let (field, value) = rest.split_at(end);
        if field.is_empty() {
            return Err(after(&fields));
        }
        // What has no value may be the rest of one that holds a comma, so it is not named.
        let value = value
            .trim_start()
            .strip_prefix('=')
            .ok_or_else(|| after(&fields))?;
        if fields.iter().any(|(known, _)| known == field) {
            return Err(format!("the field `{field}` comes twice"));
        }
        let (value, after_value) = read_value(without_type(value.trim_start()), field)?;
        fields.push((field.to_owned(), value));
        rest = after_value.trim_start();
    }
}

/// The type in front of a value says nothing that the property's own type does not.
fn without_type(value: &str) -> &str {
    value
        .strip_prefix('(')
        .and_then(|typed| typed.split_once(')'))
        .filter(|(type_, _)| {
            type_
                .trim()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric())
        })
        .map_or(value, |(_, value)| value.trim_start())
}

fn read_value<'a>(value: &'a str, field: &str) -> Result<(Secret, &'a str), String> {
    let Some(quoted) = value.strip_prefix('"') else {
        let end = value
            .find(|c: char| !(c.is_ascii_alphanumeric() || "_-+/:.".contains(c)))
            .unwrap_or(value.len());
        let (plain, rest) = value.split_at(end);
        if plain.is_empty() || !(rest.is_empty() || rest.starts_with([',', ';', ' '])) {
            return Err(format!(
                "the value of `{field}` does not parse: write it in quotes, {field}=(string)\"…\""
            ));
        }
        return Ok((Secret::from(plain), rest));
    };
    let mut text = String::with_capacity(quoted.len());
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((Secret::new(text), &quoted[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped)) => text.push(escaped),
                None => break,
            },
            character => text.push(character),
        }
    }
    // It may hold part of a secret.
    drop(Secret::new(text));
    Err(format!("the value of `{field}` has no closing quote"))
}

fn after(fields: &[(String, Secret)]) -> String {
    match fields.last() {
        Some((field, _)) => format!(
            "what follows the value of `{field}` does not parse: fields are separated by commas, and a value with other characters than letters, digits and _-+/:. is written in quotes"
        ),
        None => "what follows the structure's name does not parse: fields are separated by commas"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Vec<(String, String)> {
        parse(text, "conf")
            .unwrap_or_else(|complaint| panic!("{text}: {complaint}"))
            .into_iter()
            .map(|(name, value)| (name, value.expose().to_owned()))
            .collect()
    }

    fn field(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn config_parses_with_or_without_types_and_quotes() {
        assert_eq!(fields("conf"), []);
        assert_eq!(fields("conf;"), []);
        assert_eq!(
            fields(r#"conf, a=(string)"x\"\\y, z=1", b=(uint)3;"#),
            [field("a", r#"x"\y, z=1"#), field("b", "3"),]
        );
        assert_eq!(
            fields("conf,a=plain/path:1.x,b = ( string ) \"q?a=b&c\" , c=true"),
            [
                field("a", "plain/path:1.x"),
                field("b", "q?a=b&c"),
                field("c", "true"),
            ]
        );
    }

    #[test]
    fn config_parse_error_locates_but_never_quotes() {
        for (text, names) in [
            ("other, a=SECRET", "begin"),
            ("", "begin"),
            ("conf a=SECRET", "follows"),
            ("conf, a=http://h/?t=SECRET", "`a`"),
            ("conf, a=\"SECRET", "`a`"),
            ("conf, a=\"SECRET\\", "`a`"),
            ("conf, a=\"x\" SECRET", "`a`"),
            ("conf, a=", "`a`"),
            ("conf, a", "follows"),
            ("conf, a=plain,SECRET", "`a`"),
            ("conf, a=1, a=SECRET", "`a`"),
            ("conf, =SECRET", "follows"),
            ("conf, a=(string)[SECRET]", "`a`"),
        ] {
            let complaint = parse(text, "conf").expect_err(text);
            assert!(complaint.contains(names), "{text}: {complaint}");
            assert!(!complaint.contains("SECRET"), "{complaint}");
        }
    }
}
