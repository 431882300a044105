// SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * SECTION:element-sessiontoken
 * @title: sessiontoken
 *
 * Stands before a decryptor, gets the session token that the operator's licence server wants to
 * see, and puts it into the key request metadata of every protection event: a structure `drm-key-request`
 * in the #GstProtectionMeta of the event's init data. Buffers pass untouched.
 *
 * The token comes from RDK's authservice over HTTP (`auth-service=rdk`), from Thunder's JSON-RPC (`thunder`), from OpenTV's
 * Authentication Gateway Service (`ags`), or from the application itself: by the property #GstSessionToken:session-token,
 * the file `session-token-file`, or the signal #GstSessionToken::request-token. Credentials come from files, or by value from code: GStreamer
 * logs command lines and contexts.
 *
 * The token is fetched once for the whole process and reused until it ends. While the first one is under way the element
 * holds its stream instead of blocking it. When there is none, it posts an error (or, with `on-failure=anonymous`,
 * a warning) that says what was wrong and where to look.
 *
 * ## Example pipelines
 *
 * |[
 * gst-launch-1.0 souphttpsrc location=http://localhost:50050/dash/cenc/manifest.mpd ! dashdemux name=d  d.video_00 ! qtdemux ! sessiontoken ! clearkeydec ! h264parse ! avdec_h264 ! fakesink sync=true
 * ]| Plays the picture of a protected DASH presentation. `scripts/demo --serve` provides it.
 *
 * |[
 * GST_PLUGIN_FEATURE_RANK=sessiontoken:PRIMARY gst-launch-1.0 playbin3 uri=http://localhost:50050/dash/cenc/manifest.mpd video-sink=fakevideosink audio-sink=fakeaudiosink
 * ]| The same in a player, which plugs the element by itself once its rank is raised.
 *
 * Since: 0.1.0
 */
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use once_cell::sync::Lazy;

use super::app_token::{AppToken, Asked, Given};
use super::key_request;
use super::policy::{Policy, Source};
use super::settings::{OnFailure, Settings};
use super::store::{self, Newer, Store};
use super::tune::{Report, Tune, Verdict};
use crate::config::Slot;
use crate::failure::Failure;
use crate::flight::{Flight, Landing, Wake, deadline};
use crate::hold::{Hold, Holding, Item, Prepared, build_pads};
use crate::messages;
use crate::secret::Secret;
use crate::session::{Answer, Moment, Outcome, Session, Token};
use crate::wait::lock;

/// The signal by which the application is asked for a token of its own.
const REQUEST_TOKEN: &str = "request-token";

static CAT: Lazy<gst::DebugCategory> = Lazy::new(|| {
    gst::DebugCategory::new(
        "sessiontoken",
        gst::DebugColorFlags::empty(),
        Some("Session token for DRM key requests"),
    )
});

/// What passes: everything that a demuxer hands to a decryptor.
const CAPS: [&str; 3] = [
    "application/x-cenc",
    "application/x-cbcs",
    "application/x-webm-enc",
];

pub struct SessionToken {
    sinkpad: gst::Pad,
    srcpad: gst::Pad,
    hold: Hold,
    settings: Mutex<Settings>,
    context: Slot,
    app_token: Mutex<AppToken>,
    /// What the application was asked for last.
    asked: Mutex<Option<Arc<Asked>>>,
    /// What decryptors ask for tokens, once one has looked for it.
    store: Mutex<Option<Store>>,
    /// Those who wait in the store for a token of the application's.
    waiters: Mutex<Vec<Weak<dyn Wake>>>,
    /// A token was refused: the protection events go again, before the next item.
    resend: AtomicBool,
    /// Data has passed since the last protection event.
    data_passed: AtomicBool,
    /// On the way down to READY.
    stopping: AtomicBool,
    tune: Mutex<Option<Tune>>,
    /// That of the last tune; somebody may log out after it.
    last_session: Mutex<Weak<Session>>,
}

