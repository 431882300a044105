// SPDX-License-Identifier: MIT OR Apache-2.0

//! The requests for one token: one endpoint after the other, each with what it has to be asked
//! before.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::credentials::Loaded;
use super::debug::CAT;
use crate::auth_service::{Call, CallContext};
use crate::backoff::chance;
use crate::error::{Failure, Kind};
use crate::http::{
    self, Connection, Deadline, Endpoint, HttpResponse, Purpose, Redirects, Request,
};
use crate::session::{Discovered, TokenResponse, failover};
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

/// Makes the requests for a token.
pub struct TokenRequests {
    /// The next one is asked where the one before has no answer.
    pub endpoints: Endpoints,
    pub config: RequestConfig,
}

impl TokenRequests {
    /// Asks one endpoint after the other, those that failed lately last.
    pub async fn fetch(
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
        let call = || {
            service.token_call(&CallContext {
                correlation_id,
                discovered: service_id.as_deref(),
                audience: &name,
                now: SystemTime::now(),
            })
        };
        let request = |call: &Call| Request {
            correlation_id: Some(correlation_id.clone()),
            ..self.request(loaded, endpoint.clone(), call, true)
        };
        let result = match service.is_good_once() {
            true => {
                let make = || call().map(|call| request(&call));
                // Nothing in a reply says to which attempt it belongs.
                let read = |response: &HttpResponse| service.read_token(&Call::default(), response);
                http::exchange_each(make, deadline, read).await
            }
            false => {
                let call = call()?;
                let read = |response: &HttpResponse| service.read_token(&call, response);
                http::exchange(&request(&call), deadline, read).await
            }
        };
        match result {
            Ok((reply, attempts)) => {
                let response = TokenResponse {
                    grant: reply.grant.limited(self.config.token_lifetime),
                    headers: Vec::new(),
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
        let request = self.request(loaded, discovery, &call, false);
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
    fn request(&self, loaded: &Loaded, url: Endpoint, call: &Call, with_secrets: bool) -> Request {
        let mut headers = call.headers.clone();
        let mut secrets = call.secrets.clone();
        if with_secrets {
            let extra_headers = &loaded.account.extra_headers;
            headers.extend(extra_headers.iter().cloned());
            secrets.extend(extra_headers.iter().map(|(_, value)| value.clone()));
        }
        Request {
            purpose: Some(Purpose::Token),
            method: call.method,
            parameter: call.parameter.clone(),
            headers,
            body: call.body.clone(),
            redirects: match loaded.service.follows_redirects() {
                true => Redirects::Followed {
                    allow_cleartext: self.config.allow_cleartext,
                },
                false => Redirects::Refused,
            },
            secrets,
            // An operator's paths may name accounts.
            shows_path: false,
            connection: match loaded.service.is_good_once() {
                true => Connection::New,
                false => Connection::Kept,
            },
            ..Request::new(url, loaded.account.tls.clone())
        }
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
