// SPDX-License-Identifier: MIT OR Apache-2.0

//! GStreamer elements that put an operator's session token into DRM key requests.
//!
//! The rooms and what each may know are described in `docs/architecture.md`.

pub mod api;
mod auth_service;
mod backoff;
mod bounded_map;
mod cenc;
#[doc(hidden)]
pub mod check;
mod clearkeydec;
mod config;
mod decryptor;
mod descriptors;
mod echo;
mod error;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hierarchy;
mod hls;
mod hlsdrmdemux;
mod hold;
mod http;
mod json;
mod key_request;
mod license;
mod logout;
mod messages;
mod ocdm;
mod ocdmdec;
mod problem_details;
mod random;
mod request_log;
mod runtime;
mod sample_aes;
mod session;
mod sessiontoken;
mod shared_result;
mod sync;
mod token;
mod tracer;
mod tune;
mod value;
mod wait;

use gst::glib;
use gst::prelude::*;

/// The types of our elements, whose properties a configuration may name.
fn element_types() -> Vec<glib::Type> {
    vec![
        sessiontoken::SessionToken::static_type(),
        clearkeydec::ClearKeyDec::static_type(),
        ocdmdec::OcdmDec::static_type(),
        hlsdrmdemux::HlsDrmDemux::static_type(),
    ]
}

/**
 * plugin-sessiontoken:
 *
 * Since: 0.1.0
 */
fn plugin_init(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    http::set_attempt_log(|attempt| {
        request_log::log(attempt);
        tracer::request(attempt);
    });
    tracer::register(plugin)?;
    sessiontoken::register(plugin)?;
    clearkeydec::register(plugin)?;
    ocdmdec::register(plugin)?;
    hlsdrmdemux::register(plugin)
}

// What the plugin loader and applications that link statically call.
gst::plugin_define!(
    sessiontoken,
    env!("CARGO_PKG_DESCRIPTION"),
    plugin_init,
    concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
    "MIT/X11",
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    env!("CARGO_PKG_NAME"),
    env!("BUILD_REL_DATE")
);
