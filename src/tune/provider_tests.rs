// SPDX-License-Identifier: MIT OR Apache-2.0

//! Without a pipeline: events are names, sessions have scripted replies and a paused clock.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Wake;
use std::time::Duration;

use super::super::action::Newer;
use super::super::dashif_authz::{AuthzServices, Endpoints};
use super::super::policy::Source;
use super::*;
use crate::cenc::{COMMON_SYSTEM, KeyId};
use crate::error::Kind;
use crate::http::Endpoint;
use crate::key_request::{DEFAULT_HEADER, HeaderTemplate, Packing, Shape};
use crate::session::testing::{
    SECOND, Script, for_seconds, granted, now, on_paused_clock, scripted, sleep,
};
use crate::session::{Fetched, SessionHandle};
use crate::shared_result::Completer;
use crate::wait::lock;

const MPD: Option<&str> = Some("dash/mpd");
const MOOV: Option<&str> = Some("isobmff/moov");
const MOOF: Option<&str> = Some("isobmff/moof");

type Event = &'static str;

/// Counts.
#[derive(Default)]
struct Count(AtomicU32);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn policy(source: Source) -> Policy {
    Policy {
        source,
        timeout: 5 * SECOND,
        is_anonymous_allowed: false,
        prefetch: true,
        shape: Shape {
            header: HeaderTemplate::parse(DEFAULT_HEADER).expect("a header"),
            packing: Packing::Auto,
        },
        systems: Vec::new(),
        correlation_id: None,
        max_held_bytes: 1,
        warnings: Vec::new(),
    }
}

/// An element, but for GStreamer.
struct Element {
    provider: TokenProvider<Event>,
    policy: Arc<Policy>,
    woken: Arc<Count>,
    waker: Waker,
    has_handler: AtomicBool,
    effects: Vec<Effect>,
    next_id: usize,
    data_passed: bool,
}

impl Element {
    fn with(policy: Policy) -> Self {
        let woken = Arc::new(Count::default());
        Self {
            provider: TokenProvider::default(),
            policy: Arc::new(policy),
            waker: woken.clone().into(),
            woken,
            has_handler: AtomicBool::new(false),
            effects: Vec::new(),
            next_id: 0,
            data_passed: false,
        }
    }

    /// At a service that gives these replies.
    fn at(replies: impl IntoIterator<Item = Fetched>) -> (Self, Arc<Script>) {
        let (session, script) = scripted(replies);
        (Self::with(policy(Source::Service(session))), script)
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut TokenProvider<Event>, &mut Call) -> R) -> R {
        let has_handler = self.has_handler.load(Ordering::SeqCst);
        let mut call = Call {
            waker: &self.waker,
            has_handler: &|| has_handler,
            now: now(),
            effects: &mut self.effects,
        };
        act(&mut self.provider, &mut call)
    }

    fn begin(&mut self) {
        self.begin_with(None);
    }

    fn begin_with(&mut self, file: Option<Result<Secret, Failure>>) {
        let policy = self.policy.clone();
        let stream = Stream::new(std::ptr::from_ref(&*policy) as usize);
        self.act(|provider, call| provider.begin(policy, file, stream, true, call));
    }

    fn event(&mut self, event: Event) -> Action<Event> {
        self.event_from(event, COMMON_SYSTEM, MPD)
    }

    fn event_from(&mut self, event: Event, system: &str, origin: Option<&str>) -> Action<Event> {
        self.next_id += 1;
        let (id, after_data) = (self.next_id, std::mem::take(&mut self.data_passed));
        self.act(|provider, call| {
            let protection = Protection {
                event: &event,
                id,
                system,
                origin,
                flow_of_elements: &|| Flow::SmoothStreaming,
                after_data,
            };
            provider.on_protection(&protection, false, call)
        })
    }

    /// Brings the event time and again, as the hold does, until it may go.
    async fn event_in_time(&mut self, event: Event) -> Action<Event> {
        loop {
            match self.event(event) {
                Action::Hold(_) => sleep(SECOND / 10).await,
                action => return action,
            }
        }
    }

    /// The token with which the event goes.
    async fn token(&mut self, event: Event) -> Token {
        let action = self.event_in_time(event).await;
        action.attachment().token
    }

    fn rejects(&mut self, generation: u32) -> bool {
        self.act(|provider, call| {
            provider.on_rejected_event(Some(generation), 403, None, call);
        });
        self.provider.resends()
    }

    /// What the application has been told since it was asked last.
    fn told(&mut self) -> Vec<String> {
        let told = self.effects.drain(..).map(|effect| match effect {
            Effect::AskApplication(_) => "asked".to_owned(),
            Effect::Acquired {
                service, report, ..
            } => format!(
                "{} from {service}{}",
                match report.refreshed {
                    true => "refreshed",
                    false => "acquired",
                },
                match report.cached {
                    true => ", cached",
                    false => "",
                }
            ),
            Effect::Rejected { http_status, .. } => format!("rejected with {http_status}"),
            Effect::Failed {
                service, severity, ..
            } => format!("failed from {service} as {severity:?}"),
        });
        told.collect()
    }

    /// What the application is to answer.
    fn question(&mut self) -> Option<Completer<Option<Secret>>> {
        let is_it = |effect: &Effect| matches!(effect, Effect::AskApplication(_));
        let at = self.effects.iter().position(is_it)?;
        match self.effects.remove(at) {
            Effect::AskApplication(completer) => Some(completer),
            _ => None,
        }
    }

    fn set_property(&mut self, text: &str) {
        let text = (!text.is_empty()).then(|| Secret::from(text));
        self.provider.set_property(text, None);
    }
}

