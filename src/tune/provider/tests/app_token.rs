// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tokens of the property `session-token` and of the file of `session-token-file`.

use super::*;

#[test]
fn property_is_used_instead_of_the_service() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.set_property("mine");
        element.begin();
        let token = element.event("first").attachment().token;
        assert_eq!(token.text().expose(), "mine");
        assert_eq!(element.told(), ["acquired from application, cached"]);
        assert_eq!(script.requests(), 0);
        // Taken back, the service is asked.
        element.set_property("");
        assert_eq!(element.token("second").await.text().expose(), "one");
    });
}

#[test]
fn rejected_property_holds_events_until_replaced() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([]);
        element.set_property("mine");
        element.begin();
        let token = element.event("first").attachment().token;
        assert!(element.newer_than(token.generation()).is_pending());
        assert_eq!(element.provider.take_wakers().len(), 1);
        assert!(matches!(element.event("second"), Action::Hold(_)));
        // In the next tune too.
        element.provider.end();
        element.begin();
        assert!(matches!(element.event("first"), Action::Hold(_)));
        element.set_property("another");
        assert!(matches!(element.event("first"), Action::Attach(_)));
    });
}

#[test]
fn rejected_property_is_waited_for_once_in_a_tune() {
    on_paused_clock(async {
        let (session, _) = scripted([]);
        let mut element = Element::with(Policy {
            is_anonymous_allowed: true,
            ..policy(Source::Service(session))
        });
        element.set_property("mine");
        element.begin();
        let token = element.event("first").attachment().token;
        assert!(element.newer_than(token.generation()).is_pending());
        assert!(matches!(
            element.event_in_time("second").await,
            Action::Pass
        ));
        assert!(matches!(element.event("third"), Action::Pass));
        element.set_property("another");
        assert!(matches!(element.event("fourth"), Action::Attach(_)));
    });
}

#[test]
fn many_who_wait_in_one_store_are_one_waker() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([]);
        element.set_property("mine");
        element.begin();
        let token = element.event("first").attachment().token;
        for _ in 0..1000 {
            assert!(element.newer_than(token.generation()).is_pending());
        }
        assert_eq!(element.provider.take_wakers().len(), 1);
    });
}

#[test]
fn invalid_token_property_fails_before_tune() {
    let (mut element, _) = Element::at([]);
    element.set_property("no token");
    assert!(element.provider.check_property().is_err());
    element.set_property("a-token");
    assert!(element.provider.check_property().is_ok());
}

#[test]
fn file_is_used_and_read_again_after_a_rejection() {
    on_paused_clock(async {
        let mut element = Element::with(policy(Source::File("path".to_owned())));
        let text = |text: &str| Some(Ok(Secret::from(text)));
        element.begin_with(text("one"));
        let first = element.event("first").attachment().token;
        let newer = |element: &mut Element, file| {
            element.act(|provider, call| provider.newer_than(first.generation(), 403, file, call))
        };
        let same = newer(&mut element, text("one"));
        assert!(matches!(same, Poll::Ready(Err(Some(_)))));
        match newer(&mut element, text("two")) {
            Poll::Ready(Ok(newer)) => assert_eq!(newer.token.text().expose(), "two"),
            _ => panic!("the file has another one"),
        }
        assert_eq!(
            element.told(),
            [
                "acquired from file, cached",
                "rejected with 403",
                "failed from file as MessageOnly",
                "refreshed from file, cached"
            ]
        );
    });
}

#[test]
fn file_that_cannot_be_read_fails_the_tune() {
    on_paused_clock(async {
        let mut element = Element::with(policy(Source::File("path".to_owned())));
        element.begin_with(Some(Err(Failure::misconfigured("no file"))));
        assert!(matches!(element.event("first"), Action::Fail));
        assert_eq!(element.told(), ["failed from file as Error"]);
    });
}
