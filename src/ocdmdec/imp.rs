// SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * SECTION:element-ocdmdec
 * @title: ocdmdec
 *
 * Decrypts streams of Widevine, PlayReady and whatever else the box's CDM has, over OpenCDM, the
 * interface of RDK's boxes. The library is found at run time. The CDM's challenges go to the
 * license server with what #sessiontoken puts into the key request metadata, and a refused token is
 * replaced in place.
 *
 * One session is made for each init data, and shared by the streams of a presentation. Everything
 * that a CDM may take its time for is done on threads of their own, while the element holds its
 * stream. What the CDM says of keys is told in messages `ocdm-license`.
 *
 * The license server is that of #ocdmdec:license-url, the MPD's `dashif:Laurl`, the `LA_URL` of
 * PlayReady's header, or what the CDM says, in this order. The session token goes only where
 * #ocdmdec:token-hosts allows it.
 *
 * The element is no decryptor that playbin plugs by itself: raise its rank
 * (`GST_PLUGIN_FEATURE_RANK=ocdmdec:PRIMARY`). Where content is protected by several systems, the
 * application chooses one by the context `drm-preferred-decryption-system-id`.
 *
 * ## Example pipeline
 *
 * |[
 * gst-launch-1.0 souphttpsrc location=http://localhost:50050/dash/cenc/manifest.mpd ! dashdemux name=d  d.audio_00 ! qtdemux ! sessiontoken ! ocdmdec license-url=http://localhost:50050/license ! aacparse ! avdec_aac ! fakesink sync=true
 * ]| Plays the sound of a protected DASH presentation on a box with a CDM.
 *
 * Since: 0.1.0
 */
use std::sync::{Arc, Mutex};
use std::time::Instant;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use once_cell::sync::Lazy;

use super::bus_messages::post_notice;
use super::debug::CAT;
use super::decrypt_thread::{
    DecryptThread, Decryption, InFlight, NotDecrypted, Progress, Sample, broken,
};
use super::finished::finished;
use super::sample_check;
use super::sample_copy::{buffers_of, for_cdm, repacked};
use super::settings::{Policy, Settings};
use super::stream_keys::StreamKeys;
use super::tune::Tune;
use crate::cenc::{InitData, is_clearkey};
use crate::config::Configurable;
use crate::decryptor::{
    Obstacle, Protection, Samples, find_key_request, remove_protection, templates,
};
use crate::error::{Failure, Fault};
use crate::hierarchy::manifest_url;
use crate::hold::{Hold, Item, Prepared, build_pads};
use crate::license::is_relative;
use crate::messages;
use crate::ocdm::{Opening, SYSTEMS};
use crate::wait::lock;

pub struct OcdmDec {
    pub(super) sinkpad: gst::Pad,
    pub(super) srcpad: gst::Pad,
    pub(super) hold: Hold,
    settings: Configurable<Settings>,
    policy: Mutex<Option<Arc<Policy>>>,
    pub(super) keys: Mutex<StreamKeys>,
    pub(super) samples: Samples,
    pub(super) tune: Mutex<Tune>,
}

impl OcdmDec {
    pub(super) fn policy(&self) -> Result<Arc<Policy>, Failure> {
        let policy = lock(&self.policy).clone();
        policy.ok_or_else(|| Failure::malformed("the element is not ready"))
    }

    /// Posts the error that ends the stream.
    pub(super) fn ended(&self, failure: &Failure) -> Prepared {
        gst::error!(CAT, imp = self, "{}", failure.what);
        messages::post_error(self.obj().upcast_ref(), failure);
        Prepared::Fail(match failure.fault {
            Fault::Format => gst::FlowError::NotNegotiated,
            _ => gst::FlowError::Error,
        })
    }

    pub(super) fn protection(&self, event: &gst::event::Protection) -> Result<(), Failure> {
        let (system, data, origin) = event.get();
        gst::debug!(
            CAT,
            imp = self,
            "protection event of {system}, origin {origin:?}"
        );
        let request = find_key_request(event, &self.sinkpad);
        let Ok(data) = data.map_readable() else {
            return Ok(());
        };
        let mut init_data = InitData::read(&data);
        let is_relative = init_data.license_urls.iter().any(|url| is_relative(url));
        let manifest_url = is_relative.then(|| manifest_url(self.obj().upcast_ref()));
        let policy = self.policy()?;
        let mut keys = lock(&self.keys);
        keys.set_key_request(request, origin);
        let is_of_clearkey = is_clearkey(system);
        keys.servers
            .add(&mut init_data, is_of_clearkey, manifest_url.flatten());
        keys.add_init_data(system, &data, origin, &policy)
    }

