// SPDX-License-Identifier: MIT OR Apache-2.0

//! An operator's own service, of no known shape: grants a token to whoever shows the device's key,
//! in a header or in whatever stands in the body.

use hyper::HeaderMap;
use serde_json::json;

use crate::credentials::DEVICE_KEY;
use crate::reply::{self, Reply};

/// The path below which the reply is the token alone.
const PLAIN: &str = "plain";

/// Grants the token for so many seconds.
pub(crate) fn serve(
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
    token: &str,
    seconds: u64,
) -> Reply {
    let in_header = headers
        .get("x-device-key")
        .is_some_and(|key| key == DEVICE_KEY);
    let in_body = String::from_utf8_lossy(body).contains(DEVICE_KEY);
    if !in_header && !in_body {
        return reply::problem(401, "The device is not known.");
    }
    if path.ends_with(PLAIN) {
        return reply::text(200, format!("{token}\n"));
    }
    reply::json(&json!({
        "data": [{ "session/token": token, "ends": { "in": seconds } }],
    }))
}
