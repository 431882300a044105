// SPDX-License-Identifier: MIT OR Apache-2.0

//! When another token takes the place of one that ends.

use super::*;

#[test]
fn expired_token_is_replaced_by_a_newer_one() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(for_seconds(60), now);
    let second = state.granted(for_seconds(60), later(now, 60));
    assert!(second.generation() > first.generation());
}

#[test]
fn failed_refresh_keeps_the_valid_token() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(for_seconds(60), now).generation();
    state.refresh(&fetcher(), now);
    state.refresh(&fetcher(), now);
    assert_eq!(state.at_hand(now), Some(first));
    let ticket = state.started(now);
    let no = failed(Failure::transient("no"));
    assert!(state.finished(ticket, no, now).is_err());
    assert_eq!(state.at_hand(now), Some(first));
    state.refresh(&fetcher(), now);
    let ticket = state.started(now);
    let second = state.finished(ticket, for_seconds(60), now).expect("one");
    assert_eq!(state.at_hand(now), Some(second.generation()));
}

#[test]
fn stale_token_is_handed_out_while_the_next_one_comes() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(for_seconds(100), now).generation();
    // At half of its life it is fresh, whatever chance says; a little before its end it is not.
    assert_eq!(state.at_hand(later(now, 50)), Some(first));
    assert!(!state.fetches(later(now, 50)));
    let close = later(now, 99);
    assert_eq!(state.at_hand(close), Some(first));
    let ticket = state.started(close);
    assert_eq!(state.at_hand(close), Some(first));
    assert!(!state.fetches(close));
    let second = state
        .finished(ticket, for_seconds(100), close)
        .expect("one");
    assert_eq!(state.at_hand(later(now, 101)), Some(second.generation()));
}

#[test]
fn failed_refresh_retries_until_token_expires() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(for_seconds(100), now).generation();
    let close = later(now, 95);
    assert_eq!(state.at_hand(close), Some(first));
    let ticket = state.started(close);
    let no = failed(Failure::transient("no"));
    assert!(state.finished(ticket, no, close).is_err());
    // Not again at once.
    assert_eq!(state.at_hand(close), Some(first));
    assert!(!state.fetches(close));
    assert_eq!(state.at_hand(later(now, 98)), Some(first));
    let ticket = state.started(later(now, 98));
    let (end, still_no) = (later(now, 100), failed(Failure::transient("still no")));
    assert!(state.finished(ticket, still_no, end).is_err());
    let told = state.told(end).expect("a failure");
    assert_eq!(told.what, "still no");
}

#[test]
fn failed_refresh_waits_for_a_share_of_what_is_left() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(for_seconds(3600), now).generation();
    state.add_user(fetcher(), None);
    let stale = later(now, 3600 - 300);
    let ticket = state.started(stale);
    let no = failed(Failure::transient("no"));
    assert!(state.finished(ticket, no, stale).is_err());
    let Step::Wait {
        until: Some(due), ..
    } = state.next_step(stale)
    else {
        panic!("the token has an end");
    };
    let pause = due - stale.steady;
    assert!(pause >= SECOND && pause < 300 * SECOND, "{pause:?}");
    assert_eq!(state.at_hand(stale), Some(first));
    assert!(!state.fetches(stale) && state.fetches(later(stale, 299)));
}

/// A viewer waits for that one.
#[test]
fn rejection_after_failed_refresh_fetches_after_short_pause() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(for_seconds(3600), now).generation();
    let stale = later(now, 3600 - 300);
    state.refresh(&fetcher(), stale);
    let ticket = state.started(stale);
    let no = failed(Failure::transient("no"));
    assert!(state.finished(ticket, no, stale).is_err());
    state.reject(first, 403, stale);
    assert!(state.told(stale).is_some());
    state.began(later(stale, 2));
}

#[test]
fn token_is_kept_fresh_for_its_users_alone() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(for_seconds(100), now);
    assert!(matches!(state.next_step(now), Step::Stop));
    let user = state.add_user(fetcher(), None);
    let Step::Wait {
        until: Some(due), ..
    } = state.next_step(now)
    else {
        panic!("the token has an end");
    };
    assert!(due > later(now, 50).steady && due < later(now, 100).steady);
    let due = later(now, 99);
    let ticket = state.started(due);
    assert!(!state.fetches(due));
    let second = state.finished(ticket, for_seconds(100), due).expect("one");
    assert!(second.generation() > first.generation());
    state.remove_user(user);
    assert!(matches!(state.next_step(later(due, 99)), Step::Stop));
}

/// A box and a service whose clocks are apart are not to ask each other without end.
#[test]
fn token_about_to_end_is_used_for_some_seconds() {
    let (mut state, now) = (State::default(), ClockReading::now());
    state.add_user(fetcher(), None);
    let soon = granted("soon", Some(Duration::from_millis(20)));
    let first = state.granted(soon, now).generation();
    for seconds in [0, 1] {
        let now = later(now, seconds);
        assert_eq!(state.at_hand(now), Some(first));
        assert!(!state.fetches(now));
    }
    let due = later(now, 2);
    assert_eq!(state.at_hand(due), Some(first));
    let ticket = state.started(due);
    let no = failed(Failure::transient("no"));
    assert!(state.finished(ticket, no, due).is_err());
    // It is used on while there is no other one, for a while.
    assert_eq!(state.at_hand(later(now, 3)), Some(first));
    assert_eq!(state.at_hand(later(now, 4)), None);
}

#[test]
fn token_about_to_end_that_is_rejected_is_replaced_at_once() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let soon = granted("soon", Some(Duration::from_millis(20)));
    let first = state.granted(soon, now).generation();
    let after = later(now, 1);
    state.reject(first, 403, after);
    assert_eq!(state.at_hand(after), None);
    assert!(state.fetches(after));
}
