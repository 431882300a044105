// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Data(usize),
    Sticky,
    Segment,
}

impl HeldItem for Item {
    fn cost(&self) -> usize {
        match self {
            Item::Data(bytes) => *bytes,
            Item::Sticky | Item::Segment => 1,
        }
    }

    fn is_event(&self) -> bool {
        !matches!(self, Item::Data(_))
    }

    fn survives_flush(&self) -> bool {
        *self == Item::Sticky
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Flushing,
    Eos,
}

fn holding(items: &[Item]) -> State<Item, Refusal> {
    let mut state = State::default();
    state.activate();
    for item in items {
        state.push(*item);
    }
    state
}

fn held(state: &State<Item, Refusal>) -> Vec<Option<Item>> {
    state.queue.iter().map(|slot| slot.item).collect()
}

/// As `core.rs` does for the item at the front.
fn take(state: &mut State<Item, Refusal>) -> Pushed {
    let item = state.take_front().expect("one is held");
    Pushed {
        flushes: state.flushes,
        is_event: item.is_event(),
        survives_flush: item.survives_flush(),
    }
}

#[test]
fn room_is_counted_in_bytes() {
    let mut state = holding(&[]);
    state.max_held_bytes = 10;
    // One that is larger than the bound, where it is alone.
    assert!(state.has_room(11));
    state.push(Item::Data(6));
    assert!(state.has_room(4) && !state.has_room(5));
    assert!(!state.has_room(usize::MAX));
    take(&mut state);
    // What is in the task's hands still counts.
    assert!(!state.has_room(5));
    assert_eq!(state.held_bytes, 6);
    assert_eq!(state.peak_held_bytes, 6);
}

#[test]
fn hold_ends_with_its_last_item() {
    let mut state = holding(&[Item::Data(1), Item::Data(2)]);
    for left in [2, 0] {
        assert!(!state.is_direct());
        let pushed = take(&mut state);
        state.pushed(pushed, Ok(()));
        assert_eq!(state.held_bytes, left);
    }
    assert!(state.is_direct());
    assert_eq!(state.peak_held_bytes, 3);
}

#[test]
fn data_leaves_its_place_and_events_do_not() {
    let mut state = holding(&[Item::Data(1)]);
    assert_eq!(state.take_front(), Some(Item::Data(1)));
    assert_eq!(held(&state), [None]);
    assert_eq!(state.take_front(), None);
    let mut state = holding(&[Item::Segment]);
    assert_eq!(state.take_front(), Some(Item::Segment));
    assert_eq!(held(&state), [Some(Item::Segment)]);
}

#[test]
fn item_that_cannot_go_yet_is_first_again() {
    let mut state = holding(&[Item::Data(1), Item::Data(2)]);
    let item = state.take_front().expect("the first");
    state.put_back(state.flushes, item);
    assert_eq!(held(&state), [Some(Item::Data(1)), Some(Item::Data(2))]);
    assert_eq!(state.held_bytes, 3);
}

#[test]
fn flush_keeps_what_describes_the_stream() {
    let mut state = holding(&[Item::Data(1), Item::Sticky, Item::Segment, Item::Data(2)]);
    state.begin_flush();
    assert_eq!(held(&state), [Some(Item::Sticky)]);
    assert_eq!(state.held_bytes, 1);
    assert!(state.is_over());
    state.end_flush();
    assert_eq!(state.mode, Mode::Waiting);
    let mut state = holding(&[Item::Data(1)]);
    state.begin_flush();
    state.end_flush();
    assert!(state.is_direct());
}

#[test]
fn data_of_before_a_flush_does_not_come_back() {
    let mut state = holding(&[Item::Data(1), Item::Sticky]);
    let flushes = state.flushes;
    let item = state.take_front().expect("the first");
    state.begin_flush();
    state.put_back(flushes, item);
    assert_eq!(held(&state), [Some(Item::Sticky)]);
}

#[test]
fn flush_in_a_push_leaves_what_did_not_arrive() {
    for (answer, left) in [(Ok(()), 0), (Err(Refusal::Flushing), 1)] {
        let mut state = holding(&[Item::Sticky]);
        let pushed = take(&mut state);
        state.begin_flush();
        state.pushed(pushed, answer);
        assert_eq!(state.queue.len(), left, "{answer:?}");
    }
    // Data that was in the push is gone, and what is behind it is not taken for it.
    let mut state = holding(&[Item::Data(1), Item::Sticky]);
    let pushed = take(&mut state);
    state.begin_flush();
    state.pushed(pushed, Ok(()));
    assert_eq!(held(&state), [Some(Item::Sticky)]);
}

#[test]
fn refused_data_ends_all_data_behind_it() {
    let mut state = holding(&[Item::Data(1), Item::Sticky, Item::Data(2), Item::Segment]);
    let pushed = take(&mut state);
    state.pushed(pushed, Err(Refusal::Eos));
    assert_eq!(held(&state), [Some(Item::Sticky), Some(Item::Segment)]);
    assert_eq!(state.held_bytes, 2);
    assert_eq!(state.unreported, Some(Refusal::Eos));
    for _ in 0..2 {
        let pushed = take(&mut state);
        // An event that nobody takes is no answer to data.
        state.pushed(pushed, Err(Refusal::Flushing));
    }
    assert_eq!(state.mode, Mode::Direct);
    // The next data is to see the answer.
    assert!(!state.is_direct());
    state.begin_flush();
    state.end_flush();
    assert!(state.is_direct());
}

#[test]
fn failure_ends_the_stream() {
    let mut state = holding(&[Item::Data(1)]);
    state.fail(Refusal::Eos);
    assert!(state.is_over() && state.queue.is_empty() && !state.is_direct());
    let end = |state: &State<_, _>| state.end(Refusal::Flushing);
    assert_eq!(end(&state), Some(Refusal::Eos));
    state.begin_flush();
    assert_eq!(end(&state), Some(Refusal::Flushing));
    state.activate();
    assert_eq!(end(&state), None);
    assert!(state.is_direct());
}

#[test]
fn activation_forgets_the_last_tune() {
    let mut state = holding(&[Item::Data(7)]);
    state.max_held_bytes = 3;
    state.calls = 5;
    state.begin_flush();
    state.fail(Refusal::Eos);
    state.activate();
    assert_eq!((state.held_bytes, state.peak_held_bytes), (0, 0));
    assert_eq!(
        (state.max_held_bytes, state.calls, state.flushes),
        (3, 5, 1)
    );
    assert!(state.active && !state.is_over());
}
