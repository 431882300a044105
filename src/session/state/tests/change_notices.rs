// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a service says of its token, or may have said unheard.

use super::*;

#[test]
fn changed_token_is_used_until_replacement_arrives() {
    let now = ClockReading::now();
    let (mut state, first) = in_use(now);
    assert!(!state.fetches(now));
    for _ in 0..1000 {
        state.mark_changed();
    }
    let ticket = state.started(now);
    // Whoever asks meanwhile neither waits nor asks the service.
    assert_eq!(state.at_hand(now), Some(first.generation()));
    assert!(!state.fetches(now));
    let second = state.finished(ticket, endless("second"), now).expect("one");
    assert_eq!(state.at_hand(now), Some(second.generation()));
    assert!(!state.fetches(later(now, 60)));
}

#[test]
fn failed_read_of_changed_token_is_retried_later() {
    let now = ClockReading::now();
    let (mut state, first) = in_use(now);
    state.mark_changed();
    let ticket = state.started(now);
    let no = failed(Failure::transient("not now"));
    assert!(state.finished(ticket, no, now).is_err());
    assert_eq!(state.at_hand(now), Some(first.generation()));
    let Step::Wait {
        until: Some(due), ..
    } = state.next_step(now)
    else {
        panic!("it is still to be read");
    };
    assert!(due > now.steady && due <= later(now, 2).steady);
    assert!(state.fetches(later(now, 2)));
}

#[test]
fn subscription_start_marks_old_token_changed() {
    let now = ClockReading::now();
    let (mut state, _) = in_use(now);
    state.subscription_started(later(now, 59));
    assert!(!state.fetches(later(now, 59)));
    state.subscription_started(later(now, 60));
    assert!(state.fetches(later(now, 60)));
}
