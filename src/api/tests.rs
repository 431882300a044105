// SPDX-License-Identifier: MIT OR Apache-2.0

//! The types against what the elements write.

use std::time::Duration;

use gst::prelude::*;

use super::*;
use crate::error::{Failure, Fault};
use crate::messages;

/// An element with a bus.
fn element() -> (gst::Element, gst::Bus) {
    gst::init().expect("GStreamer starts");
    let element = gst::Bin::new().upcast::<gst::Element>();
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    (element, bus)
}

#[test]
fn error_details_are_those_that_elements_post() {
    let (element, bus) = element();
    for (failure, reason) in [
        (Failure::denied("x"), Reason::Denied),
        (Failure::transient("x"), Reason::Transient),
        (Failure::timed_out("x"), Reason::TimedOut),
        (Failure::malformed("x"), Reason::Malformed),
        (Failure::misconfigured("x"), Reason::Misconfigured),
    ] {
        let mut failure = failure.with_http_status(403).with_fault(Fault::Key);
        failure.attempts = 3;
        failure.elapsed = Duration::from_millis(40);
        messages::post_error(&element, &failure);
        messages::post_warning(&element, &failure);
        let posted = bus.pop_filtered(&[gst::MessageType::Error]);
        let posted = posted.expect("the error");
        let gst::MessageView::Error(error) = posted.view() else {
            panic!("{posted:?}");
        };
        let details = ErrorDetails::of(error).expect("it has details");
        assert_eq!(details.reason(), Some(reason));
        assert_eq!(details.http_status(), Some(403));
        assert_eq!(details.attempts(), Some(3));
        assert_eq!(details.elapsed(), Some(gst::ClockTime::from_mseconds(40)));
        assert_eq!((details.service_status(), details.title()), (None, None));
        let posted = bus.pop_filtered(&[gst::MessageType::Warning]);
        let posted = posted.expect("the warning");
        let gst::MessageView::Warning(warning) = posted.view() else {
            panic!("{posted:?}");
        };
        let details = ErrorDetails::of_warning(warning).expect("it has details");
        assert_eq!(details.reason(), Some(reason));
    }
}

#[test]
fn license_messages_have_every_word_of_a_cdm() {
    let (element, bus) = element();
    for raw in 0..=8 {
        let status = KeyStatus::from_raw(raw);
        let message = gst::Structure::builder("ocdm-license")
            .field("state", status.nick())
            .field("key-id", "0011");
        messages::post_element_message(&element, message.build());
        let posted = bus.pop().expect("the message");
        let license = LicenseMessage::of(&posted).expect("it is one");
        assert!(TokenMessage::of(&posted).is_none());
        assert_eq!(license.state(), Some(LicenseState::Key(status)));
        assert_eq!(license.key_id(), Some("0011"));
    }
}

#[test]
fn key_request_shows_no_token_in_debug() {
    gst::init().expect("GStreamer starts");
    let headers = gst::Structure::builder("headers").field("Authorization", "Bearer TOKEN");
    let structure = gst::Structure::builder("drm-key-request")
        .field("session-token", "TOKEN")
        .field("generation", 7_u32)
        .field("flow", "hls")
        .field("http-headers", headers.build())
        .build();
    let request = KeyRequest::from_structure(structure).expect("it is one");
    let shown = format!("{request:?}");
    assert!(shown.contains('7') && !shown.contains("TOKEN"), "{shown}");
    assert_eq!(request.session_token(), Some("TOKEN"));
    assert_eq!(request.flow(), Flow::Hls);
    let header = ("Authorization".to_owned(), "Bearer TOKEN".to_owned());
    assert_eq!(request.headers(), [header]);
    assert_eq!((request.query(), request.key_ids()), (None, None));
    assert!(KeyRequest::from_structure(gst::Structure::new_empty("other")).is_none());
}
