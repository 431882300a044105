// SPDX-License-Identifier: MIT OR Apache-2.0

//! The properties for `auth-service=oauth2`, and the service that they describe.

use gst::glib;
use gst::prelude::*;

use crate::auth_service::OAuth2;
use crate::auth_service::oauth2::{ClientAuthentication, OAuth2Grant, is_refresh_token};
use crate::auth_service::signed_jwt::PrivateKey;
use crate::config::{string, text};
use crate::error::Failure;
use crate::files;
use crate::session::logins;
use crate::token::MAX_TOKEN_LEN;

/// Largest file of a client's secret or key.
const MAX_CREDENTIAL: usize = 64 * 1024;

/// What a token is granted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstSessionTokenGrant")]
#[repr(i32)]
pub enum Grant {
    #[default]
    #[enum_value(
        name = "Client credentials (RFC 6749, 4.4)",
        nick = "client-credentials"
    )]
    ClientCredentials,
    #[enum_value(name = "Refresh token (RFC 6749, 6)", nick = "refresh-token")]
    RefreshToken,
}

/// How the client says who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstSessionTokenClientAuthentication")]
#[repr(i32)]
pub enum Authentication {
    #[default]
    #[enum_value(
        name = "Basic: id and secret in the header Authorization",
        nick = "basic"
    )]
    Basic,
    #[enum_value(name = "Post: id and secret in the body", nick = "post")]
    Post,
    #[enum_value(
        name = "Private key JWT: an assertion signed with client-key-file (RFC 7523)",
        nick = "private-key-jwt"
    )]
    PrivateKeyJwt,
}

/// The properties as they were set.
#[derive(Clone, Default)]
pub struct OAuth2Settings {
    grant: Grant,
    client_id: Option<String>,
    client_secret_file: Option<String>,
    refresh_token_file: Option<String>,
    authentication: Authentication,
    client_key_file: Option<String>,
    scope: Option<String>,
    audience: Option<String>,
}

impl OAuth2Settings {
    pub fn properties() -> Vec<glib::ParamSpec> {
        vec![
            glib::ParamSpecEnum::builder::<Grant>("grant")
                .nick("Grant")
                .blurb("What a token is granted for (oauth2: grant_type)")
                .mutable_ready()
                .build(),
            string(
                "client-id",
                "Client id",
                "The id under which the authorization server knows this player (oauth2)",
            ),
            string(
                "client-secret-file",
                "Client secret file",
                "File that holds the client's secret (oauth2), read for each request",
            ),
            string(
                "refresh-token-file",
                "Refresh token file",
                "File that holds the refresh token (oauth2), read for each request; one that the server replaces is written back",
            ),
            glib::ParamSpecEnum::builder::<Authentication>("client-authentication")
                .nick("Client authentication")
                .blurb("How the client says who it is (oauth2)")
                .mutable_ready()
                .build(),
            string(
                "client-key-file",
                "Client key file",
                "PEM file of the private key that signs the client's assertion (oauth2), read for each request",
            ),
            string(
                "scope",
                "Scope",
                "What the token is to be good for (oauth2)",
            ),
            string(
                "audience",
                "Audience",
                "Who is to take the token (oauth2, where the server knows that parameter)",
            ),
        ]
    }

    /// The value of one of these properties; `None` for another one.
    pub fn get(&self, name: &str) -> Option<glib::Value> {
        Some(match name {
            "grant" => self.grant.to_value(),
            "client-id" => self.client_id.to_value(),
            "client-secret-file" => self.client_secret_file.to_value(),
            "refresh-token-file" => self.refresh_token_file.to_value(),
            "client-authentication" => self.authentication.to_value(),
            "client-key-file" => self.client_key_file.to_value(),
            "scope" => self.scope.to_value(),
            "audience" => self.audience.to_value(),
            _ => return None,
        })
    }

    /// Takes the value of one of these properties. `false` for another one.
    pub fn apply(&mut self, name: &str, value: &glib::Value) -> bool {
        match name {
            "grant" => self.grant = value.get().unwrap_or_default(),
            "client-id" => self.client_id = text(value),
            "client-secret-file" => self.client_secret_file = text(value),
            "refresh-token-file" => self.refresh_token_file = text(value),
            "client-authentication" => self.authentication = value.get().unwrap_or_default(),
            "client-key-file" => self.client_key_file = text(value),
            "scope" => self.scope = text(value),
            "audience" => self.audience = text(value),
            _ => return false,
        }
        true
    }