impl SessionToken {
    /// The verdict on a protection event, and what the application has to hear of it. No lock is held afterwards.
    fn protection(&self, event: gst::Event) -> Prepared {
        let gst::EventView::Protection(protection) = event.view() else {
            return Prepared::Push(Item::Event(event));
        };
        if key_request::is_on(protection) {
            gst::debug!(CAT, imp = self, "event has a key request already");
            return Prepared::Push(Item::Event(event));
        }
        let original = event.clone();
        let app_token = lock(&self.app_token).given().cloned();
        let mut tune_guard = lock(&self.tune);
        let Some(tune) = tune_guard.as_mut() else {
            return Prepared::Fail(gst::FlowError::Error);
        };
        tune.flow = tune.flow.after(protection.origin());
        let verdict = tune.verdict(
            app_token.as_ref(),
            || self.ask_application(),
            &self.hold.waker(),
            Moment::now(),
        );
        let policy = tune.policy().clone();
        match verdict {
            Verdict::Go(token, service) => {
                tune.events += 1;
                tune.kept
                    .keep(&original, self.data_passed.swap(false, Ordering::Relaxed));
                let flow = tune.flow;
                let report = tune.announce(service, &token);
                if let Source::Service(acquisition) = &policy.source {
                    acquisition.session.come_after(token.generation());
                }
                drop(tune_guard);
                if let Some(report) = report {
                    self.post_acquired(service, &token, &report);
                }
                let event = key_request::put_on(&event, &token, flow, &policy.header);
                gst::debug!(
                    CAT,
                    imp = self,
                    "put the token of generation {} on a protection event",
                    token.generation()
                );
                Prepared::Push(Item::Event(event))
            }
            Verdict::Wait(until) => Prepared::NotYet(Item::Event(event), until),
            Verdict::Failed(failure) => {
                let first = !std::mem::replace(&mut tune.reported, true);
                let service = tune.blamed(app_token.is_some());
                drop(tune_guard);
                if first {
                    self.post_failed(service, &failure, policy.on_failure);
                }
                match policy.on_failure {
                    OnFailure::Error => Prepared::Fail(gst::FlowError::Error),
                    OnFailure::Anonymous => Prepared::Push(Item::Event(event)),
                }
            }
        }
    }

    fn event(&self, event: gst::Event) -> Prepared {
        match event.type_() {
            gst::EventType::Protection => self.protection(event),
            gst::EventType::StreamStart => {
                if let Some(tune) = lock(&self.tune).as_mut() {
                    tune.kept.clear();
                }
                self.resend.store(false, Ordering::Release);
                Prepared::Push(Item::Event(event))
            }
            _ => Prepared::Push(Item::Event(event)),
        }
    }

    /// The protection events of the stream again, with a token that was not refused, and then the item. They are pushed from
    /// here alone, by the thread that brings the stream: a decryptor that complains in the middle of its chain
    /// function has that thread, and any other one would wait for its stream lock.
    fn resend_before(&self, item: Item) -> Prepared {
        let app_token = lock(&self.app_token).given().cloned();
        let mut tune_guard = lock(&self.tune);
        let Some(tune) = tune_guard.as_mut() else {
            return Prepared::Fail(gst::FlowError::Error);
        };
        let verdict = tune.verdict(
            app_token.as_ref(),
            || self.ask_application(),
            &self.hold.waker(),
            Moment::now(),
        );
        let policy = tune.policy().clone();
        match verdict {
            Verdict::Go(token, service) => {
                self.resend.store(false, Ordering::Release);
                let events: Vec<_> = tune
                    .kept
                    .events()
                    .map(|event| key_request::put_on(event, &token, tune.flow, &policy.header))
                    .collect();
                tune.events += events.len() as u64;
                let report = tune.announce(service, &token);
                drop(tune_guard);
                if let Some(report) = report {
                    self.post_acquired(service, &token, &report);
                }
                gst::debug!(
                    CAT,
                    imp = self,
                    "{} protection events again, with the token of generation {}",
                    events.len(),
                    token.generation()
                );
                match self.prepare(item) {
                    Prepared::Push(item) => Prepared::PushAfter(events, item),
                    // It waits or fails; the events go before whatever comes next.
                    other => {
                        self.resend.store(true, Ordering::Release);
                        other
                    }
                }
            }
            Verdict::Wait(until) => Prepared::NotYet(item, until),
            Verdict::Failed(failure) => {
                self.resend.store(false, Ordering::Release);
                let first = !std::mem::replace(&mut tune.reported, true);
                let service = tune.blamed(app_token.is_some());
                drop(tune_guard);
                if first {
                    self.post_failed(service, &failure, policy.on_failure);
                }
                match policy.on_failure {
                    OnFailure::Error => Prepared::Fail(gst::FlowError::Error),
                    OnFailure::Anonymous => self.prepare(item),
                }
            }
        }
    }