impl Action<Event> {
    #[track_caller]
    fn attachment(self) -> Attachment {
        match self {
            Action::Attach(attachment) | Action::Replay(_, attachment) => attachment,
            Action::Pass => panic!("it passes without a token"),
            Action::Hold(_) => panic!("it waits"),
            Action::Fail => panic!("it fails"),
        }
    }
}

#[test]
fn event_waits_for_the_first_token_and_takes_it_along() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.begin();
        let Action::Hold(until) = element.event("first") else {
            panic!("there is no token yet");
        };
        assert!(until > now().steady + 5 * SECOND);
        sleep(2 * SECOND).await;
        assert_eq!(element.woken.0.load(Ordering::SeqCst), 1);
        let attachment = element.event("first").attachment();
        assert_eq!(attachment.token.text().expose(), "one");
        assert_eq!(attachment.flow, Flow::Dash);
        assert_eq!(attachment.key_ids, None);
        assert_eq!(script.requests(), 1);
        assert_eq!(element.told(), ["acquired from script"]);
    });
}

#[test]
fn second_event_goes_at_once_and_is_told_of_no_more() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        element.token("first").await;
        element.told();
        assert!(matches!(element.event("second"), Action::Attach(_)));
        assert_eq!(element.told(), [""; 0]);
        assert_eq!(element.provider.stats().events, 2);
    });
}

#[test]
fn prefetch_asks_before_there_is_an_event() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.begin();
        sleep(2 * SECOND).await;
        assert_eq!(script.requests(), 1);
        assert!(matches!(element.event("first"), Action::Attach(_)));
        let stats = element.provider.stats();
        assert_eq!(stats.waited, Duration::ZERO);
        let report = stats.report.expect("it was told");
        assert_eq!((report.overlap, report.cached), (SECOND, false));
    });
}

#[test]
fn without_prefetch_the_first_event_asks() {
    on_paused_clock(async {
        let (session, script) = scripted([granted("one", None)]);
        let mut element = Element::with(Policy {
            prefetch: false,
            ..policy(Source::Service(session))
        });
        element.begin();
        sleep(2 * SECOND).await;
        assert_eq!(script.requests(), 0);
        element.token("first").await;
        assert_eq!(script.requests(), 1);
    });
}

#[test]
fn next_tune_has_the_token_at_hand() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.begin();
        let first = element.token("first").await;
        element.told();
        element.provider.end();
        element.begin();
        let again = element.event("first").attachment().token;
        assert_eq!(again.generation(), first.generation());
        assert_eq!(element.told(), ["acquired from script, cached"]);
        assert_eq!(script.requests(), 1);
    });
}

#[test]
fn wait_for_a_token_has_an_end_and_fails_what_comes_later_at_once() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([]);
        lock(&script.replies).clear();
        let hanging = Source::Service(scripted_to_hang());
        element.policy = Arc::new(policy(hanging));
        element.begin();
        let begun = now().steady;
        assert!(matches!(element.event_in_time("first").await, Action::Fail));
        let waited = now().steady - begun;
        assert!(waited >= 5 * SECOND && waited < 6 * SECOND, "{waited:?}");
        assert!(matches!(element.event("second"), Action::Fail));
        assert_eq!(element.told(), ["failed from script as Error"]);
    });
}

