// SPDX-License-Identifier: MIT OR Apache-2.0

//! The metadata on protection events.

use std::fmt;

use super::{Flow, fields};
use crate::sessiontoken::key_request_meta;

/// The structure `drm-key-request` on a protection event, for decryptors. It holds the session
/// token, and its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct KeyRequest(gst::Structure);

impl KeyRequest {
    /// The one on a protection event, if `sessiontoken` has put one there.
    pub fn of(event: &gst::event::Protection) -> Option<Self> {
        key_request_meta::find(event).map(Self)
    }

    /// One that a store's `newest` or `reject` gave.
    pub fn from_structure(structure: gst::Structure) -> Option<Self> {
        (structure.name() == key_request_meta::NAME).then_some(Self(structure))
    }

    /// Where the stream comes from.
    pub fn flow(&self) -> Flow {
        Flow::from_nick(self.0.get("flow").unwrap_or_default())
    }

    /// Headers to add to the license request. Their values hold the token: into the request, and
    /// nowhere else.
    pub fn headers(&self) -> Vec<(String, String)> {
        let Ok(headers) = self.0.get::<gst::Structure>("http-headers") else {
            return Vec::new();
        };
        let header = |(name, value): (&gst::glib::GStr, &gst::glib::SendValue)| {
            Some((name.to_string(), value.get().ok()?))
        };
        headers.iter().filter_map(header).collect()
    }

    fields! {
        /// The token as the service gave it, without a prefix.
        session_token: &str = "session-token";
        /// Tells tokens apart: unique in the process, higher for a newer one. To be named when the
        /// license server refuses the token.
        generation: u32 = "generation";
        /// When the token ends, where that is known.
        expires_at: gst::DateTime = "expires-at";
        /// Parameters for the query of the license request, percent-encoded.
        query: &str = "query";
        /// JSON to pack into the CDM's custom data.
        custom_data: &str = "custom-data";
        /// The keys that the token is for, as UUIDs with commas between them (DASH-IF).
        key_ids: &str = "key-ids";
        /// The same for all events with this token. No secret.
        correlation_id: &str = "correlation-id";
    }
}

impl fmt::Debug for KeyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRequest")
            .field("generation", &self.generation())
            .field("correlation_id", &self.correlation_id())
            .finish_non_exhaustive()
    }
}