    fn store(&self) -> Store {
        lock(&self.store)
            .get_or_insert_with(|| Store::new(&self.obj()))
            .clone()
    }

    /// The newest valid token, without waiting: for the store.
    pub(super) fn newest(&self) -> Option<Token> {
        let given = lock(&self.app_token).given().cloned();
        let mut tune = lock(&self.tune);
        let token = tune.as_mut()?.newest(given.as_ref(), Moment::now());
        drop(tune);
        token
    }

    /// The licence side has refused the token of that generation: a new one is fetched, once however many complain.
    fn refused(&self, generation: u32, http_status: u32) -> Option<(Arc<Policy>, Option<Answer>)> {
        let now = Moment::now();
        let has_app_token = lock(&self.app_token).given().is_some();
        let file = self.reread_file();
        let mut tune_guard = lock(&self.tune);
        let tune = tune_guard.as_mut()?;
        let service = tune.blamed(has_app_token);
        let is_news = tune.refuse(generation, file);
        let policy = tune.policy().clone();
        let is_applications = tune.is_applications(has_app_token, self.has_handler());
        if is_news && is_applications && !has_app_token {
            tune.prefetch(|| self.ask_application(), now);
        }
        drop(tune_guard);
        if is_news {
            gst::info!(
                CAT,
                imp = self,
                "token of generation {generation} refused, HTTP status {http_status}"
            );
            self.post_state(
                gst::Structure::builder("session-token")
                    .field("state", "rejected")
                    .field("service", service)
                    .field("generation", generation)
                    .field("http-status", http_status)
                    .build(),
            );
        }
        let answer = match &policy.source {
            Source::Service(acquisition) if !is_applications => {
                Some(acquisition.reject(generation, now))
            }
            _ => None,
        };
        Some((policy, answer))
    }

    /// A newer token than the one that was refused, for the store; `waiter` is woken when there is something new to say.
    pub(super) fn newer_than(
        &self,
        generation: u32,
        http_status: u32,
        waiter: &Weak<dyn Wake>,
    ) -> Newer {
        if self.stopping.load(Ordering::SeqCst) {
            return Newer::None;
        }
        let Some((policy, answer)) = self.refused(generation, http_status) else {
            return Newer::None;
        };
        let until = deadline(policy.timeout, std::time::Instant::now());
        let answer = match answer {
            Some(Answer::Token(token)) => Some(Outcome::Token(token)),
            Some(Answer::Failed(failure)) => Some(Outcome::Failed(failure)),
            Some(Answer::Wait(flight)) => match flight.poll(waiter) {
                Some(outcome) => Some(outcome),
                None => return Newer::Wait(until),
            },
            // The application's own: what it sets or answers is looked at when it does, and it may do so at any moment.
            None => {
                lock(&self.waiters).push(waiter.clone());
                self.newest().map(Outcome::Token)
            }
        };
        match answer {
            Some(Outcome::Token(token)) if token.generation() > generation => {
                self.announce(&token, &policy);
                Newer::Token(token)
            }
            Some(Outcome::Failed(failure)) => {
                self.announce_failure(&failure, &policy);
                Newer::None
            }
            // Cleared by a logout, or older than what was refused.
            Some(Outcome::Cleared | Outcome::Token(_)) => Newer::None,
            None => Newer::Wait(until),
        }
    }

