// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the application is told on the bus, and by `stats`.

use std::time::Duration;

use crate::error::Failure;
use crate::hold::Figures;
use crate::messages::{self, clock_time};
use crate::token::Token;
use crate::tune::{Report, Severity, Stats};

use super::debug::CAT;

/// A token is here.
pub fn post_acquired(element: &gst::Element, service: &str, token: &Token, report: &Report) {
    gst::info!(
        CAT,
        obj = element,
        "session token of generation {} acquired, waited {:?}",
        token.generation(),
        report.waited
    );
    let state = match report.refreshed {
        true => "refreshed",
        false => "acquired",
    };
    post(
        element,
        gst::Structure::builder("session-token")
            .field("state", state)
            .field("service", service)
            .field_if_some("location", token.origin().location.as_deref())
            .field("generation", token.generation())
            .field("cached", report.cached)
            .field("attempts", token.origin().attempts)
            .field("latency", clock_time(report.latency))
            .field("overlap", clock_time(report.overlap))
            .field("waited", clock_time(report.waited)),
    );
}

/// The license side has rejected a token.
pub fn post_rejected(element: &gst::Element, service: &str, generation: u32, http_status: u32) {
    gst::info!(
        CAT,
        obj = element,
        "token of generation {generation} refused, HTTP status {http_status}"
    );
    post(
        element,
        gst::Structure::builder("session-token")
            .field("state", "rejected")
            .field("service", service)
            .field("generation", generation)
            .field("http-status", http_status),
    );
}

/// There is no token.
pub fn post_failed(element: &gst::Element, service: &str, failure: &Failure, severity: Severity) {
    let what = &failure.what;
    match severity {
        Severity::Error => gst::error!(CAT, obj = element, "no session token: {what}"),
        _ => gst::warning!(CAT, obj = element, "no session token: {what}"),
    }
    let structure = gst::Structure::builder("session-token")
        .field("state", "failed")
        .field("service", service);
    post(element, messages::describe(structure, failure));
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
