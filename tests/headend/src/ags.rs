// SPDX-License-Identifier: MIT OR Apache-2.0

//! AGS, OpenTV's Authentication Gateway Service: grants a token to whoever brings the operator's.

use std::time::SystemTime;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use hyper::HeaderMap;
use ring::hmac;
use serde_json::{Value, json};

use crate::credentials::{
    ACCOUNT, AUTH_SERVICE_ID, OPERATOR_PARAMETER, OPERATOR_TOKEN, SHARED_SECRET,
};
use crate::reply::{self, Reply};

/// Grants the token, or says what is wrong with the request.
pub(crate) fn serve(headers: &HeaderMap, body: &[u8], token: &str) -> Reply {
    match headers.get("x-auth-service-id") {
        Some(id) if id == AUTH_SERVICE_ID => {}
        Some(_) => return bad_request("The auth service is not known here."),
        None => return bad_request("There is no x-auth-service-id."),
    }
    let Some(parameters) = parameters(body) else {
        return bad_request("The body is not a list of parameters.");
    };
    let operator_token = parameters
        .iter()
        .find_map(|(name, value)| (name == OPERATOR_PARAMETER).then_some(value));
    match operator_token {
        Some(value) if value == OPERATOR_TOKEN || is_signed(value).is_some() => {
            reply::json(&json!({ "sessionToken": token }))
        }
        Some(_) => {
            let detail = "The operator's token is not valid.";
            reply::detailed_problem(401, "Unauthorized", detail)
        }
        None => bad_request("A mandatory parameter is missing."),
    }
}

/// Whether the operator's token is signed with the shared secret, for the account, and for now.
fn is_signed(token: &str) -> Option<()> {
    let (signed, signature) = token.rsplit_once('.')?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, SHARED_SECRET.as_bytes());
    let signature = BASE64.decode(signature).ok()?;
    hmac::verify(&key, signed.as_bytes(), &signature).ok()?;
    let (_, claims) = signed.split_once('.')?;
    let claims: Value = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.ok()?.as_secs();
    let is_valid = claims["account"] == ACCOUNT
        && claims["iat"].as_u64()? <= now + 1
        && claims["exp"].as_u64()? > now;
    is_valid.then_some(())
}

fn bad_request(detail: &str) -> Reply {
    reply::detailed_problem(400, "Bad request", detail)
}

/// Reads `{"parameters":[{"name":"…","value":"…"},…]}`; `None` if it is anything else.
fn parameters(body: &[u8]) -> Option<Vec<(String, String)>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |parameter: &Value, key| Some(parameter.get(key)?.as_str()?.to_owned());
    body.get("parameters")?
        .as_array()?
        .iter()
        .map(|parameter| Some((text(parameter, "name")?, text(parameter, "value")?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read() {
        assert_eq!(
            parameters(br#"{"parameters":[{"name":"a","value":"b"},{"name":"c","value":""}]}"#),
            Some(vec![("a".into(), "b".into()), ("c".into(), String::new())])
        );
    }

    #[test]
    fn anything_else_has_none() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"OperatorAuthToken":"a"}"#,
            r#"{"parameters":{"name":"a","value":"b"}}"#,
            r#"{"parameters":["a"]}"#,
            r#"{"parameters":[{"name":"a"}]}"#,
            r#"{"parameters":[{"name":"a","value":1}]}"#,
        ] {
            assert_eq!(parameters(body.as_bytes()), None, "{body}");
        }
    }
}
