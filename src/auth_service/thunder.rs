// SPDX-License-Identifier: MIT OR Apache-2.0

//! RDK's authservice behind Thunder: JSON-RPC 2.0 over HTTP, as AAMP asks it.
//!
//! `POST …/jsonrpc` with
//! `{"jsonrpc":"2.0","id":…,"method":"org.rdk.AuthService.1.getSessionToken"}`. The reply's
//! `result` holds the same fields as RDK's reply over HTTP, its `error` a code and a message.

use std::sync::atomic::{AtomicU32, Ordering};

use serde::Deserialize;

use crate::error::Failure;
use crate::http::{HttpResponse, headers};
use crate::json::{self, Object, Scalar};
use crate::problem_details::ProblemDetails;
use crate::token::Secret;
use crate::token::{Grant, checked};

use super::{A_TOKEN, Call, rdk, status, unreadable};

pub const NICK: &str = "thunder";

/// Where Thunder listens on a set-top box.
pub const DEFAULT_LOCATION: &str = "http://127.0.0.1:9998/jsonrpc";

/// As AAMP writes it; the service's documentation writes `GetSessionToken`.
pub const DEFAULT_METHOD: &str = "org.rdk.AuthService.1.getSessionToken";

/// Older versions answer with it where the body holds an error (Thunder, pull request 1733).
const ACCEPTED_WITH_ERROR: u16 = 202;

/// What Thunder wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Thunder {
    method: String,
    authorization: Option<Secret>,
}

impl Thunder {
    /// `authorization` is the security token alone, without `Bearer`. Where there is none, none is
    /// sent.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn new(method: &str, authorization: Option<Secret>) -> Result<Self, Failure> {
        if method.is_empty() || method.len() > 256 || !method.bytes().all(|b| b.is_ascii_graphic())
        {
            return Err(Failure::misconfigured(format!(
                "`thunder-method` is no name of a method: set it to one like {DEFAULT_METHOD}"
            )));
        }
        let authorization = authorization
            .map(|token| {
                checked(token, "`authorization`").map_err(|failure| {
                    Failure::misconfigured(format!(
                        "{}: set it to Thunder's security token alone, without `Bearer`",
                        failure.what
                    ))
                })
            })
            .transpose()?;
        Ok(Self {
            method: method.to_owned(),
            authorization,
        })
    }

    pub(super) fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// The headers that these settings fill.
    pub fn taken(&self) -> &'static [&'static str] {
        if self.authorization.is_some() {
            &["authorization"]
        } else {
            &[]
        }
    }

    pub(super) fn method(&self) -> &str {
        &self.method
    }

    /// The headers by which Thunder knows who is asking.
    pub(super) fn headers(&self) -> Vec<(String, Secret)> {
        let headers = self.authorization.iter().map(|token| {
            let value = ["Bearer ", token.expose()].concat();
            debug_assert!(headers::is_value(&value));
            ("Authorization".to_owned(), Secret::new(value))
        });
        headers.collect()
    }

    pub fn call(&self) -> Call {
        let id = next_id();
        let body = serde_json::json!({ "jsonrpc": "2.0", "id": id, "method": self.method });
        Call {
            id,
            secrets: self.authorization.iter().cloned().collect(),
            ..Call::post_json(self.headers(), body.to_string().into_bytes())
        }
    }
}

/// Each request has an id of its own in this process, so that a reply to another one is seen to be
/// that.
pub(super) fn next_id() -> u32 {
    static IDS: AtomicU32 = AtomicU32::new(1);
    IDS.fetch_add(1, Ordering::Relaxed)
}

/// Whether that is what says that a message is JSON-RPC 2.0.
pub(super) fn is_version_2(jsonrpc: Option<&Scalar>) -> bool {
    jsonrpc.and_then(Scalar::text).map(Secret::expose) == Some("2.0")
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    jsonrpc: Option<Scalar>,
    #[serde(default)]
    id: Option<Scalar>,
    #[serde(default)]
    result: Option<Object<rdk::Fields>>,
    #[serde(default)]
    error: Option<Object<RpcError>>,
}

/// The `error` of a reply.
#[derive(Deserialize)]
pub(super) struct RpcError {
    #[serde(default)]
    code: Option<Scalar>,
    #[serde(default)]
    message: Option<Scalar>,
}