    /// Decrypts what the item holds, once its keys are here.
    pub(super) fn decrypt(&self, item: &Item) -> Result<Item, Obstacle> {
        if let Some(failure) = lock(&self.tune).failure.clone() {
            return Err(Obstacle::Failed(failure));
        }
        let in_flight = lock(&self.tune).in_flight.take();
        // What a flush or a stop has taken away is forgotten.
        let in_flight = in_flight.filter(|one| one.is_of(item));
        let in_flight = match in_flight {
            Some(in_flight) => in_flight,
            None => match self.submit(item)? {
                Ok(in_flight) => in_flight,
                Err(clear) => return Ok(clear),
            },
        };
        match in_flight.wait() {
            Progress::Done(Ok(buffers)) => {
                let element = self.obj();
                Ok(finished(element.upcast_ref(), &self.samples, item, buffers))
            }
            Progress::Done(Err(NotDecrypted::Failed(session, failure))) => {
                Err(Obstacle::Failed(broken([session], failure)))
            }
            Progress::Done(Err(NotDecrypted::Expired(session, key_id))) => {
                // It is decrypted again with another license.
                if let Some(session) = session.upgrade() {
                    session.on_expired(key_id);
                }
                Err(Obstacle::Wait(Instant::now()))
            }
            Progress::NotYet if Instant::now() >= in_flight.until => {
                let policy = self.policy().map_err(Obstacle::Failed)?;
                let failure = Failure::timed_out(format!(
                    "the CDM did not decrypt a sample within {} ms: check that its service runs",
                    policy.license.timeout.as_millis()
                ));
                let failure = failure.with_fault(Fault::Sample);
                Err(Obstacle::Failed(broken(in_flight.sessions, failure)))
            }
            Progress::NotYet => {
                let until = in_flight.until;
                lock(&self.tune).in_flight = Some(in_flight);
                Err(Obstacle::Wait(until))
            }
        }
    }

    /// Hands what the item holds to the thread that decrypts, or gives it back where all of it is
    /// clear.
    fn submit(&self, item: &Item) -> Result<Result<InFlight, Item>, Obstacle> {
        let policy = self.policy().map_err(Obstacle::Failed)?;
        let buffers = buffers_of(item);
        let has_subsamples = self.samples.has_subsamples();
        let mut samples = Vec::with_capacity(buffers.len());
        for buffer in buffers {
            let protection = Protection::of(&buffer, has_subsamples).map_err(Obstacle::broken)?;
            let how = match &protection {
                Protection::Clear(by) => {
                    lock(&self.keys).on_data();
                    self.samples.on_clear(self.obj().upcast_ref(), *by);
                    None
                }
                Protection::Protected { .. } => Some(self.how(&buffer, protection, &policy)?),
            };
            samples.push(Sample { buffer, how });
        }
        if samples.iter().all(|sample| sample.how.is_none()) {
            let buffers = samples.into_iter().map(|mut sample| {
                remove_protection(sample.buffer.make_mut());
                sample.buffer
            });
            return Ok(Err(repacked(item, buffers.collect())));
        }
        for sample in &mut samples {
            if sample.how.is_some() {
                sample.buffer = for_cdm(&sample.buffer).map_err(Obstacle::broken)?;
            }
        }
        let mut tune = lock(&self.tune);
        let thread = match tune.thread.take() {
            Some(thread) => thread,
            None => DecryptThread::start(self.hold.waker().clone()).map_err(Obstacle::Failed)?,
        };
        let thread = tune.thread.insert(thread);
        Ok(Ok(thread.submit(
            item.clone(),
            samples,
            policy.license.timeout,
        )))
    }

