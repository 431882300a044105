// SPDX-License-Identifier: MIT OR Apache-2.0

//! Without a pipeline: events are names, sessions have scripted replies and a paused clock.

mod app_token;
mod background;
mod dashif;
mod deadlines;
mod protection_events;
mod refresh;
mod rejection;
mod request_token;
mod store;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Wake;
use std::time::Duration;

use super::super::action::Newer;
use super::super::policy::Source;
use super::*;
use crate::cenc::COMMON_SYSTEM;
use crate::key_request::{DEFAULT_HEADER, HeaderTemplate, Packing, Shape};
use crate::session::testing::{
    SECOND, Script, for_seconds, granted, now, on_paused_clock, scripted, sleep,
};
use crate::session::{Fetched, SessionHandle};
use crate::shared_result::Completer;

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
            headers: vec![HeaderTemplate::parse(DEFAULT_HEADER).expect("a header")],
            query: None,
            packing: Packing::Auto,
        },
        systems: Vec::new(),
        correlation_id: None,
        observer: None,
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
    is_warm_up: bool,
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
            is_warm_up: false,
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
        let is_warm_up = self.is_warm_up;
        self.act(|provider, call| {
            provider.begin(policy, file, stream, true, is_warm_up, call);
        });
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
            Effect::Ready { token, cached, .. } => format!(
                "ready with {}{}",
                token.text().expose(),
                match cached {
                    true => ", cached",
                    false => "",
                }
            ),
            Effect::Renewed { token, .. } => format!("renewed with {}", token.text().expose()),
            Effect::RenewalFailed { failure, .. } => {
                format!("not renewed, {}", failure.kind.nick())
            }
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

    fn newer_than(&mut self, generation: u32) -> Newer {
        self.act(|provider, call| provider.newer_than(generation, 403, None, call))
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