    /// Tells the application of a token that went to a decryptor through the store.
    fn announce(&self, token: &Token, policy: &Policy) {
        let has_app_token = lock(&self.app_token).given().is_some();
        let report = {
            let mut tune = lock(&self.tune);
            let Some(tune) = tune.as_mut() else {
                return;
            };
            let service = tune.blamed(has_app_token);
            if let Source::Service(acquisition) = &policy.source {
                acquisition.session.come_after(token.generation());
            }
            tune.announce(service, token)
                .map(|report| (service, report))
        };
        if let Some((service, report)) = report {
            self.post_acquired(service, token, &report);
        }
    }

    /// Tells the application why a decryptor gets no other token. The error is the decryptor's, which has no use for it.
    fn announce_failure(&self, failure: &Failure, policy: &Policy) {
        let first = match lock(&self.tune).as_mut() {
            Some(tune) => !std::mem::replace(&mut tune.told_of_failure, true),
            None => return,
        };
        if first {
            self.post_failure(policy.source.nick(), failure);
        }
    }

    fn post_acquired(&self, service: &str, token: &Token, report: &Report) {
        gst::info!(
            CAT,
            imp = self,
            "session token of generation {} acquired, waited {:?}",
            token.generation(),
            report.waited
        );
        self.post_state(
            gst::Structure::builder("session-token")
                .field(
                    "state",
                    if report.refreshed {
                        "refreshed"
                    } else {
                        "acquired"
                    },
                )
                .field("service", service)
                .field("generation", token.generation())
                .field("cached", report.cached)
                .field("attempts", token.way().attempts)
                .field("latency", clock_time(token.way().latency))
                .field("waited", clock_time(report.waited))
                .build(),
        );
    }

    fn post_failed(&self, service: &str, failure: &Failure, on_failure: OnFailure) {
        self.post_failure(service, failure);
        let obj = self.obj();
        match on_failure {
            OnFailure::Error => messages::post_error(obj.upcast_ref(), failure),
            OnFailure::Anonymous => messages::post_warning(obj.upcast_ref(), failure),
        }
    }

    fn post_failure(&self, service: &str, failure: &Failure) {
        gst::warning!(CAT, imp = self, "no session token: {}", failure.what);
        let mut structure = gst::Structure::builder("session-token")
            .field("state", "failed")
            .field("service", service)
            .field("reason", failure.kind.nick())
            .field("attempts", failure.attempts)
            .field("latency", clock_time(failure.elapsed));
        if let Some(status) = failure.http_status {
            structure = structure.field("http-status", u32::from(status));
        }
        self.post_state(structure.build());
    }

    fn post_state(&self, structure: gst::Structure) {
        let obj = self.obj();
        // Fails only where nobody listens.
        let _ = obj.post_message(gst::message::Element::builder(structure).src(&*obj).build());
    }

    /// The application's token, or `None` when it takes it back. What is held does not wait any longer.
    fn set_app_token(&self, text: Option<String>) {
        let seen = self.seen();
        let correlation_id = lock(&self.settings).correlation_id.clone();
        lock(&self.app_token).set(text.map(Secret::new), seen, correlation_id.as_deref());
        self.wake();
    }

    /// The highest generation that a decryptor may have seen, or see.
    fn seen(&self) -> Option<u32> {
        let tune = lock(&self.tune);
        let tune = tune.as_ref()?;
        let of_session = match &tune.policy().source {
            Source::Service(acquisition) => Some(acquisition.session.generation()),
            Source::File(_) => None,
        };
        tune.generation().max(of_session)
    }

