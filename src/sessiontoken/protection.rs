// SPDX-License-Identifier: MIT OR Apache-2.0

//! Protection events: each leaves with the key request, at once or when there is a token, and again after one was refused.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use gst::meta::ProtectionMeta;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::cenc::{KeyId, PRIVATE_SYSTEM};
use crate::hierarchy::upstream;
use crate::hold::{Holding, Item, Prepared};
use crate::session::{Moment, Token};
use crate::wait::lock;

use super::authorization::{First, Said};
use super::imp::{CAT, SessionToken};
use super::key_request::{self, Flow};
use super::settings::OnFailure;
use super::tune::{Tune, Verdict};

/// The key that a sample needs, as the demuxer says.
fn key_id(sample: &gst::BufferRef) -> Option<KeyId> {
    let meta = sample.meta::<ProtectionMeta>()?;
    let key_id = meta.info().get::<gst::Buffer>("kid").ok()?;
    let key_id = key_id.map_readable().ok()?;
    KeyId::from_slice(&key_id)
}

/// What an event may do.
enum Decision {
    /// Take this token along.
    Go(Token),
    /// Wait, at the latest until then.
    Wait(Instant),
    /// Go without one.
    Without,
    /// End the stream.
    Fail,
}

impl SessionToken {
    /// The token for an event that goes now, or what becomes of it without one. The application hears what it has to hear of that.
    /// No lock is held afterwards.
    fn decide(&self) -> Decision {
        let app_token = lock(&self.app_token).given().cloned();
        let mut tune_guard = lock(&self.tune);
        let Some(tune) = tune_guard.as_mut() else {
            return Decision::Fail;
        };
        let verdict = tune.verdict(
            app_token.as_ref(),
            || self.ask_application(),
            &self.hold.waker(),
            Moment::now(),
        );
        let policy = tune.policy().clone();
        match verdict {
            Verdict::Go(token, service) => {
                let report = tune.announce(service, &token);
                let session = tune.acquisition().map(|one| Arc::downgrade(&one.session));
                drop(tune_guard);
                if let Some(session) = session {
                    *lock(&self.last_session) = session;
                }
                if let Some(report) = report {
                    self.post_acquired(service, &token, &report);
                }
                Decision::Go(token)
            }
            Verdict::Wait(until) => Decision::Wait(until),
            Verdict::Bare => Decision::Without,
            Verdict::Failed(failure) => {
                let first = !std::mem::replace(&mut tune.reported, true);
                let service = tune.blamed(app_token.is_some());
                drop(tune_guard);
                if first {
                    self.post_failed(service, &failure, policy.on_failure);
                }
                match policy.on_failure {
                    OnFailure::Error => Decision::Fail,
                    OnFailure::Anonymous => Decision::Without,
                }
            }
        }
    }

    fn protection(&self, event: gst::Event) -> Prepared {
        let gst::EventView::Protection(protection) = event.view() else {
            return Prepared::Push(Item::Event(event));
        };
        // Once: each time GStreamer looks the fields up by their names.
        let (system, data, origin) = protection.get();
        let is_wanted = |tune: &Tune| tune.policy().is_for(system);
        if system.eq_ignore_ascii_case(PRIVATE_SYSTEM) {
            // No server is asked for its keys.
            return Prepared::Push(Item::Event(event));
        }
        if !lock(&self.tune).as_ref().is_none_or(is_wanted) {
            return Prepared::Push(Item::Event(event));
        }
        if key_request::is_on(data) {
            gst::debug!(CAT, imp = self, "event has a key request already");
            if let Some(tune) = lock(&self.tune).as_mut() {
                tune.is_anothers = true;
            }
            return Prepared::Push(Item::Event(event));
        }
        self.see_flow(origin);
        if let Some(authorization) = lock(&self.tune).as_mut().and_then(Tune::authorization) {
            authorization.leave(event.as_ptr() as usize);
        }
        let token = match self.decide() {
            Decision::Go(token) => token,
            Decision::Wait(until) => return Prepared::NotYet(Item::Event(event), until),
            Decision::Without => return Prepared::Push(Item::Event(event)),
            Decision::Fail => return Prepared::Fail(gst::FlowError::Error),
        };
        let after_data = self.data_passed.swap(false, Ordering::Relaxed);
        let with_token = match lock(&self.tune).as_mut() {
            Some(tune) => {
                tune.kept.keep(&event, after_data);
                tune.put_on(&event, &token)
            }
            None => return Prepared::Fail(gst::FlowError::Flushing),
        };
        gst::debug!(
            CAT,
            imp = self,
            "put the token of generation {} on a protection event",
            token.generation()
        );
        Prepared::Push(Item::Event(with_token))
    }

