// SPDX-License-Identifier: MIT OR Apache-2.0

//! RDK's authservice over HTTP, as AAMP asks it (AAMP, `drm/AampDRMLicManager.cpp`).
//!
//! `GET …/authService/getSessionToken`, no body. The reply is a JSON object with `token` and
//! `status`; the service's documentation shows `status` as a string, its interface file as a number.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::failure::Failure;
use crate::secret::Secret;
use crate::session::{Grant, checked};

pub const NICK: &str = "rdk";

/// Where AAMP asks.
pub const DEFAULT_LOCATION: &str = "http://localhost:50050/authService/getSessionToken";

/// The statuses with which AAMP accepts a reply.
const ACCEPTED: [u16; 2] = [200, 206];

/// Reads a reply.
///
/// # Errors
///
/// `Denied` for HTTP 401 and 403, a `status` other than 0 and `success: false`; `Transient` for
/// HTTP 408, 429 and 5xx; `Malformed` for every other status and for a body that is not what it should be. No error holds text from the reply.
pub fn read_reply(http_status: u16, body: &[u8]) -> Result<Grant, Failure> {
    if !ACCEPTED.contains(&http_status) {
        return Err(by_http_status(http_status).with_http_status(http_status));
    }
    read_body(body).map_err(|failure| failure.with_http_status(http_status))
}

fn by_http_status(status: u16) -> Failure {
    match status {
        401 | 403 => Failure::denied(format!(
            "the auth service refused a session token (HTTP {status}): check that this device is provisioned"
        )),
        408 | 429 | 500..=599 => Failure::transient(format!(
            "the auth service has no session token at the moment (HTTP {status})"
        )),
        404 => Failure::malformed(
            "the auth service does not know that path (HTTP 404): check `location`",
        ),
        300..=399 => Failure::malformed(format!(
            "the auth service answered with a redirect (HTTP {status}), which is not followed: set `location` to where it points"
        )),
        _ => Failure::malformed(format!(
            "the auth service answered HTTP {status} where 200 was expected: check `location`"
        )),
    }
}

fn read_body(body: &[u8]) -> Result<Grant, Failure> {
    // serde would take an array's elements for the fields, in order.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Failure::malformed(
            "the auth service's reply is JSON of another shape than expected (an array)",
        ));
    }
    // serde's own error texts can quote the reply, so only their place and class are passed on.
    let reply: Reply = serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Failure::malformed(match error.classify() {
            serde_json::error::Category::Eof => {
                format!("the auth service's reply is not JSON: it ends at {place}: check that `location` names the auth service")
            }
            serde_json::error::Category::Data => {
                format!("the auth service's reply is JSON of another shape than expected ({place})")
            }
            _ => format!("the auth service's reply is not JSON ({place}): check that `location` names the auth service"),
        })
    })?;

    if let Some(Scalar::Bool(false)) = reply.success {
        return Err(Failure::denied(
            "the auth service refused a session token (`success` is false): check that this device is provisioned",
        ));
    }
    match reply.status.as_ref().map(Scalar::integer) {
        Some(Some(0)) => {}
        Some(Some(status)) => {
            return Err(Failure::denied(format!(
                "the auth service refused a session token (`status` is {status}): check that this device is provisioned"
            ))
            .with_service_status(status));
        }
        Some(None) => {
            return Err(Failure::malformed(
                "`status` in the auth service's reply is neither a number nor a string that holds one",
            ));
        }
        None => {
            return Err(Failure::malformed(
                "the auth service's reply has no `status`: check that `location` names the auth service",
            ));
        }
    }
    let token = match reply.token {
        Some(Scalar::Text(token)) => token,
        Some(_) => {
            return Err(Failure::malformed(
                "`token` in the auth service's reply is not a string",
            ));
        }
        None => {
            return Err(Failure::malformed(
                "the auth service's reply has no `token`",
            ));
        }
    };
    Ok(Grant {
        token: checked(token, "the auth service")?,
        lifetime: reply.expires.as_ref().and_then(lifetime),
    })
}

/// `expires` is in seconds from now: the documentation's example, 31530812, is about a year.
/// What is no positive number says nothing.
fn lifetime(expires: &Scalar) -> Option<Duration> {
    let seconds = expires.integer().filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

/// The fields at the top of the reply. A name that comes twice is an error (`derive` checks it): which one counts would
/// be anybody's guess. Unknown fields are passed over.
#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    token: Option<Scalar>,
    #[serde(default)]
    status: Option<Scalar>,
    #[serde(default)]
    expires: Option<Scalar>,
    #[serde(default)]
    success: Option<Scalar>,
}

/// A JSON value of which only the simple ones are of use.
enum Scalar {
    Text(Secret),
    Integer(i64),
    Bool(bool),
    Other,
}

