// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the source of the presentation is set to, which our own requests for more of it go by.

use gst::glib;
use gst::prelude::*;
use url::Url;

use crate::error::Failure;
use crate::hierarchy::upstream;
use crate::http::{Source, TlsConfig, TlsSettings};
use crate::token::Secret;

/// Headers that are a matter of one request and one connection.
const OF_THE_CONNECTION: [&str; 7] = [
    "accept-encoding",
    "connection",
    "content-length",
    "host",
    "icy-metadata",
    "range",
    "transfer-encoding",
];

/// Where the first playlist is from.
pub struct Manifest {
    /// Where the source was sent.
    pub asked_for: Url,
    /// Where to ask for it from now on.
    pub url: Url,
    /// Where it was in the end.
    pub base: Url,
}

pub fn manifest(pad: &gst::GhostPad) -> Result<Manifest, Failure> {
    let unknown = || {
        Failure::misconfigured(
            "nobody upstream says where the playlist is from: play it from a source such as \
             souphttpsrc",
        )
    };
    let mut query = gst::query::Uri::new();
    if !pad.peer_query(&mut query) {
        return Err(unknown());
    }
    let (redirection, is_permanent) = query.redirection();
    let asked_for = query.uri().ok_or_else(unknown)?;
    let found = redirection.unwrap_or_else(|| asked_for.clone());
    let read = |uri: &str| Url::parse(uri).map_err(|_| unknown());
    let base = read(&found)?;
    let asked_for = read(&asked_for)?;
    let url = match is_permanent {
        true => base.clone(),
        false => asked_for.clone(),
    };
    Ok(Manifest {
        asked_for,
        url,
        base,
    })
}

/// What a source's request and its response said (souphttpsrc's event `http-headers`).
#[derive(Clone, Default)]
pub struct SourceHeaders {
    /// Those of the request, without what is a matter of one connection.
    headers: Vec<(String, Secret)>,
    /// The `Set-Cookie` lines of the response.
    set_cookies: Vec<Secret>,
}

impl SourceHeaders {
    pub fn read(event: &gst::StructureRef) -> Self {
        let mut headers = fields(event, "request-headers");
        headers
            .retain(|(name, _)| !OF_THE_CONNECTION.contains(&name.to_ascii_lowercase().as_str()));
        let mut response = fields(event, "response-headers");
        response.retain(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        Self {
            headers,
            set_cookies: response.into_iter().map(|(_, line)| line).collect(),
        }
    }

    /// The source of the presentation that was asked for at the first of `urls` and found at the
    /// second.
    pub fn into_source(self, urls: [Url; 2], tls: TlsConfig) -> Source {
        Source::new(urls, self.headers, &self.set_cookies, tls)
    }
}

/// The fields of a structure in the event, one for each text.
fn fields(event: &gst::StructureRef, name: &str) -> Vec<(String, Secret)> {
    let fields = event.get::<gst::Structure>(name).ok();
    let fields = fields.iter().flat_map(|fields| fields.iter());
    fields
        .flat_map(|(name, value)| {
            let texts = texts(value).into_iter();
            texts.map(move |text| (name.to_string(), Secret::new(text)))
        })
        .collect()
}

/// A text, or an array of them.
fn texts(value: &glib::SendValue) -> Vec<String> {
    match value.get::<String>() {
        Ok(text) => vec![text],
        Err(_) => value
            .get::<gst::Array>()
            .map(|array| array.iter().filter_map(|one| one.get().ok()).collect())
            .unwrap_or_default(),
    }
}

/// Whom the source before this demuxer trusts (souphttpsrc's `ssl-strict`, `ssl-ca-file` and,
/// where it is a file of authorities, `tls-database`).
pub fn tls(demuxer: &gst::Element) -> TlsSettings {
    let source = upstream(demuxer).find(|one| one.find_property("ssl-strict").is_some());
    let Some(source) = source else {
        return TlsSettings::default();
    };
    let database = object(&source, "tls-database");
    let anchors = database.and_then(|database| text(&database, "anchors"));
    TlsSettings {
        strict: value(&source, "ssl-strict").unwrap_or(true),
        ca_file: text(source.upcast_ref(), "ssl-ca-file").or(anchors),
        ..TlsSettings::default()
    }
}

fn value<T: for<'a> glib::value::FromValue<'a> + 'static>(
    element: &gst::Element,
    name: &str,
) -> Option<T> {
    element.find_property(name)?;
    element.property_value(name).get().ok()
}

fn object(element: &gst::Element, name: &str) -> Option<glib::Object> {
    value::<Option<glib::Object>>(element, name).flatten()
}

fn text(object: &glib::Object, name: &str) -> Option<String> {
    object.find_property(name)?;
    let text = object.property_value(name).get::<Option<String>>();
    text.ok().flatten().filter(|text| !text.is_empty())
}

/// Whether there is a decryptor for any of these protection systems, as qtdemux looks for one
/// (`gst_protection_select_system`).
pub fn has_decryptor(systems: &[u128]) -> bool {
    use gst::glib::translate::ToGlibPtr;

    let names: Vec<_> = systems
        .iter()
        .map(|system| uuid::Uuid::from_u128(*system).to_string())
        .collect();
    let names = glib::StrV::from(names);
    // SAFETY: the array ends with NULL and outlives the call, which changes nothing of it. What is
    // given back is one of its texts, or NULL.
    let selected = unsafe {
        let names: *mut *mut std::ffi::c_char = names.to_glib_none().0;
        gst::ffi::gst_protection_select_system(names.cast())
    };
    !selected.is_null()
}
