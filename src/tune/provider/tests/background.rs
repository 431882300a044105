// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the application is told where no event waits.

use super::*;
use crate::session::testing::failed;
use crate::session::{SessionEvent, SessionObserver};
use crate::wait::lock;

/// Keeps what the session says, until the element gets round to it.
#[derive(Default)]
struct Events(std::sync::Mutex<Vec<SessionEvent>>);

impl SessionObserver for Events {
    fn notify(&self, event: &SessionEvent) {
        lock(&self.0).push(event.clone());
    }
}

/// An element at a service that gives these replies, and what the session says.
fn observed(replies: impl IntoIterator<Item = Fetched>) -> (Element, Arc<Events>) {
    let (session, _) = scripted(replies);
    let events = Arc::new(Events::default());
    let policy = Policy {
        observer: Some(events.clone()),
        ..policy(Source::Service(session))
    };
    (Element::with(policy), events)
}

impl Element {
    /// What the application is told now.
    fn background(&mut self, events: &Events) -> Vec<String> {
        for event in std::mem::take(&mut *lock(&events.0)) {
            self.act(|provider, call| provider.on_session_event(event, call.effects));
        }
        self.told()
    }
}

#[test]
fn warm_up_tells_of_its_token_and_of_a_failure() {
    on_paused_clock(async {
        for (reply, told) in [
            (granted("a", None), "ready with a"),
            (
                failed(Failure::denied("no")),
                "failed from script as MessageOnly",
            ),
        ] {
            let (mut element, events) = observed([reply]);
            element.is_warm_up = true;
            element.begin();
            assert_eq!(element.background(&events), [""; 0]);
            sleep(5 * SECOND).await;
            assert_eq!(element.background(&events), [told]);
        }
    });
}

#[test]
fn warm_up_tells_at_once_what_is_known() {
    on_paused_clock(async {
        let (mut element, events) = observed([granted("a", None)]);
        element.is_warm_up = true;
        element.begin();
        sleep(5 * SECOND).await;
        assert_eq!(element.background(&events), ["ready with a"]);
        element.provider.end();
        element.begin();
        assert_eq!(element.background(&events), ["ready with a, cached"]);
        element.provider.end();
        element.begin_with(Some(Ok(Secret::from("file"))));
        assert_eq!(element.background(&events), ["ready with file, cached"]);
        element.provider.end();
        element.begin_with(Some(Ok(Secret::from("a file"))));
        let told = element.background(&events);
        assert_eq!(told, ["failed from script as MessageOnly"]);
    });
}

#[test]
fn stream_tells_of_its_first_token_by_itself() {
    on_paused_clock(async {
        let (mut element, events) = observed([granted("a", None)]);
        element.begin();
        element.event_in_time("event").await;
        assert_eq!(element.background(&events), ["acquired from script"]);
    });
}

#[test]
fn renewal_is_told_whether_it_works_or_not() {
    on_paused_clock(async {
        let (mut element, events) = observed([
            for_seconds("a", 100),
            failed(Failure::transient("no")),
            for_seconds("b", 10_000),
        ]);
        element.begin();
        element.event_in_time("event").await;
        assert_eq!(element.background(&events), ["acquired from script"]);
        sleep(99 * SECOND).await;
        assert_eq!(
            element.background(&events),
            ["not renewed, transient", "renewed with b"]
        );
    });
}

#[test]
fn nothing_is_told_after_the_tune() {
    on_paused_clock(async {
        let (mut element, events) = observed([granted("a", None)]);
        element.is_warm_up = true;
        element.begin();
        sleep(5 * SECOND).await;
        element.provider.end();
        assert_eq!(element.background(&events), [""; 0]);
    });
}
