// SPDX-License-Identifier: MIT OR Apache-2.0

//! What each auth service is asked, and how strictly its answer is read. No network here.

pub mod ags;
pub mod custom;
pub mod dashif;
pub mod discovery;
pub mod json_pointer;
pub mod oauth2;
pub mod parameters;
pub mod rdk;
mod service_choice;
pub mod signed_jwt;
mod status;
pub mod thunder;
pub mod thunder_events;

use std::borrow::Cow;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::error::Failure;
use crate::http::{HttpResponse, Method};
use crate::json::Scalar;
use crate::token::Secret;
use crate::token::{Grant, checked};

pub use ags::Ags;
pub use custom::Custom;
pub use dashif::DashIf;
pub use oauth2::OAuth2;
pub use thunder::Thunder;
pub use thunder_events::Changes;

/// Which auth service hands out the tokens, with what it wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// RDK's authservice over HTTP.
    Rdk,
    /// RDK's authservice over JSON-RPC.
    Thunder(Thunder),
    /// OpenTV's Authentication Gateway Service.
    Ags(Ags),
    /// The authorization service that an MPD names.
    DashIf(DashIf),
    /// An OAuth 2.0 authorization server.
    OAuth2(OAuth2),
    /// Any other service over HTTP.
    Custom(Custom),
}

/// One request to a service, but for where it goes. The default is a GET of nothing special.
#[derive(Default)]
pub struct Call {
    pub method: Method,
    pub headers: Vec<(String, Secret)>,
    /// What stands in the query, in the place of what has that name there.
    pub parameter: Option<(&'static str, String)>,
    /// Content type and bytes.
    pub body: Option<(Cow<'static, str>, Zeroizing<Vec<u8>>)>,
    /// What it tells the service and nobody else may see.
    pub secrets: Vec<Secret>,
    /// What ties the reply to it, for services that have such.
    id: u32,
}

impl Call {
    fn get(headers: Vec<(String, Secret)>) -> Self {
        Self {
            headers,
            ..Self::default()
        }
    }

    fn post_json(headers: Vec<(String, Secret)>, body: Vec<u8>) -> Self {
        Self {
            method: Method::Post,
            headers,
            body: Some(("application/json".into(), Zeroizing::new(body))),
            ..Self::default()
        }
    }
}

/// What a request is made for, besides the service's own settings.
pub struct CallContext<'a> {
    /// Ties requests together in the services' logs.
    pub correlation_id: &'a str,
    /// What [`Service::read_discovery`] gave.
    pub discovered: Option<&'a str>,
    /// The URL that is asked, without userinfo, query and fragment.
    pub audience: &'a str,
    pub now: SystemTime,
}

#[cfg(any(test, fuzzing))]
impl CallContext<'_> {
    /// For a request that is made in 1970.
    pub fn for_tests() -> Self {
        Self {
            correlation_id: "id",
            discovered: None,
            audience: "https://auth.example/token",
            now: SystemTime::UNIX_EPOCH,
        }
    }
}

/// What a service's reply holds.
#[derive(Debug, PartialEq, Eq)]
pub struct TokenReply {
    pub grant: Grant,
    /// The refresh token that takes the place of the one that was sent.
    pub refresh_token: Option<Secret>,
}

impl From<Grant> for TokenReply {
    fn from(grant: Grant) -> Self {
        Self {
            grant,
            refresh_token: None,
        }
    }
}