impl Scalar {
    /// A whole number, or a string of decimal digits that holds one.
    fn integer(&self) -> Option<i64> {
        match self {
            Scalar::Integer(number) => Some(*number),
            Scalar::Text(text) => text.expose().parse().ok(),
            Scalar::Bool(_) | Scalar::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(Secret::from(text)))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                Ok(i64::try_from(number).map_or(Scalar::Other, Scalar::Integer))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_unit<E: de::Error>(self) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;

    fn granted(body: &str) -> Grant {
        read_reply(200, body.as_bytes()).unwrap_or_else(|failure| panic!("{body}: {failure:?}"))
    }

    fn refused(http_status: u16, body: &str) -> Failure {
        read_reply(http_status, body.as_bytes()).expect_err(body)
    }

    #[test]
    fn what_aamp_and_the_documentation_show_is_understood() {
        for body in [
            r#"{"token":"SESSIONTOKEN", "status":0}"#,
            r#"{"status":"0","token":"SESSIONTOKEN"}"#,
            "{\n  \"token\" : \"SESSIONTOKEN\" ,\n  \"status\" : \"0\" ,\n  \"expires\" : 31530812\n}",
            r#"{"success":true,"messageId":"x","clientId":{"a":[1]},"token":"SESSIONTOKEN","status":0}"#,
        ] {
            assert_eq!(granted(body).token.expose(), "SESSIONTOKEN", "{body}");
        }
        assert!(read_reply(206, br#"{"token":"t","status":0}"#).is_ok());
    }

    #[test]
    fn expires_counts_seconds_and_says_nothing_where_it_is_no_positive_number() {
        let lifetime = |expires: &str| {
            granted(&format!(
                r#"{{"token":"t","status":0,"expires":{expires}}}"#
            ))
            .lifetime
        };
        assert_eq!(lifetime("3600"), Some(Duration::from_secs(3600)));
        assert_eq!(lifetime(r#""3600""#), Some(Duration::from_secs(3600)));
        for nothing in [
            "0",
            "-1",
            "null",
            "1.5",
            r#""soon""#,
            "[]",
            "{}",
            "18446744073709551615",
        ] {
            assert_eq!(lifetime(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_refusal_in_the_body_is_a_refusal_whatever_the_http_status() {
        for (body, status) in [
            (r#"{"token":"t","status":-1}"#, Some(-1)),
            (r#"{"token":"t","status":"4"}"#, Some(4)),
            (r#"{"token":"t","status":0,"success":false}"#, None),
        ] {
            let failure = refused(200, body);
            assert_eq!(
                (failure.kind, failure.service_status),
                (Kind::Denied, status),
                "{body}"
            );
        }
    }

    #[test]
    fn replies_that_a_search_for_substrings_would_get_wrong_are_read_right() {
        assert_eq!(
            refused(200, r#"{"token":"","status":0}"#).kind,
            Kind::Malformed
        );
        assert_eq!(
            refused(
                200,
                r#"{"mytoken":"decoy","data":{"token":"decoy"},"status":0}"#
            )
            .kind,
            Kind::Malformed
        );
        assert_eq!(
            granted(r#"{"token":"a\"b","status":0}"#).token.expose(),
            "a\"b"
        );
        assert_eq!(
            granted(r#"{"accesstoken":"decoy","token":"t","status":0}"#)
                .token
                .expose(),
            "t"
        );
    }

    #[test]
    fn what_is_no_reply_of_this_service_says_what_is_wrong_with_it_and_never_quotes_it() {
        for (body, says) in [
            ("<html>SECRET</html>", "not JSON"),
            (r#"{"token":"SECRET","status":"#, "not JSON"),
            (r#"["SECRET"]"#, "shape"),
            (r#""SECRET""#, "shape"),
            (r#"{"token":"SECRET","token":"SECRET","status":0}"#, "shape"),
            (r#"{"status":0}"#, "no `token`"),
            (r#"{"token":"SECRET"}"#, "no `status`"),
            (r#"{"token":17,"status":0}"#, "not a string"),
            (r#"{"token":null,"status":0}"#, "no `token`"),
            (r#"{"token":"SECRET","status":"SECRET"}"#, "neither"),
            (r#"{"token":"SECRET","status":0.0}"#, "neither"),
            (r#"{"token":"SECRET TOKEN","status":0}"#, "visible ASCII"),
            (r#"{"token":"","status":0}"#, "is empty"),
        ] {
            let failure = refused(200, body);
            assert_eq!(failure.kind, Kind::Malformed, "{body}");
            assert!(failure.what.contains(says), "{body}: {}", failure.what);
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
        let deep = "[".repeat(100_000);
        assert_eq!(refused(200, &deep).kind, Kind::Malformed);
    }

    #[test]
    fn http_statuses_map_to_what_the_user_can_do_about_them() {
        for (status, kind) in [
            (401, Kind::Denied),
            (403, Kind::Denied),
            (404, Kind::Malformed),
            (302, Kind::Malformed),
            (204, Kind::Malformed),
            (408, Kind::Transient),
            (429, Kind::Transient),
            (503, Kind::Transient),
        ] {
            let failure = refused(status, r#"{"token":"t","status":0}"#);
            assert_eq!((failure.kind, failure.http_status), (kind, Some(status)));
        }
    }
}