    /// The first of these properties that has another value than its default.
    pub fn set_property(&self) -> Option<&'static str> {
        let is_set = [
            ("grant", self.grant != Grant::default()),
            ("client-id", self.client_id.is_some()),
            ("client-secret-file", self.client_secret_file.is_some()),
            ("refresh-token-file", self.refresh_token_file.is_some()),
            (
                "client-authentication",
                self.authentication != Authentication::default(),
            ),
            ("client-key-file", self.client_key_file.is_some()),
            ("scope", self.scope.is_some()),
            ("audience", self.audience.is_some()),
        ];
        is_set.iter().find(|(_, is)| *is).map(|(name, _)| *name)
    }

    /// The files of credentials, with their properties.
    pub fn files(&self) -> [(&'static str, Option<&str>); 3] {
        [
            ("client-secret-file", self.client_secret_file.as_deref()),
            ("refresh-token-file", self.refresh_token_file.as_deref()),
            ("client-key-file", self.client_key_file.as_deref()),
        ]
    }

    /// The file in which a refresh token is kept that the server hands out.
    pub fn refresh_token_file(&self) -> Option<&str> {
        let path = self.refresh_token_file.as_deref();
        path.filter(|_| self.grant == Grant::RefreshToken)
    }

    /// The service, with what its files hold now.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn service(&self) -> Result<OAuth2, Failure> {
        let grant = match (self.grant, &self.refresh_token_file) {
            (Grant::ClientCredentials, None) => OAuth2Grant::ClientCredentials,
            (Grant::RefreshToken, Some(path)) => {
                let text = files::read_text(path, "refresh-token-file", 2 * MAX_TOKEN_LEN)?;
                if !is_refresh_token(&text) {
                    return Err(Failure::misconfigured(
                        "`refresh-token-file` holds no refresh token: it is empty, too long, or has other characters than visible ASCII ones",
                    ));
                }
                OAuth2Grant::RefreshToken(logins::current(&files::canonical(path), text))
            }
            (Grant::ClientCredentials, Some(_)) => {
                return Err(Failure::misconfigured(
                    "`refresh-token-file` is of no use with grant=client-credentials: set `grant` to refresh-token, or leave it out",
                ));
            }
            (Grant::RefreshToken, None) => {
                return Err(Failure::misconfigured(
                    "`refresh-token-file` is not set: grant=refresh-token needs it",
                ));
            }
        };
        OAuth2::new(
            grant,
            self.client_id.clone(),
            self.client()?,
            self.scope.clone(),
            self.audience.clone(),
        )
    }

    fn client(&self) -> Result<ClientAuthentication, Failure> {
        let useless = |setting: &str, with: &str| {
            Err(Failure::misconfigured(format!(
                "`{setting}` is of no use with client-authentication={with}: set `client-authentication`, or leave it out"
            )))
        };
        let secret = match &self.client_secret_file {
            Some(path) => {
                let secret = files::read_text(path, "client-secret-file", MAX_CREDENTIAL)?;
                if secret.expose().is_empty() {
                    return Err(Failure::misconfigured("`client-secret-file` is empty"));
                }
                Some(secret)
            }
            None => None,
        };
        match (self.authentication, secret, &self.client_key_file) {
            (Authentication::PrivateKeyJwt, None, Some(path)) => {
                let pem = files::read_text(path, "client-key-file", MAX_CREDENTIAL)?;
                let key = PrivateKey::parse(pem, "client-key-file")?;
                Ok(ClientAuthentication::PrivateKeyJwt(key))
            }
            (Authentication::PrivateKeyJwt, None, None) => Err(Failure::misconfigured(
                "`client-key-file` is not set: client-authentication=private-key-jwt needs it",
            )),
            (Authentication::PrivateKeyJwt, Some(_), _) => {
                useless("client-secret-file", "private-key-jwt")
            }
            (Authentication::Basic, _, Some(_)) => useless("client-key-file", "basic"),
            (Authentication::Post, _, Some(_)) => useless("client-key-file", "post"),
            (Authentication::Basic, Some(secret), None) => Ok(ClientAuthentication::Basic(secret)),
            (Authentication::Post, Some(secret), None) => Ok(ClientAuthentication::Post(secret)),
            (_, None, None) => Ok(ClientAuthentication::Public),
        }
    }
}