/// A session whose service never answers.
fn scripted_to_hang() -> SessionHandle {
    let (session, script) = scripted([]);
    script.hangs.store(true, Ordering::SeqCst);
    session
}

#[test]
fn anonymous_stream_goes_on_without_a_token() {
    on_paused_clock(async {
        let mut element = Element::with(Policy {
            is_anonymous_allowed: true,
            ..policy(Source::Service(scripted_to_hang()))
        });
        element.begin();
        assert!(matches!(element.event_in_time("first").await, Action::Pass));
        assert!(matches!(element.event("second"), Action::Pass));
        assert_eq!(element.told(), ["failed from script as Warning"]);
    });
}

#[test]
fn events_of_other_systems_pass() {
    on_paused_clock(async {
        let (session, _) = scripted([]);
        let mut element = Element::with(Policy {
            systems: vec![uuid::Uuid::from_u128(1)],
            prefetch: false,
            ..policy(Source::Service(session))
        });
        element.begin();
        assert!(matches!(element.event("other"), Action::Pass));
        let ours = "00000000-0000-0000-0000-000000000001";
        let action = element.event_from("ours", ours, MPD);
        assert!(matches!(action, Action::Hold(_)));
    });
}

#[test]
fn event_with_a_key_request_passes_and_is_anothers() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        let action = element.act(|provider, call| {
            let protection = Protection {
                event: &"theirs",
                id: 1,
                system: COMMON_SYSTEM,
                origin: MPD,
                flow_of_elements: &|| Flow::Unknown,
                after_data: false,
            };
            provider.on_protection(&protection, true, call)
        });
        assert!(matches!(action, Action::Pass));
        assert!(element.provider.is_anothers());
        // Nor is a report of a rejection ours.
        assert!(!element.rejects(1));
    });
}

#[test]
fn flow_is_that_of_the_event_before_or_of_the_elements() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        element.token("first").await;
        let flow = |action: Action<Event>| action.attachment().flow;
        assert_eq!(
            flow(element.event_from("a", COMMON_SYSTEM, MOOV)),
            Flow::Dash
        );
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        sleep(2 * SECOND).await;
        let unknown = element.event_from("b", COMMON_SYSTEM, MOOV);
        assert_eq!(flow(unknown), Flow::SmoothStreaming);
        let hls = element.event_from("c", COMMON_SYSTEM, Some("hls/m3u8"));
        assert_eq!(flow(hls), Flow::Hls);
        assert_eq!(
            flow(element.event_from("d", COMMON_SYSTEM, MOOF)),
            Flow::Hls
        );
    });
}

// ---- Rejection ----

#[test]
fn rejected_events_go_again_with_another_token_before_the_next_item() {
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

// ---- The store ----

impl Element {
    fn newer_than(&mut self, generation: u32) -> Newer {
        self.act(|provider, call| provider.newer_than(generation, 403, None, call))
    }
}

#[test]
fn store_waits_for_a_newer_token() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None), granted("two", None)]);
        element.begin();
        let first = element.token("first").await;
        assert!(element.newer_than(first.generation()).is_pending());
        let woken = element.woken.0.load(Ordering::SeqCst);
        sleep(2 * SECOND).await;
        assert_eq!(element.woken.0.load(Ordering::SeqCst), woken + 1);
        let Poll::Ready(Ok(newer)) = element.newer_than(first.generation()) else {
            panic!("it is here");
        };
        assert_eq!(newer.token.text().expose(), "two");
    });
}

#[test]
fn store_gives_nothing_while_the_element_stops() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.begin();
        let first = element.token("first").await;
        element.provider.stop();
        let newer = element.newer_than(first.generation());
        assert!(matches!(newer, Poll::Ready(Err(None))));
        assert_eq!(script.requests(), 1);
        // The next tune begins anew.
        element.provider.end();
        element.begin();
        assert!(matches!(element.event("first"), Action::Attach(_)));
    });
}

#[test]
fn store_says_once_why_there_is_no_other_token() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None), granted("one", None)]);
        element.begin();
        let first = element.token("first").await;
        element.told();
        assert!(element.newer_than(first.generation()).is_pending());
        sleep(2 * SECOND).await;
        for _ in 0..3 {
            match element.newer_than(first.generation()) {
                Poll::Ready(Err(Some(failure))) => assert_eq!(failure.kind, Kind::Denied),
                _ => panic!("the service repeats itself"),
            }
        }
        assert_eq!(
            element.told(),
            ["rejected with 403", "failed from script as MessageOnly"]
        );
    });
}

