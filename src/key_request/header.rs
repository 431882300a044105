// SPDX-License-Identifier: MIT OR Apache-2.0

//! The HTTP header that carries the token to the license server.

use std::fmt;

use super::template::Template;
use crate::error::Failure;
use crate::http::headers;
use crate::token::Secret;

/// RFC 6750's form, which most license servers take.
pub const DEFAULT_HEADER: &str = "Authorization: Bearer {token}";

/// A header that may have a place for the token: `Name: text {token} text`.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderTemplate {
    name: String,
    value: Template,
}

impl HeaderTemplate {
    /// The header of the property `key-request-header`.
    ///
    /// # Errors
    ///
    /// A sentence for the user that says what to set; it does not quote the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, value) = text
            .split_once(':')
            .ok_or("`key-request-header` has no colon: write it as `Name: … {token} …`")?;
        let name = name.trim();
        if !headers::is_name(name) {
            return Err(
                "`key-request-header` has no valid header name before the colon (RFC 9110, 5.1): write it as `Name: … {token} …`",
            );
        }
        let value = value.trim();
        if !headers::is_value(value) {
            return Err("`key-request-header` holds characters that no header can carry");
        }
        let value =
            Template::parse(value).ok_or("`key-request-header` has more than one `{token}`")?;
        if !value.has_place() {
            return Err("`key-request-header` has no `{token}` where the token belongs");
        }
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }

    /// The headers of the file that the property `key-request-headers-file` names, which were
    /// checked. Each may have a place for the token.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the header's name.
    pub fn list(headers: Vec<(String, Secret)>) -> Result<Vec<Self>, Failure> {
        let headers = headers.into_iter();
        let template = |(name, value): (String, Secret)| {
            let value = Template::parse(value.expose()).ok_or_else(|| {
                Failure::misconfigured(format!(
                    "`key-request-headers-file` has the header {name} with more than one `{{token}}`"
                ))
            })?;
            Ok(Self { name, value })
        };
        headers.map(template).collect()
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn has_token(&self) -> bool {
        self.value.has_place()
    }

    /// The header's value with the token in its place.
    pub fn value(&self, token: &Secret) -> Secret {
        self.value.fill(token.expose())
    }
}

impl fmt::Debug for HeaderTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_stands_where_the_template_says() {
        let token = Secret::from("abc");
        for (template, name, value) in [
            (DEFAULT_HEADER, "Authorization", "Bearer abc"),
            ("X-Session:{token}", "X-Session", "abc"),
            (" X-S : a {token} b ", "X-S", "a abc b"),
        ] {
            let header = HeaderTemplate::parse(template).expect(template);
            assert_eq!(
                (header.name(), header.value(&token).expose()),
                (name, value)
            );
        }
    }

    #[test]
    fn invalid_header_template_error_names_property() {
        for template in [
            "",
            "Authorization",
            ": {token}",
            "Na me: {token}",
            "Authorization: Bearer",
            "X: {token} {token}",
            "X: {token}\r\nY: z",
            "X: é{token}",
        ] {
            let complaint = HeaderTemplate::parse(template).expect_err(template);
            assert!(complaint.contains("`key-request-header`"), "{complaint}");
        }
    }
}
