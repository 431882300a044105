// SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * SECTION:element-hlsdrmdemux
 * @title: hlsdrmdemux
 *
 * Plays HLS as operators send it, with the stock demuxer inside: keys that want the session token
 * (METHOD=AES-128, and SAMPLE-AES with KEYFORMAT=identity), key tags of DRM systems, and parts that
 * are clear. That demuxer gets its playlists from a server in this process. What it cannot play
 * itself, it gets from there in another form: keys, segments that are decrypted, init segments with
 * the `pssh` boxes that decryptors need. Every other segment comes straight from its origin.
 *
 * A key is asked for once a presentation, without the token at first, and with it where its server
 * refuses that (`key-request-token`, `token-hosts`). When a key is not to be had, when a METHOD is
 * unknown, or when there is no decryptor for any DRM system that the presentation names, the
 * element posts an error that says so.
 *
 * DRM systems' keys have to be for fragmented MP4 (EXT-X-MAP). Keys may change at any segment.
 *
 * An element that a player plugs is configured by the context `session-token-config` and the
 * environment variable `GST_SESSION_TOKEN_CONFIG` as `sessiontoken` is.
 *
 * ## Example pipeline
 *
 * |[
 * GST_PLUGIN_FEATURE_RANK=hlsdrmdemux:MAX,sessiontoken:PRIMARY GST_SESSION_TOKEN_CONFIG='session-token-config,license-url=(string)"http://localhost:50050/license"' gst-launch-1.0 playbin3 uri=http://localhost:50050/hls/cbcs/master.m3u8 video-sink=fakevideosink audio-sink=fakeaudiosink
 * ]| Plays a protected HLS presentation. `scripts/demo --serve` provides it.
 *
 * Since: 0.1.0
 */
use std::sync::{Arc, Mutex};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use once_cell::sync::Lazy;

use super::debug::CAT;
use super::demuxer::{StockDemuxer, takes_streams};
use super::first_playlist::FirstPlaylist;
use super::host::{self, ElementHost};
use super::keys::KeyPolicy;
use super::presentation::Closing;
use super::server::Server;
use super::settings::Settings;
use super::source;
use super::starting::Starting;
use super::templates::{metadata, templates};
use super::token::ChildTokens;
use crate::config::Configurable;
use crate::error::Failure;
use crate::wait::lock;

#[derive(Default)]
struct State {
    first: FirstPlaylist,
    server: Option<Arc<Server>>,
    /// The element is about to stop, and nothing is to begin any more.
    is_closing: bool,
    tokens: Option<Arc<ChildTokens>>,
    /// Where that has the first playlist.
    first_url: Option<String>,
}

pub struct HlsDrmDemux {
    sinkpad: gst::GhostPad,
    settings: Configurable<Settings>,
    state: Mutex<State>,
    starting: Starting,
    demuxer: Arc<StockDemuxer>,
}

impl HlsDrmDemux {
    fn sink_chain(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let added = lock(&self.state).first.add(buffer);
        added
            .map_err(|failure| self.fail(&failure))
            .map_err(|()| gst::FlowError::Error)?;
        Ok(gst::FlowSuccess::Ok)
    }

    fn sink_event(&self, pad: &gst::GhostPad, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::Eos(_) => return self.start(pad, event),
            gst::EventView::CustomDownstreamSticky(custom) => {
                if let Some(headers) = custom.structure()
                    && headers.name() == "http-headers"
                {
                    let headers = source::SourceHeaders::read(headers);
                    lock(&self.state).first.set_headers(headers);
                }
            }
            gst::EventView::FlushStop(_) => lock(&self.state).first.clear(),
            _ => {}
        }
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    /// The first playlist is whole: the demuxer begins with another one.
    fn start(&self, pad: &gst::GhostPad, eos: gst::Event) -> bool {
        // Before the look at `is_closing`, which a stop sets before it waits.
        let _under_way = self.starting.begin();
        let passed = self.pass_manifest(pad);
        let is_closing = lock(&self.state).is_closing;
        if let Err(failure) = passed
            && !is_closing
        {
            self.fail(&failure);
        }
        !is_closing && gst::Pad::event_default(pad, Some(&*self.obj()), eos)
    }

