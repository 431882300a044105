// SPDX-License-Identifier: MIT OR Apache-2.0

//! RDK's authservice over HTTP, as AAMP asks it (AAMP, `drm/AampDRMLicManager.cpp`).
//!
//! `GET …/authService/getSessionToken`, no body. The reply is a JSON object with `token` and
//! `status`; the service's documentation shows `status` as a string, its interface file as a
//! number.

use std::time::Duration;

use serde::Deserialize;

use crate::error::Failure;
use crate::http::HttpResponse;
use crate::json::{self, Scalar};
use crate::problem_details::ProblemDetails;
use crate::token::Grant;

use super::{A_TOKEN, status, success, token, unreadable};

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
/// HTTP 408, 429 and 5xx; `Malformed` for every other status and for a body that is not what it
/// should be.
pub fn read_reply(reply: &HttpResponse) -> Result<Grant, Failure> {
    if !ACCEPTED.contains(&reply.status) {
        return Err(status::failure(
            reply,
            A_TOKEN,
            "that this device is provisioned",
        ));
    }
    json::read_object::<Fields>(&reply.body)
        .map_err(unreadable)?
        .grant()
}

/// The fields of the service's answer, the same over HTTP and over JSON-RPC. A name that comes
/// twice is an error (`derive` checks it): which one counts would be anybody's guess. Unknown
/// fields are passed over.
#[derive(Deserialize)]
pub struct Fields {
    #[serde(default)]
    token: Option<Scalar>,
    #[serde(default)]
    status: Option<Scalar>,
    #[serde(default)]
    expires: Option<Scalar>,
    #[serde(default)]
    success: Option<Scalar>,
    #[serde(default)]
    message: Option<Scalar>,
}

impl Fields {
    /// # Errors
    ///
    /// `Denied` where the service says no, `Malformed` where a field is missing or not of its type.
    pub fn grant(self) -> Result<Grant, Failure> {
        if !success(self.success.as_ref())? {
            return Err(self.refusal("`success` is false"));
        }
        match self.status.as_ref().map(Scalar::integer) {
            Some(Some(0)) => {}
            Some(Some(status)) => {
                return Err(self
                    .refusal(&format!("`status` is {status}"))
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
        Ok(Grant {
            token: token(self.token, "token")?,
            lifetime: self.expires.as_ref().and_then(lifetime),
        })
    }

    /// With the service's own `message`, unless that repeats the token.
    fn refusal(&self, why: &str) -> Failure {
        let message = self.message.as_ref().and_then(Scalar::text);
        let problem = message.map_or_else(ProblemDetails::default, |text| {
            ProblemDetails::titled(text.expose())
        });
        let token = self.token.as_ref().and_then(Scalar::text).cloned();
        Failure::denied(format!(
            "the auth service refused a session token ({why}): check that this device is provisioned"
        ))
        .with_problem(problem)
        .without(token.as_slice())
    }
}

/// `expires` is in seconds from now: the documentation's example, 31530812, is about a year.
/// What is no positive number says nothing.
fn lifetime(expires: &Scalar) -> Option<Duration> {
    let seconds = expires.integer().filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn granted(body: &str) -> Grant {
        read_reply(&HttpResponse::new(200, body.as_bytes()))
            .unwrap_or_else(|failure| panic!("{body}: {failure:?}"))
    }

    fn refused(http_status: u16, body: &str) -> Failure {
        read_reply(&HttpResponse::new(http_status, body.as_bytes())).expect_err(body)
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
        assert!(read_reply(&HttpResponse::new(206, br#"{"token":"t","status":0}"#)).is_ok());
    }

    #[test]
    fn expires_counts_only_positive_whole_seconds() {
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
    fn denial_in_body_overrides_http_success() {
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
    fn reply_is_parsed_as_json_not_by_substring() {
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
    fn malformed_rdk_reply_error_never_quotes_it() {
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
    fn service_message_passes_unless_it_quotes_token() {
        let refused = |message: &str| {
            refused(
                200,
                &format!(r#"{{"success":false,"token":"SECRET","message":"{message}"}}"#),
            )
            .problem
            .title()
        };
        assert_eq!(refused("No account").as_deref(), Some("No account"));
        assert_eq!(refused("token SECRET refused"), None);
        assert_eq!(refused(""), None);
    }
}