    /// Has the events that are held looked at again, and decryptors that wait for another token.
    fn wake(&self) {
        let waiters = std::mem::take(&mut *lock(&self.waiters));
        for waiter in waiters.into_iter().chain([self.hold.waker()]) {
            if let Some(waiter) = waiter.upgrade() {
                waiter.wake();
            }
        }
    }

    /// Whether the application listens to `request-token`.
    fn has_handler(&self) -> bool {
        let obj = self.obj();
        glib::subclass::SignalId::lookup(REQUEST_TOKEN, obj.type_()).is_some_and(|signal| {
            glib::signal::signal_has_handler_pending(&*obj, signal, None, false)
        })
    }

    /// Emits `request-token` on a thread of its own, where the application may take its time; `None` where nobody
    /// listens. Called with the tune locked, so the answer comes by way of a flight. As long as the application has not
    /// answered it is not asked again.
    fn ask_application(&self) -> Option<Arc<Asked>> {
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
            let correlation_id = lock(&self.settings).correlation_id.clone();
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
        let (policy, is_applications) = {
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
            let policy = tune.as_ref().map(|tune| tune.policy().clone());
            (policy, is_applications)
        };
        if !is_applications {
            match policy.map_or_else(|| self.policy(), Ok) {
                Ok(policy) => {
                    if let Source::Service(acquisition) = &policy.source {
                        acquisition.refresh(Moment::now());
                    }
                }
                Err(failure) => {
                    gst::warning!(CAT, imp = self, "nothing to refresh: {}", failure.what);
                }
            }
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
        let has_tune = lock(&self.tune).is_some();
        if !has_tune {
            match self.policy() {
                Ok(policy) => {
                    if let Source::Service(acquisition) = &policy.source {
                        acquisition.session.clear();
                    }
                }
                Err(failure) => {
                    gst::warning!(CAT, imp = self, "no session to clear: {}", failure.what);
                }
            }
        }
        let file = self.reread_file();
        if let Some(tune) = lock(&self.tune).as_mut() {
            tune.clear(file, Moment::now());
        }
        self.wake();
    }

    /// The token of `session-token-file` as it is now, where that is the source.
    fn reread_file(&self) -> Option<Given> {
        let policy = lock(&self.tune).as_ref()?.policy().clone();
        let Source::File(path) = &policy.source else {
            return None;
        };
        let seen = self.seen();
        Some(lock(&self.app_token).read_file(path, seen, policy.correlation_id.as_deref()))
    }

    fn policy(&self) -> Result<Arc<Policy>, Failure> {
        let obj = self.obj();
        let context = self.context.get();
        let settings = lock(&self.settings).clone();
        settings
            .policy(obj.upcast_ref(), context.as_ref())
            .map(Arc::new)
    }

    /// NULL→READY and again READY→PAUSED, because properties and files may change in between: the settings become one
    /// policy, or the state change fails.
    fn prepare_policy(&self) -> Result<Arc<Policy>, gst::StateChangeError> {
        let policy = self.policy();
        let given = lock(&self.app_token).given().cloned();
        let checked = policy.and_then(|policy| match given {
            Some(Err(failure)) => Err(failure),
            _ => Ok(policy),
        });
        checked.map_err(|failure| {
            gst::error!(CAT, imp = self, "{}", failure.what);
            messages::post_error(self.obj().upcast_ref(), &failure);
            gst::StateChangeError
        })
    }

    /// READY→PAUSED: a tune begins.
    fn begin_tune(&self, policy: Arc<Policy>) {
        self.hold.set_max_held_bytes(policy.max_held_bytes);
        self.stopping.store(false, Ordering::SeqCst);
        for warning in &policy.warnings {
            gst::warning!(CAT, imp = self, "{warning}");
        }
        let (file, has_app_token) = {
            let mut app_token = lock(&self.app_token);
            let file = match &policy.source {
                Source::File(path) => {
                    Some(app_token.read_file(path, None, policy.correlation_id.as_deref()))
                }
                Source::Service(acquisition) => {
                    app_token.come_after(acquisition.session.generation());
                    *lock(&self.last_session) = Arc::downgrade(&acquisition.session);
                    acquisition.keep_fresh();
                    None
                }
            };
            (file, app_token.given().is_some())
        };
        let prefetch = policy.prefetch && !has_app_token;
        let mut tune = lock(&self.tune);
        let tune = tune.insert(Tune::new(policy, file));
        if prefetch {
            tune.prefetch(|| self.ask_application(), Moment::now());
        }
    }

    fn stats(&self) -> gst::Structure {
        let figures = self.hold.figures();
        let tune = lock(&self.tune);
        gst::Structure::builder("session-token-stats")
            .field("events", tune.as_ref().map_or(0, |tune| tune.events))
            .field(
                "generation",
                tune.as_ref().and_then(Tune::generation).unwrap_or(0),
            )
            .field(
                "waited",
                clock_time(tune.as_ref().map(Tune::waited).unwrap_or_default()),
            )
            .field("holds", figures.holds)
            .field("held-bytes-peak", figures.peak_held_bytes as u64)
            .build()
    }
}

fn clock_time(duration: std::time::Duration) -> gst::ClockTime {
    gst::ClockTime::try_from(duration).unwrap_or(gst::ClockTime::MAX)
}

#[glib::object_subclass]
impl ObjectSubclass for SessionToken {
    const NAME: &'static str = "GstSessionToken";
    type Type = super::SessionToken;
    type ParentType = gst::Element;

