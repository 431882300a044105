// SPDX-License-Identifier: MIT OR Apache-2.0

//! What decryptors get from the store.

use super::*;
use crate::error::Kind;
use crate::session::testing::failed;

#[test]
fn store_waits_for_a_newer_token() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None), granted("two", None)]);
        element.begin();
        let first = element.token("first").await;
        assert!(element.newer_than(first.generation()).is_pending());
        let woken = element.woken.0.load(Ordering::SeqCst);
        sleep(2 * SECOND).await;
        assert_eq!(element.woken.0.load(Ordering::SeqCst), woken + 1);
        let Poll::Ready(Ok(newer)) = element.newer_than(first.generation()) else {
            panic!("it is here");
        };
        assert_eq!(newer.token.text().expose(), "two");
    });
}

#[test]
fn store_gives_nothing_while_the_element_stops() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.begin();
        let first = element.token("first").await;
        element.provider.stop();
        let newer = element.newer_than(first.generation());
        assert!(matches!(newer, Poll::Ready(Err(None))));
        assert_eq!(script.requests(), 1);
        // The next tune begins anew.
        element.provider.end();
        element.begin();
        assert!(matches!(element.event("first"), Action::Attach(_)));
    });
}

#[test]
fn store_says_once_why_there_is_no_other_token() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None), granted("one", None)]);
        element.begin();
        let first = element.token("first").await;
        element.told();
        assert!(element.newer_than(first.generation()).is_pending());
        sleep(2 * SECOND).await;
        for _ in 0..3 {
            match element.newer_than(first.generation()) {
                Poll::Ready(Err(Some(failure))) => assert_eq!(failure.kind, Kind::Denied),
                _ => panic!("the service repeats itself"),
            }
        }
        assert_eq!(
            element.told(),
            ["rejected with 403", "failed from script as MessageOnly"]
        );
    });
}

#[test]
fn key_without_an_event_gets_the_first_token() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        let mut first = || element.act(TokenProvider::first_for_key);
        assert!(first().is_pending());
        sleep(2 * SECOND).await;
        match first() {
            Poll::Ready(Ok(attachment)) => assert_eq!(attachment.token.text().expose(), "one"),
            _ => panic!("it is here"),
        }
    });
}

#[test]
fn key_after_a_failure_has_the_service_asked_again() {
    on_paused_clock(async {
        let gone = failed(Failure::transient("gone"));
        let (mut element, script) = Element::at([gone, granted("one", None)]);
        element.begin();
        let mut first = || element.act(TokenProvider::first_for_key);
        assert!(first().is_pending());
        sleep(2 * SECOND).await;
        match first() {
            Poll::Ready(Err(Some(failure))) => assert_eq!(failure.kind, Kind::Transient),
            _ => panic!("it failed"),
        }
        sleep(60 * SECOND).await;
        assert!(first().is_pending());
        sleep(2 * SECOND).await;
        match first() {
            Poll::Ready(Ok(attachment)) => assert_eq!(attachment.token.text().expose(), "one"),
            _ => panic!("it is here"),
        }
        assert_eq!(script.requests(), 2);
    });
}

#[test]
fn newest_token_prefers_app_token() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        let newest = |element: &mut Element| {
            let newest = element.act(|provider, call| provider.newest(0, call));
            newest.map(|attachment| attachment.token.text().expose().to_owned())
        };
        assert_eq!(newest(&mut element), None);
        element.token("first").await;
        assert_eq!(newest(&mut element).as_deref(), Some("one"));
        element.set_property("mine");
        assert_eq!(newest(&mut element).as_deref(), Some("mine"));
    });
}