    /// The first playlist is whole: the demuxer gets another one.
    fn pass_manifest(&self, pad: &gst::GhostPad) -> Result<(), Failure> {
        let (manifest, headers) = lock(&self.state).first.take();
        let Some(manifest) = manifest else {
            // The source has said why, and the demuxer will say so.
            return Ok(());
        };
        let at = source::manifest(pad)?;
        if !["http", "https"].contains(&at.base.scheme()) {
            // What is on no web server is the demuxer's alone.
            self.push(pad, manifest);
            return Ok(());
        }
        let tls = source::tls(self.obj().upcast_ref());
        for warning in tls.warnings() {
            gst::warning!(CAT, imp = self, "the source of the playlist: {warning}");
        }
        let source = headers.into_source([at.url.clone(), at.base.clone()], tls.load()?);
        let settings = self.settings.completed(self.obj().upcast_ref())?;
        let policy = KeyPolicy {
            token: settings.key_request_token,
            hosts: settings.hosts(&at.asked_for, &at.base)?,
            allow_cleartext: settings.allow_cleartext,
        };
        let tokens = self.tokens();
        let host = ElementHost {
            element: self.obj().upcast_ref::<gst::Element>().downgrade(),
            demuxer: self.demuxer.clone(),
            tokens: tokens.clone(),
        };
        let (inside, host) = (self.demuxer.inside(), Arc::new(host));
        let server = Arc::new(Server::start(source, inside, policy, tokens.clone(), host)?);
        let first_url = server.first_url(&at.url)?;
        {
            let mut state = lock(&self.state);
            if state.is_closing {
                return Ok(());
            }
            // Before the work begins, which ends when this is closed.
            state.server = Some(server.clone());
            state.first_url = Some(first_url);
        }
        let manifest = (manifest.into_mapped_buffer_readable())
            .map_err(|_| Failure::malformed("the playlist cannot be read from memory"))?;
        let playlist = server.first(&manifest, &at.url, &at.base)?;
        if server.has_keys() {
            tokens.warm_up();
        }
        let length = playlist.len();
        gst::debug!(CAT, imp = self, "a playlist of {length} bytes goes on");
        self.push(pad, gst::Buffer::from_slice(playlist));
        Ok(())
    }

    fn push(&self, pad: &gst::GhostPad, buffer: gst::Buffer) {
        // What the demuxer says of it, it says on the bus.
        let _ = gst::ProxyPad::chain_default(pad, Some(&*self.obj()), buffer);
    }

    /// Where the older demuxer finds the first playlist again, which it asks for when it cannot
    /// have another one (`gst_hls_demux_update_playlist`). The newer one does not, and tells it the
    /// servers of segments (Referer).
    fn answer_uri(&self, query: &mut gst::QueryRef) -> bool {
        let gst::QueryViewMut::Uri(uri) = query.view_mut() else {
            return false;
        };
        let first_url = lock(&self.state).first_url.clone();
        let first_url = first_url.filter(|_| self.demuxer.inside().reads_one_map);
        if let Some(first_url) = &first_url {
            uri.set_uri(first_url.as_str());
        }
        first_url.is_some()
    }

    /// Why the demuxer fails, where we know more than it.
    fn reason(&self) -> Option<Failure> {
        let state = lock(&self.state);
        let server = state.server.as_ref()?;
        let complaint = server.complaint();
        complaint.or_else(|| (!server.was_asked()).then(host::not_asked)?)
    }

    /// Ends all that the demuxer inside may wait for, which would keep it from stopping.
    fn close(&self) {
        self.demuxer.end_retries();
        let mut state = lock(&self.state);
        state.is_closing = true;
        // After that is set, which whoever starts looks at.
        let needs_playlist = self.starting.is_under_way() && self.demuxer.inside().needs_playlist;
        if let Some(server) = &state.server {
            server.close(Closing::answer(needs_playlist));
        }
        let tokens = state.tokens.clone();
        drop(state);
        if let Some(tokens) = tokens {
            tokens.close();
        }
    }

    fn fail(&self, failure: &Failure) {
        host::fail(self.obj().upcast_ref(), &self.demuxer, failure);
    }

    /// Makes the demuxer that the settings want, which come back, unless it is there.
    fn ensure_demuxer(&self) -> Result<Settings, Failure> {
        let obj = self.obj();
        self.settings.request_context(obj.upcast_ref());
        let settings = self.settings.completed(obj.upcast_ref())?;
        let factory = settings.demuxer.factory(takes_streams(obj.upcast_ref()));
        let demuxer = self
            .demuxer
            .ensure(factory, obj.upcast_ref(), &self.sinkpad)?;
        demuxer.set_property("connection-speed", settings.connection_speed);
        Ok(settings)
    }

    /// One for all first playlists, of which a flush may bring another one.
    fn tokens(&self) -> Arc<ChildTokens> {
        let obj = self.obj();
        let new = || Arc::new(ChildTokens::new(obj.upcast_ref()));
        lock(&self.state).tokens.get_or_insert_with(new).clone()
    }
}

