// SPDX-License-Identifier: MIT OR Apache-2.0

use super::super::testing::{NoFetcher, granted};
use super::*;
use crate::error::Kind;

const SECOND: Duration = Duration::from_secs(1);

fn later(now: ClockReading, seconds: u64) -> ClockReading {
    now.after(Duration::from_secs(seconds)).expect("a time")
}

fn fetcher() -> Arc<dyn TokenFetcher> {
    Arc::new(NoFetcher)
}

/// A token of that text that has no end.
fn endless(text: &str) -> Fetched {
    granted(text, None)
}

/// A token that is valid for so long, unlike any other.
fn for_seconds(seconds: u64) -> Fetched {
    granted(
        &uuid::Uuid::new_v4().to_string(),
        Some(Duration::from_secs(seconds)),
    )
}

fn failed(failure: Failure) -> Fetched {
    Fetched {
        result: Err(failure),
        discovered: None,
    }
}

impl State {
    /// Asks as a caller does.
    fn asked(&mut self, now: ClockReading) -> Answer {
        self.ask(&fetcher(), now)
    }

    /// The request that the task makes now.
    fn started(&mut self, now: ClockReading) -> Ticket {
        match self.next_step(now) {
            Step::Fetch(_, ticket, _) => ticket,
            _ => panic!("no request is to be made"),
        }
    }

    /// The request that begins because somebody asks.
    fn began(&mut self, now: ClockReading) -> Ticket {
        let answer = self.asked(now);
        assert!(matches!(answer, Answer::Pending { began: true, .. }));
        self.started(now)
    }

    fn granted(&mut self, fetched: Fetched, now: ClockReading) -> Token {
        let ticket = self.began(now);
        self.finished(ticket, fetched, now).expect("a token")
    }

    fn finished(
        &mut self,
        ticket: Ticket,
        fetched: Fetched,
        now: ClockReading,
    ) -> Result<Token, String> {
        let outcome = self.finish(&ticket, fetched, now);
        ticket.complete(outcome.clone());
        match outcome {
            Outcome::Token(token) => Ok(token),
            Outcome::Failed(failure) => Err(failure.what),
            Outcome::Cleared => Err("cleared".to_owned()),
        }
    }

    /// The generation of the token that is handed out without a request.
    fn at_hand(&mut self, now: ClockReading) -> Option<u32> {
        match self.asked(now) {
            Answer::Token(token) => Some(token.generation()),
            _ => None,
        }
    }

    /// What everybody is told instead of a token.
    fn told(&mut self, now: ClockReading) -> Option<Failure> {
        match self.asked(now) {
            Answer::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    fn fetches(&mut self, now: ClockReading) -> bool {
        matches!(self.next_step(now), Step::Fetch(..))
    }
}

/// A session with a token without an end, and somebody who uses it.
fn in_use(now: ClockReading) -> (State, Token) {
    let mut state = State::default();
    let token = state.granted(endless("first"), now);
    state.add_user(fetcher());
    (state, token)
}

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
fn expired_token_is_replaced_by_a_newer_one() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(for_seconds(60), now);
    let second = state.granted(for_seconds(60), later(now, 60));
    assert!(second.generation() > first.generation());
}

#[test]
fn text_that_comes_again_is_rejected_with_any_of_its_generations() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(granted("same", Some(60 * SECOND)), now);
    let now = later(now, 60);
    let second = state.granted(granted("same", Some(60 * SECOND)), now);
    assert!(second.generation() > first.generation());
    assert_eq!(state.at_hand(now), Some(second.generation()));
    state.reject(first.generation(), now);
    assert_eq!(state.at_hand(now), None);
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
fn failed_refresh_is_repeated_later_until_the_token_has_expired() {
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
fn rejected_token_is_replaced_once_however_many_report_it() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(endless("one"), now);
    state.reject(first.generation(), now);
    assert!(first.is_rejected());
    let ticket = state.began(now);
    state.reject(first.generation(), now);
    assert!(matches!(
        state.asked(now),
        Answer::Pending { began: false, .. }
    ));
    let second = state.finished(ticket, endless("two"), now).expect("one");
    // One who reports late gets the new one, and so does everybody else.
    state.reject(first.generation(), now);
    assert_eq!(state.at_hand(now), Some(second.generation()));
}

#[test]
fn rejected_token_is_never_handed_out_again() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(endless("one"), now);
    state.reject(first.generation(), now);
    let ticket = state.began(now);
    assert!(state.finished(ticket, endless("one"), now).is_err());
    let told = state.told(now).expect("a failure");
    assert_eq!(told.kind, Kind::Denied);
}

#[test]
fn three_rejected_tokens_in_a_row_are_a_failure() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let mut token = state.granted(endless("one"), now);
    for next in ["two", "three"] {
        state.reject(token.generation(), now);
        token = state.granted(endless(next), now);
    }
    state.reject(token.generation(), now);
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
        state.reject(token.generation(), now);
        token = state.granted(endless(&number.to_string()), now);
    }
    assert_eq!(state.at_hand(now), Some(token.generation()));
}

#[test]
fn token_is_kept_fresh_for_its_users_alone() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(for_seconds(100), now);
    assert!(matches!(state.next_step(now), Step::Stop));
    let user = state.add_user(fetcher());
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

#[test]
fn changed_token_is_handed_out_until_the_other_one_is_here() {
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
fn changed_token_that_cannot_be_read_is_tried_again_later() {
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
fn unheard_changes_count_for_tokens_of_an_earlier_tune() {
    let now = ClockReading::now();
    let (mut state, _) = in_use(now);
    state.subscription_started(later(now, 59));
    assert!(!state.fetches(later(now, 59)));
    state.subscription_started(later(now, 60));
    assert!(state.fetches(later(now, 60)));
}

#[test]
fn listening_goes_on_after_a_rejection() {
    let now = ClockReading::now();
    let (mut state, token) = in_use(now);
    state.reject(token.generation(), now);
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

#[test]
fn expired_token_that_is_reported_may_come_again() {
    let (mut state, now) = (State::default(), ClockReading::now());
    let first = state.granted(granted("same", Some(60 * SECOND)), now);
    let now = later(now, 60);
    state.reject(first.generation(), now);
    assert!(!first.is_rejected());
    let again = state.granted(granted("same", Some(60 * SECOND)), now);
    assert_eq!(state.at_hand(now), Some(again.generation()));
}
