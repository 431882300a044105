// SPDX-License-Identifier: MIT OR Apache-2.0

//! What AAMP's DASH flow hands to SecClient, or packs into the body of a key request, but for the
//! challenge, which only the decryptor has (AAMP's `AampPlayReadyHelper::generateLicenseRequest`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::cenc::{WIDEVINE_SYSTEM, playready};
use crate::token::Secret;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key_system: Option<&'static str>,
    media_usage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_metadata: Option<String>,
    access_token: &'a str,
}

/// `system` is the protection system's id, `init_data` that of the protection event.
pub fn key_request(token: &Secret, system: &str, init_data: &[u8]) -> Secret {
    let is = |known: &str| system.eq_ignore_ascii_case(known);
    let (key_system, policy) = if is(playready::PLAYREADY_SYSTEM) {
        (Some("playReady"), playready::policy(init_data))
    } else if is(WIDEVINE_SYSTEM) {
        (Some("widevine"), None)
    } else {
        (None, None)
    };
    super::json(&KeyRequest {
        key_system,
        media_usage: "stream",
        content_metadata: policy.map(|policy| STANDARD.encode(policy)),
        access_token: token.expose(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &[u8] =
        br#"<WRMHEADER><DATA><ckm:policy xmlns:ckm="urn:ccp:ckm">policy</ckm:policy></DATA></WRMHEADER>"#;

    #[test]
    fn key_request_names_system_and_content_metadata() {
        let token = Secret::from("t");
        let request = |system: &str, init_data| key_request(&token, system, init_data);
        assert_eq!(
            request(playready::PLAYREADY_SYSTEM, POLICY).expose(),
            r#"{"keySystem":"playReady","mediaUsage":"stream","contentMetadata":"cG9saWN5","accessToken":"t"}"#
        );
        assert_eq!(
            request(&WIDEVINE_SYSTEM.to_uppercase(), POLICY).expose(),
            r#"{"keySystem":"widevine","mediaUsage":"stream","accessToken":"t"}"#
        );
        assert_eq!(
            request("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b", b"").expose(),
            r#"{"mediaUsage":"stream","accessToken":"t"}"#
        );
    }
}
