// SPDX-License-Identifier: MIT OR Apache-2.0

//! RDK's auth service, as it is on the set-top box: whoever can reach it may have a token.

use serde_json::json;

use crate::reply::{self, Reply};

pub(crate) fn grant(token: &str, seconds: u64) -> Reply {
    reply::json(&json!({ "token": token, "status": 0, "expires": seconds }))
}
