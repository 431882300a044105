// SPDX-License-Identifier: MIT OR Apache-2.0

//! What each auth service is asked, and how strictly its answer is read. No network here.

pub mod ags;
pub mod dashif;
pub mod discovery;
pub mod parameters;
pub mod rdk;
mod service_choice;
mod status;
pub mod thunder;
pub mod thunder_events;

use zeroize::Zeroizing;

use crate::error::Failure;
use crate::http::HttpResponse;
use crate::json::Scalar;
use crate::token::Secret;
use crate::token::{Grant, checked};

pub use ags::Ags;
pub use dashif::DashIf;
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
}

/// One request to a service, but for where it goes.
pub struct Call {
    pub headers: Vec<(String, Secret)>,
    /// What stands in the query, in the place of what has that name there.
    pub parameter: Option<(&'static str, String)>,
    /// Content type and bytes; a request with a body is a POST.
    pub body: Option<(&'static str, Zeroizing<Vec<u8>>)>,
    /// What ties the reply to it, for services that have such.
    id: u32,
}

impl Call {
    fn get(headers: Vec<(String, Secret)>) -> Self {
        Self {
            headers,
            parameter: None,
            body: None,
            id: 0,
        }
    }

    fn post_json(headers: Vec<(String, Secret)>, body: Vec<u8>) -> Self {
        Self {
            headers,
            parameter: None,
            body: Some(("application/json", Zeroizing::new(body))),
            id: 0,
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
            Service::Rdk | Service::Thunder(_) | Service::DashIf(_) => Ok(None),
        }
    }

    /// The request for a token. `discovered` is what [`read_discovery`](Self::read_discovery) gave.
    pub fn token_call(&self, correlation_id: &str, discovered: Option<&str>) -> Call {
        match self {
            Service::Rdk => Call::get(Vec::new()),
            Service::Thunder(thunder) => thunder.call(),
            Service::Ags(ags) => ags.token_call(correlation_id, discovered),
            Service::DashIf(dashif) => Call {
                parameter: Some(dashif.parameter()),
                ..Call::get(Vec::new())
            },
        }
    }

    /// Reads the reply to `call`.
    ///
    /// # Errors
    ///
    /// `Denied` where the service said no, `Transient` where it may say yes later, `Malformed` for
    /// everything else that holds no token. No error holds text from the reply, but for what
    /// [`crate::problem_details`] has cleaned.
    pub fn read_token(&self, call: &Call, reply: &HttpResponse) -> Result<Grant, Failure> {
        match self {
            Service::Rdk => rdk::read_reply(reply),
            Service::Thunder(_) => thunder::read_reply(reply, call.id),
            Service::Ags(_) => ags::read_reply(reply),
            Service::DashIf(_) => dashif::read_reply(reply),
        }
        .map_err(|failure| failure.with_http_status(reply.status))
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
            Service::Rdk | Service::Ags(_) | Service::DashIf(_) => None,
        }
    }

    /// What the service is told and nobody else may see.
    pub fn secrets(&self) -> Vec<Secret> {
        match self {
            Service::Rdk | Service::DashIf(_) => Vec::new(),
            Service::Thunder(thunder) => thunder.authorization().cloned().into_iter().collect(),
            Service::Ags(ags) => ags
                .parameters()
                .iter()
                .map(|(_, value)| value.clone())
                .collect(),
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