    fn with_class(klass: &Self::Class) -> Self {
        let template = |name| {
            klass
                .pad_template(name)
                .expect("both templates are in `pad_templates`")
        };
        let (sinkpad, srcpad) = build_pads::<Self>(
            &template("sink"),
            &template("src"),
            gst::PadFlags::PROXY_CAPS | gst::PadFlags::PROXY_ALLOCATION,
        );
        Self {
            sinkpad,
            srcpad,
            hold: Hold::default(),
            settings: Mutex::default(),
            context: Slot::default(),
            app_token: Mutex::default(),
            asked: Mutex::default(),
            store: Mutex::default(),
            waiters: Mutex::default(),
            resend: AtomicBool::new(false),
            data_passed: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            tune: Mutex::default(),
            last_session: Mutex::default(),
        }
    }
}

/// What a subclass of `sessiontoken` implements: nothing more than an element.
pub trait SessionTokenImpl: ElementImpl {}

// SAFETY: there are no virtual functions to set up.
unsafe impl<T: SessionTokenImpl> IsSubclassable<T> for super::SessionToken {}

impl ObjectImpl for SessionToken {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: Lazy<Vec<glib::ParamSpec>> = Lazy::new(|| {
            let mut properties = Settings::properties();
            properties.push(
                glib::ParamSpecString::builder("session-token")
                    .nick("Session token")
                    .blurb("The application's own token, instead of asking a service; empty takes it back")
                    .mutable_playing()
                    .write_only()
                    .build(),
            );
            properties.push(
                glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
                    .nick("Statistics")
                    .blurb("What the element did since it went to PAUSED")
                    .read_only()
                    .build(),
            );
            properties
        });
        PROPERTIES.as_ref()
    }

    fn signals() -> &'static [glib::subclass::Signal] {
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

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if pspec.name() == "session-token" {
            self.set_app_token(crate::config::text(value));
        } else {
            lock(&self.settings).set(pspec.name(), value);
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats().to_value(),
            name => lock(&self.settings).get(name),
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        for pad in [&self.sinkpad, &self.srcpad] {
            obj.add_pad(pad)
                .expect("a new element has no pad of that name");
        }
    }
}

impl GstObjectImpl for SessionToken {}

