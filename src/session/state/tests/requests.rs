// SPDX-License-Identifier: MIT OR Apache-2.0

//! Who shares a request, its token or its failure, and what a logout makes of it.

use super::*;

#[test]
fn callers_share_a_pending_request_and_its_token() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let ticket = state.began(now);
    let Answer::Pending { result, began } = state.asked(now) else {
        panic!("the second caller waits");
    };
    assert!(!began);
    assert!(!state.fetches(now));
    let token = state.finished(ticket, for_seconds(60), later(now, 2));
    let token = token.expect("a token");
    assert_eq!(token.origin().latency, 2 * SECOND);
    let shared = result.peek();
    assert!(matches!(&shared, Some(Outcome::Token(one)) if one.generation() == token.generation()));
    assert_eq!(state.at_hand(later(now, 30)), Some(token.generation()));
}

#[test]
fn failure_is_shared_by_one_tune_and_not_by_the_next() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let ticket = state.began(now);
    let denied = failed(Failure::denied("no"));
    assert_eq!(state.finished(ticket, denied, now).err(), Some("no".into()));
    let told = state.told(now).expect("a failure");
    assert_eq!(told.what, "no");
    state.granted(for_seconds(60), later(now, 2));
}

#[test]
fn service_in_trouble_is_asked_once_a_pause() {
    let (mut state, start) = (State::default(), ClockReading::now());
    let mut requests = Vec::new();
    // A thousand callers a second, for a minute.
    for tick in 0..60_000_u32 {
        let now = start
            .after(Duration::from_millis(tick.into()))
            .expect("a time");
        if let Answer::Pending { began: true, .. } = state.asked(now) {
            requests.push(tick);
            let ticket = state.started(now);
            let no = failed(Failure::transient("no"));
            assert!(state.finished(ticket, no, now).is_err());
        }
    }
    // After 2, 4, 8, 16, 30 s, each between its half and its whole.
    assert!((4..=7).contains(&requests.len()), "{requests:?}");
    // And a failure that names a time is not asked again before.
    let now = later(start, 1000);
    let mut failure = Failure::transient("later");
    failure.retry_after = Some(100 * SECOND);
    let ticket = state.began(now);
    assert!(state.finished(ticket, failed(failure), now).is_err());
    let told = state.told(later(now, 99)).expect("a failure");
    assert_eq!(told.what, "later");
    state.granted(for_seconds(60), later(now, 100));
}

#[test]
fn clear_forgets_the_token_and_drops_the_request() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.began(now);
    let mut fetched = for_seconds(60);
    fetched.discovered = Some(Discovered {
        endpoint: "place".into(),
        service_id: "sso".into(),
    });
    state.finished(first, fetched, now).expect("a token");
    assert!(state.discovered.is_some());
    assert!(state.clear().is_none());
    assert!(state.discovered.is_none());

    // Nor is one handed out that was asked for before and comes after.
    let before = state.began(now);
    let pending = state.clear().expect("a request");
    pending.complete(Outcome::Cleared);
    assert!(!state.is_current(&before));
    let after = state.began(now);
    assert_eq!(
        state.finished(before, for_seconds(60), now).err(),
        Some("cleared".into())
    );
    let token = state.finished(after, for_seconds(60), now).expect("one");
    assert_eq!(state.at_hand(now), Some(token.generation()));
}

#[test]
fn task_that_ends_early_is_a_failure() {
    let (mut state, now) = (State::default(), ClockReading::now());
    state.asked(now);
    assert!(state.starts_task());
    assert!(!state.starts_task());
    assert!(state.task_ended(&abandoned(), now).is_some());
    let told = state.told(now).expect("a failure");
    assert_eq!(told.kind, Kind::Transient);
    state.asked(later(now, 60));
    assert!(state.starts_task());
}
