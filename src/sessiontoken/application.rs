// SPDX-License-Identifier: MIT OR Apache-2.0

//! The application's part: tokens of its own, and its orders by signal.

use std::sync::Arc;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use once_cell::sync::Lazy;

use crate::flight::{Flight, Landing};
use crate::secret::Secret;
use crate::session::Moment;
use crate::wait::lock;

use super::acquisition::Acquisition;
use super::app_token::{Asked, Given};
use super::imp::{CAT, SessionToken};
use super::policy::Source;
use super::tune::Tune;

/// The signal by which the application is asked for a token of its own.
const REQUEST_TOKEN: &str = "request-token";

/// The element's signals.
pub fn signals() -> &'static [glib::subclass::Signal] {
    static SIGNALS: Lazy<Vec<glib::subclass::Signal>> = Lazy::new(|| {
        let action = |name, act: fn(&SessionToken)| {
            glib::subclass::Signal::builder(name)
                .action()
                .class_handler(move |args| {
                    let element = args[0].get::<super::SessionToken>().ok()?;
                    act(element.imp());
                    None
                })
                .build()
        };
        vec![
            /*
             * GstSessionToken::request-token:
             * @element: the element that needs a token
             *
             * Asks the application for a session token of its own, once a tune and before any service. The first handler that
             * gives one back is heard. It is called on a thread of its own and may take its time, up to `timeout`.
             *
             * Returns: (nullable) (transfer full): the token, or %NULL to leave it to the service
             *
             * Since: 0.1.0
             */
            glib::subclass::Signal::builder(REQUEST_TOKEN)
                .return_type::<Option<String>>()
                .run_last()
                .accumulator(|_, _, value| match value.get::<Option<String>>() {
                    Ok(Some(_)) => std::ops::ControlFlow::Break(value.clone()),
                    _ => std::ops::ControlFlow::Continue(value.clone()),
                })
                .build(),
            /*
             * GstSessionToken::refresh-token:
             * @element: the element
             *
             * Has a new token fetched, read or asked for. The one at hand is used until that is here, and stays if there will be none.
             *
             * Since: 0.1.0
             */
            action("refresh-token", SessionToken::refresh_token),
            /*
             * GstSessionToken::clear-token:
             * @element: the element
             *
             * Forgets the token of this element's session for the whole process, and the application's own (a logout). A request under
             * way is dropped, and who waits for it asks again.
             *
             * Since: 0.1.0
             */
            action("clear-token", SessionToken::clear_token),
        ]
    });
    SIGNALS.as_ref()
}

impl SessionToken {
    /// The application's token, or `None` when it takes it back. What is held does not wait any longer.
    pub(super) fn set_app_token(&self, text: Option<String>) {
        let seen = self.seen();
        let correlation_id = self.settings.own().correlation_id.clone();
        lock(&self.app_token).set(text.map(Secret::new), seen, correlation_id.as_deref());
        self.wake();
    }

    /// The highest generation that a decryptor may have seen, or see.
    fn seen(&self) -> Option<u32> {
        let tune = lock(&self.tune);
        let tune = tune.as_ref()?;
        let of_session = tune
            .acquisition()
            .map(|acquisition| acquisition.session.granted());
        Some(tune.highest())
            .filter(|highest| *highest > 0)
            .max(of_session)
    }

    /// Has the events that are held looked at again, and decryptors that wait for another token.
    pub(super) fn wake(&self) {
        let waiters = std::mem::take(&mut *lock(&self.waiters));
        for waiter in waiters.into_iter().chain([self.hold.waker()]) {
            if let Some(waiter) = waiter.upgrade() {
                waiter.wake();
            }
        }
    }

    /// Whether the application listens to `request-token`.
    pub(super) fn has_handler(&self) -> bool {
        let obj = self.obj();
        glib::subclass::SignalId::lookup(REQUEST_TOKEN, obj.type_()).is_some_and(|signal| {
            glib::signal::signal_has_handler_pending(&*obj, signal, None, false)
        })
    }