#[test]
fn key_without_an_event_gets_the_first_token() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        let mut first = || element.act(TokenProvider::first_for_key);
        assert!(first().is_pending());
        sleep(2 * SECOND).await;
        match first() {
            Poll::Ready(Ok(attachment)) => assert_eq!(attachment.token.text().expose(), "one"),
            _ => panic!("it is here"),
        }
    });
}

#[test]
fn newest_token_is_that_of_the_application_where_it_gave_one() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([granted("one", None)]);
        element.begin();
        let newest = |element: &mut Element| {
            let newest = element.act(|provider, call| provider.newest(0, call));
            newest.map(|attachment| attachment.token.text().expose().to_owned())
        };
        assert_eq!(newest(&mut element), None);
        element.token("first").await;
        assert_eq!(newest(&mut element).as_deref(), Some("one"));
        element.set_property("mine");
        assert_eq!(newest(&mut element).as_deref(), Some("mine"));
    });
}

// ---- The application's tokens ----

#[test]
fn property_is_used_instead_of_the_service() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.set_property("mine");
        element.begin();
        let token = element.event("first").attachment().token;
        assert_eq!(token.text().expose(), "mine");
        assert_eq!(element.told(), ["acquired from application, cached"]);
        assert_eq!(script.requests(), 0);
        // Taken back, the service is asked.
        element.set_property("");
        assert_eq!(element.token("second").await.text().expose(), "one");
    });
}

#[test]
fn rejected_property_waits_for_another_one_and_stays_rejected() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([]);
        element.set_property("mine");
        element.begin();
        let token = element.event("first").attachment().token;
        assert!(element.newer_than(token.generation()).is_pending());
        assert_eq!(element.provider.take_wakers().len(), 1);
        assert!(matches!(element.event("second"), Action::Hold(_)));
        // In the next tune too.
        element.provider.end();
        element.begin();
        assert!(matches!(element.event("first"), Action::Hold(_)));
        element.set_property("another");
        assert!(matches!(element.event("first"), Action::Attach(_)));
    });
}

#[test]
fn many_who_wait_in_one_store_are_one_waker() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([]);
        element.set_property("mine");
        element.begin();
        let token = element.event("first").attachment().token;
        for _ in 0..1000 {
            assert!(element.newer_than(token.generation()).is_pending());
        }
        assert_eq!(element.provider.take_wakers().len(), 1);
    });
}

#[test]
fn property_that_is_no_token_is_a_failure_before_the_tune() {
    let (mut element, _) = Element::at([]);
    element.set_property("no token");
    assert!(element.provider.check_property().is_err());
    element.set_property("a-token");
    assert!(element.provider.check_property().is_ok());
}

#[test]
fn file_is_used_and_read_again_after_a_rejection() {
    on_paused_clock(async {
        let mut element = Element::with(policy(Source::File("path".to_owned())));
        let text = |text: &str| Some(Ok(Secret::from(text)));
        element.begin_with(text("one"));
        let first = element.event("first").attachment().token;
        let newer = |element: &mut Element, file| {
            element.act(|provider, call| provider.newer_than(first.generation(), 403, file, call))
        };
        let same = newer(&mut element, text("one"));
        assert!(matches!(same, Poll::Ready(Err(Some(_)))));
        match newer(&mut element, text("two")) {
            Poll::Ready(Ok(newer)) => assert_eq!(newer.token.text().expose(), "two"),
            _ => panic!("the file has another one"),
        }
        assert_eq!(
            element.told(),
            [
                "acquired from file, cached",
                "rejected with 403",
                "failed from file as MessageOnly",
                "refreshed from file, cached"
            ]
        );
    });
}

#[test]
fn file_that_cannot_be_read_fails_the_tune() {
    on_paused_clock(async {
        let mut element = Element::with(policy(Source::File("path".to_owned())));
        element.begin_with(Some(Err(Failure::misconfigured("no file"))));
        assert!(matches!(element.event("first"), Action::Fail));
        assert_eq!(element.told(), ["failed from file as Error"]);
    });
}

