// SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * SECTION:element-sessiontoken
 * @title: sessiontoken
 *
 * Stands before a decryptor, gets the session token that the operator's license server wants to
 * see, and puts it into the key request metadata of every protection event: a structure
 * `drm-key-request` in the #GstProtectionMeta of the event's init data. Buffers pass untouched.
 *
 * The token comes from RDK's authservice over HTTP (`auth-service=rdk`), from Thunder's JSON-RPC
 * (`thunder`), from OpenTV's Authentication Gateway Service (`ags`), from the service that the MPD
 * names (`dashif`), or from the application itself: by the property #GstSessionToken:session-token,
 * the file `session-token-file`, or the signal #GstSessionToken::request-token. Credentials come
 * from files, or by value from code: GStreamer logs command lines and contexts.
 *
 * The token is fetched once for the whole process and reused until it ends. While the first one is
 * under way the element holds its stream instead of blocking it. When there is none, it posts an
 * error (or, with `on-failure=anonymous`, a warning) that says what was wrong and where to look.
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
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::Waker;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use once_cell::sync::Lazy;

use super::application::PendingAnswer;
use super::bus_messages;
use super::debug::CAT;
use super::effects;
use super::flags::Flags;
use super::policy::{policy, read_token_file};
use super::settings::{self, Settings};
use super::signals::{self, Actions};
use super::store::Store;
use super::stream_facts::system_of;
use crate::cenc::PRIVATE_SYSTEM;
use crate::config::Configurable;
use crate::error::Failure;
use crate::hierarchy::ancestors;
use crate::hold::{Hold, build_pads};
use crate::logout;
use crate::messages;
use crate::session::SessionEvent;
use crate::token::{ClockReading, Secret};
use crate::tune::{Call, Effect, Policy, Source, Stream, TokenProvider};
use crate::wait::lock;

pub struct SessionToken {
    pub(super) sinkpad: gst::Pad,
    pub(super) srcpad: gst::Pad,
    pub(super) hold: Hold,
    settings: Configurable<Settings>,
    provider: Mutex<TokenProvider<gst::Event>>,
    /// What the data path has to know of the provider, without its lock.
    pub(super) flags: Flags,
    /// What the application's handler of `request-token-for` has not answered yet.
    pub(super) pending_answer: PendingAnswer,
    /// What decryptors ask for tokens, once one has looked for it.
    store: OnceLock<Store>,
}

impl SessionToken {
    pub(super) fn completed_settings(&self) -> Result<Settings, Failure> {
        self.settings.completed(self.obj().upcast_ref())
    }

    pub(super) fn policy(&self) -> Result<Policy, Failure> {
        policy(&self.completed_settings()?, &self.obj())
    }

