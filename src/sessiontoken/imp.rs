// SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * SECTION:element-sessiontoken
 * @title: sessiontoken
 *
 * Stands before a decryptor, gets the session token that the operator's license server wants to
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

use super::app_token::{AppToken, Asked};
use super::policy::{Policy, Source, policy};
use super::presentation::Stream;
use super::settings::Settings;
use super::store::Store;
use super::tune::Tune;
use crate::cenc::PRIVATE_SYSTEM;
use crate::config::Configurable;
use crate::error::Failure;
use crate::flight::Wake;
use crate::hierarchy::ancestors;
use crate::hold::{Hold, Holding, Item, Prepared, build_pads};
use crate::messages;
use crate::session::{Moment, Session};
use crate::wait::lock;

pub(super) static CAT: Lazy<gst::DebugCategory> = Lazy::new(|| {
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
    pub(super) sinkpad: gst::Pad,
    pub(super) srcpad: gst::Pad,
    pub(super) hold: Hold,
    pub(super) settings: Configurable<Settings>,
    pub(super) app_token: Mutex<AppToken>,
    /// What the application was asked for last.
    pub(super) asked: Mutex<Option<Arc<Asked>>>,
    /// What decryptors ask for tokens, once one has looked for it.
    pub(super) store: Mutex<Option<Store>>,
    /// Those who wait in the store for a token of the application's.
    pub(super) waiters: Mutex<Vec<Weak<dyn Wake>>>,
    /// A token was refused: the protection events go again, before the next item.
    pub(super) resend: AtomicBool,
    /// Data, or a new segment, has passed since the last protection event.
    pub(super) data_passed: AtomicBool,
    /// On the way down to READY.
    pub(super) stopping: AtomicBool,
    /// The next data is wanted, because it says what the events before it are about.
    pub(super) gathering: AtomicBool,
    pub(super) tune: Mutex<Option<Tune>>,
    /// That of the last tune; somebody may log out after it.
    pub(super) last_session: Mutex<Weak<Session>>,
}

impl SessionToken {
    pub(super) fn policy(&self) -> Result<Arc<Policy>, Failure> {
        let settings = self.settings.completed(self.obj().upcast_ref())?;
        policy(&settings).map(Arc::new)
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

    /// Whether the stream's keys are handed over inside the process, so that no token is needed. A
    /// player has linked the element before it takes it to PAUSED.
    fn has_private_keys(&self) -> bool {
        let caps = self.sinkpad.peer().and_then(|peer| peer.current_caps());
        let system =
            caps.and_then(|caps| caps.structure(0)?.get::<String>("protection-system").ok());
        system.is_some_and(|system| system.eq_ignore_ascii_case(PRIVATE_SYSTEM))
    }

    /// What the streams of one presentation have in common: the pipeline that they are in.
    fn presentation(&self) -> usize {
        let top = ancestors(self.obj().upcast_ref()).last();
        top.map_or_else(|| self.obj().as_ptr() as usize, |top| top.as_ptr() as usize)
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
                    app_token.come_after(acquisition.session.granted());
                    *lock(&self.last_session) = Arc::downgrade(&acquisition.session);
                    None
                }
                // Which session it is the stream will say.
                Source::DashIf(_) => None,
            };
            (file, app_token.given().is_some())
        };
        let prefetch = policy.prefetch && !has_app_token && !self.has_private_keys();
        let mut tune = lock(&self.tune);
        self.gathering.store(false, Ordering::Relaxed);
        let tune = tune.insert(Tune::new(policy, file, Stream::new(self.presentation())));
        if prefetch {
            tune.prefetch(|| self.ask_application(), Moment::now());
        }
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
            app_token: Mutex::default(),
            asked: Mutex::default(),
            store: Mutex::default(),
            waiters: Mutex::default(),
            resend: AtomicBool::new(false),
            data_passed: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            gathering: AtomicBool::new(false),
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
        super::application::signals()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        if pspec.name() == "session-token" {
            self.set_app_token(crate::config::text(value));
        } else {
            self.settings.set(pspec.name(), value);
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.stats().to_value(),
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

    fn item_arrived(&self, item: &Item) {
        self.sees(item);
    }

    fn needs_more_input(&self) -> bool {
        self.gathering.load(Ordering::Relaxed)
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

    fn src_query(&self, query: &mut gst::QueryRef) -> bool {
        self.offers_store(query)
    }

    fn src_event(&self, event: &gst::Event) -> bool {
        self.hears_of_refusal(event)
    }
}
