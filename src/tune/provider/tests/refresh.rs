// SPDX-License-Identifier: MIT OR Apache-2.0

//! `refresh-token`, `clear-token`, and tokens that end.

use super::*;

#[test]
fn refresh_keeps_current_token_until_next_arrives() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None), granted("two", None)]);
        element.begin();
        let first = element.token("first").await;
        element.act(|provider, call| provider.refresh(None, None, call));
        let meanwhile = element.event("second").attachment().token;
        assert_eq!(meanwhile.generation(), first.generation());
        sleep(2 * SECOND).await;
        let next = element.event("third").attachment().token;
        assert!(next.generation() > first.generation());
        assert_eq!(script.requests(), 2);
    });
}

#[test]
fn refresh_without_tune_uses_configured_service() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        let idle = element.policy.clone();
        element.act(|provider, call| provider.refresh(None, Some(&idle), call));
        sleep(2 * SECOND).await;
        assert_eq!(script.requests(), 1);
    });
}

#[test]
fn clear_forgets_all_tokens() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None), granted("two", None)]);
        element.begin();
        let first = element.token("first").await;
        element.set_property("mine");
        element.act(|provider, call| provider.clear(None, None, call.now));
        let next = element.token("second").await;
        assert_eq!(next.text().expose(), "two");
        assert!(next.generation() > first.generation());
        assert_eq!(script.requests(), 2);
    });
}

#[test]
fn clear_token_between_tunes_forgets_last_token() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None), granted("two", None)]);
        element.begin();
        element.token("first").await;
        element.provider.end();
        element.act(|provider, call| provider.clear(None, None, call.now));
        element.begin();
        assert_eq!(element.token("first").await.text().expose(), "two");
        assert_eq!(script.requests(), 2);
    });
}

#[test]
fn expiring_token_is_replaced_without_held_events() {
    on_paused_clock(async {
        let replies = ["a", "b", "c"].map(|text| for_seconds(text, 100));
        let (mut element, script) = Element::at(replies);
        element.begin();
        element.token("first").await;
        for _ in 0..150 {
            sleep(SECOND).await;
            assert!(matches!(element.event("later"), Action::Attach(_)));
        }
        assert_eq!(script.requests(), 2);
    });
}
