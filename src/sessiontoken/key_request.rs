// SPDX-License-Identifier: MIT OR Apache-2.0

//! The contract with decryptors: the structure `drm-key-request` in the `GstProtectionMeta` of a
//! protection event's init data.

use std::collections::BTreeSet;

use gst::glib;
use gst::meta::ProtectionMeta;
use gst::prelude::*;

use crate::auth_service::dashif;
use crate::cenc::KeyId;
use crate::packing::{self, HeaderTemplate};
use crate::secret::Secret;
use crate::session::{Moment, Token};

use super::policy::Policy;
use super::settings::Packing;

/// Name of the structure.
pub const NAME: &str = "drm-key-request";

/// What kind of presentation a protection event is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    Dash,
    Hls,
    SmoothStreaming,
    #[default]
    Unknown,
}

impl Flow {
    /// By the event's origin, which qtdemux's (`isobmff/…`) does not tell.
    pub fn of_origin(origin: Option<&str>) -> Self {
        match origin {
            Some("dash/mpd") => Flow::Dash,
            Some("hls/m3u8") => Flow::Hls,
            Some("smooth-streaming") => Flow::SmoothStreaming,
            _ => Flow::Unknown,
        }
    }

    /// By the demuxer among the elements that the stream has come through (dashdemux and dashdemux2 alike, and so on).
    pub fn of_elements(elements: impl Iterator<Item = gst::Element>) -> Self {
        elements
            .filter_map(|element| element.factory())
            .find_map(|factory| match factory.name().as_str() {
                "dashdemux" | "dashdemux2" => Some(Flow::Dash),
                "hlsdemux" | "hlsdemux2" | "hlsdrmdemux" => Some(Flow::Hls),
                "mssdemux" | "mssdemux2" => Some(Flow::SmoothStreaming),
                _ => None,
            })
            .unwrap_or_default()
    }

    fn nick(self) -> &'static str {
        match self {
            Flow::Dash => "dash",
            Flow::Hls => "hls",
            Flow::SmoothStreaming => "smooth-streaming",
            Flow::Unknown => "unknown",
        }
    }
}

/// The key request on an event, if `sessiontoken` (or another) has put one there. What a decryptor calls.
pub fn find(event: &gst::event::Protection) -> Option<gst::Structure> {
    event
        .buffer()
        .iter_meta::<ProtectionMeta>()
        .find(is_key_request)
        .map(|meta| meta.info().to_owned())
}

/// Whether somebody upstream has put a key request on an event with this init data already.
pub fn is_on(init_data: &gst::BufferRef) -> bool {
    let mut metas = init_data.iter_meta::<ProtectionMeta>();
    metas.any(|meta| is_key_request(&meta))
}

fn is_key_request(meta: &gst::MetaRef<'_, ProtectionMeta>) -> bool {
    meta.info().name() == NAME
}

/// The HTTP headers that a key request wants on the license request.
pub fn headers(request: &gst::StructureRef) -> Vec<(String, Secret)> {
    let Ok(headers) = request.get::<gst::Structure>("http-headers") else {
        return Vec::new();
    };
    headers
        .iter()
        .filter_map(|(name, value)| {
            let value = value.get::<String>().ok()?;
            Some((name.to_string(), Secret::new(value)))
        })
        .collect()
}

/// The keys that a license may be asked for with the token, where others may need another one.
pub fn key_ids(request: &gst::StructureRef) -> Option<BTreeSet<KeyId>> {
    let key_ids = request.get::<&str>("key-ids").ok()?;
    Some(dashif::read_list(key_ids))
}

/// The session token in a key request.
pub fn token(request: &gst::StructureRef) -> Option<Secret> {
    let token = request.get::<String>("session-token").ok()?;
    Some(Secret::new(token))
}

/// The event with the key request on it: a new event with a new init data buffer, because the ones that came in are
/// shared with other pads. Everything else stays as it was, the bytes are not copied.
pub fn put_on(
    event: &gst::Event,
    token: &Token,
    flow: Flow,
    key_ids: Option<&str>,
    policy: &Policy,
) -> gst::Event {
    let mut event = event.copy();
    let gst::EventView::Protection(protection) = event.view() else {
        return event;
    };
    let (system, data, _) = protection.get();
    let mut request = structure(token, flow, &policy.header);
    if let Some(key_ids) = key_ids {
        request.set("key-ids", key_ids);
    }
    if let Some(custom_data) = custom_data(token, flow, policy.packing, system, data) {
        request.set("custom-data", custom_data.expose());
    }
    let mut data = data.to_owned();
    ProtectionMeta::add(data.make_mut(), request);
    event.make_mut().structure_mut().set("data", &data);
    event
}

fn structure(token: &Token, flow: Flow, header: &HeaderTemplate) -> gst::Structure {
    let headers = gst::Structure::builder("http-headers")
        .field(header.name(), header.value(token.text()).expose())
        .build();
    let mut request = gst::Structure::builder(NAME)
        .field("session-token", token.text().expose())
        .field("generation", token.generation())
        .field("flow", flow.nick())
        .field("http-headers", headers)
        .field("correlation-id", &*token.way().correlation_id)
        .build();
    if let Some(expires_at) = token.life().ends_at(Moment::now()).and_then(date_time) {
        request.set("expires-at", expires_at);
    }
    request
}

/// What to pack into the key request for this init data.
fn custom_data(
    token: &Token,
    flow: Flow,
    packing: Packing,
    system: &str,
    init_data: &gst::BufferRef,
) -> Option<Secret> {
    match (packing, flow) {
        (Packing::None, _) => None,
        (Packing::Ave, _) | (Packing::Auto, Flow::Hls) => {
            Some(packing::client_access(token.text()))
        }
        (Packing::SecClient | Packing::Auto, _) => {
            let init_data = init_data.map_readable();
            let init_data = init_data.as_deref().unwrap_or_default();
            Some(packing::key_request(token.text(), system, init_data))
        }
    }
}

pub fn date_time(at: std::time::SystemTime) -> Option<gst::DateTime> {
    let since_epoch = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(since_epoch.as_secs()).ok()?;
    let at = glib::DateTime::from_unix_utc(seconds).ok()?;
    Some(gst::DateTime::from(at))
}
