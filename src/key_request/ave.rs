// SPDX-License-Identifier: MIT OR Apache-2.0

//! The message by which AAMP's HLS flow hands the token to AVE, which packs it into the key request
//! ("AAMP Session Token Flow").

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde::Serialize;

use crate::random;
use crate::token::Secret;

#[derive(Serialize)]
struct ClientAccess<'a> {
    #[serde(rename = "message:id")]
    id: String,
    #[serde(rename = "message:type")]
    kind: &'static str,
    #[serde(rename = "message:nonce")]
    nonce: String,
    #[serde(rename = "client:accessToken")]
    access_token: &'a str,
    #[serde(rename = "client:mediaUsage")]
    media_usage: &'static str,
}

/// A new message, with an id and a nonce of its own.
pub fn client_access(token: &Secret) -> Secret {
    // Twenty bytes that nobody can foresee: their base64 ends in the one `=` that such messages
    // have.
    let nonce = random::bytes::<20>();
    super::json(&ClientAccess {
        id: random::uuid().to_string(),
        kind: "clientAccess",
        nonce: URL_SAFE.encode(nonce),
        access_token: token.expose(),
        media_usage: "stream",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_message_that_ave_takes_and_new_each_time() {
        let token = Secret::from("a\"b");
        let message = client_access(&token);
        let read: serde_json::Value = serde_json::from_str(message.expose()).expect("JSON");
        assert_eq!(read["message:type"], "clientAccess");
        assert_eq!(read["client:accessToken"], "a\"b");
        assert_eq!(read["client:mediaUsage"], "stream");
        let nonce = read["message:nonce"].as_str().expect("a text");
        assert!(nonce.ends_with('=') && !nonce.ends_with("=="), "{nonce}");
        assert_eq!(URL_SAFE.decode(nonce).expect("base64url").len(), 20);
        assert_eq!(read.as_object().map(|fields| fields.len()), Some(5));
        assert!(message.expose().starts_with(r#"{"message:id":""#));

        let another = client_access(&token);
        let another: serde_json::Value = serde_json::from_str(another.expose()).expect("JSON");
        for name in ["message:id", "message:nonce"] {
            assert_ne!(read[name], another[name]);
        }
    }
}
