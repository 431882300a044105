// SPDX-License-Identifier: MIT OR Apache-2.0

//! Hears from the auth service that there is another token, where it says so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::credentials::{Credentials, Loaded};
use super::debug::CAT;
use crate::auth_service::thunder_events::{PROTOCOL, ThunderMessage};
use crate::error::{Failure, Kind};
use crate::http::{Deadline, Endpoint, Opening};
use crate::session::{ChangeNotice, NoticeSink, failover, pause_after};

/// A connection that has held so long was a good one: the pauses begin anew after it.
const STEADY: Duration = Duration::from_secs(60);

/// After a service has said that it has nothing to tell. It may be another one by then, and an
/// element may play for days.
const RARELY: Duration = Duration::from_secs(10 * 60);

/// A subscription to changes of a session's token, on the runtime.
pub struct ChangeSubscription {
    credentials: Arc<Credentials>,
    endpoints: Vec<Endpoint>,
    timeout: Duration,
    sink: NoticeSink,
}

/// How an attempt to listen ended.
struct Ended {
    failure: Failure,
    /// For how long there was something to hear.
    listened: Option<Duration>,
}

impl ChangeSubscription {
    pub fn new(
        credentials: Arc<Credentials>,
        endpoints: Vec<Endpoint>,
        timeout: Duration,
        sink: NoticeSink,
    ) -> Self {
        Self {
            credentials,
            endpoints,
            timeout,
            sink,
        }
    }

    /// Where the next token would be asked for first, which is where the one at hand is from,
    /// unless that endpoint has failed since. `None` where there is none.
    fn endpoint(&self) -> Option<&Endpoint> {
        let endpoints = self.endpoints.iter();
        let names: Vec<_> = endpoints
            .map(|endpoint| Endpoint::redacted(endpoint.as_str()))
            .collect();
        let order = failover::order(&names, 0, Instant::now());
        self.endpoints.get(*order.first()?)
    }

    /// Listens, and again after each loss of the connection.
    pub async fn run(self) {
        let mut was_listening = false;
        let mut failures = 0;
        while let Some(url) = self.endpoint() {
            let authority = url.authority();
            let Ended { failure, listened } = self.listen(url, was_listening).await;
            was_listening |= listened.is_some();
            failures = match listened {
                Some(time) if time >= STEADY => 1,
                _ => failures + 1,
            };
            let may_pass = matches!(failure.kind, Kind::Transient | Kind::TimedOut);
            // One that has told before may be asked for with credentials that are still to come.
            let pause = match may_pass || was_listening {
                true => pause_after(&failure, failures),
                false => RARELY,
            };
            // A service that stays away is news once.
            let level = match failures {
                1 => gst::DebugLevel::Info,
                _ => gst::DebugLevel::Debug,
            };
            gst::log_with_level!(
                CAT,
                level,
                "{authority} does not tell of changes of the session token: {}; next attempt in {} ms",
                failure.what,
                pause.as_millis()
            );
            tokio::time::sleep(pause).await;
        }
    }

    async fn listen(&self, url: &Endpoint, again: bool) -> Ended {
        let mut since = None;
        let failure = match self.receive(url, again, &mut since).await {
            Ok(never) => match never {},
            Err(failure) => failure,
        };
        Ended {
            failure,
            listened: since.map(|since: Instant| since.elapsed()),
        }
    }

    /// `since` is set once changes are told.
    async fn receive(
        &self,
        url: &Endpoint,
        again: bool,
        since: &mut Option<Instant>,
    ) -> Result<std::convert::Infallible, Failure> {
        let deadline = Deadline::new(self.timeout, 0);
        let Loaded { service, account } = self.credentials.fresh().await?;
        let mut changes = service
            .changes()
            .ok_or_else(|| Failure::misconfigured("the auth service does not tell of changes"))?;
        let mut headers = std::mem::take(&mut changes.headers);
        headers.extend(account.extra_headers);
        let opening = Opening {
            url: url.clone(),
            parameter: changes.parameter.clone(),
            headers,
            tls: account.tls,
            protocol: PROTOCOL,
        };
        let mut socket = opening.open(&deadline).await?;
        let authority = url.authority();
        let mut registrations = changes.registrations();
        for message in registrations.messages() {
            socket.send(message, &deadline).await?;
        }
        loop {
            let message = match registrations.is_done() {
                true => socket.next().await?,
                false => socket.next_within(&deadline).await?,
            };
            match registrations.read(&message)? {
                ThunderMessage::Registered => {
                    *since = Some(Instant::now());
                    gst::info!(CAT, "{authority} tells of changes of the session token");
                    self.on_start(again);
                }
                ThunderMessage::Changed => {
                    // Not at INFO: the service decides how many there are.
                    gst::debug!(CAT, "{authority} has another session token");
                    (self.sink)(ChangeNotice::Changed);
                }
                ThunderMessage::Nothing => {}
            }
        }
    }

    /// From now on changes are told. What there was `again` to be heard while nobody listened,
    /// nobody knows.
    fn on_start(&self, again: bool) {
        (self.sink)(match again {
            true => ChangeNotice::Changed,
            false => ChangeNotice::SubscriptionStarted,
        });
    }
}
