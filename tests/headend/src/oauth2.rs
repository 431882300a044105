// SPDX-License-Identifier: MIT OR Apache-2.0

//! An OAuth 2.0 authorization server (RFC 6749): a token endpoint for the grants
//! `client_credentials` and `refresh_token`, with refresh tokens that are good once.

use std::collections::HashSet;
use std::time::SystemTime;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use form_urlencoded::parse;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::credentials::{CLIENT_ID, CLIENT_SECRET, PUBLIC_CLIENT_ID};
use crate::reply::{self, Reply};

/// What the server remembers.
#[derive(Debug)]
pub(crate) struct OAuth2 {
    instance: String,
    /// Counts refresh tokens.
    number: u32,
    rotates: bool,
    /// The key by which the client signs.
    client_key: Option<Vec<u8>>,
    /// The assertions that have been seen; each is good once.
    seen: HashSet<String>,
}

/// Finds a field of the form.
type Field<'f, 'a> = dyn Fn(&str) -> Result<Option<&'a str>, Box<Reply>> + 'f;

/// Who asks, where that is known.
enum Client {
    Confidential,
    Public,
}

impl OAuth2 {
    pub(crate) fn new(instance: String) -> Self {
        Self {
            instance,
            number: 1,
            rotates: true,
            client_key: None,
            seen: HashSet::new(),
        }
    }

    /// The one refresh token that is good now.
    pub(crate) fn refresh_token(&self) -> String {
        format!("headend-refresh-{}-{:04}", self.instance, self.number)
    }

    /// Makes the current refresh token a bad one.
    pub(crate) fn revoke(&mut self) {
        self.number += 1;
    }

    pub(crate) fn set_rotation(&mut self, rotates: bool) {
        self.rotates = rotates;
    }

    pub(crate) fn set_client_key(&mut self, public: Vec<u8>) {
        self.client_key = Some(public);
    }

    /// Grants `token` for so many seconds, or says what is wrong with the request. `url` is that of
    /// the token endpoint.
    pub(crate) fn serve(
        &mut self,
        url: &str,
        headers: &HeaderMap,
        body: &[u8],
        token: &str,
        seconds: u64,
    ) -> Reply {
        let form: Vec<(String, String)> = parse(body).into_owned().collect();
        let field = |name: &str| {
            let mut values = form.iter().filter(|(known, _)| known == name);
            let value = values.next().map(|(_, value)| value.as_str());
            match values.next() {
                None => Ok(value),
                Some(_) => Err(error(400, "invalid_request", "A parameter comes twice.")),
            }
        };
        match self.grant(url, headers, &field) {
            Err(reply) => *reply,
            Ok(refresh_token) => {
                let mut reply = json!({
                    "access_token": token,
                    "token_type": "Bearer",
                    "expires_in": seconds,
                });
                if let Some(refresh_token) = refresh_token {
                    reply["refresh_token"] = Value::String(refresh_token);
                }
                reply::json(&reply)
            }
        }
    }

    /// The new refresh token, where there is one.
    fn grant<'a>(
        &mut self,
        url: &str,
        headers: &HeaderMap,
        field: &Field<'_, 'a>,
    ) -> Result<Option<String>, Box<Reply>> {
        let client = self.client(url, headers, field)?;
        if field("scope")? == Some("forbidden") {
            return Err(error(400, "invalid_scope", "That is not for this client."));
        }
        match (field("grant_type")?, client) {
            (Some("client_credentials"), Client::Confidential) => Ok(None),
            (Some("client_credentials"), Client::Public) => Err(error(
                400,
                "unauthorized_client",
                "A public client has no credentials.",
            )),
            (Some("refresh_token"), _) => {
                if field("refresh_token")? != Some(&self.refresh_token()) {
                    return Err(error(
                        400,
                        "invalid_grant",
                        "The refresh token is not valid.",
                    ));
                }
                if self.rotates {
                    self.number += 1;
                }
                Ok(self.rotates.then(|| self.refresh_token()))
            }
            _ => Err(error(
                400,
                "unsupported_grant_type",
                "There is no such grant.",
            )),
        }
    }

    fn client<'a>(
        &mut self,
        url: &str,
        headers: &HeaderMap,
        field: &Field<'_, 'a>,
    ) -> Result<Client, Box<Reply>> {
        let unknown = || error(401, "invalid_client", "The client is not known.");
        let id = field("client_id")?;
        let basic = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        match (basic, field("client_secret")?, field("client_assertion")?) {
            (Some(basic), None, None) => match credentials(basic) {
                Some((id, secret)) if id == CLIENT_ID && secret == CLIENT_SECRET => {
                    Ok(Client::Confidential)
                }
                _ => Err(unknown()),
            },
            (None, Some(secret), None) if id == Some(CLIENT_ID) && secret == CLIENT_SECRET => {
                Ok(Client::Confidential)
            }
            (None, None, Some(assertion)) => {
                let of_jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                let is_known = field("client_assertion_type")? == Some(of_jwt)
                    && self.is_own(url, assertion).is_some();
                is_known.then_some(Client::Confidential).ok_or_else(unknown)
            }
            (None, None, None) if id == Some(PUBLIC_CLIENT_ID) => Ok(Client::Public),
            (None, _, None) => Err(unknown()),
            _ => Err(error(
                400,
                "invalid_request",
                "The client says twice who it is.",
            )),
        }
    }

    /// Whether the client has signed that for this endpoint, and has not used it (RFC 7523, 3).
    fn is_own(&mut self, url: &str, assertion: &str) -> Option<()> {
        let (signed, signature) = assertion.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = self.client_key.as_ref()?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        let (header, claims) = signed.split_once('.')?;
        let read = |part: &str| -> Option<Value> {
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (header, claims) = (read(header)?, read(claims)?);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.ok()?.as_secs();
        let is_valid = header["alg"] == "ES256"
            && claims["iss"] == CLIENT_ID
            && claims["sub"] == CLIENT_ID
            && claims["aud"] == url
            && claims["exp"].as_u64()? > now
            && claims["iat"].as_u64()? <= now + 1
            && self.seen.insert(claims["jti"].as_str()?.to_owned());
        is_valid.then_some(())
    }
}

/// Id and secret in a header, both encoded as in a form (RFC 6749, 2.3.1).
fn credentials(header: &[u8]) -> Option<(String, String)> {
    let encoded = header.strip_prefix(b"Basic ")?;
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| {
        let pair = format!("x={text}");
        let (_, value) = parse(pair.as_bytes()).next()?;
        Some(value.into_owned())
    };
    Some((decoded(id)?, decoded(secret)?))
}

fn error(status: u16, code: &str, description: &str) -> Box<Reply> {
    let body = json!({ "error": code, "error_description": description });
    Box::new(reply::reply(status, "application/json", body.to_string()))
}