    pub(super) fn provider(&self) -> MutexGuard<'_, TokenProvider<gst::Event>> {
        lock(&self.provider)
    }

    /// NULL→READY and again READY→PAUSED, because properties and files may change in between: the
    /// settings become one policy, or the state change fails.
    fn prepare_policy(&self) -> Result<Policy, gst::StateChangeError> {
        let policy = self.policy();
        let checked = self.provider().check_property();
        policy
            .and_then(|policy| checked.map(|()| policy))
            .map_err(|failure| {
                gst::error!(CAT, imp = self, "{}", failure.what);
                messages::post_error(self.obj().upcast_ref(), &failure);
                gst::StateChangeError
            })
    }

    /// Lets the provider act, and then does what it wants done, without its lock.
    pub(super) fn with<R>(
        &self,
        act: impl FnOnce(&mut TokenProvider<gst::Event>, &mut Call) -> R,
    ) -> R {
        self.with_waker(self.hold.waker(), act)
    }

    pub(super) fn with_waker<R>(
        &self,
        waker: &Waker,
        act: impl FnOnce(&mut TokenProvider<gst::Event>, &mut Call) -> R,
    ) -> R {
        let mut wanted = Vec::new();
        let result = {
            let mut provider = self.provider();
            let mut call = Call {
                waker,
                has_handler: &|| signals::has_handler(&self.obj()),
                now: ClockReading::now(),
                effects: &mut wanted,
            };
            let result = act(&mut provider, &mut call);
            self.flags.set(Flags::RESENDS, provider.resends());
            result
        };
        self.perform(wanted);
        result
    }

    fn perform(&self, wanted: Vec<Effect>) {
        for effect in wanted {
            effects::perform(&self.obj(), effect, |element| {
                element.imp().on_app_answer();
            });
        }
    }

    /// The application has given a token of its own, or none.
    fn on_app_answer(&self) {
        self.wake();
        self.with(|provider, call| provider.on_app_answer(call));
    }

    /// The session has done something in the background.
    pub(super) fn on_session_event(&self, event: SessionEvent) {
        self.with(|provider, call| provider.on_session_event(event, call.effects));
    }

    /// Has the events that are held looked at again, and decryptors that wait for another token.
    pub(super) fn wake(&self) {
        let wakers = self.provider().take_wakers();
        wakers.into_iter().for_each(Waker::wake);
        self.hold.waker().wake_by_ref();
    }

    /// What `session-token-file` holds now, where that is the source. Read without a lock.
    pub(super) fn read_token_file(&self) -> Option<Result<Secret, Failure>> {
        let policy = self.provider().policy().cloned()?;
        read_token_file(&policy)
    }

    /// READY→PAUSED: a tune begins.
    fn begin_tune(&self, policy: Policy) {
        self.hold.set_max_held_bytes(policy.max_held_bytes);
        for warning in &policy.warnings {
            gst::warning!(CAT, imp = self, "{warning}");
        }
        gst::debug!(
            CAT,
            imp = self,
            "tune begins, tokens from {}",
            policy.source.nick()
        );
        let file = read_token_file(&policy);
        if let Some(store) = self.store.get() {
            // It is as decryptors left it.
            store.set_flushing(false);
        }
        self.flags.clear();
        let by_stream = matches!(policy.source, Source::DashIf(_));
        self.flags.set(Flags::BY_STREAM, by_stream);
        let stream = Stream::new(self.presentation());
        let may_prefetch = !self.has_private_keys();
        // A player has linked one of them by now, a pipeline that is written out the other.
        let is_warm_up = !self.sinkpad.is_linked() && !self.srcpad.is_linked();
        self.with(|provider, call| {
            provider.begin(
                Arc::new(policy),
                file,
                stream,
                may_prefetch,
                is_warm_up,
                call,
            );
        });
    }

    /// Whether the stream's keys are handed over inside the process, so that no token is needed. A
    /// player has linked the element before it takes it to PAUSED.
    fn has_private_keys(&self) -> bool {
        let caps = self.sinkpad.peer().and_then(|peer| peer.current_caps());
        let system = caps.as_deref().and_then(system_of);
        system.is_some_and(|system| system.eq_ignore_ascii_case(PRIVATE_SYSTEM))
    }

    /// What the streams of one presentation have in common: the pipeline that they are in.
    fn presentation(&self) -> usize {
        let top = ancestors(self.obj().upcast_ref()).last();
        top.map_or_else(|| self.obj().as_ptr() as usize, |top| top.as_ptr() as usize)
    }

    /// The DRM system that the demuxer has chosen.
    pub(super) fn system(&self) -> Option<String> {
        system_of(self.sinkpad.current_caps()?.as_ref())
    }

    pub(crate) fn store(&self) -> Store {
        let new = || {
            let weak = self.obj().downgrade();
            Store::new(Box::new(move || Some(Arc::new(weak.upgrade()?))))
        };
        self.store.get_or_init(new).clone()
    }

    fn refresh_token(&self) {
        gst::debug!(CAT, imp = self, "refresh-token");
        let file = self.read_token_file();
        let has_tune = self.provider().policy().is_some();
        let idle = (!has_tune).then(|| self.policy()).and_then(Result::ok);
        self.with(|provider, call| provider.refresh(file, idle.as_ref(), call));
        self.wake();
    }

    fn clear_token(&self) {
        gst::debug!(CAT, imp = self, "clear-token");
        let file = self.read_token_file();
        let has_tune = self.provider().policy().is_some();
        let idle = (!has_tune).then(|| self.policy()).and_then(Result::ok);
        self.with(|provider, call| provider.clear(file, idle.as_ref(), call.now));
        logout::forget();
        self.pending_answer.forget();
        self.wake();
    }
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
            settings: Configurable::default(),
            provider: Mutex::default(),
            flags: Flags::default(),
            pending_answer: PendingAnswer::default(),
            store: OnceLock::new(),
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
            properties.extend(settings::beside_settings());
            properties
        });
        PROPERTIES.as_ref()
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: Lazy<Vec<glib::subclass::Signal>> = Lazy::new(|| {
            signals::signals(&Actions {
                refresh_token: |element| element.imp().refresh_token(),
                clear_token: |element| element.imp().clear_token(),
            })
        });
        SIGNALS.as_ref()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if pspec.name() == "session-token" {
            let text = crate::config::text(value).map(Secret::new);
            let own = self.settings.own().correlation_id.clone();
            self.provider().set_property(text, own.as_deref());
            self.wake();
        } else {
            self.settings.set(pspec.name(), value);
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => {
                let stats = self.provider().stats();
                bus_messages::stats(&stats, self.hold.figures()).to_value()
            }
            "store" => self.store().to_value(),
            name => self.settings.own().get(name),
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
        // "Codec/Parser" has decodebin, parsebin and decodebin3 plug it before a decryptor.
        // "Decryptor" must not stand here: qtdemux picks the protection system by what elements of
        // that class can decrypt.
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
        static TEMPLATES: Lazy<Vec<gst::PadTemplate>> = Lazy::new(super::templates::templates);
        TEMPLATES.as_ref()
    }

    fn set_context(&self, context: &gst::Context) {
        self.settings.set_context(context);
        self.parent_set_context(context);
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        match transition {
            gst::StateChange::NullToReady => {
                self.settings.request_context(self.obj().upcast_ref());
                self.prepare_policy()?;
            }
            gst::StateChange::ReadyToPaused => {
                let policy = self.prepare_policy()?;
                self.begin_tune(policy);
            }
            gst::StateChange::PausedToReady => {
                // A decryptor that waits in the store may have our streaming thread, for which the
                // parent waits. From here on none begins to wait, and those that do are woken.
                self.provider().stop();
                if let Some(store) = self.store.get() {
                    store.wake();
                }
            }
            _ => {}
        }
        let success = self.parent_change_state(transition);
        if transition == gst::StateChange::PausedToReady
            || (transition == gst::StateChange::ReadyToPaused && success.is_err())
        {
            self.hold.end(&self.srcpad);
            self.flags.clear();
            self.provider().end();
        }
        success
    }
}
