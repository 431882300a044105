// SPDX-License-Identifier: MIT OR Apache-2.0

//! A session's one task: makes its requests, refreshes its token ahead of its end, and listens for
//! changes of it. It ends when there is nothing to do, and with the session.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::fetcher::{Fetched, TokenFetcher, Work};
use super::request::{Listener, Outcome, Step, Ticket, abandoned};
use super::shared::Shared;
use super::state::State;
use crate::sync::{sleep_until, watch};
use crate::token::ClockReading;

/// After so long it is checked again whether the token is stale: the wall clock may have been set
/// meanwhile, or the box suspended, which no timer notices.
const MAX_SLEEP: Duration = Duration::from_secs(300);

/// A request that is under way.
struct Fetching {
    ticket: Ticket,
    fetcher: Arc<dyn TokenFetcher>,
    work: Work<Fetched>,
}

/// Somebody listens for changes.
struct Listening {
    round: u64,
    /// `None` where the service tells of none.
    work: Option<Work<()>>,
}

/// Something has happened.
enum Event {
    Fetched(Fetched),
    /// The state has changed, or it is time to look at it.
    Look,
    /// The session is gone.
    Gone,
}

/// Runs until there is nothing to do.
pub async fn run(session: Weak<Shared>, mut changes: watch::Receiver<State>) {
    let _guard = Guard(session.clone());
    let mut fetching: Option<Fetching> = None;
    let mut listening = None;
    loop {
        changes.mark_unchanged();
        let Some((step, now)) = next_step(&session, &mut fetching) else {
            return;
        };
        let latest = now.steady + MAX_SLEEP;
        let until = match step {
            Step::Stop => return,
            Step::Fetch(fetcher, ticket, discovered) => {
                let work = fetcher.clone().fetch(discovered, ticket.reason());
                fetching = Some(Fetching {
                    ticket,
                    fetcher,
                    work,
                });
                continue;
            }
            Step::Wait { until, listener } => {
                keep_listening(&mut listening, listener, &session);
                until.map(|until| until.min(latest))
            }
        };
        match next_event(&mut changes, &mut fetching, &mut listening, until).await {
            Event::Look => {}
            Event::Gone => return,
            Event::Fetched(fetched) => finish(&session, fetching.take(), fetched),
        }
    }
}

/// What to do now, and when that is; `None` where the session is gone. A request that nobody wants
/// any more ends first, so that there is never a second one beside it.
fn next_step(
    session: &Weak<Shared>,
    fetching: &mut Option<Fetching>,
) -> Option<(Step, ClockReading)> {
    let session = session.upgrade()?;
    loop {
        let now = (session.environment.now)();
        let mut step = None;
        session.state.send_if_modified(|state| {
            let request = fetching.as_ref();
            let is_over = request.is_some_and(|one| !state.is_current(&one.ticket));
            step = (!is_over).then(|| state.next_step(now));
            // Nobody else has to know.
            false
        });
        if let Some(step) = step {
            return Some((step, now));
        }
        if let Some(Fetching { ticket, work, .. }) = fetching.take() {
            drop(work);
            // Whoever cleared the session may not have come to say so yet.
            ticket.complete(Outcome::Cleared);
        }
    }
}

/// Listens as long as there is somebody who may, whoever began it.
fn keep_listening(
    listening: &mut Option<Listening>,
    listener: Option<Listener>,
    session: &Weak<Shared>,
) {
    let Some(Listener { fetcher, round }) = listener else {
        *listening = None;
        return;
    };
    if listening
        .as_ref()
        .is_none_or(|before| before.round != round)
    {
        let session = session.clone();
        let work = fetcher.listen(Box::new(move |notice| {
            if let Some(session) = session.upgrade() {
                session.notice(notice);
            }
        }));
        *listening = Some(Listening { round, work });
    }
}

async fn next_event(
    changes: &mut watch::Receiver<State>,
    fetching: &mut Option<Fetching>,
    listening: &mut Option<Listening>,
    until: Option<Instant>,
) -> Event {
    let mut timer = pin!(async {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    });
    let mut changed = pin!(changes.changed());
    poll_fn(|cx| {
        if let Some(Fetching { work, .. }) = fetching
            && let Poll::Ready(fetched) = work.as_mut().poll(cx)
        {
            return Poll::Ready(Event::Fetched(fetched));
        }
        if let Some(Listening {
            work: Some(work), ..
        }) = listening
        {
            // It has no end.
            let _ = work.as_mut().poll(cx);
        }
        match changed.as_mut().poll(cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(Event::Look),
            Poll::Ready(Err(_)) => return Poll::Ready(Event::Gone),
            Poll::Pending => {}
        }
        timer.as_mut().poll(cx).map(|()| Event::Look)
    })
    .await
}

fn finish(session: &Weak<Shared>, fetching: Option<Fetching>, fetched: Fetched) {
    let (Some(session), Some(request)) = (session.upgrade(), fetching) else {
        return;
    };
    let Fetching {
        ticket, fetcher, ..
    } = request;
    let now = (session.environment.now)();
    let mut outcome = None;
    let mut observers = Vec::new();
    let is_other_login = fetched.result.is_ok() && fetcher.is_other_login();
    session.state.send_if_modified(|state| {
        if is_other_login {
            state.begin_login();
        }
        outcome = Some(state.finish(&ticket, fetched, now));
        observers = state.observers();
        false
    });
    // First the state, so that who asks next has it; then who waits, and who only wants to know.
    if let Some(outcome) = outcome {
        if matches!(outcome, Outcome::Token(_)) {
            fetcher.accepted();
        }
        let event = ticket.event(&outcome);
        ticket.complete(outcome);
        for observer in observers {
            event.iter().for_each(|event| observer.notify(event));
        }
    }
}

/// Says when the task ends before its time: a panic must not leave a session without a task.
struct Guard(Weak<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(session) = self.0.upgrade()
        {
            session.task_failed(abandoned());
        }
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
