// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a rejection means for the token, for its text, and for those that follow.

use super::*;

#[test]
fn rejected_token_is_replaced_once_for_all_reports() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(endless("one"), now);
    state.reject(first.generation(), 403, now);
    assert!(first.is_rejected());
    let ticket = state.began(now);
    state.reject(first.generation(), 403, now);
    assert!(matches!(
        state.asked(now),
        Answer::Pending { began: false, .. }
    ));
    let second = state.finished(ticket, endless("two"), now).expect("one");
    // One who reports late gets the new one, and so does everybody else.
    state.reject(first.generation(), 403, now);
    assert_eq!(state.at_hand(now), Some(second.generation()));
}

#[test]
fn rejected_token_is_never_handed_out_again() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(endless("one"), now);
    state.reject(first.generation(), 403, now);
    let ticket = state.began(now);
    assert!(state.finished(ticket, endless("one"), now).is_err());
    let told = state.told(now).expect("a failure");
    assert_eq!(told.kind, Kind::Denied);
}

/// One channel that this account may not watch takes no other away for good, where the auth service
/// keeps its token.
#[test]
fn rejected_text_may_come_again_for_a_later_tune() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let mut token = state.granted(endless("one"), now);
    let mut now = now;
    for _ in 0..2 {
        state.reject(token.generation(), 403, now);
        let ticket = state.began(now);
        assert!(state.finished(ticket, endless("one"), now).is_err());
        now = later(now, 59);
        let ticket = state.began(now);
        assert!(state.finished(ticket, endless("one"), now).is_err());
        now = later(now, 60);
        let again = state.granted(endless("one"), now);
        assert!(again.generation() > token.generation() && !again.is_rejected());
        token = again;
    }
    assert_eq!(state.at_hand(now), Some(token.generation()));
}

#[test]
fn rejection_covers_all_generations_of_same_token() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(granted("same", Some(60 * SECOND)), now);
    let now = later(now, 60);
    let second = state.granted(granted("same", Some(60 * SECOND)), now);
    assert!(second.generation() > first.generation());
    assert_eq!(state.at_hand(now), Some(second.generation()));
    state.reject(first.generation(), 403, now);
    assert_eq!(state.at_hand(now), None);
}

#[test]
fn expired_token_that_is_reported_may_come_again() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(granted("same", Some(60 * SECOND)), now);
    let now = later(now, 60);
    state.reject(first.generation(), 403, now);
    assert!(!first.is_rejected());
    let again = state.granted(granted("same", Some(60 * SECOND)), now);
    assert_eq!(state.at_hand(now), Some(again.generation()));
}

#[test]
fn three_rejected_tokens_in_a_row_are_a_failure() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let mut token = state.granted(endless("one"), now);
    for next in ["two", "three"] {
        state.reject(token.generation(), 403, now);
        token = state.granted(endless(next), now);
    }
    state.reject(token.generation(), 403, now);
    let told = state.told(now).expect("a failure");
    assert!(told.what.contains("3 session tokens in a row"));
    // Later somebody may try again.
    state.granted(endless("four"), later(now, 60));
}

#[test]
fn tokens_that_were_good_for_a_while_do_not_count() {
    let (mut state, mut now) = (State::default(), ClockReading::now());
    let mut token = state.granted(endless("0"), now);
    for number in 1..10 {
        now = later(now, 3600);
        state.reject(token.generation(), 403, now);
        token = state.granted(endless(&number.to_string()), now);
    }
    assert_eq!(state.at_hand(now), Some(token.generation()));
}

#[test]
fn listening_goes_on_after_a_rejection() {
    let now = ClockReading::now();
    let (mut state, token) = in_use(now);
    state.reject(token.generation(), 403, now);
    let listens = |step| {
        matches!(
            step,
            Step::Wait {
                listener: Some(_),
                ..
            }
        )
    };
    assert!(listens(state.next_step(now)));
}
