// SPDX-License-Identifier: MIT OR Apache-2.0

//! A flight from its start to its landing: the requests to the auth service, on the runtime.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::auth_service::{Call, Service};
use crate::backoff::chance;
use crate::error::{Failure, Kind};
use crate::http::{self, Deadline, Endpoint, Redirects, Request, TlsConfig};
use crate::runtime;
use crate::secret::Secret;
use crate::session::{
    Answer, Brought, Identity, Launch, Moment, Session, Takeoff, Token, order, session,
};

use super::app_token::correlation_id_or_new;
use super::imp::CAT;
use super::listening::Listening;

/// Everything that a request for a token takes.
pub struct Acquisition {
    pub session: Arc<Session>,
    pub service: Service,
    /// Where the service is, at least one; the next one is asked where the one before has no answer.
    pub(super) endpoints: Vec<Endpoint>,
    /// Any of them will do as the first.
    are_equal: bool,
    pub(super) means: Means,
}

/// What is the same for all requests of an element.
#[derive(Clone)]
pub struct Means {
    pub extra_headers: Vec<(String, Secret)>,
    pub tls: TlsConfig,
    pub allow_cleartext: bool,
    pub timeout: Duration,
    pub retries: u32,
    /// After this time a token counts as ended, whatever the service says.
    pub token_lifetime: Option<Duration>,
    /// The application's own; without one each flight has a fresh one.
    pub correlation_id: Option<String>,
}

/// Somebody uses the session, as long as this lives.
pub struct InUse(Arc<User>);

impl InUse {
    pub fn acquisition(&self) -> &Arc<Acquisition> {
        &self.0.acquisition
    }
}

/// A user of the session, as that knows it.
struct User {
    acquisition: Arc<Acquisition>,
    listening: Listening,
}

impl Launch for User {
    fn launch(self: Arc<Self>, takeoff: Takeoff) {
        self.acquisition.clone().launch(takeoff);
    }

    fn listen(self: Arc<Self>) {
        self.listening.join(&self.acquisition);
    }
}

/// After so long it is looked again whether a token is stale: the wall clock may have been set meanwhile, or the box suspended, which no timer
/// notices.
const LONGEST_SLEEP: Duration = Duration::from_secs(300);

