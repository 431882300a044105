// SPDX-License-Identifier: MIT OR Apache-2.0

//! RDK's auth service behind Thunder: JSON-RPC, for whoever has Thunder's security token.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::bearer::bearer_token;
use crate::credentials::SECURITY_TOKEN;
use crate::reply::{self, Reply};

/// What its documentation calls the method, and what players call it.
const METHODS: [&str; 2] = [
    "org.rdk.AuthService.1.GetSessionToken",
    "org.rdk.AuthService.1.getSessionToken",
];

// JSON-RPC 2.0, section 5.1.
const PARSE_ERROR: i32 = -32700;
const METHOD_NOT_FOUND: i32 = -32601;

/// A call that is to be answered.
#[derive(Debug, PartialEq, Eq)]
struct Call {
    id: Value,
    method: String,
}

/// Grants the token, or says what is wrong with the request. What is wrong with a call is said
/// within JSON-RPC, to which HTTP is a mere carrier.
pub(crate) fn serve(headers: &HeaderMap, body: &[u8], token: &str, seconds: u64) -> Reply {
    let security_token = headers.get(AUTHORIZATION).and_then(bearer_token);
    if security_token != Some(SECURITY_TOKEN.as_bytes()) {
        return reply::text(403, "The security token is missing or not valid.\n");
    }
    let Some(call) = Call::parse(body) else {
        return failure(&Value::Null, PARSE_ERROR, "This is not JSON-RPC.");
    };
    if !METHODS.contains(&call.method.as_str()) {
        return failure(&call.id, METHOD_NOT_FOUND, "Unknown method.");
    }
    reply::json(&json!({
        "jsonrpc": "2.0",
        "id": call.id,
        "result": {
            // RDK's own service says it as a number.
            "status": "0",
            "token": token,
            "expires": seconds,
            "clientId": "headend-client",
            "messageId": "headend-message",
            "success": true,
        },
    }))
}

fn failure(id: &Value, code: i32, message: &str) -> Reply {
    reply::json(&json!({
        "jsonrpc": "2.0",
        "id": id,
        "error": { "code": code, "message": message },
    }))
}

impl Call {
    /// Reads `{"jsonrpc":"2.0","id":…,"method":"…"}`, whatever else is in it; `None` if it is
    /// anything else, or a notification, to which there is no answer.
    fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let id = body.get("id")?;
        let known = body.get("jsonrpc")? == "2.0" && (id.is_number() || id.is_string());
        known.then_some(Self {
            id: id.clone(),
            method: body.get("method")?.as_str()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_is_read() {
        assert_eq!(
            Call::parse(br#"{"jsonrpc":"2.0","id":"a","method":"m","params":{}}"#),
            Some(Call {
                id: json!("a"),
                method: "m".into(),
            })
        );
    }

    #[test]
    fn anything_else_is_not_a_call() {
        for body in [
            "",
            "{}",
            "[]",
            "3",
            r#"{"id":3,"method":"m"}"#,
            r#"{"jsonrpc":"1.0","id":3,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":3,"method":4}"#,
            r#"{"jsonrpc":"2.0","id":3}"#,
        ] {
            assert_eq!(Call::parse(body.as_bytes()), None, "{body}");
        }
    }
}
