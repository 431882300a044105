// SPDX-License-Identifier: MIT OR Apache-2.0

//! A flight from its start to its landing: the requests to the auth service, on the runtime.

use std::sync::Arc;
use std::time::Duration;

use crate::auth_service::{Call, Service};
use crate::failure::{Failure, Kind};
use crate::http::{self, Endpoint, Patience, Request, Trust};
use crate::runtime;
use crate::secret::Secret;
use crate::session::{Answer, Brought, Moment, Session, Takeoff};

use super::app_token::correlation_id_or_new;

/// Everything that a request for a token takes.
pub struct Acquisition {
    pub session: Arc<Session>,
    pub service: Service,
    pub endpoint: Endpoint,
    pub extra_headers: Vec<(String, Secret)>,
    pub trust: Trust,
    pub timeout: Duration,
    pub retries: u32,
    /// The application's own; without one each flight has a fresh one.
    pub correlation_id: Option<String>,
}

impl Acquisition {
    /// The session's answer; `begun` is called where that takes a request.
    pub fn ask(self: &Arc<Self>, now: Moment, begun: impl FnOnce()) -> Answer {
        self.session.ask(now, |takeoff| {
            begun();
            self.launch(takeoff);
        })
    }

    /// Has a new token fetched, though there may be a valid one.
    pub fn refresh(self: &Arc<Self>, now: Moment) {
        self.session.refresh(now, |takeoff| self.launch(takeoff));
    }

    /// What to say when the answer has not come in time.
    pub fn overdue(&self) -> Failure {
        let mut failure = Failure::timed_out(format!(
            "no session token from {} within {} ms: check that it runs, or raise `timeout`",
            self.endpoint.place(),
            self.timeout.as_millis()
        ));
        failure.attempts = 1;
        failure.elapsed = self.timeout;
        failure
    }

    /// Sends the request on the runtime, which owns it from here on.
    fn launch(self: &Arc<Self>, takeoff: Takeoff) {
        let runtime = match runtime::get() {
            Ok(runtime) => runtime,
            Err(failure) => return takeoff.land(Err(failure), Moment::now()),
        };
        let this = self.clone();
        // Not awaited: the result travels through the flight that the task lands.
        drop(runtime.spawn(async move {
            let result = this.fly(&takeoff).await;
            takeoff.land(result, Moment::now());
        }));
    }

    async fn fly(&self, takeoff: &Takeoff) -> Result<Brought, Failure> {
        let patience = Patience::new(self.timeout, self.retries);
        let correlation_id = correlation_id_or_new(self.correlation_id.as_deref());
        let session = takeoff.session();
        let known = session.as_ref().and_then(|session| session.discovered());
        let (discovered, asked) = match known {
            Some(known) => (Some(known), 0),
            None => self.discover(&correlation_id, &patience).await?,
        };
        if let Some(session) = &session {
            session.set_discovered(discovered.clone());
        }
        let call = self
            .service
            .token_call(&correlation_id, discovered.as_deref());
        let request = self.request(self.endpoint.clone(), &call, true);
        let read = |reply: &http::Reply| self.service.read_token(&call, reply);
        match http::exchange(&request, &patience, read).await {
            Ok((grant, attempts)) => Ok(Brought {
                grant,
                correlation_id,
                attempts: asked + attempts,
            }),
            Err(failure) => {
                // The services on offer may have changed; next time they are asked for again.
                if let Some(session) = session
                    && matches!(failure.kind, Kind::Denied | Kind::Malformed)
                {
                    session.set_discovered(None);
                }
                let attempts = asked + failure.attempts;
                Err(failure.after_attempts(attempts))
            }
        }
    }

    /// Asks which service to name, where that has to be asked. Says how many requests were made for it.
    async fn discover(
        &self,
        correlation_id: &str,
        patience: &Patience,
    ) -> Result<(Option<Arc<str>>, u32), Failure> {
        let Some(call) = self.service.discovery(correlation_id) else {
            return Ok((None, 0));
        };
        let endpoint = self.endpoint.beside(crate::auth_service::ags::DISCOVERY)?;
        let request = self.request(endpoint, &call, false);
        let read = |reply: &http::Reply| {
            self.service
                .read_discovery(reply, self.endpoint.name())
                .map_err(|failure| failure.with_http_status(reply.status))
        };
        let (discovered, attempts) = http::exchange(&request, patience, read).await?;
        Ok((discovered.map(Into::into), attempts))
    }

    /// The operator's extra headers may be credentials, so they go only where the credentials go.
    fn request(&self, url: Endpoint, call: &Call, with_secrets: bool) -> Request {
        let mut headers = call.headers.clone();
        let mut secrets = Vec::new();
        if with_secrets {
            headers.extend(self.extra_headers.iter().cloned());
            secrets = self.service.secrets();
            secrets.extend(self.extra_headers.iter().map(|(_, value)| value.clone()));
        }
        Request {
            url,
            headers,
            body: call.body.clone(),
            trust: self.trust.clone(),
            secrets,
        }
    }
}