    /// An item has come, and may be held. Where the stream says whom to ask for a token, this is what it says.
    pub(super) fn sees(&self, item: &Item) {
        if let Item::Event(event) = item {
            match event.view() {
                gst::EventView::Protection(protection) => return self.learns(event, protection),
                gst::EventView::StreamStart(start) => self.begins(start.stream_id()),
                _ => {}
            }
        }
        if !self.gathering.load(Ordering::Relaxed) {
            return;
        }
        let first = match item {
            Item::Event(event) => match event.type_() {
                gst::EventType::Gap => First::Gap,
                gst::EventType::Eos => First::End,
                _ => return,
            },
            Item::Buffer(buffer) => First::Data(key_id(buffer)),
            Item::List(list) => First::Data(list.iter().find_map(key_id)),
        };
        let system = self.system();
        let is_enough = match lock(&self.tune).as_mut().and_then(Tune::authorization) {
            Some(authorization) => authorization.first(first, system),
            None => true,
        };
        self.gathers(!is_enough);
    }

    /// Whether the next item is wanted too. Once it is not, what waits for it may go.
    fn gathers(&self, wants_more: bool) {
        if self.gathering.swap(wants_more, Ordering::Relaxed) && !wants_more {
            self.wake();
        }
    }

    /// The DRM system that the demuxer has chosen.
    fn system(&self) -> Option<String> {
        let caps = self.sinkpad.current_caps()?;
        caps.structure(0)?.get("protection-system").ok()
    }

    fn begins(&self, stream_id: &str) {
        let system = self.system();
        let is_another = match lock(&self.tune).as_mut().and_then(Tune::authorization) {
            Some(authorization) => authorization.begin(stream_id, system),
            None => return,
        };
        if is_another {
            self.gathers(false);
        }
    }

    fn learns(&self, event: &gst::Event, protection: &gst::event::Protection) {
        let mut tune = lock(&self.tune);
        let Some(authorization) = tune.as_mut().and_then(Tune::authorization) else {
            return;
        };
        let (system, data, origin) = protection.get();
        let data = data.map_readable();
        let wants_data = authorization.learn(&Said {
            event: event.as_ptr() as usize,
            system,
            origin,
            data: data.as_deref().unwrap_or_default(),
        });
        drop(tune);
        self.gathers(wants_data);
    }

    /// Where the event does not say what it is from, the one before it may have, or the elements do.
    fn see_flow(&self, origin: Option<&str>) {
        let mut flow = Flow::of_origin(origin);
        if flow == Flow::Unknown {
            let known = lock(&self.tune).as_ref().map(|tune| tune.flow);
            flow = match known {
                Some(Flow::Unknown) => Flow::of_elements(upstream(self.obj().upcast_ref())),
                _ => return,
            };
        }
        if let Some(tune) = lock(&self.tune).as_mut() {
            tune.flow = flow;
        }
    }

    pub(super) fn event(&self, event: gst::Event) -> Prepared {
        match event.type_() {
            gst::EventType::Protection => self.protection(event),
            gst::EventType::StreamStart => {
                if let Some(tune) = lock(&self.tune).as_mut() {
                    tune.kept.clear();
                }
                self.resend.store(false, Ordering::Release);
                Prepared::Push(Item::Event(event))
            }
            gst::EventType::Segment => {
                // A seek may have taken the data away that stood between one fragment and another.
                self.data_passed.store(true, Ordering::Relaxed);
                Prepared::Push(Item::Event(event))
            }
            _ => Prepared::Push(Item::Event(event)),
        }
    }

    /// The protection events of the stream again, with a token that was not refused, and then the item. They are pushed from
    /// here alone, by the thread that brings the stream: a decryptor that complains in the middle of its chain
    /// function has that thread, and any other one would wait for its stream lock.
    pub(super) fn resend_before(&self, item: Item) -> Prepared {
        let decision = self.decide();
        if let Decision::Wait(until) = decision {
            return Prepared::NotYet(item, until);
        }
        self.resend.store(false, Ordering::Release);
        let token = match decision {
            Decision::Go(token) => token,
            Decision::Without => return self.prepare(item),
            Decision::Fail | Decision::Wait(_) => return Prepared::Fail(gst::FlowError::Error),
        };
        let events: Vec<_> = match lock(&self.tune).as_mut() {
            Some(tune) => {
                let kept: Vec<_> = tune.kept.events().cloned().collect();
                kept.iter()
                    .map(|event| tune.put_on(event, &token))
                    .collect()
            }
            None => return Prepared::Fail(gst::FlowError::Flushing),
        };
        gst::debug!(
            CAT,
            imp = self,
            "{} protection events again, with the token of generation {}",
            events.len(),
            token.generation()
        );
        Prepared::After(events, item)
    }
}
