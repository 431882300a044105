// SPDX-License-Identifier: MIT OR Apache-2.0

//! The requests to the auth service, on the runtime.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::application::Application;
use super::change_subscription::ChangeSubscription;
use super::credentials::{Credentials, Loaded};
use super::refresh_token;
use super::token_request::{RequestConfig, TokenRequests};
use crate::auth_service::Service;
use crate::auth_service::oauth2::RefreshToken;
use crate::error::{Failure, Kind};
use crate::http::{Deadline, Endpoint};
use crate::session::{
    Discovered, FetchReason, Fetched, Identity, NoticeSink, SessionHandle, TokenFetcher,
    TokenResponse, WeakSession, Work, has_other_identity, session, set_identity,
};
use crate::token::Secret;
use crate::tune::{Endpoints, correlation_id_or_new};
use crate::wait::lock;

/// Makes the requests of one service.
pub struct HttpTokenFetcher {
    credentials: Arc<Credentials>,
    requests: TokenRequests,
    /// Has its say first.
    application: Application,
    /// The one that the requests are for.
    session: WeakSession,
    /// What has brought the last token, until the session takes that.
    identity: Mutex<Option<Identity>>,
}

/// The session that all have in common whose requests would be the same.
pub fn session_with(
    (credentials, loaded): (Credentials, Loaded),
    endpoints: Endpoints,
    config: RequestConfig,
    application: Application,
) -> SessionHandle {
    let session = session(&identity(&loaded, &endpoints, config.token_lifetime));
    let fetcher = HttpTokenFetcher {
        credentials: Arc::new(credentials),
        requests: TokenRequests { endpoints, config },
        application,
        session: session.downgrade(),
        identity: Mutex::default(),
    };
    SessionHandle::new(session, Arc::new(fetcher))
}

fn identity(loaded: &Loaded, endpoints: &Endpoints, token_lifetime: Option<Duration>) -> Identity {
    let locations = endpoints.list.iter();
    Identity {
        service: loaded.service.clone(),
        locations: locations.map(|one| Secret::from(one.as_str())).collect(),
        account: loaded.account.clone(),
        token_lifetime,
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
                    let path = path.to_owned();
                    let this = self.clone();
                    // To its end, whoever logs out meanwhile: the server may have replaced the
                    // refresh token, and nobody else would save the new one.
                    let task =
                        tokio::spawn(async move { this.fetch_with_refresh_token(&path).await });
                    task.await.unwrap_or_else(|_| Err(self.overdue()))
                }
                (Ok(None), None) => self.fetch_fresh(&mut discovered).await,
            };
            Fetched { result, discovered }
        })
    }

    fn accepted(&self) {
        let identity = lock(&self.identity).take();
        if let (Some(identity), Some(session)) = (identity, self.session.upgrade()) {
            set_identity(&session, &identity);
        }
    }

    fn is_other_login(&self) -> bool {
        let identity = lock(&self.identity);
        match (&*identity, self.session.upgrade()) {
            (Some(identity), Some(session)) => has_other_identity(&session, identity),
            _ => false,
        }
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
    async fn fetch_with_refresh_token(&self, path: &str) -> Result<TokenResponse, Failure> {
        let turn = refresh_token::turn(path);
        let timeout = self.requests.config.timeout;
        let _guard = tokio::time::timeout(timeout, turn.lock())
            .await
            .map_err(|_| self.overdue())?;
        // From here on: one that is cut off could lose a token.
        let deadline = self.deadline();
        let mut loaded = self.credentials.fresh().await?;
        let mut result = self.requests.fetch(&loaded, &deadline, &mut None).await;
        if let Err(failure) = &result
            && failure.kind == Kind::Denied
        {
            // Another process may have used it meanwhile, and put its successor there.
            let again = self.credentials.fresh().await?;
            if text_sent(&again) != text_sent(&loaded) {
                let attempts = failure.attempts;
                loaded = again;
                result = self.requests.fetch(&loaded, &deadline, &mut None).await;
                if let Ok((response, _)) = &mut result {
                    response.attempts += attempts;
                }
            }
        }
        let (response, successor) = result?;
        let successor = successor.filter(|one| text_sent(&loaded) != Some(one));
        if let (Some(sent), Some(successor)) = (sent_refresh_token(&loaded), successor) {
            refresh_token::replace(path, sent.clone(), successor).await;
        }
        self.note_identity(&loaded);
        Ok(response)
    }

    fn deadline(&self) -> Deadline {
        Deadline::new(self.requests.config.timeout, self.requests.config.retries)
    }

    /// These credentials have brought a token. Where the session takes it, it is theirs.
    fn note_identity(&self, loaded: &Loaded) {
        let RequestConfig { token_lifetime, .. } = self.requests.config;
        let identity = identity(loaded, &self.requests.endpoints, token_lifetime);
        *lock(&self.identity) = Some(identity);
    }
}

/// The refresh token that goes with these credentials.
fn sent_refresh_token(loaded: &Loaded) -> Option<&RefreshToken> {
    match &loaded.service {
        Service::OAuth2(oauth2) => oauth2.refresh_token(),
        _ => None,
    }
}

fn text_sent(loaded: &Loaded) -> Option<&Secret> {
    sent_refresh_token(loaded).map(|token| &token.text)
}