impl ElementImpl for SessionToken {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        // "Codec/Parser" has decodebin, parsebin and decodebin3 plug it before a decryptor. "Decryptor" must not
        // stand here: qtdemux picks the protection system by what elements of that class can decrypt.
        static METADATA: Lazy<gst::subclass::ElementMetadata> = Lazy::new(|| {
            gst::subclass::ElementMetadata::new(
                "Session token",
                "Codec/Parser/Metadata",
                "Puts the operator's session token into the metadata of DRM key requests",
                "The gst-plugin-sessiontoken developers",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: Lazy<Vec<gst::PadTemplate>> = Lazy::new(|| {
            let caps = CAPS
                .iter()
                .map(|name| gst::Structure::new_empty(*name))
                .collect::<gst::Caps>();
            [
                ("sink", gst::PadDirection::Sink),
                ("src", gst::PadDirection::Src),
            ]
            .into_iter()
            .map(|(name, direction)| {
                gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
                    .expect("a valid template")
            })
            .collect()
        });
        TEMPLATES.as_ref()
    }

    fn set_context(&self, context: &gst::Context) {
        self.context.offer(context);
        self.parent_set_context(context);
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::NullToReady => {
                self.context.ask(self.obj().upcast_ref());
                self.prepare_policy()?;
            }
            gst::StateChange::ReadyToPaused => {
                let policy = self.prepare_policy()?;
                self.begin_tune(policy);
            }
            gst::StateChange::PausedToReady => {
                // A decryptor that waits in the store may have our streaming thread, for which the parent waits. From here
                // on none begins to wait, and those that do are woken.
                self.stopping.store(true, Ordering::SeqCst);
                if let Some(store) = &*lock(&self.store) {
                    store.cancel();
                }
            }
            _ => {}
        }
        let success = self.parent_change_state(transition);
        if transition == gst::StateChange::PausedToReady
            || (transition == gst::StateChange::ReadyToPaused && success.is_err())
        {
            self.hold.end(&self.srcpad);
            self.resend.store(false, Ordering::Release);
            *lock(&self.tune) = None;
        }
        success
    }
}

impl Holding for SessionToken {
    fn hold(&self) -> &Hold {
        &self.hold
    }

    fn srcpad(&self) -> &gst::Pad {
        &self.srcpad
    }

    fn prepare(&self, item: Item) -> Prepared {
        let is_new_stream =
            matches!(&item, Item::Event(event) if event.type_() == gst::EventType::StreamStart);
        if self.resend.load(Ordering::Acquire) && !is_new_stream {
            return self.resend_before(item);
        }
        match item {
            Item::Event(event) => self.event(event),
            data => {
                self.data_passed.store(true, Ordering::Relaxed);
                Prepared::Push(data)
            }
        }
    }

    fn events_were_flushed(&self) {
        self.resend.store(true, Ordering::Release);
    }

    fn answers(&self, query: &mut gst::QueryRef) -> bool {
        let gst::QueryViewMut::Context(query) = query.view_mut() else {
            return false;
        };
        if query.context_type() != store::CONTEXT_TYPE {
            return false;
        }
        // Not persistent and never posted: a bin keeps one of a type, and two sessions would take each other's place.
        let mut context = gst::Context::new(store::CONTEXT_TYPE, false);
        context
            .make_mut()
            .structure_mut()
            .set("store", self.store());
        query.set_context(&context);
        true
    }

    fn takes(&self, event: &gst::Event) -> bool {
        let gst::EventView::CustomUpstream(_) = event.view() else {
            return false;
        };
        let Some(rejected) = event
            .structure()
            .filter(|structure| structure.name() == "drm-session-token-rejected")
        else {
            return false;
        };
        // Where another element upstream has put the key requests on the events, it is for that one.
        let is_ours = lock(&self.tune)
            .as_ref()
            .is_some_and(|tune| tune.events > 0);
        let Ok(generation) = rejected.get::<u32>("generation") else {
            gst::warning!(
                CAT,
                imp = self,
                "drm-session-token-rejected names no generation"
            );
            return is_ours;
        };
        if is_ours {
            let http_status = rejected.get::<u32>("http-status").unwrap_or(0);
            self.refused(generation, http_status);
            self.resend.store(true, Ordering::Release);
        }
        is_ours
    }
}
