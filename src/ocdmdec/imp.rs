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

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use once_cell::sync::Lazy;

use super::debug::CAT;
use super::settings::{Policy, Settings};
use super::stream_keys::StreamKeys;
use super::tune::Tune;
use crate::cenc::{InitData, is_clearkey};
use crate::config::Configurable;
use crate::decryptor::{Samples, find_key_request, templates};
use crate::error::{Failure, Fault};
use crate::hierarchy::manifest_url;
use crate::hold::{Hold, Prepared, build_pads};
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
