// SPDX-License-Identifier: MIT OR Apache-2.0

//! The requests to the auth service, on the runtime.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::change_subscription::ChangeSubscription;
use super::credentials::{Credentials, Loaded};
use super::debug::CAT;
use super::refresh_token;
use crate::auth_service::{Call, CallContext, Service};
use crate::backoff::chance;
use crate::error::{Failure, Kind};
use crate::http::{self, Deadline, Endpoint, HttpResponse, Purpose, Redirects, Request};
use crate::session::{
    Account, Discovered, Fetched, Identity, NoticeSink, SessionHandle, TokenFetcher, TokenResponse,
    WeakSession, Work, failover, session, set_identity,
};
use crate::token::Secret;
use crate::tune::{Endpoints, correlation_id_or_new};

/// What is the same for all requests of an element.
#[derive(Clone)]
pub struct RequestConfig {
    pub allow_cleartext: bool,
    pub timeout: Duration,
    pub retries: u32,
    /// After this time a token counts as expired, whatever the service says.
    pub token_lifetime: Option<Duration>,
    /// The application's own; without one each request has a fresh one.
    pub correlation_id: Option<String>,
}

/// Makes the requests of one service.
pub struct HttpTokenFetcher {
    credentials: Arc<Credentials>,
    /// The next one is asked where the one before has no answer.
    endpoints: Endpoints,
    config: RequestConfig,
    /// The one that the requests are for.
    session: WeakSession,
}

