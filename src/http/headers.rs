// SPDX-License-Identifier: MIT OR Apache-2.0

//! What may stand in a request's header (RFC 9110, 5).

use crate::error::Failure;
use crate::token::Secret;

/// Headers that an operator may add. Common servers refuse requests with more than a hundred.
const MAX_HEADERS: usize = 64;

/// Longest value; common servers take 8 to 16 KiB of headers in all.
const MAX_VALUE: usize = 16 * 1024;

/// Headers that say how the message itself is framed, or that the client writes: with another value
/// the server would read a request that we never sent.
const OURS: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether the text can be a header's name: a `token` of RFC 9110, 5.6.2.
pub fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether the text can be a header's value: visible ASCII, with spaces only inside it. Nothing
/// that could end the line and begin another header.
pub fn is_value(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && text.trim() == text
}

/// Checks headers that the user adds to a request. `taken` are those that the service's own
/// settings fill.
///
/// # Errors
///
/// `Misconfigured`, with the header's name where that is one, and never a value.
pub fn checked(
    headers: Vec<(String, Secret)>,
    setting: &str,
    taken: &[&str],
) -> Result<Vec<(String, Secret)>, Failure> {
    if headers.len() > MAX_HEADERS {
        return Err(Failure::misconfigured(format!(
            "`{setting}` has {} headers, more than {MAX_HEADERS}",
            headers.len()
        )));
    }
    for (name, value) in &headers {
        if !is_name(name) {
            return Err(Failure::misconfigured(format!(
                "`{setting}` has a header whose name is not one that HTTP allows (RFC 9110, 5.1)"
            )));
        }
        let complaint = if OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
            "which is written by the element itself: leave it out"
        } else if taken.iter().any(|taken| taken.eq_ignore_ascii_case(name)) {
            "which the auth service's own settings fill: use those"
        } else if value.expose().len() > MAX_VALUE {
            "whose value is too long"
        } else if !is_value(value.expose()) {
            "whose value holds characters that no header can carry"
        } else {
            continue;
        };
        return Err(Failure::misconfigured(format!(
            "`{setting}` has the header {name}, {complaint}"
        )));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str) -> Result<Vec<(String, Secret)>, Failure> {
        checked(
            vec![(name.to_owned(), Secret::from(value))],
            "extra-headers",
            &["authorization"],
        )
    }

    #[test]
    fn headers_that_an_operator_wants_are_taken() {
        for (name, value) in [
            ("X-Api-Key", "abc def"),
            ("Cookie", "a=b; c=d"),
            ("User-Agent", "player/1"),
            ("X-Empty", ""),
        ] {
            assert!(check(name, value).is_ok(), "{name}");
        }
    }

    #[test]
    fn unsafe_header_error_names_property_not_value() {
        for (name, value, says) in [
            ("X-A\r\nHost", "SECRET", "HTTP allows"),
            ("", "SECRET", "HTTP allows"),
            ("X A", "SECRET", "HTTP allows"),
            ("X-A:", "SECRET", "HTTP allows"),
            ("é", "SECRET", "HTTP allows"),
            ("X-A", "SECRET\r\nX-B: y", "X-A, whose value"),
            ("X-A", "SECRET\n", "X-A, whose value"),
            ("X-A", "SECRET\0", "X-A, whose value"),
            ("X-A", "SECRÉT", "X-A, whose value"),
            ("X-A", " SECRET", "X-A, whose value"),
            ("Content-Length", "SECRET", "element itself"),
            ("transfer-encoding", "SECRET", "element itself"),
            ("HOST", "SECRET", "element itself"),
            ("Authorization", "SECRET", "own settings"),
        ] {
            let failure = check(name, value).expect_err(name);
            assert!(failure.what.contains("`extra-headers`"), "{}", failure.what);
            assert!(failure.what.contains(says), "{}", failure.what);
            assert!(!failure.what.contains("SECR"), "{}", failure.what);
        }
        assert!(check("X", &"x".repeat(MAX_VALUE + 1)).is_err());
        let many = vec![("X".to_owned(), Secret::from("")); MAX_HEADERS + 1];
        assert!(checked(many, "extra-headers", &[]).is_err());
    }
}