impl Service {
    /// The word for it in settings and messages.
    pub fn nick(&self) -> &'static str {
        match self {
            Service::Rdk => rdk::NICK,
            Service::Thunder(_) => thunder::NICK,
            Service::Ags(_) => ags::NICK,
            Service::DashIf(_) => dashif::NICK,
            Service::OAuth2(_) => oauth2::NICK,
            Service::Custom(_) => custom::NICK,
        }
    }

    /// The request that has to be answered before that for the token, where there is one.
    pub fn discovery(&self, correlation_id: &str) -> Option<Call> {
        match self {
            Service::Ags(ags) if ags.discover() => Some(ags.discovery_call(correlation_id)),
            _ => None,
        }
    }

    /// Reads the reply to [`discovery`](Self::discovery): the id of the service to name in the
    /// request for the token. `asked` is the last part of the path that will be asked for it.
    ///
    /// # Errors
    ///
    /// As [`discovery::read_reply`] and [`Ags::choose`].
    pub fn read_discovery(
        &self,
        reply: &HttpResponse,
        asked: &str,
    ) -> Result<Option<String>, Failure> {
        match self {
            Service::Ags(ags) => ags.choose(&discovery::read_reply(reply)?, asked).map(Some),
            _ => Ok(None),
        }
    }

    /// The request for a token.
    ///
    /// # Errors
    ///
    /// `Misconfigured` where it cannot be signed.
    pub fn token_call(&self, context: &CallContext<'_>) -> Result<Call, Failure> {
        Ok(match self {
            Service::Rdk => Call::default(),
            Service::Thunder(thunder) => thunder.call(),
            Service::Ags(ags) => ags.token_call(context),
            Service::DashIf(dashif) => Call {
                parameter: Some(dashif.parameter()),
                ..Call::default()
            },
            Service::OAuth2(oauth2) => oauth2.token_call(context)?,
            Service::Custom(custom) => custom.token_call(),
        })
    }

    /// Reads the reply to `call`.
    ///
    /// # Errors
    ///
    /// `Denied` where the service said no, `Transient` where it may say yes later, `Malformed` for
    /// everything else that holds no token. No error holds text from the reply, but for what
    /// [`crate::problem_details`] has cleaned.
    pub fn read_token(&self, call: &Call, reply: &HttpResponse) -> Result<TokenReply, Failure> {
        match self {
            Service::Rdk => rdk::read_reply(reply).map(TokenReply::from),
            Service::Thunder(_) => thunder::read_reply(reply, call.id).map(TokenReply::from),
            Service::Ags(_) => ags::read_reply(reply).map(TokenReply::from),
            Service::DashIf(_) => dashif::read_reply(reply).map(TokenReply::from),
            Service::OAuth2(_) => oauth2::read_reply(reply),
            Service::Custom(custom) => custom.read_reply(reply, SystemTime::now()),
        }
        .map_err(|failure| failure.with_http_status(reply.status))
    }

    /// Whether a request is good once, so that each attempt has another one.
    pub fn is_good_once(&self) -> bool {
        matches!(self, Service::OAuth2(oauth2) if oauth2.signs())
    }

    /// Whether a redirect to another place is followed. Where the service's address is a setting,
    /// that is what is wrong.
    pub fn follows_redirects(&self) -> bool {
        matches!(self, Service::DashIf(_))
    }

    /// How to hear from the service that there is another token, where it says so.
    pub fn changes(&self) -> Option<Changes> {
        match self {
            Service::Thunder(thunder) => thunder.changes(),
            _ => None,
        }
    }
}

/// What a service is asked for, in a sentence.
const A_TOKEN: &str = "a session token";

/// For the sentence about a body that is no JSON, or JSON of another shape.
fn unreadable(complaint: String) -> Failure {
    Failure::malformed(format!(
        "the auth service's reply is {complaint}: check that `location` names the auth service"
    ))
}

/// What `success` says; a reply that has none means yes.
///
/// # Errors
///
/// `Malformed` where it is neither true nor false.
fn success(field: Option<&Scalar>) -> Result<bool, Failure> {
    match field {
        None => Ok(true),
        Some(Scalar::Bool(success)) => Ok(*success),
        Some(_) => Err(Failure::malformed(
            "`success` in the auth service's reply is neither true nor false",
        )),
    }
}

/// The token in the reply's field of that name.
///
/// # Errors
///
/// `Malformed` where there is none, or none that a header can carry.
fn token(field: Option<Scalar>, name: &str) -> Result<Secret, Failure> {
    match field {
        Some(Scalar::Text(token)) => checked(token, "the auth service"),
        Some(_) => Err(Failure::malformed(format!(
            "`{name}` in the auth service's reply is not a string"
        ))),
        None => Err(Failure::malformed(format!(
            "the auth service's reply has no `{name}`: check that `location` names the auth service"
        ))),
    }
}
