// SPDX-License-Identifier: MIT OR Apache-2.0

//! Hears from the auth service that there is another token, where it says so, as long as somebody uses the session.

use std::any::Any;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::auth_service::Changes;
use crate::auth_service::changes::{PROTOCOL, Said};
use crate::error::{Failure, Kind};
use crate::http::{Deadline, Endpoint, Opening, TlsConfig};
use crate::runtime;
use crate::secret::Secret;
use crate::session::{Moment, Session, order, pause_after};
use crate::wait::lock;

use super::acquisition::{Acquisition, EndedWhenDropped, look_when_due, name};
use super::imp::CAT;

/// A connection that has held so long was a good one: the pauses begin anew after it.
const STEADY: Duration = Duration::from_secs(60);

/// After a service has said that it has nothing to tell. It may be another one by then, and an element may play for days.
const RARELY: Duration = Duration::from_secs(10 * 60);

/// One user's part in the connection of its session, which ends with the last of them.
#[derive(Default)]
pub struct Listening(Mutex<Option<Arc<dyn Any + Send + Sync>>>);

impl Listening {
    /// Takes part in the connection from now on, and begins it where there is none.
    pub fn join(&self, acquisition: &Acquisition) {
        let Some(changes) = acquisition.service.changes() else {
            return;
        };
        // Without a runtime nobody has a token.
        let Ok(runtime) = runtime::get() else {
            return;
        };
        let mut part = lock(&self.0);
        if part.is_some() {
            return;
        }
        *part = Some(acquisition.session.shared(|| {
            let listener = Listener::new(acquisition, changes);
            let listening = runtime.spawn(listener.run());
            Arc::new(EndedWhenDropped(listening.abort_handle()))
        }));
    }
}

/// Who listens, on the runtime.
struct Listener {
    session: Weak<Session>,
    changes: Changes,
    places: Vec<Endpoint>,
    headers: Vec<(String, Secret)>,
    tls: TlsConfig,
    timeout: Duration,
}

/// How an attempt to listen ended.
struct Ended {
    failure: Failure,
    /// For how long there was something to hear.
    listened: Option<Duration>,
}

impl Listener {
    fn new(acquisition: &Acquisition, mut changes: Changes) -> Self {
        let mut headers = std::mem::take(&mut changes.headers);
        let means = &acquisition.means;
        headers.extend(means.extra_headers.iter().cloned());
        Self {
            session: Arc::downgrade(&acquisition.session),
            changes,
            places: acquisition.endpoints.clone(),
            headers,
            tls: means.tls.clone(),
            timeout: means.timeout,
        }
    }

    /// Where the next token would be asked for first, which is where the one at hand is from, unless that place has failed since.
    /// `None` where there is none.
    fn place(&self) -> Option<&Endpoint> {
        let places: Vec<_> = self.places.iter().map(name).collect();
        let order = order::order(&places, 0, Instant::now());
        self.places.get(*order.first()?)
    }

    /// Listens, and again after each loss of the connection.
    async fn run(self) {
        let mut was_listening = false;
        let mut failures = 0;
        while let Some(url) = self.place() {
            let place = url.authority();
            let Ended { failure, listened } = self.listen(url, was_listening).await;
            was_listening |= listened.is_some();
            failures = match listened {
                Some(time) if time >= STEADY => 1,
                _ => failures + 1,
            };
            let may_pass = matches!(failure.kind, Kind::Transient | Kind::TimedOut);
            let pause = match may_pass || listened.is_some() {
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
                "{place} does not tell of changes of the session token: {}; next attempt in {} ms",
                failure.what,
                pause.as_millis()
            );
            tokio::time::sleep(pause).await;
        }
    }

    async fn listen(&self, url: &Endpoint, again: bool) -> Ended {
        let mut since = None;
        let failure = match self.hear(url, again, &mut since).await {
            Ok(never) => match never {},
            Err(failure) => failure,
        };
        Ended {
            failure,
            listened: since.map(|since: Instant| since.elapsed()),
        }
    }

    /// `since` is set once changes are told.
    async fn hear(
        &self,
        url: &Endpoint,
        again: bool,
        since: &mut Option<Instant>,
    ) -> Result<std::convert::Infallible, Failure> {
        let deadline = Deadline::new(self.timeout, 0);
        let opening = Opening {
            url: url.clone(),
            parameter: self.changes.parameter.clone(),
            headers: self.headers.clone(),
            tls: self.tls.clone(),
            protocol: PROTOCOL,
        };
        let mut socket = opening.open(&deadline).await?;
        let mut registrations = self.changes.registrations();
        for message in registrations.messages() {
            socket.send(message, &deadline).await?;
        }
        loop {
            let message = match registrations.is_done() {
                true => socket.next().await?,
                false => socket.next_within(&deadline).await?,
            };
            match registrations.read(&message)? {
                Said::Registered => {
                    *since = Some(Instant::now());
                    let place = url.authority();
                    gst::info!(CAT, "{place} tells of changes of the session token");
                    self.begins(again);
                }
                Said::Changed => self.changed(),
                Said::Nothing => {}
            }
        }
    }

    /// From now on changes are told. What there was `again` to be heard while nobody listened, nobody knows.
    fn begins(&self, again: bool) {
        if let Some(session) = self.session.upgrade() {
            match again {
                true => session.changed(),
                false => session.heard(Moment::now()),
            }
            look_when_due(&session);
        }
    }

    fn changed(&self) {
        // Not at INFO: the service decides how many there are.
        gst::debug!(CAT, "the auth service has another session token");
        if let Some(session) = self.session.upgrade() {
            session.changed();
            look_when_due(&session);
        }
    }
}