#[test]
fn handler_is_asked_once_a_tune_and_before_the_service() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.has_handler.store(true, Ordering::SeqCst);
        element.begin();
        let question = element.question().expect("it is asked");
        assert!(matches!(element.event("first"), Action::Hold(_)));
        assert!(element.question().is_none());
        question.complete(Some(Secret::from("mine")));
        assert_eq!(element.woken.0.load(Ordering::SeqCst), 1);
        let token = element.event("first").attachment().token;
        assert_eq!(token.text().expose(), "mine");
        assert_eq!(script.requests(), 0);
        // An answer that does not change is the same token.
        element.provider.end();
        element.begin();
        let question = element.question().expect("it is asked again");
        question.complete(Some(Secret::from("mine")));
        let again = element.event("first").attachment().token;
        assert_eq!(again.generation(), token.generation());
    });
}

#[test]
fn handler_that_declines_leaves_it_to_the_service() {
    on_paused_clock(async {
        let (mut element, script) = Element::at([granted("one", None)]);
        element.has_handler.store(true, Ordering::SeqCst);
        element.begin();
        let question = element.question().expect("it is asked");
        question.complete(None);
        element.act(TokenProvider::on_app_answer);
        sleep(2 * SECOND).await;
        assert_eq!(script.requests(), 1);
        assert!(matches!(element.event("first"), Action::Attach(_)));
    });
}

#[test]
fn handler_that_never_answers_fails_in_time() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([]);
        element.has_handler.store(true, Ordering::SeqCst);
        element.begin();
        let question = element.question();
        assert!(matches!(element.event_in_time("first").await, Action::Fail));
        assert_eq!(element.told(), ["failed from application as Error"]);
        // Nor is it asked twice at a time.
        element.provider.end();
        element.begin();
        assert!(element.question().is_none());
        drop(question);
    });
}

#[test]
fn handler_whose_token_was_rejected_is_asked_again() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([]);
        element.has_handler.store(true, Ordering::SeqCst);
        element.begin();
        let question = element.question().expect("it is asked");
        question.complete(Some(Secret::from("mine")));
        let first = element.event("first").attachment().token;
        assert!(element.rejects(first.generation()));
        let question = element.question().expect("it is asked again");
        question.complete(Some(Secret::from("another")));
        match element.act(TokenProvider::on_resend) {
            Action::Replay(_, attachment) => {
                assert_eq!(attachment.token.text().expose(), "another");
            }
            _ => panic!("the events go again"),
        }
    });
}

// ---- refresh-token and clear-token ----