/// Waits for the session's token to become stale and then has it replaced, if somebody still uses it. One such wait
/// a session is enough.
pub(super) fn look_when_due(session: &Arc<Session>) {
    let Some(due) = session.next_look(Moment::now()) else {
        return;
    };
    // Without a runtime the next event finds the token stale, or ended.
    let Ok(runtime) = runtime::get() else {
        return;
    };
    let weak = Arc::downgrade(session);
    let looking = runtime.spawn(async move {
        let longest = Instant::now() + LONGEST_SLEEP;
        tokio::time::sleep_until(due.min(longest).into()).await;
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

/// A task that is somebody's.
pub(super) struct EndedWhenDropped(pub(super) tokio::task::AbortHandle);

impl Drop for EndedWhenDropped {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Acquisition {
    /// For the session that all have in common whose requests would be the same.
    pub fn new(
        service: Service,
        endpoints: Vec<Endpoint>,
        are_equal: bool,
        means: Means,
    ) -> Arc<Self> {
        let locations = endpoints.iter().map(|one| Secret::from(one.as_str()));
        Arc::new(Self {
            session: session(Identity {
                service: service.clone(),
                locations: locations.collect(),
                extra_headers: means.extra_headers.clone(),
                tls: means.tls.clone(),
            }),
            service,
            endpoints,
            are_equal,
            means,
        })
    }

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
        let timeout = self.means.timeout;
        let places: Vec<_> = self.endpoints.iter().map(Endpoint::authority).collect();
        let mut failure = Failure::timed_out(format!(
            "no session token from {} within {} ms: check that it runs, or raise `timeout`",
            places.join(" or "),
            timeout.as_millis()
        ));
        failure.attempts = 1;
        failure.elapsed = timeout;
        failure
    }

    /// From now on the session's token is replaced ahead of its end, and when the service says that there is another, as long
    /// as somebody has what this gives.
    pub fn keep_fresh(self: &Arc<Self>) -> InUse {
        let user = Arc::new(User {
            acquisition: self.clone(),
            listening: Listening::default(),
        });
        let weak: Weak<User> = Arc::downgrade(&user);
        self.session.enlist(weak);
        look_when_due(&self.session);
        if self.session.granted() > 0 {
            user.clone().listen();
        }
        InUse(user)
    }

    /// Sends the request on the runtime, which owns it from here on.
    fn launch(self: Arc<Self>, takeoff: Takeoff) {
        let runtime = match runtime::get() {
            Ok(runtime) => runtime,
            Err(failure) => return takeoff.land(Err(failure), Moment::now()),
        };
        // Not awaited: the result travels through the flight that the task lands.
        drop(runtime.spawn(async move {
            let result = self.fly(&takeoff).await;
            let is_granted = result.is_ok();
            takeoff.land(result, Moment::now());
            look_when_due(&self.session);
            if is_granted {
                let users = self.session.users();
                users.into_iter().for_each(Launch::listen);
            }
        }));
    }

    async fn fly(&self, takeoff: &Takeoff) -> Result<Brought, Failure> {
        let deadline = Deadline::new(self.means.timeout, self.means.retries);
        let correlation_id = correlation_id_or_new(self.means.correlation_id.as_deref());
        let first = match self.are_equal {
            // Each gets its share of a city's boxes.
            true => one_of(self.endpoints.len()),
            false => 0,
        };
        let places: Vec<_> = self.endpoints.iter().map(name).collect();
        let order = order::order(&places, first, Instant::now());
        let many = count(places.len());
        let mut attempts = 0;
        let mut failures = Vec::new();
        for (left, place) in (1..=many).rev().zip(order) {
            let endpoint = &self.endpoints[place];
            let share = deadline.share(many, left);
            let result = self
                .ask_at(endpoint, &correlation_id, &share, takeoff)
                .await;
            match result {
                Ok(mut brought) => {
                    order::answered(&places[place]);
                    brought.attempts += attempts;
                    return Ok(brought);
                }
                Err(failure) => {
                    attempts += failure.attempts;
                    let is_worth_another = is_worth_another_place(&failure);
                    if is_worth_another {
                        order::failed(&places[place], failure.retry_after, Instant::now());
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
        Err(told_of_all(failures).after_attempts(attempts))
    }

    /// Asks the service at one place.
    async fn ask_at(
        &self,
        endpoint: &Endpoint,
        correlation_id: &Arc<str>,
        deadline: &Deadline,
        takeoff: &Takeoff,
    ) -> Result<Brought, Failure> {
        let place = name(endpoint);
        let (discovered, asked) = match self.session.discovered(&place) {
            Some(known) => (Some(known), 0),
            None => {
                let found = self.discover(endpoint, correlation_id, deadline).await?;
                let place = place.into();
                takeoff.set_discovered(found.0.clone().map(|discovered| (place, discovered)));
                found
            }
        };
        let call = self
            .service
            .token_call(correlation_id, discovered.as_deref());
        let request = self.request(endpoint.clone(), &call, true);
        let read = |reply: &http::HttpResponse| self.service.read_token(&call, reply);
        match http::exchange(&request, deadline, read).await {
            Ok((grant, attempts)) => Ok(Brought {
                grant: grant.limited(self.means.token_lifetime),
                correlation_id: correlation_id.clone(),
                place: Some(endpoint.authority().into()),
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
        endpoint: &Endpoint,
        correlation_id: &str,
        deadline: &Deadline,
    ) -> Result<(Option<Arc<str>>, u32), Failure> {
        let Some(call) = self.service.discovery(correlation_id) else {
            return Ok((None, 0));
        };
        let discovery = endpoint.sibling(crate::auth_service::ags::DISCOVERY);
        let request = self.request(discovery, &call, false);
        let read = |reply: &http::HttpResponse| {
            self.service
                .read_discovery(reply, endpoint.name())
                .map_err(|failure| failure.with_http_status(reply.status))
        };
        let (discovered, attempts) = http::exchange(&request, deadline, read).await?;
        Ok((discovered.map(Into::into), attempts))
    }

    /// The operator's extra headers may be credentials, so they go only where the credentials go.
    fn request(&self, url: Endpoint, call: &Call, with_secrets: bool) -> Request {
        let mut headers = call.headers.clone();
        let mut secrets = Vec::new();
        if with_secrets {
            let extra_headers = &self.means.extra_headers;
            headers.extend(extra_headers.iter().cloned());
            secrets = self.service.secrets();
            secrets.extend(extra_headers.iter().map(|(_, value)| value.clone()));
        }
        Request {
            parameter: call.parameter.clone(),
            headers,
            body: call.body.clone(),
            redirects: match self.service.follows_redirects() {
                true => Redirects::Followed {
                    allow_cleartext: self.means.allow_cleartext,
                },
                false => Redirects::Refused,
            },
            secrets,
            // An operator's paths may name accounts.
            shows_path: false,
            ..Request::new(url, self.means.tls.clone())
        }
    }
}

/// What tells a place from others, without a secret.
pub(super) fn name(endpoint: &Endpoint) -> String {
    Endpoint::redacted(endpoint.as_str())
}

/// Whether another place may have a token where this one had none. A no is one wherever it comes from.
fn is_worth_another_place(failure: &Failure) -> bool {
    match failure.kind {
        Kind::Transient | Kind::TimedOut | Kind::Malformed => true,
        Kind::Denied | Kind::Misconfigured => false,
    }
}

/// The last failure, and what was wrong at the places before.
fn told_of_all(mut failures: Vec<Failure>) -> Failure {
    let Some(mut last) = failures.pop() else {
        return Failure::misconfigured("there is no auth service to ask");
    };
    for before in failures {
        last.what = format!("{}; before that, {}", last.what, before.what);
    }
    last
}

fn count(places: usize) -> u32 {
    u32::try_from(places).unwrap_or(u32::MAX)
}

/// The number of one of so many, by chance.
fn one_of(many: usize) -> usize {
    let many = count(many);
    let chosen = f64::from(many) * chance();
    // Beyond the last one only where chance is exactly 1.
    (chosen as usize).min((many as usize).saturating_sub(1))
}
