// SPDX-License-Identifier: MIT OR Apache-2.0

//! The one mapping of our failures to GStreamer's, and the way to the application's bus.

use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::error::{Failure, Fault, Kind, MissingPlugin};
use crate::hierarchy::{ancestors, swallows_errors};

/// Systems that an installer is told of. Presentations name two or three.
const MAX_MISSING: usize = 8;

/// Name of the structure in `gst_message_parse_error_details` and `…_warning_details`.
pub const DETAILS: &str = "session-token-error";

/// The code of a failure that a server or a setting is to blame for.
fn resource_error(kind: Kind) -> gst::ResourceError {
    match kind {
        Kind::Denied => gst::ResourceError::NotAuthorized,
        Kind::Transient | Kind::TimedOut => gst::ResourceError::OpenRead,
        Kind::Malformed => gst::ResourceError::Read,
        Kind::Misconfigured => gst::ResourceError::Settings,
    }
}

fn details(failure: &Failure) -> gst::Structure {
    let mut details = gst::Structure::builder(DETAILS)
        .field("reason", failure.kind.nick())
        .field("attempts", failure.attempts)
        .field("elapsed", clock_time(failure.elapsed));
    if let Some(status) = failure.http_status {
        details = details.field("http-status", u32::from(status));
    }
    if let Some(status) = failure.service_status {
        details = details.field("service-status", status);
    }
    for (name, text) in words(failure).chain(request(failure)) {
        details = details.field(name, text);
    }
    details.build()
}

/// Who was asked, and how to find that in the services' logs.
fn request(failure: &Failure) -> impl Iterator<Item = (&'static str, String)> {
    let fields = failure.request.as_ref().map(|request| {
        [
            ("location", request.location.to_string()),
            ("correlation-id", request.correlation_id.to_string()),
        ]
    });
    fields.into_iter().flatten()
}

/// What the server says in its own words, by the names of a problem document.
fn words(failure: &Failure) -> impl Iterator<Item = (&'static str, String)> {
    let problem = &failure.problem;
    [("title", problem.title()), ("detail", problem.detail())]
        .into_iter()
        .filter_map(|(name, text)| Some((name, text?)))
}

/// Where it is, and the same for people: gst-launch-1.0 prints that below the error.
fn debug_text(element: &gst::Element, failure: &Failure) -> String {
    let mut text = format!("{}:", element.path_string());
    let words = words(failure).map(|(_, text)| text).collect::<Vec<_>>();
    if !words.is_empty() {
        text += &format!("\nThe server says: {}", words.join(": "));
    }
    text
}

/// Posts the failure as an error of `element`, and what is missing before it.
pub fn post_error(element: &gst::Element, failure: &Failure) {
    if let Some(missing) = &failure.missing {
        for missing in missing_plugins(missing) {
            post_element_message(element, missing);
        }
    }
    post(
        element,
        gst::message::Error::builder_from_error(glib_error(failure))
            .debug(&debug_text(element, failure))
            .details(details(failure))
            .src(element)
            .build(),
    );
}

/// Posts the failure as a warning: something went wrong, and playback goes on.
pub fn post_warning(element: &gst::Element, failure: &Failure) {
    post(
        element,
        gst::message::Warning::builder_from_error(glib_error(failure))
            .debug(&debug_text(element, failure))
            .details(details(failure))
            .src(element)
            .build(),
    );
}

fn glib_error(failure: &Failure) -> glib::Error {
    let what = sentence(&failure.what);
    match &failure.fault {
        Fault::Resource => glib::Error::new(resource_error(failure.kind), &what),
        Fault::Stream => glib::Error::new(gst::StreamError::Demux, &what),
        Fault::Format => glib::Error::new(gst::StreamError::Format, &what),
        Fault::Sample => glib::Error::new(gst::StreamError::Decrypt, &what),
        Fault::Key => glib::Error::new(gst::StreamError::DecryptNokey, &what),
        Fault::Downstream => glib::Error::new(gst::StreamError::Failed, &what),
        Fault::Threads => glib::Error::new(gst::CoreError::Thread, &what),
        Fault::Missing => glib::Error::new(gst::CoreError::MissingPlugin, &what),
    }
}

