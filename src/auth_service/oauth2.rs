// SPDX-License-Identifier: MIT OR Apache-2.0

//! An OAuth 2.0 authorization server: `POST` to its token endpoint, with the client's own
//! credentials or with a refresh token (RFC 6749, 4.4 and 6).

use std::hash::{Hash, Hasher};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::signed_jwt::PrivateKey;
use super::{A_TOKEN, Call, CallContext, TokenReply, status, token, unreadable};
use crate::error::Failure;
use crate::http::{HttpResponse, Method};
use crate::json::{self, Scalar};
use crate::problem_details::ProblemDetails;
use crate::token::{Grant, MAX_TOKEN_LEN, Secret};

pub const NICK: &str = "oauth2";

/// Longest `client-id`, `scope` and `audience`, in bytes.
const MAX_TEXT: usize = 2048;

/// What proves that an assertion is a JWT (RFC 7523, 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What the authorization server wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OAuth2 {
    grant: OAuth2Grant,
    client_id: String,
    authentication: ClientAuthentication,
    scope: Option<String>,
    audience: Option<String>,
}

/// What a token is granted for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OAuth2Grant {
    /// RFC 6749, 4.4
    ClientCredentials,
    /// RFC 6749, 6
    RefreshToken(RefreshToken),
}

/// A refresh token. Those that follow each other as the server hands out new ones are the same
/// login, and so the same.
#[derive(Clone, Debug)]
pub struct RefreshToken {
    pub text: Secret,
    /// Tells logins apart.
    pub login: u64,
    /// What stands for the text that its file held, which may be an older one.
    pub content: [u8; 32],
}

impl PartialEq for RefreshToken {
    fn eq(&self, other: &Self) -> bool {
        self.login == other.login
    }
}

impl Eq for RefreshToken {}

impl Hash for RefreshToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.login.hash(state);
    }
}

/// How the client says who it is (RFC 6749, 2.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientAuthentication {
    /// A public client has no secret: it gives its id alone.
    Public,
    /// In the header `Authorization`.
    Basic(Secret),
    /// In the body.
    Post(Secret),
    /// A JWT in the body (RFC 7523).
    PrivateKeyJwt(PrivateKey),
}

impl OAuth2 {
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn new(
        grant: OAuth2Grant,
        client_id: Option<String>,
        authentication: ClientAuthentication,
        scope: Option<String>,
        audience: Option<String>,
    ) -> Result<Self, Failure> {
        let client_id = client_id.ok_or_else(|| {
            Failure::misconfigured(
                "`client-id` is not set: set it to the id under which the authorization server knows this player",
            )
        })?;
        for (setting, text) in [
            ("client-id", Some(&client_id)),
            ("scope", scope.as_ref()),
            ("audience", audience.as_ref()),
        ] {
            let is_text =
                |text: &&String| text.len() <= MAX_TEXT && !text.contains(char::is_control);
            if text.is_some_and(|text| !is_text(&text)) {
                return Err(Failure::misconfigured(format!(
                    "`{setting}` is longer than {MAX_TEXT} bytes or holds control characters"
                )));
            }
        }
        if grant == OAuth2Grant::ClientCredentials && authentication == ClientAuthentication::Public
        {
            return Err(Failure::misconfigured(
                "`client-secret-file` is not set: grant=client-credentials needs it, or client-authentication=private-key-jwt with `client-key-file`",
            ));
        }
        Ok(Self {
            grant,
            client_id,
            authentication,
            scope,
            audience,
        })
    }

    /// The refresh token that is sent, where that is the grant.
    pub fn refresh_token(&self) -> Option<&RefreshToken> {
        match &self.grant {
            OAuth2Grant::ClientCredentials => None,
            OAuth2Grant::RefreshToken(token) => Some(token),
        }
    }

    /// Whether the client signs each request.
    pub fn signs(&self) -> bool {
        matches!(self.authentication, ClientAuthentication::PrivateKeyJwt(_))
    }

