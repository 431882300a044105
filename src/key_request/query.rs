// SPDX-License-Identifier: MIT OR Apache-2.0

//! The parameters by which a license or key URL carries the token.

use std::fmt;

use url::form_urlencoded::byte_serialize;

use super::template::Template;
use crate::token::Secret;

/// Longest template, in bytes.
const MAX_LEN: usize = 1024;

/// Parameters with a place for the token: `name={token}`, with `&` between them.
#[derive(Clone, PartialEq, Eq)]
pub struct QueryTemplate(Vec<(String, Template)>);

impl QueryTemplate {
    /// # Errors
    ///
    /// A sentence for the user that says what to set; it does not quote the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_LEN {
            return Err("`key-request-query` is longer than 1024 bytes");
        }
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>?".contains(&byte);
        if !text.bytes().all(is_allowed) {
            return Err(
                "`key-request-query` holds characters that no query can carry: percent-encode them",
            );
        }
        let pairs: Option<Vec<_>> = text.split('&').map(pair).collect();
        let pairs = pairs.ok_or(
            "`key-request-query` is none: write it as `name={token}`, with & between parameters",
        )?;
        match pairs.iter().filter(|(_, value)| value.has_place()).count() {
            0 => Err("`key-request-query` has no `{token}` where the token belongs"),
            1 => Ok(Self(pairs)),
            _ => Err("`key-request-query` has more than one `{token}`"),
        }
    }

    /// The query with the token in its place, encoded.
    pub fn value(&self, token: &Secret) -> Secret {
        let token: String = byte_serialize(token.expose().as_bytes()).collect();
        let token = Secret::new(token);
        let mut query = String::new();
        for (name, value) in &self.0 {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            query.push_str(value.fill(token.expose()).expose());
        }
        Secret::new(query)
    }
}

/// A parameter, whose name has no place for the token.
fn pair(text: &str) -> Option<(String, Template)> {
    let (name, value) = text.split_once('=')?;
    let is_name = !name.is_empty() && !name.contains(['{', '}']);
    Some((name.to_owned(), Template::parse(value)?)).filter(|_| is_name)
}

impl fmt::Debug for QueryTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_stands_encoded_where_the_template_says() {
        let token = Secret::from("a+b/c=&d");
        for (template, query) in [
            ("token={token}", "token=a%2Bb%2Fc%3D%26d"),
            ("a=1&t=x-{token}-y&b=", "a=1&t=x-a%2Bb%2Fc%3D%26d-y&b="),
        ] {
            let parsed = QueryTemplate::parse(template).expect(template);
            assert_eq!(parsed.value(&token).expose(), query);
        }
    }

    #[test]
    fn invalid_query_template_error_names_property() {
        for template in [
            "",
            "token",
            "={token}",
            "{token}=a",
            "a=b",
            "a={token}&b={token}",
            "a={token}{token}",
            "a={token}#b",
            "?a={token}",
            "a={token} ",
            "a={token}&",
            "é={token}",
        ] {
            let complaint = QueryTemplate::parse(template).expect_err(template);
            assert!(complaint.contains("`key-request-query`"), "{complaint}");
        }
    }

    #[test]
    fn debug_shows_names_only() {
        let template = QueryTemplate::parse("a=SECRET&t={token}").expect("a template");
        assert_eq!(format!("{template:?}"), r#"["a", "t"]"#);
    }
}
