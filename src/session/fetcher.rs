// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who makes a session's requests.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Failure;
use crate::token::{ClockReading, Grant, Secret, Token, TokenOrigin};

/// Work that runs on the runtime.
pub type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What an auth service's discovery said, and the endpoint that said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered {
    pub endpoint: Arc<str>,
    pub service_id: Arc<str>,
}

/// What a service says of its token while somebody listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeNotice {
    /// Changes are told from now on. What the service said before nobody has heard.
    SubscriptionStarted,
    /// There is another token.
    Changed,
}

/// Takes the notices in.
pub type NoticeSink = Box<dyn Fn(ChangeNotice) + Send + Sync>;

/// Why a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchReason {
    /// There is none, or it has ended.
    First,
    /// The one of that generation is about to end, or is to be another one.
    Renewal { generation: u32 },
    /// The license side has refused the one of that generation. 0 is no HTTP status.
    Refused { generation: u32, http_status: u32 },
}

/// Makes a session's requests, as one of its elements is set.
pub trait TokenFetcher: Send + Sync {
    /// The service's name in settings and messages.
    fn nick(&self) -> &'static str;

    /// Asks for a token. `discovered` is what the last discovery said.
    fn fetch(self: Arc<Self>, discovered: Option<Discovered>, reason: FetchReason)
    -> Work<Fetched>;

    /// The session has taken the token that was fetched last.
    fn accepted(&self) {}

    /// Whether the request was made with other credentials than those that the session goes by.
    fn is_other_login(&self) -> bool {
        false
    }

    /// Listens for changes of the token, without an end. `None` where the service tells of none.
    fn listen(self: Arc<Self>, sink: NoticeSink) -> Option<Work<()>>;

    /// Why there is no token where none has come in time.
    fn overdue(&self) -> Failure;
}

/// What came of a session's request, for those who use it.
#[derive(Clone, Debug)]
pub enum SessionEvent {
    /// There was no valid token.
    Fetched(Result<Token, Failure>),
    /// There was one, which is used on where there is no new one.
    Renewed(Result<Token, Failure>),
}

/// Somebody who uses a session, and wants to know what it does meanwhile.
pub trait SessionObserver: Send + Sync {
    /// Called by the session's task, which must not wait in here.
    fn notify(&self, event: &SessionEvent);
}

/// What came of a request.
pub struct Fetched {
    pub result: Result<TokenResponse, Failure>,
    /// What the next request may take for granted.
    pub discovered: Option<Discovered>,
}

/// What a request brought.
pub struct TokenResponse {
    pub grant: Grant,
    /// What to add to requests that carry the token.
    pub headers: Vec<(String, Secret)>,
    /// Ties the license request to the token request in the services' logs.
    pub correlation_id: Arc<str>,
    /// Host and port of the service that granted it.
    pub location: Option<Arc<str>>,
    /// Requests made for it.
    pub attempts: u32,
}

impl TokenResponse {
    /// The token, whose request was `started` then and took `latency`.
    pub fn into_token(self, started: Instant, latency: Duration, now: ClockReading) -> Token {
        let origin = TokenOrigin {
            correlation_id: self.correlation_id,
            location: self.location,
            started,
            latency,
            attempts: self.attempts,
        };
        Token::new(self.grant, origin, now).with_headers(self.headers)
    }
}