    /// The headers that these settings fill.
    pub fn taken(&self) -> &'static [&'static str] {
        match &self.authentication {
            ClientAuthentication::Basic(_) => &["accept", "authorization"],
            _ => &["accept"],
        }
    }

    /// # Errors
    ///
    /// `Misconfigured` where the client's key cannot sign.
    pub fn token_call(&self, context: &CallContext<'_>) -> Result<Call, Failure> {
        let mut form = Form::default();
        let mut headers = Vec::new();
        let mut secrets = Vec::new();
        match &self.grant {
            OAuth2Grant::ClientCredentials => form.add("grant_type", "client_credentials"),
            OAuth2Grant::RefreshToken(RefreshToken { text, .. }) => {
                form.add("grant_type", "refresh_token");
                form.add("refresh_token", text.expose());
                secrets.push(text.clone());
            }
        }
        match &self.authentication {
            ClientAuthentication::Public => form.add("client_id", &self.client_id),
            ClientAuthentication::Basic(secret) => {
                let value = basic(&self.client_id, secret);
                secrets.extend([secret.clone(), value.clone()]);
                headers.push(("Authorization".to_owned(), value));
            }
            ClientAuthentication::Post(secret) => {
                form.add("client_id", &self.client_id);
                form.add("client_secret", secret.expose());
                secrets.push(secret.clone());
            }
            ClientAuthentication::PrivateKeyJwt(key) => {
                let assertion = key.assertion(&self.client_id, context.audience, context.now)?;
                form.add("client_id", &self.client_id);
                form.add("client_assertion_type", JWT_BEARER);
                form.add("client_assertion", assertion.expose());
                secrets.push(assertion);
            }
        }
        for (name, value) in [("scope", &self.scope), ("audience", &self.audience)] {
            if let Some(value) = value {
                form.add(name, value);
            }
        }
        headers.push(("Accept".to_owned(), Secret::from("application/json")));
        Ok(Call {
            method: Method::Post,
            headers,
            body: Some((
                "application/x-www-form-urlencoded".into(),
                Zeroizing::new(form.0.as_bytes().to_vec()),
            )),
            secrets,
            ..Call::default()
        })
    }
}

/// The header by which a client with a secret says who it is: both are encoded as in a form first
/// (RFC 6749, 2.3.1).
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let mut pair = Zeroizing::new(String::with_capacity(
        3 * (client_id.len() + secret.expose().len()) + 1,
    ));
    pair.extend(byte_serialize(client_id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(secret.expose().as_bytes()));
    Secret::new(["Basic ", &Zeroizing::new(STANDARD.encode(&*pair))].concat())
}

/// The body of a request (`application/x-www-form-urlencoded`).
#[derive(Default)]
struct Form(Zeroizing<String>);

impl Form {
    fn add(&mut self, name: &str, value: &str) {
        // Anew where there is no room, so that no copy of a secret is left behind.
        let size = self.0.len() + name.len() + 3 * value.len() + 2;
        let mut form = Zeroizing::new(String::with_capacity(size));
        form.push_str(&self.0);
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        form.extend(byte_serialize(value.as_bytes()));
        self.0 = form;
    }
}

