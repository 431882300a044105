// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the application is told on the bus, and by `stats`.

use std::time::Duration;

use crate::error::Failure;
use crate::hold::Figures;
use crate::messages::{self, clock_time};
use crate::token::{Token, TokenOrigin};
use crate::tracer;
use crate::tune::{Report, Severity, Stats};

use super::debug::CAT;

/// A token is here, and an event has it.
pub fn post_acquired(element: &gst::Element, service: &str, token: &Token, report: &Report) {
    let text = format!(
        "session token {}, of which streams waited for {} ms",
        summary(service, token),
        report.waited.as_millis()
    );
    gst::info!(CAT, obj = element, "{text}");
    tracer::tune(element, service, token, report);
    let state = match report.refreshed {
        true => "refreshed",
        false => "acquired",
    };
    let structure = with_token(state, service, token, &text)
        .field("cached", report.cached)
        .field("latency", clock_time(report.latency))
        .field("overlap", clock_time(report.overlap))
        .field("waited", clock_time(report.waited));
    post(element, structure);
}

/// A token is here before any stream needs it.
pub fn post_ready(element: &gst::Element, service: &str, token: &Token, cached: bool) {
    let text = format!("session token {}, ready for use", summary(service, token));
    gst::info!(CAT, obj = element, "{text}");
    let structure = with_token("ready", service, token, &text)
        .field("cached", cached)
        .field("latency", clock_time(token.origin().latency));
    post(element, structure);
}

/// Another token is here, ahead of the end of the one before.
pub fn post_renewed(element: &gst::Element, service: &str, token: &Token) {
    let text = format!("session token {}, renewed", summary(service, token));
    gst::info!(CAT, obj = element, "{text}");
    let structure = with_token("renewed", service, token, &text)
        .field("latency", clock_time(token.origin().latency));
    post(element, structure);
}

/// There is no other token yet, and the one at hand is used on.
pub fn post_renewal_failed(element: &gst::Element, service: &str, failure: &Failure) {
    gst::warning!(
        CAT,
        obj = element,
        "session token not renewed, the one at hand is used on: {}",
        failure.what
    );
    let structure = of_state("renewal-failed", service);
    post(element, messages::describe(structure, failure));
}

/// The license side has rejected a token.
pub fn post_rejected(
    element: &gst::Element,
    service: &str,
    generation: u32,
    http_status: u32,
    origin: Option<&TokenOrigin>,
) {
    let text = match http_status {
        0 => format!("session token of generation {generation} refused by the license side"),
        status => {
            format!("session token of generation {generation} refused, HTTP status {status}")
        }
    };
    gst::info!(CAT, obj = element, "{text}");
    let location = origin.and_then(|origin| origin.location.as_deref());
    let structure = of_state("rejected", service)
        .field_if_some("location", location)
        .field_if_some(
            "correlation-id",
            origin.map(|origin| &*origin.correlation_id),
        )
        .field_if_some("attempts", origin.map(|origin| origin.attempts))
        .field("generation", generation)
        .field("http-status", http_status)
        .field("text", text);
    post(element, structure);
}

fn of_state(state: &str, service: &str) -> gst::structure::Builder {
    gst::Structure::builder("session-token")
        .field("state", state)
        .field("service", service)
}

/// What each message says of a token.
fn with_token(state: &str, service: &str, token: &Token, text: &str) -> gst::structure::Builder {
    let origin = token.origin();
    of_state(state, service)
        .field_if_some("location", origin.location.as_deref())
        .field("correlation-id", &*origin.correlation_id)
        .field("generation", token.generation())
        .field("attempts", origin.attempts)
        .field("text", text)
}

/// "of generation 1 from localhost:50050 (rdk, correlation id …) after 1 request in 12 ms"
fn summary(service: &str, token: &Token) -> String {
    let generation = token.generation();
    let TokenOrigin {
        correlation_id,
        location,
        latency,
        attempts,
        ..
    } = token.origin();
    match location {
        Some(location) => format!(
            "of generation {generation} from {location} ({service}, correlation id {correlation_id}) after {attempts} {} in {} ms",
            if *attempts == 1 {
                "request"
            } else {
                "requests"
            },
            latency.as_millis()
        ),
        None => format!("of generation {generation} from the {service} itself"),
    }
}

/// There is no token.
pub fn post_failed(element: &gst::Element, service: &str, failure: &Failure, severity: Severity) {
    let what = &failure.what;
    match severity {
        Severity::Error => gst::error!(CAT, obj = element, "no session token: {what}"),
        _ => gst::warning!(CAT, obj = element, "no session token: {what}"),
    }
    post(
        element,
        messages::describe(of_state("failed", service), failure),
    );
    match severity {
        Severity::Error => messages::post_error(element, failure),
        Severity::Warning => messages::post_warning(element, failure),
        Severity::MessageOnly => {}
    }
}

fn post(element: &gst::Element, structure: gst::structure::Builder) {
    messages::post_element_message(element, structure.build());
}

/// The property `stats`.
pub fn stats(stats: &Stats, hold: Figures) -> gst::Structure {
    let time =
        |of: fn(&Report) -> Duration| clock_time(stats.report.as_ref().map(of).unwrap_or_default());
    gst::Structure::builder("session-token-stats")
        .field("events", stats.events)
        .field("generation", stats.generation)
        .field("latency", time(|report| report.latency))
        .field("overlap", time(|report| report.overlap))
        .field("waited", clock_time(stats.waited))
        .field("holds", hold.holds)
        .field("held-bytes-peak", hold.peak_held_bytes as u64)
        .build()
}
