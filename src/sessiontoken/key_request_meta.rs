// SPDX-License-Identifier: MIT OR Apache-2.0

//! The contract with decryptors: the structure `drm-key-request` in the `GstProtectionMeta` of a
//! protection event's init data, and as what the store gives back.

use std::collections::BTreeSet;

use gst::glib;
use gst::meta::ProtectionMeta;

use crate::auth_service::dashif;
use crate::cenc::KeyId;
use crate::token::ClockReading;
use crate::tune::Attachment;

/// Name of the structure.
pub const NAME: &str = "drm-key-request";

/// The key request on an event, if `sessiontoken` (or another) has put one there. What a decryptor
/// calls.
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

/// The keys that a license may be asked for with the token, where others may need another one.
pub fn key_ids(request: &gst::StructureRef) -> Option<BTreeSet<KeyId>> {
    let key_ids = request.get::<&str>("key-ids").ok()?;
    Some(dashif::read_list(key_ids))
}

/// The event with the key request on it: a new event with a new init data buffer, because the ones
/// that came in are shared with other pads. Everything else stays as it was, the bytes are not
/// copied.
pub fn attach_key_request(event: &gst::Event, attachment: &Attachment) -> gst::Event {
    let mut event = event.copy();
    let gst::EventView::Protection(protection) = event.view() else {
        return event;
    };
    let (system, data, _) = protection.get();
    let request = structure(attachment, Some((system, data)));
    let mut data = data.to_owned();
    ProtectionMeta::add(data.make_mut(), request);
    event.make_mut().structure_mut().set("data", &data);
    event
}

/// The key request of a token, packed for that event, where there is one.
pub fn key_request(attachment: &Attachment, event: Option<&gst::Event>) -> gst::Structure {
    match event.map(|event| event.view()) {
        Some(gst::EventView::Protection(protection)) => {
            let (system, data, _) = protection.get();
            structure(attachment, Some((system, data)))
        }
        _ => structure(attachment, None),
    }
}

fn structure(
    attachment: &Attachment,
    init_data: Option<(&str, &gst::BufferRef)>,
) -> gst::Structure {
    let Attachment {
        token,
        flow,
        key_ids,
        policy,
    } = attachment;
    let mut headers = gst::Structure::new_empty("http-headers");
    for (name, value) in policy.shape.headers(token) {
        headers.set(name, value.expose());
    }
    let mut request = gst::Structure::builder(NAME)
        .field("session-token", token.text().expose())
        .field("generation", token.generation())
        .field("flow", flow.nick())
        .field("http-headers", headers)
        .field("correlation-id", &*token.origin().correlation_id)
        .build();
    let ends_at = token.validity().ends_at(ClockReading::now());
    if let Some(expires_at) = ends_at.and_then(date_time) {
        request.set("expires-at", expires_at);
    }
    if let Some(key_ids) = key_ids {
        request.set("key-ids", key_ids);
    }
    if let Some(query) = policy.shape.query(token.text()) {
        request.set("query", query.expose());
    }
    let data = init_data.and_then(|(_, data)| data.map_readable().ok());
    let (system, _) = init_data.unzip();
    let (system, data) = (
        system.unwrap_or_default(),
        data.as_deref().unwrap_or_default(),
    );
    if let Some(custom_data) = policy.shape.custom_data(token, *flow, system, data) {
        request.set("custom-data", custom_data.expose());
    }
    request
}

pub fn date_time(at: std::time::SystemTime) -> Option<gst::DateTime> {
    let since_epoch = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    let seconds = i64::try_from(since_epoch.as_secs()).ok()?;
    let at = glib::DateTime::from_unix_utc(seconds).ok()?;
    Some(gst::DateTime::from(at))
}