/// The session that all have in common whose requests would be the same.
pub fn session_with(
    credentials: Credentials,
    endpoints: Endpoints,
    config: RequestConfig,
) -> SessionHandle {
    let session = session(&identity(credentials.loaded(), &endpoints, &config));
    let fetcher = HttpTokenFetcher {
        credentials: Arc::new(credentials),
        endpoints,
        config,
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
        self.credentials.loaded().service.nick()
    }

    fn fetch(self: Arc<Self>, mut discovered: Option<Discovered>) -> Work<Fetched> {
        Box::pin(async move {
            let result = match self.credentials.refresh_token_file() {
                Some(path) => self.fetch_with_refresh_token(path, &mut discovered).await,
                None => self.fetch_fresh(&mut discovered).await,
            };
            Fetched { result, discovered }
        })
    }

    fn listen(self: Arc<Self>, sink: NoticeSink) -> Option<Work<()>> {
        self.credentials.loaded().service.changes()?;
        let subscription = ChangeSubscription::new(
            self.credentials.clone(),
            self.endpoints.list.clone(),
            self.config.timeout,
            sink,
        );
        Some(Box::pin(subscription.run()))
    }

    fn overdue(&self) -> Failure {
        let timeout = self.config.timeout;
        let endpoints = self.endpoints.list.iter();
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
    /// Asks with what the files of credentials hold now.
    async fn fetch_fresh(
        &self,
        discovered: &mut Option<Discovered>,
    ) -> Result<TokenResponse, Failure> {
        let deadline = self.deadline();
        let loaded = self.credentials.fresh().await?;
        let (response, _) = self.fetch_from_any(&loaded, &deadline, discovered).await?;
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
        let _guard = tokio::time::timeout(self.config.timeout, turn.lock())
            .await
            .map_err(|_| self.overdue())?;
        let mut loaded = self.credentials.fresh().await?;
        let mut result = self.fetch_from_any(&loaded, &deadline, discovered).await;
        if let Err(failure) = &result
            && failure.kind == Kind::Denied
        {
            // Another process may have used it meanwhile, and put its successor there.
            let again = self.credentials.fresh().await?;
            if sent_refresh_token(&again) != sent_refresh_token(&loaded) {
                let attempts = failure.attempts;
                loaded = again;
                result = self.fetch_from_any(&loaded, &deadline, discovered).await;
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
        Deadline::new(self.config.timeout, self.config.retries)
    }

    /// The session has a token that these credentials brought.
    fn note_identity(&self, loaded: &Loaded) {
        if let Some(session) = self.session.upgrade() {
            let identity = identity(loaded, &self.endpoints, &self.config);
            set_identity(&session, &identity);
        }
    }

    /// Asks one endpoint after the other, those that failed lately last.
    async fn fetch_from_any(
        &self,
        loaded: &Loaded,
        deadline: &Deadline,
        discovered: &mut Option<Discovered>,
    ) -> Result<(TokenResponse, Option<Secret>), Failure> {
        let correlation_id = correlation_id_or_new(self.config.correlation_id.as_deref());
        let endpoints = &self.endpoints.list;
        let first = match self.endpoints.are_equal {
            // Each gets its share of a city's boxes.
            true => one_of(endpoints.len()),
            false => 0,
        };
        let names: Vec<_> = endpoints.iter().map(name).collect();
        let order = failover::order(&names, first, Instant::now());
        let many = count(names.len());
        let mut attempts = 0;
        let mut failures = Vec::new();
        for (left, number) in (1..=many).rev().zip(order) {
            let endpoint = &endpoints[number];
            let share = deadline.share(many, left);
            let result = self
                .fetch_from(loaded, endpoint, &correlation_id, &share, discovered)
                .await;
            match result {
                Ok((mut response, successor)) => {
                    failover::answered(&names[number]);
                    response.attempts += attempts;
                    return Ok((response, successor));
                }
                Err(failure) => {
                    let location = endpoint.authority().into();
                    let failure = failure.of_request(location, correlation_id.clone());
                    attempts += failure.attempts;
                    let is_worth_another = is_worth_another_endpoint(&failure);
                    if is_worth_another {
                        failover::failed(&names[number], failure.retry_after, Instant::now());
                    }
                    failures.push(failure);
                    if left == 1 || !is_worth_another {
                        break;
                    }
                    gst::warning!(
                        CAT,
                        "no session token from {}, the next service is asked",
                        endpoint.authority()
                    );
                }
            }
        }
        Err(of_all(failures).after_attempts(attempts))
    }

    async fn fetch_from(
        &self,
        loaded: &Loaded,
        endpoint: &Endpoint,
        correlation_id: &Arc<str>,
        deadline: &Deadline,
        discovered: &mut Option<Discovered>,
    ) -> Result<(TokenResponse, Option<Secret>), Failure> {
        let name = name(endpoint);
        let known = discovered.as_ref().filter(|known| *known.endpoint == *name);
        let (service_id, asked) = match known {
            Some(known) => (Some(known.service_id.clone()), 0),
            None => {
                let (found, asked) = self
                    .discover(loaded, endpoint, correlation_id, deadline)
                    .await?;
                *discovered = found.clone().map(|service_id| Discovered {
                    endpoint: name.as_str().into(),
                    service_id,
                });
                (found, asked)
            }
        };
        let service = &loaded.service;
        let call = service.token_call(&CallContext {
            correlation_id,
            discovered: service_id.as_deref(),
            audience: &name,
            now: SystemTime::now(),
        })?;
        let mut request = self.request(&loaded.account, endpoint.clone(), &call, true);
        request.correlation_id = Some(correlation_id.clone());
        let read = |response: &HttpResponse| service.read_token(&call, response);
        match http::exchange(&request, deadline, read).await {
            Ok((reply, attempts)) => {
                let response = TokenResponse {
                    grant: reply.grant.limited(self.config.token_lifetime),
                    correlation_id: correlation_id.clone(),
                    location: Some(endpoint.authority().into()),
                    attempts: asked + attempts,
                };
                Ok((response, reply.refresh_token))
            }
            Err(failure) => {
                // The services on offer may have changed; next time they are asked for again.
                if matches!(failure.kind, Kind::Denied | Kind::Malformed) {
                    *discovered = None;
                }
                let attempts = asked + failure.attempts;
                Err(failure.after_attempts(attempts))
            }
        }
    }

    /// Asks which service to name, where that has to be asked. Says how many requests were made for
    /// it.
    async fn discover(
        &self,
        loaded: &Loaded,
        endpoint: &Endpoint,
        correlation_id: &str,
        deadline: &Deadline,
    ) -> Result<(Option<Arc<str>>, u32), Failure> {
        let Some(call) = loaded.service.discovery(correlation_id) else {
            return Ok((None, 0));
        };
        let discovery = endpoint.sibling(crate::auth_service::ags::DISCOVERY);
        let request = self.request(&loaded.account, discovery, &call, false);
        let read = |response: &HttpResponse| {
            loaded
                .service
                .read_discovery(response, endpoint.name())
                .map_err(|failure| failure.with_http_status(response.status))
        };
        let (found, attempts) = http::exchange(&request, deadline, read).await?;
        Ok((found.map(Into::into), attempts))
    }

    /// The operator's extra headers may be credentials, so they go only where the credentials go.
    fn request(
        &self,
        account: &Account,
        url: Endpoint,
        call: &Call,
        with_secrets: bool,
    ) -> Request {
        let mut headers = call.headers.clone();
        let mut secrets = call.secrets.clone();
        if with_secrets {
            let extra_headers = &account.extra_headers;
            headers.extend(extra_headers.iter().cloned());
            secrets.extend(extra_headers.iter().map(|(_, value)| value.clone()));
        }
        Request {
            purpose: Some(Purpose::Token),
            method: call.method,
            parameter: call.parameter.clone(),
            headers,
            body: call.body.clone(),
            redirects: match self.credentials.loaded().service.follows_redirects() {
                true => Redirects::Followed {
                    allow_cleartext: self.config.allow_cleartext,
                },
                false => Redirects::Refused,
            },
            secrets,
            // An operator's paths may name accounts.
            shows_path: false,
            ..Request::new(url, account.tls.clone())
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

/// What tells an endpoint from others, without a secret.
pub fn name(endpoint: &Endpoint) -> String {
    Endpoint::redacted(endpoint.as_str())
}

/// Whether another endpoint may have a token where this one had none. A denial is final.
fn is_worth_another_endpoint(failure: &Failure) -> bool {
    match failure.kind {
        Kind::Transient | Kind::TimedOut | Kind::Malformed => true,
        Kind::Denied | Kind::Misconfigured => false,
    }
}

/// The last failure, and what was wrong at the endpoints before.
fn of_all(mut failures: Vec<Failure>) -> Failure {
    let Some(mut last) = failures.pop() else {
        return Failure::misconfigured("there is no auth service to ask");
    };
    for before in failures {
        last.what = format!("{}; before that, {}", last.what, before.what);
    }
    last
}

fn count(endpoints: usize) -> u32 {
    u32::try_from(endpoints).unwrap_or(u32::MAX)
}

/// The number of one of so many, by chance.
fn one_of(many: usize) -> usize {
    let many = count(many);
    let chosen = f64::from(many) * chance();
    // Beyond the last one only where chance is exactly 1.
    (chosen as usize).min((many as usize).saturating_sub(1))
}