    /// How a protected sample is decrypted, once its key is here.
    fn how(
        &self,
        buffer: &gst::BufferRef,
        protection: Protection,
        policy: &Policy,
    ) -> Result<Decryption, Obstacle> {
        let Protection::Protected { key_id, .. } = &protection else {
            return Err(Obstacle::broken("a sample is not protected"));
        };
        let size = buffer.size();
        if let Some(uncovered) = sample_check::check(&protection, size)? {
            let element = self.obj();
            self.samples
                .on_uncovered(element.upcast_ref(), uncovered, size);
        }
        let (session, key_id) = {
            let mut keys = lock(&self.keys);
            let session = keys.obtain(*key_id, policy, self.hold.waker(), Instant::now());
            let notices = keys.take_notices();
            drop(keys);
            for notice in &notices {
                post_notice(self.obj().upcast_ref(), notice);
            }
            session?
        };
        let Some(cdm) = session.cdm() else {
            // It has just been given up for another one.
            return Err(Obstacle::Wait(Instant::now()));
        };
        Ok(Decryption {
            session: Arc::downgrade(&session),
            cdm,
            key_id,
            protection,
            caps: lock(&self.tune).caps.clone(),
        })
    }

    /// NULL→READY and again READY→PAUSED, because properties may change in between: the settings
    /// become one policy, or the state change fails.
    fn prepare_policy(&self) -> Result<(), gst::StateChangeError> {
        let obj = self.obj();
        let settings = self.settings.completed(obj.upcast_ref());
        match settings.and_then(|settings| settings.policy()) {
            Ok(policy) => {
                self.hold.set_max_held_bytes(policy.max_held_bytes);
                for warning in &policy.warnings {
                    gst::warning!(CAT, imp = self, "{warning}");
                }
                *lock(&self.policy) = Some(Arc::new(policy));
                Ok(())
            }
            Err(failure) => {
                let _ = self.ended(&failure);
                Err(gst::StateChangeError)
            }
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for OcdmDec {
    const NAME: &'static str = "GstOcdmDec";
    type Type = super::OcdmDec;
    type ParentType = gst::Element;

    fn with_class(klass: &Self::Class) -> Self {
        let template = |name| {
            klass
                .pad_template(name)
                .expect("both templates are in `pad_templates`")
        };
        let (sinkpad, srcpad) =
            build_pads::<Self>(&template("sink"), &template("src"), gst::PadFlags::empty());
        Self {
            sinkpad,
            srcpad,
            hold: Hold::default(),
            settings: Configurable::default(),
            policy: Mutex::default(),
            keys: Mutex::default(),
            samples: Samples::new(|| *CAT),
            tune: Mutex::default(),
        }
    }
}

impl ObjectImpl for OcdmDec {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: Lazy<Vec<glib::ParamSpec>> = Lazy::new(|| {
            let mut properties = Settings::properties();
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

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.settings.set(pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "stats" => self.samples.stats("ocdm-stats").to_value(),
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

impl GstObjectImpl for OcdmDec {}

impl ElementImpl for OcdmDec {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: Lazy<gst::subclass::ElementMetadata> = Lazy::new(|| {
            gst::subclass::ElementMetadata::new(
                "OpenCDM decryptor",
                "Decryptor",
                "Decrypts streams with the box's CDM over OpenCDM (Widevine, PlayReady and others)",
                "The gst-plugin-sessiontoken developers",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: Lazy<Vec<gst::PadTemplate>> = Lazy::new(|| templates(&SYSTEMS));
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
                self.samples.begin_tune();
                self.prepare_policy()?;
                if let Ok(policy) = self.policy() {
                    lock(&self.tune).library = Some(Opening::begin(policy.library.clone()));
                }
            }
            gst::StateChange::PausedToReady => lock(&self.keys).stop(),
            _ => {}
        }
        let success = self.parent_change_state(transition);
        if transition == gst::StateChange::PausedToReady
            || (transition == gst::StateChange::ReadyToPaused && success.is_err())
        {
            self.hold.end(&self.srcpad);
            let keys = std::mem::take(&mut *lock(&self.keys));
            drop(keys);
            let tune = std::mem::take(&mut *lock(&self.tune));
            drop(tune);
            self.samples.end_tune();
        }
        if transition == gst::StateChange::ReadyToNull {
            *lock(&self.policy) = None;
        }
        success
    }
}
