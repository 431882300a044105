// SPDX-License-Identifier: MIT OR Apache-2.0

//! The requests to the auth service, on the runtime.

use std::sync::Arc;

use super::application::Application;
use super::change_subscription::ChangeSubscription;
use super::credentials::{Credentials, Loaded};
use super::refresh_token;
use super::token_request::{RequestConfig, TokenRequests};
use crate::auth_service::Service;
use crate::error::{Failure, Kind};
use crate::http::{Deadline, Endpoint};
use crate::session::{
    Discovered, FetchReason, Fetched, Identity, NoticeSink, SessionHandle, TokenFetcher,
    TokenResponse, WeakSession, Work, session, set_identity,
};
use crate::token::Secret;
use crate::tune::{Endpoints, correlation_id_or_new};

/// Makes the requests of one service.
pub struct HttpTokenFetcher {
    credentials: Arc<Credentials>,
    requests: TokenRequests,
    /// Has its say first.
    application: Application,
    /// The one that the requests are for.
    session: WeakSession,
}

/// The session that all have in common whose requests would be the same.
pub fn session_with(
    (credentials, loaded): (Credentials, Loaded),
    endpoints: Endpoints,
    config: RequestConfig,
    application: Application,
) -> SessionHandle {
    let session = session(&identity(&loaded, &endpoints, &config));
    let fetcher = HttpTokenFetcher {
        credentials: Arc::new(credentials),
        requests: TokenRequests { endpoints, config },
        application,
        session: session.downgrade(),
    };
    SessionHandle::new(session, Arc::new(fetcher))
}

fn identity(loaded: &Loaded, endpoints: &Endpoints, config: &RequestConfig) -> Identity {
    let locations = endpoints.list.iter();
    Identity {
        service: loaded.service.clone(),
        locations: locations.map(|one| Secret::from(one.as_str())).collect(),
        account: loaded.account.clone(),
        token_lifetime: config.token_lifetime,
    }
}

impl TokenFetcher for HttpTokenFetcher {
    fn nick(&self) -> &'static str {
        self.credentials.nick()
    }

    fn fetch(
        self: Arc<Self>,
        mut discovered: Option<Discovered>,
        reason: FetchReason,
    ) -> Work<Fetched> {
        Box::pin(async move {
            let file = self.credentials.refresh_token_file();
            let result = match (self.ask_application(reason).await, file) {
                (Ok(Some(response)), _) => Ok(response),
                (Err(failure), _) => Err(failure),
                (Ok(None), Some(path)) => {
                    self.fetch_with_refresh_token(path, &mut discovered).await
                }
                (Ok(None), None) => self.fetch_fresh(&mut discovered).await,
            };
            Fetched { result, discovered }
        })
    }

    fn listen(self: Arc<Self>, sink: NoticeSink) -> Option<Work<()>> {
        if !self.credentials.tells_changes() {
            return None;
        }
        let subscription = ChangeSubscription::new(
            self.credentials.clone(),
            self.requests.endpoints.list.clone(),
            self.requests.config.timeout,
            sink,
        );
        Some(Box::pin(subscription.run()))
    }

    fn overdue(&self) -> Failure {
        let timeout = self.requests.config.timeout;
        let endpoints = self.requests.endpoints.list.iter();
        let asked: Vec<_> = endpoints.map(Endpoint::authority).collect();
        let mut failure = Failure::timed_out(format!(
            "no session token from {} within {} ms: check that it runs, or raise `timeout`",
            asked.join(" or "),
            timeout.as_millis()
        ));
        failure.attempts = 1;
        failure.elapsed = timeout;
        failure
    }
}

impl HttpTokenFetcher {
    /// The application's own token, where it has one.
    async fn ask_application(&self, reason: FetchReason) -> Result<Option<TokenResponse>, Failure> {
        let key_ids = self.credentials.key_ids();
        let timeout = self.requests.config.timeout;
        let given = self.application.ask(reason, key_ids, timeout).await?;
        Ok(given.map(|given| TokenResponse {
            grant: given.grant.limited(self.requests.config.token_lifetime),
            headers: given.headers,
            correlation_id: correlation_id_or_new(self.requests.config.correlation_id.as_deref()),
            location: None,
            attempts: 0,
        }))
    }

    /// Asks with what the files of credentials hold now.
    async fn fetch_fresh(
        &self,
        discovered: &mut Option<Discovered>,
    ) -> Result<TokenResponse, Failure> {
        let deadline = self.deadline();
        let loaded = self.credentials.fresh().await?;
        let (response, _) = self.requests.fetch(&loaded, &deadline, discovered).await?;
        self.note_identity(&loaded);
        Ok(response)
    }

    /// The same with a refresh token, which the server may replace. So one request at a time uses
    /// it.
    async fn fetch_with_refresh_token(
        &self,
        path: &str,
        discovered: &mut Option<Discovered>,
    ) -> Result<TokenResponse, Failure> {
        let deadline = self.deadline();
        let turn = refresh_token::turn(path);
        let _guard = tokio::time::timeout(self.requests.config.timeout, turn.lock())
            .await
            .map_err(|_| self.overdue())?;
        let mut loaded = self.credentials.fresh().await?;
        let mut result = self.requests.fetch(&loaded, &deadline, discovered).await;
        if let Err(failure) = &result
            && failure.kind == Kind::Denied
        {
            // Another process may have used it meanwhile, and put its successor there.
            let again = self.credentials.fresh().await?;
            if sent_refresh_token(&again) != sent_refresh_token(&loaded) {
                let attempts = failure.attempts;
                loaded = again;
                result = self.requests.fetch(&loaded, &deadline, discovered).await;
                if let Ok((response, _)) = &mut result {
                    response.attempts += attempts;
                }
            }
        }
        let (response, successor) = result?;
        if let Some(successor) = successor.filter(|one| sent_refresh_token(&loaded) != Some(one)) {
            refresh_token::replace(path, successor).await;
        }
        self.note_identity(&loaded);
        Ok(response)
    }

    fn deadline(&self) -> Deadline {
        Deadline::new(self.requests.config.timeout, self.requests.config.retries)
    }

    /// The session has a token that these credentials brought.
    fn note_identity(&self, loaded: &Loaded) {
        if let Some(session) = self.session.upgrade() {
            let identity = identity(loaded, &self.requests.endpoints, &self.requests.config);
            set_identity(&session, &identity);
        }
    }
}

/// The refresh token that goes with these credentials.
fn sent_refresh_token(loaded: &Loaded) -> Option<&Secret> {
    match &loaded.service {
        Service::OAuth2(oauth2) => oauth2.refresh_token(),
        _ => None,
    }
}
