// SPDX-License-Identifier: MIT OR Apache-2.0

//! A flight from its start to its landing: the requests to the auth service, on the runtime.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::auth_service::{Call, Service};
use crate::failure::{Failure, Kind};
use crate::http::{self, Endpoint, Patience, Request, Trust};
use crate::runtime;
use crate::secret::Secret;
use crate::session::{Answer, Brought, Launch, Moment, Session, Takeoff, Token};

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
    /// After this time a token counts as ended, whatever the service says.
    pub token_lifetime: Option<Duration>,
    /// The application's own; without one each flight has a fresh one.
    pub correlation_id: Option<String>,
}

impl Launch for Acquisition {
    /// Sends the request on the runtime, which owns it from here on.
    fn launch(self: Arc<Self>, takeoff: Takeoff) {
        let runtime = match runtime::get() {
            Ok(runtime) => runtime,
            Err(failure) => return takeoff.land(Err(failure), Moment::now()),
        };
        // Not awaited: the result travels through the flight that the task lands.
        drop(runtime.spawn(async move {
            let result = self.fly(&takeoff).await;
            takeoff.land(result, Moment::now());
            look_when_due(&self.session);
        }));
    }
}

/// Waits for the session's token to become stale and then has it replaced, if somebody still uses it. One such wait
/// a session is enough.
fn look_when_due(session: &Arc<Session>) {
    let Some(due) = session.next_look(Moment::now()) else {
        return;
    };
    // Without a runtime the next event finds the token stale, or ended.
    let Ok(runtime) = runtime::get() else {
        return;
    };
    let weak = Arc::downgrade(session);
    let looking = runtime.spawn(async move {
        tokio::time::sleep_until(due.into()).await;
        let Some(session) = weak.upgrade() else {
            return;
        };
        match session.look(Moment::now()) {
            Some((user, takeoff)) => user.launch(takeoff),
            None => look_when_due(&session),
        }
    });
    // A session that is let go takes the wait with it, which may else last for hours.
    session.keep_for_look(due, Box::new(EndedWhenDropped(looking.abort_handle())));
}

struct EndedWhenDropped(tokio::task::AbortHandle);

impl Drop for EndedWhenDropped {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Acquisition {
    /// The session's answer; `begun` is called where that takes a request.
    pub fn ask(self: &Arc<Self>, now: Moment, begun: impl FnOnce()) -> Answer {
        self.session.ask(now, |takeoff| {
            begun();
            self.clone().launch(takeoff);
        })
    }

    /// The newest valid token. Where that is close to its end, the next one is fetched.
    pub fn newest(self: &Arc<Self>, now: Moment) -> Option<Token> {
        self.session
            .newest(now, |takeoff| self.clone().launch(takeoff))
    }

    /// The session's answer to somebody whose token of that generation was refused.
    pub fn reject(self: &Arc<Self>, generation: u32, now: Moment) -> Answer {
        self.session
            .reject(generation, now, |takeoff| self.clone().launch(takeoff))
    }

    /// Has a new token fetched, though there may be a valid one.
    pub fn refresh(self: &Arc<Self>, now: Moment) {
        self.session
            .refresh(now, |takeoff| self.clone().launch(takeoff));
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

    /// From now on the session's token is replaced ahead of its end, as long as this is somebody's.
    pub fn keep_fresh(self: &Arc<Self>) {
        let weak: Weak<Self> = Arc::downgrade(self);
        self.session.enlist(weak);
        look_when_due(&self.session);
    }

    async fn fly(&self, takeoff: &Takeoff) -> Result<Brought, Failure> {
        let patience = Patience::new(self.timeout, self.retries);
        let correlation_id = correlation_id_or_new(self.correlation_id.as_deref());
        let (discovered, asked) = match self.session.discovered() {
            Some(known) => (Some(known), 0),
            None => {
                let found = self.discover(&correlation_id, &patience).await?;
                takeoff.set_discovered(found.0.clone());
                found
            }
        };
        let call = self
            .service
            .token_call(&correlation_id, discovered.as_deref());
        let request = self.request(self.endpoint.clone(), &call, true);
        let read = |reply: &http::Reply| self.service.read_token(&call, reply);
        match http::exchange(&request, &patience, read).await {
            Ok((grant, attempts)) => Ok(Brought {
                grant: grant.limited(self.token_lifetime),
                correlation_id,
                attempts: asked + attempts,
            }),
            Err(failure) => {
                // The services on offer may have changed; next time they are asked for again.
                if matches!(failure.kind, Kind::Denied | Kind::Malformed) {
                    takeoff.set_discovered(None);
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
        let endpoint = self.endpoint.beside(crate::auth_service::ags::DISCOVERY);
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