#[test]
fn refresh_uses_the_token_at_hand_until_the_next_one_is_here() {
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
fn refresh_without_a_tune_asks_the_service_of_the_settings() {
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
fn clear_between_tunes_forgets_the_token_of_the_last_one() {
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
fn token_that_expires_is_replaced_ahead_and_no_event_waits() {
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

// ---- DASH-IF ----

/// Services by URL, each with tokens of its own.
#[derive(Default)]
struct Services {
    /// What was asked for: where, and the keys.
    asked: Mutex<Vec<(String, BTreeSet<KeyId>)>>,
    sessions: Mutex<Vec<(String, SessionHandle)>>,
}

struct SharedServices(Arc<Services>);

impl AuthzServices for SharedServices {
    fn endpoints(&self, urls: &BTreeSet<String>) -> Result<Option<Endpoints>, Failure> {
        let parse = |url: &String| Endpoint::parse(url, "test", false);
        let list = urls.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        Ok((!list.is_empty()).then_some(Endpoints {
            list,
            are_equal: true,
        }))
    }

    fn session(&self, endpoints: Endpoints, key_ids: BTreeSet<KeyId>) -> SessionHandle {
        let url = endpoints.list[0].as_str().to_owned();
        lock(&self.0.asked).push((url.clone(), key_ids));
        let mut sessions = lock(&self.0.sessions);
        if let Some((_, session)) = sessions.iter().find(|(known, _)| *known == url) {
            return session.clone();
        }
        let text = |number: u32| granted(&format!("{url}{number}"), None);
        let (session, _) = scripted((1..4).map(text));
        sessions.push((url, session.clone()));
        session
    }

    fn clear(&self) {
        lock(&self.0.sessions).clear();
    }
}

const ONE: KeyId = KeyId([1; 16]);
const TWO: KeyId = KeyId([2; 16]);

fn dashif() -> (Element, Arc<Services>) {
    let services = Arc::new(Services::default());
    let source = Source::DashIf(Box::new(SharedServices(services.clone())));
    let mut element = Element::with(policy(source));
    element.begin();
    (element, services)
}

impl Element {
    /// An event arrives that names this service. Whether what comes next is wanted.
    fn arrives(&mut self, url: &str) -> Option<bool> {
        let data =
            format!(r#"<d:Authzurl xmlns:d="https://dashif.org/CPS">https://{url}/</d:Authzurl>"#);
        self.provider.notice_protection(&ProtectionNotice {
            // That which it has when it leaves.
            event: self.next_id + 1,
            system: COMMON_SYSTEM,
            origin: MPD,
            data: data.as_bytes(),
        })
    }

    fn sample(&mut self, key_id: Option<KeyId>) -> bool {
        let item = FollowingItem::Data(key_id);
        self.provider.notice_following(item, None)
    }
}

#[test]
fn dashif_asks_nobody_before_the_first_sample() {
    on_paused_clock(async {
        let (mut element, services) = dashif();
        assert_eq!(element.arrives("a"), Some(true));
        assert!(matches!(element.event("mpd"), Action::Hold(_)));
        assert!(lock(&services.asked).is_empty());
        element.next_id = 0;
        assert!(element.sample(Some(ONE)));
        let action = loop {
            element.next_id = 0;
            match element.event("mpd") {
                Action::Hold(_) => sleep(SECOND / 10).await,
                action => break action,
            }
        };
        let attachment = action.attachment();
        assert_eq!(attachment.token.text().expose(), "https://a/1");
        assert!(attachment.key_ids.is_some());
        let asked = lock(&services.asked).clone();
        assert_eq!(asked, [("https://a/".to_owned(), [ONE].into())]);
    });
}

#[test]
fn dashif_stream_without_a_service_needs_no_token() {
    on_paused_clock(async {
        let (mut element, services) = dashif();
        element.provider.notice_protection(&ProtectionNotice {
            event: 1,
            system: COMMON_SYSTEM,
            origin: MPD,
            data: b"",
        });
        element.sample(Some(ONE));
        assert!(matches!(element.event("mpd"), Action::Pass));
        assert!(lock(&services.asked).is_empty());
        assert_eq!(element.told(), [""; 0]);
    });
}

#[test]
fn dashif_stream_without_a_key_fails() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        element.arrives("a");
        element.sample(None);
        assert!(matches!(element.event("mpd"), Action::Fail));
    });
}

#[test]
fn dashif_gathers_for_as_long_as_a_token_may_take() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        element.arrives("a");
        let begun = now().steady;
        loop {
            element.next_id = 0;
            match element.event("mpd") {
                Action::Hold(_) => sleep(SECOND / 10).await,
                action => break assert!(matches!(action, Action::Fail)),
            }
        }
        let waited = now().steady - begun;
        assert!(waited >= 5 * SECOND && waited < 6 * SECOND, "{waited:?}");
    });
}

#[test]
fn dashif_gathers_a_bounded_number_of_items() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        element.arrives("a");
        let enough = (1..10_000).find(|_| {
            let item = FollowingItem::Gap;
            element.provider.notice_following(item, None)
        });
        assert_eq!(enough, Some(512));
    });
}

#[test]
fn dashif_rejection_is_told_to_the_service_that_issued_the_token() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        let token = async |element: &mut Element, url: &str, key_id| {
            let first = element.next_id;
            element.arrives(url);
            element.sample(Some(key_id));
            loop {
                element.next_id = first;
                match element.event("mpd") {
                    Action::Hold(_) => sleep(SECOND / 10).await,
                    action => break action.attachment().token,
                }
            }
        };
        let of_a = token(&mut element, "a", ONE).await;
        let of_b = token(&mut element, "b", TWO).await;
        assert!(of_b.generation() > of_a.generation());
        assert!(element.newer_than(of_a.generation()).is_pending());
        sleep(2 * SECOND).await;
        match element.newer_than(of_a.generation()) {
            Poll::Ready(Ok(newer)) => assert_eq!(newer.token.text().expose(), "https://a/2"),
            _ => panic!("it is here"),
        }
        // The other one's is still good.
        let newest = element.act(|provider, call| provider.newest(of_b.generation(), call));
        let newest = newest.expect("a token");
        assert_eq!(newest.token.generation(), of_b.generation());
    });
}

