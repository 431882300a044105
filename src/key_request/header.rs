// SPDX-License-Identifier: MIT OR Apache-2.0

//! The HTTP header that carries the token to the license server.

use std::fmt;

use crate::http::headers;
use crate::token::Secret;

/// RFC 6750's form, which most license servers take.
pub const DEFAULT_HEADER: &str = "Authorization: Bearer {token}";

const PLACE: &str = "{token}";

/// A header with a place for the token: `Name: text {token} text`.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderTemplate {
    name: String,
    before: Secret,
    after: Secret,
}

impl HeaderTemplate {
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
        let (before, after) = value
            .split_once(PLACE)
            .ok_or("`key-request-header` has no `{token}` where the token belongs")?;
        if after.contains(PLACE) {
            return Err("`key-request-header` has more than one `{token}`");
        }
        Ok(Self {
            name: name.to_owned(),
            before: Secret::from(before),
            after: Secret::from(after),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The header's value with the token in its place.
    pub fn value(&self, token: &Secret) -> Secret {
        let parts = [self.before.expose(), token.expose(), self.after.expose()];
        Secret::new(parts.concat())
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
