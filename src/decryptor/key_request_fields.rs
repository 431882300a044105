// SPDX-License-Identifier: MIT OR Apache-2.0

//! The fields of the structure `drm-key-request`, as any decryptor reads them.

use crate::license::KeyRequestFields;
use crate::token::Secret;
use crate::value::c_text;

/// What the structure `drm-key-request` brings.
pub fn read(request: &gst::StructureRef) -> KeyRequestFields {
    let token = request.get::<String>("session-token").ok();
    KeyRequestFields {
        token: token.map(Secret::new),
        generation: request.get("generation").unwrap_or(0),
        headers: headers(request),
        query: query(request),
        custom_data: request.get("custom-data").ok().map(Secret::new),
    }
}

/// Another element may have put what is no UTF-8 there.
fn query(request: &gst::StructureRef) -> Option<Secret> {
    let value = request.value("query").ok()?;
    c_text(value)?.to_str().ok().map(Secret::from)
}

fn headers(request: &gst::StructureRef) -> Vec<(String, Secret)> {
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