/// Reads the reply to the request with that id.
///
/// # Errors
///
/// As [`rdk::read_reply`], and by the code of a JSON-RPC error. A reply with another id is
/// `Malformed`.
pub fn read_reply(reply: &HttpResponse, id: u32) -> Result<Grant, Failure> {
    if !matches!(reply.status, 200 | ACCEPTED_WITH_ERROR) {
        return Err(status::failure(
            reply,
            A_TOKEN,
            "Thunder's security token (`authorization-file`)",
        ));
    }
    let response: Response = json::read_object(&reply.body).map_err(unreadable)?;
    if !is_version_2(response.jsonrpc.as_ref()) {
        return Err(Failure::malformed(
            "the auth service's reply is not JSON-RPC 2.0: check that `location` names Thunder's `jsonrpc`, or `auth-service`",
        ));
    }
    // An error about a request that could not be read at all has no id (JSON-RPC 2.0, 5).
    let is_ours = match &response.id {
        Some(Scalar::Integer(number)) => *number == i64::from(id),
        Some(_) => false,
        None => response.error.is_some(),
    };
    if !is_ours {
        return Err(Failure::malformed(
            "the auth service's reply is one to another request: its `id` is not ours",
        ));
    }
    match (response.result, response.error) {
        (Some(result), None) if reply.status == 200 => result.0.grant(),
        (None, Some(error)) => Err(error.0.failure()),
        (None, None) => Err(Failure::malformed(
            "the auth service's reply has neither `result` nor `error`",
        )),
        (Some(_), None) => Err(status::failure(reply, A_TOKEN, "")),
        (Some(_), Some(_)) => Err(Failure::malformed(
            "the auth service's reply has both `result` and `error`",
        )),
    }
}