#[test]
fn dashif_has_no_token_for_a_key_without_an_event() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        let first = element.act(TokenProvider::first_for_key);
        assert!(matches!(first, Poll::Ready(Err(Some(_)))));
    });
}

#[test]
fn dashif_other_stream_begins_a_new_description() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        assert!(!element.provider.notice_stream_start("one", None));
        assert!(!element.provider.notice_stream_start("one", None));
        element.arrives("a");
        assert!(element.provider.notice_stream_start("two", None));
    });
}

// ---- What a second look found ----

#[test]
fn token_refused_during_a_refresh_is_not_sent_again() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([]);
        element.has_handler.store(true, Ordering::SeqCst);
        element.begin();
        let question = element.question().expect("it is asked");
        question.complete(Some(Secret::from("mine")));
        let first = element.event("first").attachment().token;
        element.act(|provider, call| provider.refresh(None, None, call));
        let question = element.question().expect("it is asked again");
        // It goes on until the answer comes, unless it is refused.
        assert!(matches!(element.event("second"), Action::Attach(_)));
        assert!(element.rejects(first.generation()));
        let action = element.act(TokenProvider::on_resend);
        assert!(matches!(action, Action::Hold(_)));
        question.complete(Some(Secret::from("another")));
        let again = element.act(TokenProvider::on_resend).attachment().token;
        assert_eq!(again.text().expose(), "another");
    });
}

#[test]
fn handler_that_repeats_the_refused_token_gets_nothing_sent() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([]);
        element.has_handler.store(true, Ordering::SeqCst);
        element.begin();
        let question = element.question().expect("it is asked");
        question.complete(Some(Secret::from("mine")));
        let first = element.event("first").attachment().token;
        element.rejects(first.generation());
        let question = element.question().expect("it is asked again");
        question.complete(Some(Secret::from("mine")));
        assert!(matches!(
            element.act(TokenProvider::on_resend),
            Action::Hold(_)
        ));
        sleep(6 * SECOND).await;
        assert!(matches!(
            element.act(TokenProvider::on_resend),
            Action::Fail
        ));
    });
}

#[test]
fn handler_is_asked_for_a_token_that_a_logout_forgot() {
    on_paused_clock(async {
        let (mut element, _) = Element::at([]);
        element.has_handler.store(true, Ordering::SeqCst);
        element.begin();
        let question = element.question().expect("it is asked");
        question.complete(Some(Secret::from("mine")));
        let first = element.event("first").attachment().token;
        element.act(|provider, call| provider.clear(None, None, call.now));
        // A decryptor renews its license, and no event comes.
        let newer =
            element.act(|provider, call| provider.newer_than(first.generation(), 0, None, call));
        assert!(newer.is_pending());
        let question = element.question().expect("it is asked again");
        question.complete(Some(Secret::from("another")));
        let newer = element.newer_than(first.generation());
        assert!(matches!(newer, Poll::Ready(Ok(_))));
    });
}

#[test]
fn handler_that_declines_after_a_refusal_leaves_it_to_the_service() {
    on_paused_clock(async {
        let (session, script) = scripted([granted("one", None)]);
        let mut element = Element::with(Policy {
            prefetch: false,
            ..policy(Source::Service(session))
        });
        element.has_handler.store(true, Ordering::SeqCst);
        element.begin();
        assert!(matches!(element.event("first"), Action::Hold(_)));
        let question = element.question().expect("it is asked");
        question.complete(Some(Secret::from("mine")));
        let first = element.event("first").attachment().token;
        assert!(element.newer_than(first.generation()).is_pending());
        let question = element.question().expect("it is asked again");
        question.complete(None);
        assert!(element.newer_than(first.generation()).is_pending());
        sleep(2 * SECOND).await;
        assert!(matches!(
            element.newer_than(first.generation()),
            Poll::Ready(Ok(_))
        ));
        assert_eq!(script.requests(), 1);
    });
}

#[test]
fn report_of_a_token_out_of_the_store_has_the_events_sent_again() {
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
fn dashif_token_has_its_own_time_after_the_sample() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        element.arrives("a");
        assert!(matches!(element.event("mpd"), Action::Hold(_)));
        sleep(Duration::from_millis(4800)).await;
        element.sample(Some(ONE));
        element.next_id = 0;
        match element.event("mpd") {
            Action::Hold(until) => assert!(until > now().steady + 5 * SECOND),
            _ => panic!("the token is asked for"),
        }
    });
}
