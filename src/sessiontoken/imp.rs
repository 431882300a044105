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
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Waker;
use std::time::Instant;

use gst::glib;
use gst::meta::ProtectionMeta;
use gst::prelude::*;
use gst::subclass::prelude::*;
use once_cell::sync::Lazy;

use super::bus_messages;
use super::debug::CAT;
use super::flags::Flags;
use super::key_request_meta::{self, attach_key_request};
use super::policy::policy;
use super::settings::{self, Settings};
use super::signals::{self, Actions};
use super::store::{self, Store, Tokens};
use crate::cenc::{KeyId, PRIVATE_SYSTEM};
use crate::config::Configurable;
use crate::error::Failure;
use crate::files;
use crate::hierarchy::{ancestors, upstream};
use crate::hold::{Hold, Holding, Item, Prepared, build_pads};
use crate::key_request::Flow;
use crate::messages;
use crate::token::{ClockReading, MAX_TOKEN_LEN, Secret};
use crate::tune::{
    Action, Attachment, Call, Effect, FollowingItem, Newer, Policy, Protection, ProtectionNotice,
    Source, Stream, TokenProvider,
};
use crate::wait::lock;

/// Name of the structure in the event by which a decryptor says that a token was rejected.
const REJECTED: &str = "drm-session-token-rejected";

pub struct SessionToken {
    sinkpad: gst::Pad,
    srcpad: gst::Pad,
    hold: Hold,
    settings: Configurable<Settings>,
    provider: Mutex<TokenProvider<gst::Event>>,
    /// What the data path has to know of the provider, without its lock.
    flags: Flags,
    /// What decryptors ask for tokens, once one has looked for it.
    store: OnceLock<Store>,
}

impl SessionToken {
    fn policy(&self) -> Result<Policy, Failure> {
        policy(&self.settings.completed(self.obj().upcast_ref())?)
    }

    /// NULL→READY and again READY→PAUSED, because properties and files may change in between: the
    /// settings become one policy, or the state change fails.
    fn prepare_policy(&self) -> Result<Policy, gst::StateChangeError> {
        let policy = self.policy();
        let checked = lock(&self.provider).check_property();
        policy
            .and_then(|policy| checked.map(|()| policy))
            .map_err(|failure| {
                gst::error!(CAT, imp = self, "{}", failure.what);
                messages::post_error(self.obj().upcast_ref(), &failure);
                gst::StateChangeError
            })
    }

    /// Lets the provider act, and then does what it wants done, without its lock.
    fn with<R>(&self, act: impl FnOnce(&mut TokenProvider<gst::Event>, &mut Call) -> R) -> R {
        self.with_waker(self.hold.waker(), act)
    }

    fn with_waker<R>(
        &self,
        waker: &Waker,
        act: impl FnOnce(&mut TokenProvider<gst::Event>, &mut Call) -> R,
    ) -> R {
        let mut effects = Vec::new();
        let result = {
            let mut provider = lock(&self.provider);
            let mut call = Call {
                waker,
                has_handler: &|| signals::has_handler(&self.obj()),
                now: ClockReading::now(),
                effects: &mut effects,
            };
            let result = act(&mut provider, &mut call);
            self.flags.set(Flags::RESENDS, provider.resends());
            result
        };
        effects.into_iter().for_each(|effect| self.perform(effect));
        result
    }

    fn perform(&self, effect: Effect) {
        let obj = self.obj();
        let element = obj.upcast_ref();
        match effect {
            Effect::AskApplication(completer) => {
                signals::ask_application(&obj, completer, |element| {
                    let imp = element.imp();
                    imp.wake();
                    imp.with(|provider, call| provider.on_app_answer(call));
                });
            }
            Effect::Acquired {
                service,
                token,
                report,
            } => bus_messages::post_acquired(element, service, &token, &report),
            Effect::Rejected {
                service,
                generation,
                http_status,
            } => bus_messages::post_rejected(element, service, generation, http_status),
            Effect::Failed {
                service,
                failure,
                severity,
            } => bus_messages::post_failed(element, service, &failure, severity),
        }
    }

