// SPDX-License-Identifier: MIT OR Apache-2.0

//! What can go wrong between us and a server, as one closed type for tokens and licenses.
//!
//! Being cancelled is not among the kinds: a flush or a stop is no failure.

use std::sync::Arc;
use std::time::Duration;

use crate::problem_details::ProblemDetails;
use crate::token::Secret;

/// What a failure means for the one who asked, and so which GStreamer error it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The service answered and said no.
    Denied,
    /// No usable answer this time; the next attempt may succeed.
    Transient,
    /// The deadline passed first.
    TimedOut,
    /// The answer is not what the service's protocol prescribes.
    Malformed,
    /// A setting stands in the way; no request was made.
    Misconfigured,
}

impl Kind {
    /// By the word in `reason` fields of messages.
    pub(crate) fn from_nick(nick: &str) -> Option<Self> {
        let all = [
            Kind::Denied,
            Kind::Transient,
            Kind::TimedOut,
            Kind::Malformed,
            Kind::Misconfigured,
        ];
        all.into_iter().find(|kind| kind.nick() == nick)
    }

    /// The word that stands in `reason` fields of messages.
    pub fn nick(self) -> &'static str {
        match self {
            Kind::Denied => "denied",
            Kind::Transient => "transient",
            Kind::TimedOut => "timed-out",
            Kind::Malformed => "malformed",
            Kind::Misconfigured => "misconfigured",
        }
    }
}

/// What is at fault, which decides the domain of GStreamer's error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// A server or a setting (`GST_RESOURCE_ERROR`).
    #[default]
    Resource,
    /// What is played (`GST_STREAM_ERROR_DEMUX`).
    Stream,
    /// The caps (`GST_STREAM_ERROR_FORMAT`).
    Format,
    /// A sample, which cannot be decrypted (`GST_STREAM_ERROR_DECRYPT`).
    Sample,
    /// A sample's key, which nobody has (`GST_STREAM_ERROR_DECRYPT_NOKEY`).
    Key,
    /// An element downstream (`GST_STREAM_ERROR_FAILED`).
    Downstream,
    /// The system, which has no thread left (`GST_CORE_ERROR_THREAD`).
    Threads,
    /// What GStreamer does not have (`GST_CORE_ERROR_MISSING_PLUGIN`).
    Missing,
}

/// What an installer of plugins would look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingPlugin {
    /// The element of that factory.
    Element(String),
    /// A decryptor for one of these protection systems.
    Decryptor(Vec<u128>),
}

/// Which request it was, for whoever reads a server's logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestOrigin {
    /// Host and port of the server.
    pub location: Arc<str>,
    pub correlation_id: Arc<str>,
}

/// One failure, shared by all who waited for the same answer.
///
/// `what` is a sentence for the user: what was wrong and where to look. It is written by us and
/// never holds text from a reply, a credential or a URL's path and query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: Kind,
    pub what: String,
    pub fault: Fault,
    pub missing: Option<Box<MissingPlugin>>,
    /// The HTTP status of the answer, where there was one.
    pub http_status: Option<u16>,
    /// The status inside the answer's body (RDK's `status`), where there was one.
    pub service_status: Option<i64>,
    /// The server that refused was not sent the session token, so the token is not to blame.
    pub is_without_token: bool,
    /// What the server says in its own words, cleaned.
    pub problem: Box<ProblemDetails>,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
    /// The request that failed, where it can be found in a server's logs.
    pub request: Option<Box<RequestOrigin>>,
    /// Requests made.
    pub attempts: u32,
    /// From the start of the first request to the failure.
    pub elapsed: Duration,
}

impl Failure {
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            fault: Fault::default(),
            missing: None,
            http_status: None,
            service_status: None,
            is_without_token: false,
            problem: Box::default(),
            retry_after: None,
            request: None,
            attempts: 0,
            elapsed: Duration::ZERO,
        }
    }

    pub fn denied(what: impl Into<String>) -> Self {
        Self::new(Kind::Denied, what)
    }

    pub fn transient(what: impl Into<String>) -> Self {
        Self::new(Kind::Transient, what)
    }

    pub fn timed_out(what: impl Into<String>) -> Self {
        Self::new(Kind::TimedOut, what)
    }

    pub fn malformed(what: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, what)
    }

    pub fn misconfigured(what: impl Into<String>) -> Self {
        Self::new(Kind::Misconfigured, what)
    }

    /// Says what is at fault.
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// Says that what is played is at fault.
    pub fn of_stream(self) -> Self {
        self.with_fault(Fault::Stream)
    }

    /// Says that this is missing.
    pub fn of_missing(mut self, missing: MissingPlugin) -> Self {
        self.missing = Some(Box::new(missing));
        self.with_fault(Fault::Missing)
    }

    /// Says how many requests were made.
    pub fn after_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Says who was asked, and by which name that stands in the logs.
    pub fn of_request(mut self, location: Arc<str>, correlation_id: Arc<str>) -> Self {
        self.request = Some(Box::new(RequestOrigin {
            location,
            correlation_id,
        }));
        self
    }

    pub fn with_http_status(mut self, status: u16) -> Self {
        self.http_status = Some(status);
        self
    }

    pub fn with_service_status(mut self, status: i64) -> Self {
        self.service_status = Some(status);
        self
    }

    /// Says that the server was not sent the session token.
    pub fn without_token(mut self) -> Self {
        self.is_without_token = true;
        self
    }

    pub fn with_problem(mut self, problem: ProblemDetails) -> Self {
        self.problem = Box::new(problem);
        self
    }

    /// Takes out what the server says where it repeats one of these.
    pub fn without(mut self, secrets: &[Secret]) -> Self {
        self.problem = Box::new(self.problem.without(secrets));
        self
    }
}
