// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the application is told on the bus, and by `stats`.

use std::time::Duration;

use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::error::Failure;
use crate::messages::{self, clock_time};
use crate::session::Token;
use crate::wait::lock;

use super::imp::{CAT, SessionToken};
use super::settings::OnFailure;
use super::tune::{Report, Tune};

impl SessionToken {
    pub(super) fn post_acquired(&self, service: &str, token: &Token, report: &Report) {
        gst::info!(
            CAT,
            imp = self,
            "session token of generation {} acquired, waited {:?}",
            token.generation(),
            report.waited
        );
        let state = match report.refreshed {
            true => "refreshed",
            false => "acquired",
        };
        self.post_state(
            gst::Structure::builder("session-token")
                .field("state", state)
                .field("service", service)
                .field_if_some("location", token.way().place.as_deref())
                .field("generation", token.generation())
                .field("cached", report.cached)
                .field("attempts", token.way().attempts)
                .field("latency", clock_time(report.latency))
                .field("overlap", clock_time(report.overlap))
                .field("waited", clock_time(report.waited))
                .build(),
        );
    }

    pub(super) fn post_failed(&self, service: &str, failure: &Failure, on_failure: OnFailure) {
        self.post_failure(service, failure);
        let obj = self.obj();
        match on_failure {
            OnFailure::Error => messages::post_error(obj.upcast_ref(), failure),
            OnFailure::Anonymous => messages::post_warning(obj.upcast_ref(), failure),
        }
    }

    pub(super) fn post_failure(&self, service: &str, failure: &Failure) {
        gst::warning!(CAT, imp = self, "no session token: {}", failure.what);
        let structure = gst::Structure::builder("session-token")
            .field("state", "failed")
            .field("service", service);
        self.post_state(messages::describe(structure, failure).build());
    }

    pub(super) fn post_state(&self, structure: gst::Structure) {
        messages::post_element_message(self.obj().upcast_ref(), structure);
    }

    /// The property `stats`.
    pub(super) fn stats(&self) -> gst::Structure {
        let figures = self.hold.figures();
        let tune = lock(&self.tune);
        let tune = tune.as_ref();
        let report = tune.and_then(Tune::report);
        let time = |of: fn(&Report) -> Duration| clock_time(report.map(of).unwrap_or_default());
        gst::Structure::builder("session-token-stats")
            .field("events", tune.map_or(0, |tune| tune.events))
            .field("generation", tune.and_then(Tune::generation).unwrap_or(0))
            .field("latency", time(|report| report.latency))
            .field("overlap", time(|report| report.overlap))
            .field(
                "waited",
                clock_time(tune.map(Tune::waited).unwrap_or_default()),
            )
            .field("holds", figures.holds)
            .field("held-bytes-peak", figures.peak_held_bytes as u64)
            .build()
    }
}
