// SPDX-License-Identifier: MIT OR Apache-2.0

//! A token is rejected: protection events go again with another one.

use super::*;

#[test]
fn rejection_replays_events_before_next_item() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None), granted("two", None)]);
        element.begin();
        let first = element.token("mpd").await;
        element.event_from("moov", COMMON_SYSTEM, MOOV);
        element.told();
        assert!(element.rejects(first.generation()));
        // A second report of the same token changes nothing.
        assert!(element.rejects(first.generation()));
        assert_eq!(element.told(), ["rejected with 403"]);
        assert!(matches!(
            element.act(TokenProvider::on_resend),
            Action::Hold(_)
        ));
        sleep(2 * SECOND).await;
        let Action::Replay(events, attachment) = element.act(TokenProvider::on_resend) else {
            panic!("the events go again");
        };
        assert_eq!(events, ["mpd", "moov"]);
        assert!(attachment.token.generation() > first.generation());
        assert!(!element.provider.resends());
        assert_eq!(script.requests(), 2);
        assert_eq!(element.told(), ["refreshed from script"]);
    });
}

#[test]
fn late_report_sends_nothing_again() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None), granted("two", None)]);
        element.begin();
        let first = element.token("first").await;
        element.rejects(first.generation());
        sleep(2 * SECOND).await;
        element.act(TokenProvider::on_resend).attachment();
        assert!(!element.rejects(first.generation()));
        assert_eq!(script.requests(), 2);
    });
}

#[test]
fn report_of_a_token_that_nobody_gave_is_ignored() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.begin();
        let first = element.token("first").await;
        element.told();
        assert!(!element.rejects(u32::MAX));
        assert_eq!(element.told(), [""; 0]);
        let again = element.event("second").attachment().token;
        assert_eq!(again.generation(), first.generation());
        assert_eq!(script.requests(), 1);
    });
}

#[test]
fn rejection_of_stored_token_replays_events() {
    on_paused_clock(async {
        let replies = ["one", "two", "three"].map(|text| granted(text, None));
        let (mut element, _) = Element::at(replies);
        element.begin();
        element.token("first").await;
        element.act(|provider, call| provider.refresh(None, None, call));
        sleep(2 * SECOND).await;
        let newest = element.act(|provider, call| provider.newest(0, call));
        let newest = newest.expect("a token").token;
        assert_eq!(newest.text().expose(), "two");
        assert!(element.rejects(newest.generation()));
    });
}

#[test]
fn new_stream_has_no_events_of_the_old_one() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None), granted("two", None)]);
        element.begin();
        let first = element.token("old").await;
        element.provider.on_stream_start();
        element.event("new");
        element.rejects(first.generation());
        sleep(2 * SECOND).await;
        match element.act(TokenProvider::on_resend) {
            Action::Replay(events, _) => assert_eq!(events, ["new"]),
            _ => panic!("the events go again"),
        }
    });
}

#[test]
fn flushed_events_go_again_with_the_token_at_hand() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.begin();
        element.token("first").await;
        element.provider.on_events_flushed();
        assert!(element.provider.resends());
        assert!(matches!(
            element.act(TokenProvider::on_resend),
            Action::Replay(..)
        ));
        assert_eq!(script.requests(), 1);
    });
}