    /// Emits `request-token` on a thread of its own, where the application may take its time; `None` where nobody
    /// listens. Called with the tune locked, so the answer comes by way of a flight. As long as the application has not
    /// answered it is not asked again.
    pub(super) fn ask_application(&self) -> Option<Arc<Asked>> {
        if !self.has_handler() {
            return None;
        }
        let mut asked = lock(&self.asked);
        if let Some(asked) = asked.as_ref().filter(|asked| asked.peek().is_none()) {
            return Some(asked.clone());
        }
        let (flight, landing) = Flight::start(None);
        let weak = self.obj().downgrade();
        let ask = {
            let flight = flight.clone();
            move || {
                if let Some(obj) = weak.upgrade() {
                    let text = obj
                        .emit_by_name::<Option<String>>(REQUEST_TOKEN, &[])
                        .filter(|text| !text.is_empty());
                    obj.imp().application_answers(&flight, landing, text);
                }
            }
        };
        // Not one of the runtime's threads: it may take for ever.
        let thread = std::thread::Builder::new().name(REQUEST_TOKEN.to_owned());
        if let Err(error) = thread.spawn(ask) {
            gst::warning!(CAT, imp = self, "request-token was not emitted: {error}");
            return None;
        }
        *asked = Some(flight.clone());
        Some(flight)
    }

    fn application_answers(
        &self,
        asked: &Arc<Asked>,
        landing: Landing<Option<Given>>,
        text: Option<String>,
    ) {
        let is_wanted = |tune: &Tune| tune.is_asking(asked);
        if !lock(&self.tune).as_ref().is_some_and(is_wanted) {
            gst::debug!(CAT, imp = self, "an answer to request-token came too late");
            return landing.land(None);
        }
        let given = text.map(|text| {
            let correlation_id = self.settings.own().correlation_id.clone();
            let seen = self.seen();
            lock(&self.app_token).answered(Secret::new(text), seen, correlation_id.as_deref())
        });
        // It may have set one instead.
        let needs_one = given.is_none() && lock(&self.app_token).given().is_none();
        landing.land(given);
        self.wake();
        if needs_one && let Some(tune) = lock(&self.tune).as_mut().filter(|tune| is_wanted(tune)) {
            // The service gets its turn, before an event asks for it.
            if tune.policy().prefetch {
                tune.prefetch(|| None, Moment::now());
            }
        }
    }

    /// `refresh-token`: the application knows that the token has to be another one.
    fn refresh_token(&self) {
        gst::debug!(CAT, imp = self, "refresh-token");
        let has_app_token = lock(&self.app_token).given().is_some();
        let has_handler = self.has_handler();
        let file = self.reread_file();
        let is_applications = {
            let mut tune = lock(&self.tune);
            let is_applications = tune.as_ref().map_or(has_app_token || has_handler, |tune| {
                tune.is_applications(has_app_token, has_handler)
            });
            if let Some(tune) = tune.as_mut() {
                tune.refresh(file, Moment::now());
                if is_applications && !has_app_token {
                    tune.prefetch(|| self.ask_application(), Moment::now());
                }
            }
            is_applications
        };
        if !is_applications && let Some(acquisition) = self.acquisition() {
            acquisition.refresh(Moment::now());
        }
        self.wake();
    }

    /// `clear-token`: whoever was logged in is not any more.
    fn clear_token(&self) {
        gst::debug!(CAT, imp = self, "clear-token");
        lock(&self.app_token).clear();
        lock(&self.asked).take();
        // That of the last tune, whose settings and files may have changed meanwhile.
        if let Some(session) = lock(&self.last_session).upgrade() {
            session.clear();
        }
        let policy = lock(&self.tune).as_ref().map(|tune| tune.policy().clone());
        let has_tune = policy.is_some();
        if !has_tune && let Some(acquisition) = self.acquisition() {
            acquisition.session.clear();
        }
        // There is one for each set of keys.
        let policy = policy.or_else(|| self.policy().ok());
        if let Some(Source::DashIf(authorizer)) = policy.as_deref().map(|policy| &policy.source) {
            authorizer.clear();
        }
        let file = self.reread_file();
        if let Some(tune) = lock(&self.tune).as_mut() {
            tune.clear(file, Moment::now());
        }
        self.wake();
    }

    /// The way to the service: that of the tune, and without one that of the present settings.
    fn acquisition(&self) -> Option<Arc<Acquisition>> {
        if let Some(tune) = &*lock(&self.tune) {
            return tune.acquisition().cloned();
        }
        match self.policy() {
            Ok(policy) => match &policy.source {
                Source::Service(acquisition) => Some(acquisition.clone()),
                Source::File(_) | Source::DashIf(_) => None,
            },
            Err(failure) => {
                gst::warning!(CAT, imp = self, "no service to ask: {}", failure.what);
                None
            }
        }
    }

    /// The token of `session-token-file` as it is now, where that is the source.
    pub(super) fn reread_file(&self) -> Option<Given> {
        let policy = lock(&self.tune).as_ref()?.policy().clone();
        let Source::File(path) = &policy.source else {
            return None;
        };
        let seen = self.seen();
        Some(lock(&self.app_token).read_file(path, seen, policy.correlation_id.as_deref()))
    }
}
