// SPDX-License-Identifier: MIT OR Apache-2.0

//! DASH-IF's authorization service: the interoperable license request model of the DASH-IF
//! implementation guidelines "Content protection and security" (section "DASH-IF interoperable
//! license request model").
//!
//! `GET <dashif:Authzurl>?kids=<key ids>`, redirects are followed. The reply's body is the token, a
//! JSON Web Token in compact form.

use std::collections::BTreeSet;

use crate::cenc::KeyId;
use crate::error::Failure;
use crate::http::HttpResponse;
use crate::token::{Grant, checked, claims};

use super::{A_TOKEN, status};

pub const NICK: &str = "dashif";

/// The query parameter that names the keys.
const KIDS: &str = "kids";

/// What a token is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DashIf {
    /// Each once, in ascending order.
    key_ids: BTreeSet<KeyId>,
}

impl DashIf {
    pub fn new(key_ids: BTreeSet<KeyId>) -> Self {
        Self { key_ids }
    }

    /// The parameter of the request; it takes the place of one of that name in the URL.
    pub fn parameter(&self) -> (&'static str, String) {
        (KIDS, list(&self.key_ids))
    }
}

/// Key ids as they stand in the request: lower case, with hyphens, and commas between them.
pub fn list<'a>(key_ids: impl IntoIterator<Item = &'a KeyId>) -> String {
    let each: Vec<_> = key_ids.into_iter().map(|id| hyphenated(*id)).collect();
    each.join(",")
}

fn hyphenated(key_id: KeyId) -> String {
    uuid::Uuid::from_bytes(key_id.0).hyphenated().to_string()
}

/// Reads what [`list`] writes. What is no key id is left out.
pub fn read_list(text: &str) -> BTreeSet<KeyId> {
    text.split(',')
        .filter_map(|id| uuid::Uuid::try_parse(id.trim()).ok())
        .map(|id| KeyId(id.into_bytes()))
        .collect()
}

/// Reads a reply.
///
/// # Errors
///
/// `Denied` for HTTP 401 and 403; `Transient` for HTTP 408, 429 and 5xx, and for a token that is
/// not valid yet; `Malformed` for every other status and for what is no token.
pub fn read_reply(reply: &HttpResponse) -> Result<Grant, Failure> {
    if !(200..300).contains(&reply.status) {
        return Err(status::failure(
            reply,
            A_TOKEN,
            "that this account may watch this content",
        ));
    }
    if reply.media_type.as_deref() != Some("text/plain") {
        return Err(Failure::malformed(
            "the authorization service's reply is not text/plain, as a DASH-IF token is: check that `location`, or the MPD's dashif:Authzurl, names that service",
        ));
    }
    let text = std::str::from_utf8(&reply.body)
        .map_err(|_| Failure::malformed("the authorization service's reply is not UTF-8"))?;
    let token = checked(text.trim_ascii().into(), "the authorization service")?;
    let claims = claims(&token).filter(|claims| claims.names_algorithm);
    let claims = claims.ok_or_else(|| {
        Failure::malformed(
            "the authorization service's reply is no JSON Web Token in compact form (three parts, the first of which names its `alg`)",
        )
    })?;
    if claims.is_ahead(std::time::SystemTime::now()) {
        return Err(Failure::transient(
            "the authorization service's token is not valid yet (`nbf`): check the clocks of service and device",
        ));
    }
    Ok(Grant {
        token,
        // `exp` is looked at for every service.
        lifetime: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::token::Secret;

    /// The token of the guidelines' example.
    const TOKEN: &str = "eyJhbGciOiJIUzI1NiIsImV4cCI6IjE1MTYyMzkwMjIifQ.eyJhdXRob3JpemVkX2tpZHMiOlsiMTYxMWYwYzgtNDg3Yy00NGQ0LTliMTktODJlNWE2ZDU1MDg0IiwiZGIyZGFlOTctNmI0MS00ZTk5LTgyMTAtNDkzNTAzZDU2ODFiIl19.tBvW6XVPHBRp1JEwItsVnbHwIqoqnQAVQfTV9PGMkIU";

    fn reply(status: u16, media_type: &str, body: &str) -> Result<Grant, Failure> {
        let mut reply = HttpResponse::new(status, body.as_bytes());
        reply.media_type = Some(media_type.to_owned());
        read_reply(&reply)
    }

    #[test]
    fn key_ids_are_written_as_the_guidelines_show_them() {
        let parse = |id: &str| KeyId(uuid::Uuid::try_parse(id).expect("a UUID").into_bytes());
        let later = parse("DB2DAE97-6b41-4e99-8210-493503d5681b");
        let earlier = parse("1611f0c8-487c-44d4-9b19-82e5a6d55084");
        let service = DashIf::new([later, earlier, later].into());
        let expected = "1611f0c8-487c-44d4-9b19-82e5a6d55084,db2dae97-6b41-4e99-8210-493503d5681b";
        assert_eq!(service.parameter(), ("kids", expected.to_owned()));
        assert_eq!(read_list(expected), [earlier, later].into());
        assert_eq!(read_list("nothing,"), BTreeSet::new());
    }

    #[test]
    fn dashif_token_parses_with_trailing_newline() {
        for (status, body) in [(200, TOKEN.to_owned()), (201, format!("{TOKEN}\r\n"))] {
            let grant = reply(status, "text/plain", &body).expect("a token");
            assert_eq!(grant.token, Secret::from(TOKEN));
        }
    }

    #[test]
    fn malformed_dashif_reply_error_never_quotes_it() {
        for (status, media_type, body, says) in [
            (200, "application/json", TOKEN, "not text/plain"),
            (200, "text/html", "<html>SECRET</html>", "not text/plain"),
            (200, "text/plain", "SECRET", "no JSON Web Token"),
            (
                200,
                "text/plain",
                "SECRET.SECRET.SECRET",
                "no JSON Web Token",
            ),
            // No `alg`.
            (200, "text/plain", "e30.e30.SECRET", "no JSON Web Token"),
            (200, "text/plain", "SECRET SECRET", "visible ASCII"),
            (200, "text/plain", "", "is empty"),
            (204, "text/plain", "", "is empty"),
            (404, "text/plain", TOKEN, "HTTP 404"),
        ] {
            let failure = reply(status, media_type, body).expect_err(body);
            assert_eq!(failure.kind, Kind::Malformed, "{body}");
            assert!(failure.what.contains(says), "{body}: {}", failure.what);
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
        let denied = reply(403, "application/problem+json", "{}").expect_err("no token");
        assert_eq!(denied.kind, Kind::Denied);
    }

    #[test]
    fn token_of_the_future_is_not_used() {
        // {"alg":"HS256"}.{"nbf":99999999999}.
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJuYmYiOjk5OTk5OTk5OTk5fQ.c2ln";
        let failure = reply(200, "text/plain", token).expect_err("not valid yet");
        assert_eq!(failure.kind, Kind::Transient);
        assert!(failure.what.contains("`nbf`"), "{}", failure.what);
    }
}