    /// Has the events that are held looked at again, and decryptors that wait for another token.
    fn wake(&self) {
        let wakers = lock(&self.provider).take_wakers();
        wakers.into_iter().for_each(Waker::wake);
        self.hold.waker().wake_by_ref();
    }

    /// What `session-token-file` holds now, where that is the source. Read without a lock.
    fn read_token_file(&self) -> Option<Result<Secret, Failure>> {
        let policy = lock(&self.provider).policy().cloned()?;
        read_token_file(&policy)
    }

    /// READY→PAUSED: a tune begins.
    fn begin_tune(&self, policy: Policy) {
        self.hold.set_max_held_bytes(policy.max_held_bytes);
        for warning in &policy.warnings {
            gst::warning!(CAT, imp = self, "{warning}");
        }
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
        self.with(|provider, call| {
            provider.begin(Arc::new(policy), file, stream, may_prefetch, call);
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
    fn system(&self) -> Option<String> {
        system_of(self.sinkpad.current_caps()?.as_ref())
    }

    /// An item has come, and may be held. Where the stream says whom to ask for a token, this is
    /// what it says.
    fn notice(&self, item: &Item) {
        if let Item::Event(event) = item {
            match event.view() {
                gst::EventView::Protection(protection) => {
                    let (system, data, origin) = protection.get();
                    let data = data.map_readable();
                    let wants_more = lock(&self.provider).notice_protection(&ProtectionNotice {
                        event: event.as_ptr() as usize,
                        system,
                        origin,
                        data: data.as_deref().unwrap_or_default(),
                    });
                    return self.set_gathering(wants_more.unwrap_or(false));
                }
                gst::EventView::StreamStart(start) => {
                    let (id, system) = (stream_id(start), self.system());
                    if lock(&self.provider).notice_stream_start(&id, system) {
                        self.set_gathering(false);
                    }
                }
                _ => {}
            }
        }
        if self.flags.has(Flags::GATHERING) {
            let (following, system) = (following_item(item), self.system());
            let is_enough = lock(&self.provider).notice_following(following, system);
            self.set_gathering(!is_enough);
        }
    }

    /// Whether the next item is wanted too. Once it is not, what waits for it may go.
    fn set_gathering(&self, gathers: bool) {
        if self.flags.set(Flags::GATHERING, gathers) && !gathers {
            self.wake();
        }
    }

    fn protection(&self, event: gst::Event) -> Prepared {
        let gst::EventView::Protection(protection) = event.view() else {
            return Prepared::Push(Item::Event(event));
        };
        // Once: each time GStreamer looks the fields up by their names.
        let (system, data, origin) = protection.get();
        if system.eq_ignore_ascii_case(PRIVATE_SYSTEM) {
            // No server is asked for its keys.
            return Prepared::Push(Item::Event(event));
        }
        let has_key_request = key_request_meta::is_on(data);
        let action = self.with(|provider, call| {
            let protection = Protection {
                event: &event,
                id: event.as_ptr() as usize,
                system,
                origin,
                flow_of_elements: &|| self.flow_of_elements(),
                after_data: self.flags.has(Flags::DATA_PASSED),
            };
            provider.on_protection(&protection, has_key_request, call)
        });
        if let Action::Attach(attachment) = &action {
            self.flags.set(Flags::DATA_PASSED, false);
            let generation = attachment.token.generation();
            gst::debug!(CAT, imp = self, "token of generation {generation} attached");
            let with_token = attach_key_request(&event, attachment);
            return Prepared::Push(Item::Event(with_token));
        }
        self.prepared(action, Item::Event(event))
    }

    /// By the demuxer among the elements that the stream has come through.
    fn flow_of_elements(&self) -> Flow {
        upstream(self.obj().upcast_ref())
            .filter_map(|element| element.factory())
            .map(|factory| Flow::of_demuxer(&factory.name()))
            .find(|flow| *flow != Flow::Unknown)
            .unwrap_or_default()
    }

    fn prepared(&self, action: Action<gst::Event>, item: Item) -> Prepared {
        match action {
            Action::Pass | Action::Attach(_) => Prepared::Push(item),
            Action::Hold(until) => Prepared::NotYet(item, until),
            Action::Fail => Prepared::Fail(gst::FlowError::Error),
            Action::Replay(events, attachment) => {
                gst::debug!(
                    CAT,
                    imp = self,
                    "{} protection events again, with the token of generation {}",
                    events.len(),
                    attachment.token.generation()
                );
                let events = events.iter();
                let again = events.map(|event| attach_key_request(event, &attachment));
                Prepared::After(again.collect(), item)
            }
        }
    }

    /// Answers a decryptor that looks for the store.
    fn answer_context(&self, query: &mut gst::QueryRef) -> bool {
        let gst::QueryViewMut::Context(query) = query.view_mut() else {
            return false;
        };
        // The other one has the tokens that this decryptor sees.
        if query.context_type() != store::CONTEXT_TYPE || lock(&self.provider).is_anothers() {
            return false;
        }
        // Not persistent and never posted: a bin keeps one of a type, and two sessions would replace
        // each other.
        let mut context = gst::Context::new(store::CONTEXT_TYPE, false);
        context
            .make_mut()
            .structure_mut()
            .set_value("store", store::as_object(self.store()));
        query.set_context(&context);
        true
    }

    /// Takes a decryptor's event that a token was rejected.
    fn on_rejected(&self, rejected: &gst::StructureRef) -> bool {
        let generation = rejected.get::<u32>("generation").ok();
        if generation.is_none() {
            gst::warning!(CAT, imp = self, "{REJECTED} names no generation");
        }
        let http_status = rejected.get::<u32>("http-status").unwrap_or(0);
        let file = self.read_token_file();
        self.with(|provider, call| provider.on_rejected_event(generation, http_status, file, call))
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
        let has_tune = lock(&self.provider).policy().is_some();
        let idle = (!has_tune).then(|| self.policy()).and_then(Result::ok);
        self.with(|provider, call| provider.refresh(file, idle.as_ref(), call));
        self.wake();
    }

    fn clear_token(&self) {
        gst::debug!(CAT, imp = self, "clear-token");
        let file = self.read_token_file();
        let has_tune = lock(&self.provider).policy().is_some();
        let idle = (!has_tune).then(|| self.policy()).and_then(Result::ok);
        self.with(|provider, call| provider.clear(file, idle.as_ref(), call.now));
        self.wake();
    }
}

/// For the store, which keeps no element alive while somebody waits in there.
impl Tokens for super::SessionToken {
    fn newest(&self, generation: u32) -> Option<Attachment> {
        let imp = self.imp();
        imp.with(|provider, call| provider.newest(generation, call))
    }

    fn newer_than(&self, generation: u32, http_status: u32, waker: &Waker) -> Newer {
        let imp = self.imp();
        let file = imp.read_token_file();
        imp.with_waker(waker, |provider, call| {
            provider.newer_than(generation, http_status, file, call)
        })
    }

    fn first(&self, waker: &Waker) -> Newer {
        let imp = self.imp();
        imp.with_waker(waker, |provider, call| provider.first_for_key(call))
    }

    fn wait_until(&self) -> Instant {
        lock(&self.imp().provider).wait_until(Instant::now())
    }

    fn key_request(&self, attachment: &Attachment) -> gst::Structure {
        let imp = self.imp();
        let system = imp.system();
        let is_of_system = |event: &gst::Event| match event.view() {
            gst::EventView::Protection(protection) => {
                let (of_event, _, _) = protection.get();
                system
                    .as_deref()
                    .is_some_and(|system| system.eq_ignore_ascii_case(of_event))
            }
            _ => false,
        };
        let event = lock(&imp.provider).last_event(is_of_system);
        key_request_meta::key_request(attachment, event.as_ref())
    }
}

fn read_token_file(policy: &Policy) -> Option<Result<Secret, Failure>> {
    let Source::File(path) = &policy.source else {
        return None;
    };
    // A little more than the longest token, so that one that is too long is seen to be.
    let limit = 2 * MAX_TOKEN_LEN;
    Some(files::read_text(path, "session-token-file", limit))
}

fn system_of(caps: &gst::CapsRef) -> Option<String> {
    caps.structure(0)?.get("protection-system").ok()
}

/// The id as text, whatever its bytes are: other elements may write what is no UTF-8.
fn stream_id(start: &gst::event::StreamStart) -> String {
    let id = start
        .structure()
        .and_then(|structure| structure.value("stream-id").ok());
    id.and_then(|id| id.get::<&glib::GStr>().ok().map(|id| id.to_string()))
        .unwrap_or_default()
}

fn following_item(item: &Item) -> FollowingItem {
    match item {
        Item::Event(event) => match event.type_() {
            gst::EventType::Gap => FollowingItem::Gap,
            gst::EventType::Eos => FollowingItem::End,
            _ => FollowingItem::Other,
        },
        Item::Buffer(buffer) => FollowingItem::Data(key_id(buffer)),
        Item::List(list) => FollowingItem::Data(list.iter().find_map(key_id)),
    }
}

/// The key that a sample needs, as the demuxer says.
fn key_id(sample: &gst::BufferRef) -> Option<KeyId> {
    let meta = sample.meta::<ProtectionMeta>()?;
    let key_id = meta.info().get::<gst::Buffer>("kid").ok()?;
    let key_id = key_id.map_readable().ok()?;
    KeyId::from_slice(&key_id)
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
            lock(&self.provider).set_property(text, own.as_deref());
            self.wake();
        } else {
            self.settings.set(pspec.name(), value);
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => {
                let stats = lock(&self.provider).stats();
                bus_messages::stats(&stats, self.hold.figures()).to_value()
            }
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
                lock(&self.provider).stop();
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
            lock(&self.provider).end();
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
        if self.flags.has(Flags::BY_STREAM) {
            self.notice(item);
        }
    }

    fn needs_more_input(&self) -> bool {
        self.flags.has(Flags::GATHERING)
    }

    fn prepare(&self, item: Item) -> Prepared {
        let type_ = match &item {
            Item::Event(event) => Some(event.type_()),
            _ => None,
        };
        if self.flags.has(Flags::RESENDS) && type_ != Some(gst::EventType::StreamStart) {
            let action = self.with(TokenProvider::on_resend);
            if !matches!(action, Action::Pass) {
                return self.prepared(action, item);
            }
        }
        match (item, type_) {
            (Item::Event(event), Some(gst::EventType::Protection)) => self.protection(event),
            (item, Some(gst::EventType::StreamStart)) => {
                self.with(|provider, _| provider.on_stream_start());
                Prepared::Push(item)
            }
            // A seek may have taken the data away that stood between one fragment and another.
            (item, None | Some(gst::EventType::Segment)) => {
                self.flags.set(Flags::DATA_PASSED, true);
                Prepared::Push(item)
            }
            (item, _) => Prepared::Push(item),
        }
    }

    fn events_were_flushed(&self) {
        self.with(|provider, _| provider.on_events_flushed());
    }

    fn src_query(&self, query: &mut gst::QueryRef) -> bool {
        self.answer_context(query)
    }

    fn src_event(&self, event: &gst::Event) -> bool {
        let structure = event.structure();
        match (event.type_(), structure) {
            (gst::EventType::CustomUpstream, Some(rejected)) if rejected.name() == REJECTED => {
                self.on_rejected(rejected)
            }
            _ => false,
        }
    }
}
