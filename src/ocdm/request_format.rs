// SPDX-License-Identifier: MIT OR Apache-2.0

//! How a challenge goes to the license server, and how the license comes back: as they are, or in
//! the JSON of the license service that SecClient talks to (AAMP's
//! `AampPlayReadyHelper::generateLicenseRequest` and `transformLicenseResponse`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::token::Secret;

/// What the body of a license request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RequestFormat {
    /// The challenge.
    #[default]
    Challenge,
    /// The token's custom data, with the challenge in it.
    SecClient,
}

#[derive(Deserialize)]
struct Reply {
    license: Secret,
}

impl RequestFormat {
    /// The body of the request with that challenge.
    ///
    /// # Errors
    ///
    /// `Misconfigured` where there is no custom data that could hold it.
    pub fn body(
        self,
        challenge: &[u8],
        custom_data: Option<&Secret>,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        if self == RequestFormat::Challenge {
            return Ok(Zeroizing::new(challenge.to_owned()));
        }
        let read = |data: &Secret| serde_json::from_str::<Map<String, Value>>(data.expose()).ok();
        let mut message = custom_data.and_then(read).ok_or_else(|| {
            Failure::misconfigured(
                "`request-format=secclient` needs the token packed for SecClient: set `packing=secclient` on `sessiontoken`",
            )
        })?;
        message.insert(
            "licenseRequest".to_owned(),
            STANDARD.encode(challenge).into(),
        );
        let body = serde_json::to_vec(&message).unwrap_or_default();
        for (_, value) in message {
            if let Value::String(text) = value {
                drop(Zeroizing::new(text));
            }
        }
        Ok(Zeroizing::new(body))
    }

    /// The media type of the body, where it is not that of the challenge.
    pub fn content_type(self) -> Option<&'static str> {
        match self {
            RequestFormat::Challenge => None,
            RequestFormat::SecClient => Some("application/json"),
        }
    }

    /// What the CDM gets of a reply.
    ///
    /// # Errors
    ///
    /// `Malformed` for an empty one, or one of another form. No text of it is quoted.
    pub fn read(self, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let license = match self {
            RequestFormat::Challenge => Some(Zeroizing::new(body.to_owned())),
            RequestFormat::SecClient => {
                let reply: Option<Reply> = serde_json::from_slice(body).ok();
                let license = reply.and_then(|reply| STANDARD.decode(reply.license.expose()).ok());
                license.map(Zeroizing::new)
            }
        };
        match license {
            Some(license) if !license.is_empty() => Ok(license),
            Some(_) => Err(Failure::malformed(
                "the license server's reply is empty where a license was expected",
            )),
            None => Err(Failure::malformed(
                "the license server's reply has no `license` in base64, as `request-format=secclient` expects it",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_goes_and_comes_as_it_is() {
        let format = RequestFormat::Challenge;
        assert_eq!(
            *format.body(b"\x08\x04", None).expect("a body"),
            b"\x08\x04"
        );
        assert_eq!(*format.read(b"\x00").expect("a license"), b"\x00");
        let failure = format.read(b"").expect_err("nothing");
        assert!(failure.what.contains("empty"), "{}", failure.what);
    }

    #[test]
    fn secclient_message_holds_the_challenge() {
        let format = RequestFormat::SecClient;
        let data = Secret::from(r#"{"mediaUsage":"stream","accessToken":"t"}"#);
        let body = format.body(b"chal", Some(&data)).expect("a body");
        let read: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(read["licenseRequest"], "Y2hhbA==");
        assert_eq!(read["accessToken"], "t");
        for data in [None, Some(&Secret::from("no JSON"))] {
            let failure = format.body(b"chal", data).expect_err("no custom data");
            assert!(failure.what.contains("`packing=secclient`"));
        }
        assert_eq!(
            *format
                .read(br#"{"license":"bGlj","x":1}"#)
                .expect("a license"),
            b"lic"
        );
        for none in [
            &b"{}"[..],
            b"<html>",
            br#"{"license":"%"}"#,
            br#"{"license":""}"#,
        ] {
            assert!(format.read(none).is_err(), "{none:?}");
        }
    }
}
