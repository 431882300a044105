// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long an event waits for a token, and what becomes of it then.

use super::*;
use crate::wait::lock;

/// A session whose service never answers.
fn scripted_to_hang() -> SessionHandle {
    let (session, script) = scripted([]);
    script.hangs.store(true, Ordering::SeqCst);
    session
}

#[test]
fn token_wait_timeout_fails_later_events_at_once() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([]);
        lock(&script.replies).clear();
        let hanging = Source::Service(scripted_to_hang());
        element.policy = Arc::new(policy(hanging));
        element.begin();
        let begun = now().steady;
        assert!(matches!(element.event_in_time("first").await, Action::Fail));
        let waited = now().steady - begun;
        assert!(waited >= 5 * SECOND && waited < 6 * SECOND, "{waited:?}");
        assert!(matches!(element.event("second"), Action::Fail));
        assert_eq!(element.told(), ["failed from script as Error"]);
    });
}

#[test]
fn anonymous_stream_goes_on_without_a_token() {
    on_paused_clock(async {
        let mut element = Element::with(Policy {
            is_anonymous_allowed: true,
            ..policy(Source::Service(scripted_to_hang()))
        });
        element.begin();
        assert!(matches!(element.event_in_time("first").await, Action::Pass));
        assert!(matches!(element.event("second"), Action::Pass));
        assert_eq!(element.told(), ["failed from script as Warning"]);
    });
}

#[test]
fn handler_that_never_answers_fails_in_time() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([]);
        element.has_handler.store(true, Ordering::SeqCst);
        element.begin();
        let question = element.question();
        assert!(matches!(element.event_in_time("first").await, Action::Fail));
        assert_eq!(element.told(), ["failed from application as Error"]);
        // Nor is it asked twice at a time.
        element.provider.end();
        element.begin();
        assert!(element.question().is_none());
        drop(question);
    });
}