/// What an installer of plugins reads: the messages `missing-plugin` of GStreamer's design document
/// "Missing plugins", as `gst_missing_element_message_new` and `gst_missing_decoder_message_new`
/// make them.
fn missing_plugins(missing: &MissingPlugin) -> Vec<gst::Structure> {
    let message = |kind: &str| gst::Structure::builder("missing-plugin").field("type", kind);
    match missing {
        MissingPlugin::Element(factory) => {
            let name = format!("GStreamer element {factory}");
            let message = message("element").field("detail", factory);
            vec![message.field("name", name).build()]
        }
        MissingPlugin::Decryptor(systems) => systems
            .iter()
            .take(MAX_MISSING)
            .map(|system| {
                let system = uuid::Uuid::from_u128(*system).to_string();
                let caps = gst::Caps::builder("application/x-cenc")
                    .field("protection-system", &system)
                    .build();
                let message = message("decoder").field("detail", caps);
                let name = format!("decryptor for the protection system {system}");
                message.field("name", name).build()
            })
            .collect(),
    }
}

/// Posts an element message: something the application may want to know.
pub fn post_element_message(element: &gst::Element, structure: gst::Structure) {
    let message = gst::message::Element::builder(structure).src(element);
    // Fails only where nobody listens.
    let _ = element.post_message(message.build());
}

/// Adds what such a message says of a failure.
pub fn describe(structure: gst::structure::Builder, failure: &Failure) -> gst::structure::Builder {
    let http_status = failure.http_status.map(u32::from);
    let request = request(failure);
    request
        .fold(structure, |structure, (name, text)| {
            structure.field(name, text)
        })
        .field("reason", failure.kind.nick())
        .field("text", sentence(&failure.what))
        .field("attempts", failure.attempts)
        .field("latency", clock_time(failure.elapsed))
        .field_if_some("http-status", http_status)
}

pub fn clock_time(duration: Duration) -> gst::ClockTime {
    gst::ClockTime::try_from(duration).unwrap_or(gst::ClockTime::MAX)
}

/// Posts past the bins that would keep an error to themselves: through the outermost of them, whose
/// own bus is its parent's. The message's source stays our element.
fn post(element: &gst::Element, message: gst::Message) {
    let poster = ancestors(element)
        .filter(swallows_errors)
        .last()
        .unwrap_or_else(|| element.clone());
    // Fails only where nobody listens: no bus, or one that is being shut down.
    let _ = poster.post_message(message);
}

fn sentence(what: &str) -> String {
    let first = what.split(' ').next().unwrap_or_default();
    let mut letters = what.chars();
    match letters.next() {
        // A host's name, or a setting's, stays as it is.
        Some(letter) if first.chars().all(char::is_alphabetic) => {
            letter.to_uppercase().chain(letters).chain(['.']).collect()
        }
        Some(_) => format!("{what}."),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_decides_the_domain() {
        let domain = |failure: &Failure| {
            let error = glib_error(failure);
            let codes = [
                error.kind::<gst::ResourceError>().map(|_| "resource"),
                error.kind::<gst::StreamError>().map(|_| "stream"),
                error.kind::<gst::CoreError>().map(|_| "core"),
            ];
            codes.into_iter().flatten().collect::<Vec<_>>()
        };
        let failure = Failure::malformed("x");
        assert_eq!(domain(&failure), ["resource"]);
        assert_eq!(domain(&failure.clone().of_stream()), ["stream"]);
        assert_eq!(
            domain(&failure.clone().with_fault(Fault::Threads)),
            ["core"]
        );
        let failure = failure.of_missing(MissingPlugin::Element("x".to_owned()));
        assert!(glib_error(&failure).matches(gst::CoreError::MissingPlugin));
    }

    #[test]
    fn installers_are_told_what_is_missing() {
        gst::init().expect("GStreamer starts");
        let missing = missing_plugins(&MissingPlugin::Element("hlsdemux".to_owned()));
        let [element] = &missing[..] else {
            panic!("{missing:?}");
        };
        assert_eq!(element.name(), "missing-plugin");
        assert_eq!(element.get("type"), Ok("element"));
        assert_eq!(element.get("detail"), Ok("hlsdemux"));
        let systems = (0..20).collect();
        let missing = missing_plugins(&MissingPlugin::Decryptor(systems));
        assert_eq!(missing.len(), MAX_MISSING);
        let caps = missing[7].get::<gst::Caps>("detail").expect("caps");
        let system = caps
            .structure(0)
            .expect("one")
            .get::<&str>("protection-system");
        assert_eq!(system, Ok("00000000-0000-0000-0000-000000000007"));
    }
}