#[glib::object_subclass]
impl ObjectSubclass for HlsDrmDemux {
    const NAME: &'static str = "GstHlsDrmDemux";
    type Type = super::HlsDrmDemux;
    type ParentType = gst::Bin;

    fn with_class(klass: &Self::Class) -> Self {
        let template = klass
            .pad_template("sink")
            .expect("it is in `pad_templates`");
        let sinkpad = gst::GhostPad::builder_from_template(&template)
            .chain_function(|_, parent, buffer| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |imp| imp.sink_chain(buffer),
                )
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |imp| imp.sink_event(pad, event))
            })
            .proxy_pad_query_function(|pad, parent, query| {
                let bin = parent.and_then(|parent| parent.parent());
                let bin = bin.and_downcast::<super::HlsDrmDemux>();
                let answer = |bin: super::HlsDrmDemux| {
                    bin.imp().catch_panic(|| false, |imp| imp.answer_uri(query))
                };
                bin.is_some_and(answer) || gst::Pad::query_default(pad, parent, query)
            })
            .build();
        Self {
            sinkpad,
            settings: Configurable::default(),
            state: Mutex::default(),
            starting: Starting::default(),
            demuxer: Arc::default(),
        }
    }
}

impl ObjectImpl for HlsDrmDemux {
    fn properties() -> &'static [glib::ParamSpec] {
        Settings::properties()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.settings.set(pspec.name(), value);
        if let Some(inner) = self
            .demuxer
            .element()
            .filter(|_| pspec.name() == "connection-speed")
        {
            inner.set_property_from_value("connection-speed", value);
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        self.settings.own().get(pspec.name())
    }

    fn constructed(&self) {
        self.parent_constructed();
        let obj = self.obj();
        obj.add_pad(&self.sinkpad)
            .expect("a new element has no pad of that name");
        obj.set_bin_flags(gst::BinFlags::STREAMS_AWARE);
        obj.set_suppressed_flags(gst::ElementFlags::SINK | gst::ElementFlags::SOURCE);
    }
}

impl GstObjectImpl for HlsDrmDemux {}

impl ElementImpl for HlsDrmDemux {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: Lazy<gst::subclass::ElementMetadata> = Lazy::new(metadata);
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: Lazy<Vec<gst::PadTemplate>> = Lazy::new(templates);
        TEMPLATES.as_ref()
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        use gst::StateChange::{NullToReady, ReadyToPaused};
        if [NullToReady, ReadyToPaused].contains(&transition) {
            lock(&self.state).is_closing = false;
            let settings = self.ensure_demuxer().map_err(|failure| {
                self.fail(&failure);
                gst::StateChangeError
            })?;
            if settings.prefetch && transition == ReadyToPaused {
                // Before there is a playlist.
                self.tokens().begin();
            }
        }
        let is_end = transition == gst::StateChange::PausedToReady;
        if is_end {
            self.close();
            if !self.starting.wait_for_end() {
                gst::warning!(CAT, imp = self, "the first playlist is still read");
            }
        }
        let success = self.parent_change_state(transition);
        if transition == ReadyToPaused && !self.demuxer.inside().reads_one_map {
            self.starting.started();
        }
        if is_end || (transition == ReadyToPaused && success.is_err()) {
            self.close();
            let before = std::mem::take(&mut *lock(&self.state));
            drop(before);
        }
        success
    }

    fn set_context(&self, context: &gst::Context) {
        self.settings.set_context(context);
        self.parent_set_context(context);
    }

    /// What is not for sinks is the demuxer's, also before there are pads to send it through.
    fn send_event(&self, event: gst::Event) -> bool {
        use gst::EventType::{Seek, SelectStreams};
        match self.demuxer.element() {
            Some(demuxer) if [Seek, SelectStreams].contains(&event.type_()) => {
                demuxer.send_event(event)
            }
            _ => self.parent_send_event(event),
        }
    }

    fn query(&self, query: &mut gst::QueryRef) -> bool {
        let demuxer = self.demuxer.element();
        let is_answered = demuxer.is_some_and(|demuxer| demuxer.query(query));
        if !is_answered && let gst::QueryViewMut::Buffering(buffering) = query.view_mut() {
            // urisourcebin looks for a demuxer that buffers by itself before there is anything to
            // play.
            buffering.set_percent(false, 100);
            return true;
        }
        is_answered
    }
}

impl BinImpl for HlsDrmDemux {
    fn handle_message(&self, message: gst::Message) {
        if message.type_() == gst::MessageType::Error {
            if lock(&self.state).is_closing {
                // Of what the end of all answers broke.
                return;
            }
            if let Some(reason) = self.reason() {
                self.fail(&reason);
            }
        }
        self.parent_handle_message(message);
    }
}
