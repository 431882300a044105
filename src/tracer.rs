// SPDX-License-Identifier: MIT OR Apache-2.0

/**
 * SECTION:tracer-sessiontokens
 * @title: sessiontokens
 *
 * Records each request for a session token, a license or an HLS key, and each tune's token, in
 * GStreamer's own way: at TRACE in the category `GST_TRACER`.
 *
 * |[
 * GST_TRACERS=sessiontokens GST_DEBUG=GST_TRACER:7 GST_PLUGIN_FEATURE_RANK=sessiontoken:PRIMARY gst-launch-1.0 playbin3 uri=http://localhost:50050/dash/cenc/manifest.mpd video-sink=fakevideosink audio-sink=fakeaudiosink
 * ]| Prints them beside what a player does. `scripts/demo --serve` provides the stream.
 *
 * `session-token-request` has `purpose` (token, license, key), `server`, `attempt`, `http-status`,
 * `first-byte` (until the reply's head: look-up, connection and TLS included) and `total`, and
 * `correlation-id`. `session-token-tune` has `element`, `service`, `location`, `generation`,
 * `cached`, `latency`, `overlap` and `waited`, as the message `session-token` has them. Times are
 * in nanoseconds.
 *
 * Its name is not that of the element: the registry would take one for the other.
 *
 * Since: 0.1.0
 */
use std::sync::atomic::{AtomicBool, Ordering};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::http::{Attempt, Purpose};
use crate::messages::clock_time;
use crate::token::Token;
use crate::tune::Report;

/// Somebody has asked for the tracer (`GST_TRACERS`), which counts to the end of the process:
/// GStreamer lets go of a tracer that has no hooks as soon as it is made.
static IS_ACTIVE: AtomicBool = AtomicBool::new(false);

glib::wrapper! {
    pub struct SessionTokens(ObjectSubclass<imp::SessionTokens>)
        @extends gst::Tracer, gst::Object;
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct SessionTokens;

    #[glib::object_subclass]
    impl ObjectSubclass for SessionTokens {
        const NAME: &'static str = "GstSessionTokensTracer";
        type Type = super::SessionTokens;
        type ParentType = gst::Tracer;
    }

    impl ObjectImpl for SessionTokens {
        fn constructed(&self) {
            self.parent_constructed();
            IS_ACTIVE.store(true, Ordering::Relaxed);
        }
    }

    impl GstObjectImpl for SessionTokens {}

    impl TracerImpl for SessionTokens {}
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Tracer::register(Some(plugin), "sessiontokens", SessionTokens::static_type())
}

/// A request has ended.
pub fn request(attempt: &Attempt<'_>) {
    record(|| {
        gst::Structure::builder("session-token-request")
            .field(
                "purpose",
                match attempt.purpose {
                    Purpose::Token => "token",
                    Purpose::License | Purpose::CdmLicense => "license",
                    Purpose::Key => "key",
                },
            )
            .field("server", &attempt.server)
            .field("attempt", attempt.number)
            .field_if_some("http-status", attempt.status.map(u32::from))
            .field_if_some("first-byte", attempt.first_byte.map(clock_time))
            .field("total", clock_time(attempt.elapsed))
            .field_if_some("correlation-id", attempt.correlation_id.as_deref())
    });
}

/// An event has a token that the application had not been told of.
pub fn tune(element: &gst::Element, service: &str, token: &Token, report: &Report) {
    record(|| {
        gst::Structure::builder("session-token-tune")
            .field("element", element.path_string())
            .field("service", service)
            .field_if_some("location", token.origin().location.as_deref())
            .field("generation", token.generation())
            .field("cached", report.cached)
            .field("latency", clock_time(report.latency))
            .field("overlap", clock_time(report.overlap))
            .field("waited", clock_time(report.waited))
    });
}

fn record(structure: impl FnOnce() -> gst::structure::Builder) {
    if !IS_ACTIVE.load(Ordering::Relaxed) {
        return;
    }
    // GStreamer makes it with the first tracer.
    if let Some(category) = gst::DebugCategory::get("GST_TRACER") {
        gst::trace!(category, "{}", structure().build());
    }
}
