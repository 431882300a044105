// SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * SECTION:element-clearkeydec
 * @title: clearkeydec
 *
 * Decrypts Common Encryption streams (schemes `cenc`, AES-CTR, and `cbcs`, AES-CBC with a pattern)
 * of the W3C common system and of DASH-IF ClearKey. The keys come from a license server that speaks
 * the JSON of W3C Encrypted Media Extensions; the request carries the HTTP headers that
 * #sessiontoken puts into the key request metadata.
 *
 * One request asks for all keys that the init data names, and decryptors of one presentation share
 * the answer. While it is under way the element holds its stream instead of blocking it. When there
 * are no keys, or the stream contradicts itself, it posts an error that says what was wrong.
 *
 * The license server is that of #clearkeydec:license-url, or the MPD's `dashif:Laurl`: of several,
 * the next one is asked where one has no license, and relative ones are resolved against the MPD's
 * URL. Redirects (307, 308) are followed; the session token goes only where
 * #clearkeydec:token-hosts allows it.
 *
 * Samples without protection metadata are clear: they are handed on as they are and counted in
 * #clearkeydec:stats, a structure with `clear-samples` and `decrypted-samples` (#guint64).
 * GStreamer before 1.22.6 does not mark clear samples of `cbcs` tracks: pictures are known by
 * missing subsamples, AAC, AC-3, E-AC-3 and FLAC by their syntax. Other sound is decrypted, with a
 * warning where the pictures have clear parts.
 *
 * ## Example pipeline
 *
 * |[
 * gst-launch-1.0 souphttpsrc location=http://localhost:50050/dash/cenc/manifest.mpd ! dashdemux name=d  d.audio_00 ! qtdemux ! sessiontoken ! clearkeydec license-url=http://localhost:50050/license ! aacparse ! avdec_aac ! fakesink sync=true
 * ]| Plays the sound of a protected DASH presentation. `scripts/demo --serve` provides it.
 *
 * Since: 0.1.0
 */
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use once_cell::sync::Lazy;

use super::bus_messages::post_notice;
use super::debug::CAT;
use super::decryption::Decryption;
use super::settings::{Policy, Settings};
use crate::cenc::{CLEARKEY_SYSTEM, COMMON_SYSTEM, ContentKey, KeyId, PRIVATE_SYSTEM, Scheme};
use crate::config::Configurable;
use crate::decryptor::{ClearBy, Obstacle, Protection, Samples, remove_protection, templates};
use crate::error::Failure;
use crate::hold::{Hold, build_pads};
use crate::license::{LicenseNotice, LicenseSession, PollContext, SharedRequests};
use crate::messages;
use crate::token::ClockReading;
use crate::wait::lock;

/// What it decrypts.
pub(super) const SYSTEMS: [&str; 3] = [PRIVATE_SYSTEM, COMMON_SYSTEM, CLEARKEY_SYSTEM];

pub struct ClearKeyDec {
    pub(super) sinkpad: gst::Pad,
    pub(super) srcpad: gst::Pad,
    pub(super) hold: Hold,
    settings: Configurable<Settings>,
    pub(super) policy: Mutex<Option<Arc<Policy>>>,
    pub(super) keys: Mutex<LicenseSession>,
    pub(super) samples: Samples,
}

impl ClearKeyDec {
    pub(super) fn tell(&self, news: &[LicenseNotice]) {
        let element = self.obj();
        news.iter()
            .for_each(|news| post_notice(element.upcast_ref(), news));
    }

    pub(super) fn context<'a>(&'a self, policy: &'a Policy, now: ClockReading) -> PollContext<'a> {
        PollContext {
            policy: &policy.license,
            fetcher: &SharedRequests,
            waker: self.hold.waker(),
            now,
        }
    }

    /// Decrypts the buffer with its key, which is here unless the sample is clear.
    fn decrypt(
        &self,
        buffer: &mut gst::BufferRef,
        protection: Protection,
        key: Option<ContentKey>,
    ) -> Result<(), Obstacle> {
        match protection {
            Protection::Clear(by) => self.on_clear_sample(by),
            Protection::Protected {
                scheme,
                iv,
                is_constant_iv,
                subsamples,
                ..
            } => {
                let may_be_clear =
                    is_constant_iv && subsamples.is_none() && matches!(scheme, Scheme::Cbcs(_));
                let sound = self.samples.unmarked_sound();
                let decryption = Decryption {
                    key: key.ok_or_else(|| Obstacle::broken("a key that was here is gone"))?,
                    scheme,
                    iv: &iv,
                    subsamples: subsamples.as_ref(),
                };
                let (uncovered, is_clear) = match sound.filter(|_| may_be_clear) {
                    None => decryption
                        .decrypt(buffer)
                        .map(|uncovered| (uncovered, false)),
                    Some(format) => {
                        let is_clear = |one, other| self.samples.is_clear_sound(one, other);
                        decryption
                            .decrypt_unless_clear(buffer, format, is_clear)
                            .map(|is_clear| (0, is_clear))
                    }
                }
                .map_err(Obstacle::broken)?;
                let (element, samples) = (self.obj(), &self.samples);
                samples.on_uncovered(element.upcast_ref(), uncovered, buffer.size());
                match is_clear {
                    true => self.on_clear_sample(ClearBy::Syntax),
                    false => samples.on_decrypted(element.upcast_ref()),
                }
            }
        }
        remove_protection(buffer);
        Ok(())
    }