/// Reads a reply (RFC 6749, 5).
///
/// # Errors
///
/// `Denied`, `Transient` and `Misconfigured` by the error code of section 5.2, and by the HTTP
/// status where there is none; `Malformed` for a reply that holds no bearer token.
pub fn read_reply(reply: &HttpResponse) -> Result<TokenReply, Failure> {
    #[derive(Deserialize)]
    struct Fields {
        #[serde(default)]
        access_token: Option<Scalar>,
        #[serde(default)]
        token_type: Option<Scalar>,
        #[serde(default)]
        expires_in: Option<Scalar>,
        #[serde(default)]
        refresh_token: Option<Scalar>,
    }
    if !matches!(reply.status, 200 | 201) {
        return Err(refusal(reply));
    }
    let fields: Fields = json::read_object(&reply.body).map_err(unreadable)?;
    // What another type of token is used with is not known here (RFC 6749, 7.1).
    let is_bearer = match &fields.token_type {
        None => true,
        Some(Scalar::Text(name)) => name.expose().eq_ignore_ascii_case("bearer"),
        Some(_) => false,
    };
    if !is_bearer {
        return Err(Failure::malformed(
            "the authorization server's token is no bearer token (`token_type`): other types are not supported",
        ));
    }
    let refresh_token = fields.refresh_token.and_then(|text| match text {
        Scalar::Text(text) => Some(text).filter(is_refresh_token),
        _ => None,
    });
    Ok(TokenReply {
        grant: Grant {
            token: token(fields.access_token, "access_token")?,
            lifetime: fields.expires_in.as_ref().and_then(lifetime),
        },
        refresh_token,
    })
}

/// Whether this can be kept in a file and sent again (RFC 6749, A.17).
pub fn is_refresh_token(text: &Secret) -> bool {
    let text = text.expose();
    let is_visible = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    (1..=MAX_TOKEN_LEN).contains(&text.len()) && text.trim() == text && text.bytes().all(is_visible)
}

fn lifetime(expires_in: &Scalar) -> Option<Duration> {
    let seconds = expires_in.integer().filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.unsigned_abs()))
}

/// What the server says no with.
fn refusal(reply: &HttpResponse) -> Failure {
    #[derive(Deserialize)]
    struct Fields {
        #[serde(default)]
        error: Option<Scalar>,
        #[serde(default)]
        error_description: Option<Scalar>,
    }
    let fields: Option<Fields> = match reply.status {
        400..=599 => json::read_object(&reply.body).ok(),
        _ => None,
    };
    let text = |scalar: Option<Scalar>| scalar.as_ref().and_then(Scalar::text).cloned();
    let (code, description) = fields.map_or((None, None), |fields| {
        (text(fields.error), text(fields.error_description))
    });
    let Some(code) = code else {
        let credentials = "`client-id` and the client's credentials";
        return status::failure(reply, A_TOKEN, credentials);
    };
    let status = reply.status;
    let refused = |kind: fn(String) -> Failure, what: &str| {
        kind(format!(
            "the authorization server refused a token ({}, HTTP {status}): {what}",
            code.expose()
        ))
    };
    let failure = match code.expose() {
        "invalid_grant" => refused(
            Failure::denied,
            "the refresh token has ended or was withdrawn, so have the user sign in again",
        ),
        "invalid_client" => refused(
            Failure::denied,
            "check `client-id`, the client's credentials and `client-authentication`",
        ),
        "unauthorized_client" => refused(
            Failure::denied,
            "check that this client may use the `grant` that is set",
        ),
        "invalid_scope" => refused(Failure::denied, "check `scope`"),
        "access_denied" => refused(Failure::denied, "check that this account may watch"),
        "invalid_target" => refused(Failure::denied, "check `audience`"),
        "unsupported_grant_type" => refused(Failure::misconfigured, "check `grant`"),
        "invalid_request" => refused(
            Failure::misconfigured,
            "check `location`, `client-authentication`, `scope` and `audience`",
        ),
        known @ ("temporarily_unavailable" | "server_error" | "slow_down") => {
            Failure::transient(format!(
                "the authorization server does not give a token at the moment ({known}, HTTP {status}){}",
                reply.retry_after_suffix()
            ))
        }
        _ if status >= 500 || matches!(status, 408 | 429) => {
            status::failure(reply, A_TOKEN, "`location`")
        }
        _ => Failure::denied(format!(
            "the authorization server refused a token for a reason of its own (HTTP {status})"
        )),
    };
    // One that nobody knows says something at least.
    let words = description.unwrap_or(code);
    failure.with_problem(ProblemDetails::titled(words.expose()))
}

#[cfg(test)]
mod tests;
