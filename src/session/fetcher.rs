// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who makes a session's requests.

use std::pin::Pin;
use std::sync::Arc;

use crate::error::Failure;
use crate::token::{Grant, Token};

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

/// Makes a session's requests, as one of its elements is set.
pub trait TokenFetcher: Send + Sync {
    /// The service's name in settings and messages.
    fn nick(&self) -> &'static str;

    /// Asks for a token. `discovered` is what the last discovery said.
    fn fetch(self: Arc<Self>, discovered: Option<Discovered>) -> Work<Fetched>;

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
    /// Ties the license request to the token request in the services' logs.
    pub correlation_id: Arc<str>,
    /// Host and port of the service that granted it.
    pub location: Option<Arc<str>>,
    /// Requests made for it.
    pub attempts: u32,
}