    fn on_clear_sample(&self, by: ClearBy) {
        lock(&self.keys).on_clear_sample();
        self.samples.on_clear(self.obj().upcast_ref(), by);
    }

    fn protection_of(&self, buffer: &gst::BufferRef) -> Result<Protection, Obstacle> {
        let has_subsamples = self.samples.has_subsamples();
        Protection::of(buffer, has_subsamples).map_err(Obstacle::broken)
    }

    pub(super) fn decrypt_buffer(&self, buffer: &mut gst::BufferRef) -> Result<(), Obstacle> {
        let protection = self.protection_of(buffer)?;
        let key = self.ensure_key(&protection, &mut None)?;
        self.decrypt(buffer, protection, key)
    }

    /// Decrypts all buffers of the list, once the keys of all are here, at one moment.
    pub(super) fn decrypt_list(&self, list: &mut gst::BufferListRef) -> Result<(), Obstacle> {
        let mut now = None;
        for buffer in list.iter() {
            let protection = self.protection_of(buffer)?;
            self.ensure_key(&protection, &mut now)?;
        }
        let mut result = Ok(());
        list.foreach_mut(|mut buffer, _| {
            let buffer_mut = buffer.make_mut();
            result = self.protection_of(buffer_mut).and_then(|protection| {
                let key = match &protection {
                    Protection::Protected { key_id, .. } => lock(&self.keys).get(*key_id),
                    Protection::Clear(_) => None,
                };
                self.decrypt(buffer_mut, protection, key)
            });
            match result {
                Ok(()) => ControlFlow::Continue(Some(buffer)),
                Err(_) => ControlFlow::Break(Some(buffer)),
            }
        });
        result
    }

    /// Gets the key of a protected sample. `now` is filled when somebody has to look at the clock.
    fn ensure_key(
        &self,
        protection: &Protection,
        now: &mut Option<ClockReading>,
    ) -> Result<Option<ContentKey>, Obstacle> {
        let Protection::Protected { key_id, .. } = protection else {
            return Ok(None);
        };
        let mut keys = lock(&self.keys);
        if let Some(key) = keys.settled(*key_id) {
            return Ok(Some(key));
        }
        let now = *now.get_or_insert_with(ClockReading::now);
        let result = self.obtain(&mut keys, *key_id, now);
        let key = keys.get(*key_id);
        let news = keys.take_notices();
        drop(keys);
        self.tell(&news);
        result.map(|()| key)
    }

    fn obtain(
        &self,
        keys: &mut LicenseSession,
        key_id: KeyId,
        now: ClockReading,
    ) -> Result<(), Obstacle> {
        let Some(policy) = lock(&self.policy).clone() else {
            return Err(Obstacle::broken("the element is not ready"));
        };
        let context = self.context(&policy, now);
        keys.obtain(key_id, &context).map_err(Obstacle::from)
    }

    /// Posts the error that ends the stream.
    pub(super) fn fail(&self, failure: &Failure) {
        gst::error!(CAT, imp = self, "{}", failure.what);
        messages::post_error(self.obj().upcast_ref(), failure);
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
                self.fail(&failure);
                Err(gst::StateChangeError)
            }
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for ClearKeyDec {
    const NAME: &'static str = "GstClearKeyDec";
    type Type = super::ClearKeyDec;
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
        }
    }
}

impl ObjectImpl for ClearKeyDec {
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
            "stats" => self.samples.stats("clearkey-stats").to_value(),
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

impl GstObjectImpl for ClearKeyDec {}

impl ElementImpl for ClearKeyDec {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: Lazy<gst::subclass::ElementMetadata> = Lazy::new(|| {
            gst::subclass::ElementMetadata::new(
                "ClearKey decryptor",
                "Decryptor",
                "Decrypts Common Encryption streams with keys from a ClearKey license server",
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
                if let Some(policy) = &*lock(&self.policy) {
                    lock(&self.keys).add_private(policy.keys.clone());
                }
            }
            _ => {}
        }
        if transition == gst::StateChange::PausedToReady {
            let store = lock(&self.keys).stop();
            if let Some(store) = store {
                store.set_flushing(true);
            }
        }
        let success = self.parent_change_state(transition);
        if transition == gst::StateChange::PausedToReady
            || (transition == gst::StateChange::ReadyToPaused && success.is_err())
        {
            self.hold.end(&self.srcpad);
            *lock(&self.keys) = LicenseSession::default();
            self.samples.end_tune();
        }
        if transition == gst::StateChange::ReadyToNull {
            *lock(&self.policy) = None;
        }
        success
    }
}
