// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the source of the presentation is set to, which our own requests for more of it go by.

use gst::glib;
use gst::prelude::*;
use url::Url;

use crate::failure::Failure;
use crate::http::{Trust, TrustSettings};
use crate::secret::Secret;
use crate::surroundings::upstream;

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

/// Where the first playlist is to be asked for, and where it was in the end.
pub fn manifest_urls(pad: &gst::GhostPad) -> Result<(Url, Url), Failure> {
    let unknown = || {
        Failure::misconfigured(
            "nobody upstream says where the playlist is from: play it from a source such as souphttpsrc",
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
    match is_permanent {
        true => Ok((base.clone(), base)),
        false => Ok((read(&asked_for)?, base)),
    }
}

/// What the source sent with its own request, and the cookies that it got, for ours (souphttpsrc's event `http-headers`).
pub fn request_headers(event: &gst::StructureRef) -> Vec<(String, Secret)> {
    let fields = |name| {
        let fields = event.get::<gst::Structure>(name).ok();
        let fields = fields.iter().flat_map(|fields| fields.iter());
        fields
            .flat_map(|(name, value)| {
                texts(value)
                    .into_iter()
                    .map(move |text| (name.to_string(), text))
            })
            .collect::<Vec<_>>()
    };
    let mut headers = fields("request-headers");
    headers.retain(|(name, _)| !OF_THE_CONNECTION.contains(&name.to_ascii_lowercase().as_str()));
    for (name, value) in fields("response-headers") {
        if name.eq_ignore_ascii_case("set-cookie") {
            let pair = value.split(';').next().unwrap_or_default();
            headers.push(("Cookie".to_owned(), pair.to_owned()));
        }
    }
    let secret = |(name, value)| (name, Secret::new(value));
    headers.into_iter().map(secret).collect()
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

/// Whom the source before this demuxer trusts (souphttpsrc's `ssl-strict`, `ssl-ca-file` and, where it is a file of authorities, `tls-database`).
///
/// # Errors
///
/// `Misconfigured` for a file that cannot be read or used.
pub fn trust(demuxer: &gst::Element) -> Result<Trust, Failure> {
    let source = upstream(demuxer).find(|one| one.find_property("ssl-strict").is_some());
    let Some(source) = source else {
        return Ok(Trust::default());
    };
    let database = object(&source, "tls-database");
    let anchors = database.and_then(|database| text(&database, "anchors"));
    let settings = TrustSettings {
        strict: value(&source, "ssl-strict").unwrap_or(true),
        ca_file: text(source.upcast_ref(), "ssl-ca-file").or(anchors),
        ..TrustSettings::default()
    };
    settings.load()
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