impl RpcError {
    /// By the codes of JSON-RPC 2.0, 5.1, and those of Thunder's own that say that it may work
    /// later (`ERROR_UNAVAILABLE` and `ERROR_TIMEDOUT`, Thunder, pull request 674).
    pub(super) fn failure(self) -> Failure {
        let Some(code) = self.code.as_ref().and_then(|code| match code {
            Scalar::Integer(code) => Some(*code),
            _ => None,
        }) else {
            return Failure::malformed(
                "the auth service's reply holds an `error` without a numeric `code`",
            );
        };
        let error = format!("JSON-RPC error {code}");
        let failure = match code {
            -32601 => Failure::malformed(format!(
                "Thunder does not know that method ({error}): check `thunder-method`, and that the plugin is there"
            )),
            -32700 | -32600 | -32602 => Failure::malformed(format!(
                "Thunder did not understand the request ({error}): check `location` and `thunder-method`"
            )),
            2 | 11 | -32603 | -32099..=-32000 => Failure::transient(format!(
                "the auth service has no session token at the moment ({error}): check that its plugin is active"
            )),
            _ => Failure::denied(format!(
                "the auth service refused a session token ({error}): check that this device is provisioned"
            )),
        };
        let message = self.message.as_ref().and_then(Scalar::text);
        let problem = message.map_or_else(ProblemDetails::default, |text| {
            ProblemDetails::titled(text.expose())
        });
        failure.with_service_status(code).with_problem(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const GRANT: &str = r#"{"status":"0","token":"t","expires":3600,"clientId":"c","messageId":"m","success":true}"#;

    fn read(status: u16, body: &str) -> Result<Grant, Failure> {
        read_reply(&HttpResponse::new(status, body.as_bytes()), 3)
    }

    fn refused(body: &str) -> Failure {
        read(200, body).expect_err(body)
    }

    #[test]
    fn request_is_aamps_with_an_id_of_its_own() {
        let thunder = Thunder::new(DEFAULT_METHOD, Some(Secret::from("s"))).expect("valid");
        let ids = [thunder.call(), thunder.call()].map(|call| {
            let (content_type, body) = call.body.expect("a body");
            assert_eq!(content_type, "application/json");
            let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(
                body,
                serde_json::json!({"jsonrpc":"2.0","id":call.id,"method":"org.rdk.AuthService.1.getSessionToken"})
            );
            let [(name, value)] = &call.headers[..] else {
                panic!("one header");
            };
            assert_eq!((name.as_str(), value.expose()), ("Authorization", "Bearer s"));
            call.id
        });
        assert_ne!(ids[0], ids[1]);
        let without = Thunder::new(DEFAULT_METHOD, None).expect("valid");
        assert!(without.call().headers.is_empty());
    }

    #[test]
    fn what_the_documentation_shows_is_understood() {
        let grant = read(
            200,
            &format!(r#"{{"jsonrpc":"2.0","id":3,"result":{GRANT}}}"#),
        );
        let grant = grant.expect("granted");
        assert_eq!(grant.token.expose(), "t");
        assert_eq!(grant.lifetime.map(|time| time.as_secs()), Some(3600));
        assert!(
            read(
                200,
                &format!(r#"{{"result":{GRANT},"error":null,"id":3,"jsonrpc":"2.0"}}"#)
            )
            .is_ok()
        );
    }

    #[test]
    fn reply_to_another_request_is_none_to_ours() {
        for id in ["4", "\"3\"", "null", "3.0", "[3]", "-3", "4294967299"] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{GRANT}}}"#);
            let failure = refused(&body);
            assert_eq!(failure.kind, Kind::Malformed, "{body}");
            assert!(failure.what.contains("`id`"), "{body}: {}", failure.what);
        }
        let error = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no"}}"#;
        assert!(refused(error).what.contains("`id`"));
    }

    #[test]
    fn error_object_says_what_to_do() {
        for (code, kind, says) in [
            (-32601, Kind::Malformed, "`thunder-method`"),
            (-32700, Kind::Malformed, "`location`"),
            (-32603, Kind::Transient, "active"),
            (2, Kind::Transient, "active"),
            (11, Kind::Transient, "active"),
            (24, Kind::Denied, "provisioned"),
            (1, Kind::Denied, "provisioned"),
        ] {
            for (status, id) in [(200, "3"), (202, "3"), (200, "null")] {
                let body = format!(
                    r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"Not today."}}}}"#
                );
                let failure = read(status, &body).expect_err(&body);
                assert_eq!((failure.kind, failure.service_status), (kind, Some(code)));
                assert!(failure.what.contains(says), "{}", failure.what);
                assert_eq!(failure.problem.title().as_deref(), Some("Not today."));
            }
        }
    }

    #[test]
    fn malformed_thunder_reply_error_never_quotes_it() {
        for (body, says) in [
            (
                r#"{"token":"SECRET","status":0}"#.to_owned(),
                "not JSON-RPC 2.0",
            ),
            (
                format!(r#"{{"jsonrpc":"1.0","id":3,"result":{GRANT}}}"#),
                "not JSON-RPC 2.0",
            ),
            (
                format!(r#"{{"jsonrpc":2.0,"id":3,"result":{GRANT}}}"#),
                "not JSON-RPC 2.0",
            ),
            (r#"{"jsonrpc":"2.0","id":3}"#.to_owned(), "neither `result`"),
            (
                r#"{"jsonrpc":"2.0","id":3,"result":null}"#.to_owned(),
                "neither `result`",
            ),
            (
                r#"{"jsonrpc":"2.0","id":3,"result":"SECRET"}"#.to_owned(),
                "shape",
            ),
            (
                r#"{"jsonrpc":"2.0","id":3,"result":["SECRET","0"]}"#.to_owned(),
                "shape",
            ),
            (
                r#"{"jsonrpc":"2.0","id":3,"error":"SECRET"}"#.to_owned(),
                "shape",
            ),
            (
                r#"{"jsonrpc":"2.0","id":3,"error":{"message":"SECRET"}}"#.to_owned(),
                "numeric `code`",
            ),
            (
                r#"{"jsonrpc":"2.0","id":3,"error":{"code":"1"}}"#.to_owned(),
                "numeric `code`",
            ),
            (
                format!(r#"{{"jsonrpc":"2.0","id":3,"result":{GRANT},"error":{{"code":1}}}}"#),
                "both",
            ),
            (
                format!(r#"{{"jsonrpc":"2.0","id":3,"result":{GRANT},"result":{GRANT}}}"#),
                "shape",
            ),
            (
                format!(r#"[{{"jsonrpc":"2.0","id":3,"result":{GRANT}}}]"#),
                "shape",
            ),
            (
                r#"{"jsonrpc":"2.0","id":3,"token":"SECRET","result":{"status":0}}"#.to_owned(),
                "no `token`",
            ),
        ] {
            let failure = refused(&body);
            assert_eq!(failure.kind, Kind::Malformed, "{body}");
            assert!(failure.what.contains(says), "{body}: {}", failure.what);
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
        let granted = format!(r#"{{"jsonrpc":"2.0","id":3,"result":{GRANT}}}"#);
        assert!(read(202, &granted).is_err());
        assert!(read(206, &granted).is_err());
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        for method in ["", "a b", "é", &"x".repeat(257)] {
            let failure = Thunder::new(method, None).expect_err(method);
            assert!(
                failure.what.contains("`thunder-method`"),
                "{}",
                failure.what
            );
        }
        for token in ["", "Bearer SECRET", "SECRET\r\nX: y"] {
            let failure = Thunder::new("m", Some(Secret::from(token))).expect_err(token);
            assert_eq!(failure.kind, Kind::Misconfigured);
            assert!(failure.what.contains("`authorization`"), "{}", failure.what);
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
    }
}
