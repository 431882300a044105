// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tokens in the `Authorization` header.

use hyper::header::HeaderValue;

/// The token in an `Authorization` header, unless that is of another scheme. The name of the
/// scheme may be written in any case (RFC 9110).
pub(crate) fn bearer_token(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bearer_scheme_has_a_token() {
        let token = |value| bearer_token(&HeaderValue::from_static(value)).map(<[u8]>::to_vec);
        assert_eq!(token("Bearer abc"), Some(b"abc".to_vec()));
        assert_eq!(token("bearer abc"), Some(b"abc".to_vec()));
        assert_eq!(token("Basic abc"), None);
        assert_eq!(token("abc"), None);
    }
}
