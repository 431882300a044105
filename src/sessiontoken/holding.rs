// SPDX-License-Identifier: MIT OR Apache-2.0

//! The element in its stream: what becomes of each item, as the provider says.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::caps;
use super::debug::CAT;
use super::flags::Flags;
use super::imp::SessionToken;
use super::key_request_meta::{self, attach_key_request};
use super::store;
use super::stream_facts::{following_item, stream_id};
use crate::cenc::PRIVATE_SYSTEM;
use crate::hierarchy::upstream;
use crate::hold::{Hold, Holding, Item, Prepared};
use crate::key_request::Flow;
use crate::tune::{Action, Protection, ProtectionNotice, TokenProvider};

/// Name of the structure in the event by which a decryptor says that a token was rejected.
const REJECTED: &str = "drm-session-token-rejected";

impl Holding for SessionToken {
    fn hold(&self) -> &Hold {
        &self.hold
    }

    fn srcpad(&self) -> &gst::Pad {
        &self.srcpad
    }

    fn item_arrived(&self, item: &Item) {
        if self.flags.has(Flags::BY_STREAM) {
            notice(self, item);
        }
    }

    fn needs_more_input(&self) -> bool {
        self.flags.has(Flags::GATHERING)
    }

    fn prepare(&self, item: Item) -> Prepared {
        let type_ = match &item {
            Item::Event(event) => Some(event.type_()),
            _ => None,
        };
        if self.flags.has(Flags::RESENDS) && type_ != Some(gst::EventType::StreamStart) {
            let action = self.with(TokenProvider::on_resend);
            if !matches!(action, Action::Pass) {
                return prepared(self, action, item);
            }
        }
        match (item, type_) {
            (Item::Event(event), Some(gst::EventType::Protection)) => protection(self, event),
            (item, Some(gst::EventType::StreamStart)) => {
                self.flags.set(Flags::ENDED, false);
                self.with(|provider, _| provider.on_stream_start());
                Prepared::Push(item)
            }
            // A seek may have taken the data away that stood between one fragment and another.
            (item, None | Some(gst::EventType::Segment)) => {
                self.flags.set(Flags::ENDED, false);
                self.flags.set(Flags::DATA_PASSED, true);
                Prepared::Push(item)
            }
            (item, Some(gst::EventType::Eos)) => {
                self.flags.set(Flags::ENDED, true);
                Prepared::Push(item)
            }
            (item, _) => Prepared::Push(item),
        }
    }

    fn events_were_flushed(&self) {
        self.with(|provider, _| provider.on_events_flushed());
    }

    fn sink_query(&self, query: &mut gst::QueryRef) -> bool {
        caps::answer(query, &self.srcpad)
    }

    fn src_query(&self, query: &mut gst::QueryRef) -> bool {
        answer_context(self, query) || caps::answer(query, &self.sinkpad)
    }

    fn src_event(&self, event: &gst::Event) -> Option<bool> {
        let structure = event.structure();
        match (event.type_(), structure) {
            (gst::EventType::CustomUpstream, Some(rejected)) if rejected.name() == REJECTED => {
                on_rejected(self, rejected)
            }
            _ => None,
        }
    }
}

/// An item has come, and may be held. Where the stream says whom to ask for a token, this is
/// what it says.
fn notice(imp: &SessionToken, item: &Item) {
    if let Item::Event(event) = item {
        match event.view() {
            gst::EventView::Protection(protection) => {
                let (system, data, origin) = protection.get();
                let data = data.map_readable();
                let wants_more = imp.provider().notice_protection(&ProtectionNotice {
                    event: event.as_ptr() as usize,
                    system,
                    origin,
                    data: data.as_deref().unwrap_or_default(),
                });
                return set_gathering(imp, wants_more.unwrap_or(false));
            }
            gst::EventView::StreamStart(start) => {
                let (id, system) = (stream_id(start), imp.system());
                if imp.provider().notice_stream_start(&id, system) {
                    set_gathering(imp, false);
                }
            }
            _ => {}
        }
    }
    if imp.flags.has(Flags::GATHERING) {
        let (following, system) = (following_item(item), imp.system());
        let is_enough = imp.provider().notice_following(following, system);
        set_gathering(imp, !is_enough);
    }
}

/// Whether the next item is wanted too. Once it is not, what waits for it may go.
fn set_gathering(imp: &SessionToken, gathers: bool) {
    if imp.flags.set(Flags::GATHERING, gathers) && !gathers {
        imp.wake();
    }
}

fn protection(imp: &SessionToken, event: gst::Event) -> Prepared {
    let gst::EventView::Protection(protection) = event.view() else {
        return Prepared::Push(Item::Event(event));
    };
    // Once: each time GStreamer looks the fields up by their names.
    let (system, data, origin) = protection.get();
    if system.eq_ignore_ascii_case(PRIVATE_SYSTEM) {
        // No server is asked for its keys.
        return Prepared::Push(Item::Event(event));
    }
    let has_key_request = key_request_meta::is_on(data);
    let action = imp.with(|provider, call| {
        let protection = Protection {
            event: &event,
            id: event.as_ptr() as usize,
            system,
            origin,
            flow_of_elements: &|| flow_of_elements(imp),
            after_data: imp.flags.has(Flags::DATA_PASSED),
        };
        provider.on_protection(&protection, has_key_request, call)
    });
    if let Action::Attach(attachment) = &action {
        imp.flags.set(Flags::DATA_PASSED, false);
        let generation = attachment.token.generation();
        gst::debug!(CAT, imp = imp, "token of generation {generation} attached");
        let with_token = attach_key_request(&event, attachment);
        return Prepared::Push(Item::Event(with_token));
    }
    prepared(imp, action, Item::Event(event))
}

/// By the demuxer among the elements that the stream has come through.
fn flow_of_elements(imp: &SessionToken) -> Flow {
    upstream(imp.obj().upcast_ref())
        .filter_map(|element| element.factory())
        .map(|factory| Flow::of_demuxer(&factory.name()))
        .find(|flow| *flow != Flow::Unknown)
        .unwrap_or_default()
}

fn prepared(imp: &SessionToken, action: Action<gst::Event>, item: Item) -> Prepared {
    match action {
        Action::Pass | Action::Attach(_) => Prepared::Push(item),
        Action::Hold(until) => Prepared::NotYet(item, until),
        Action::Fail => Prepared::Fail(gst::FlowError::Error),
        Action::Replay(events, attachment) => {
            gst::debug!(
                CAT,
                imp = imp,
                "{} protection events again, with the token of generation {}",
                events.len(),
                attachment.token.generation()
            );
            let events = events.iter();
            let again = events.map(|event| attach_key_request(event, &attachment));
            Prepared::After(again.collect(), item)
        }
    }
}

/// Answers a decryptor that looks for the store.
fn answer_context(imp: &SessionToken, query: &mut gst::QueryRef) -> bool {
    let gst::QueryViewMut::Context(query) = query.view_mut() else {
        return false;
    };
    // The other one has the tokens that this decryptor sees.
    if query.context_type() != store::CONTEXT_TYPE || imp.provider().is_anothers() {
        return false;
    }
    // Not persistent and never posted: a bin keeps one of a type, and two sessions would replace
    // each other.
    let mut context = gst::Context::new(store::CONTEXT_TYPE, false);
    context
        .make_mut()
        .structure_mut()
        .set_value("store", store::as_object(imp.store()));
    query.set_context(&context);
    true
}

/// Takes a decryptor's event that a token was rejected, unless it is for another element. `false`
/// where the events cannot go again, because the stream has ended.
fn on_rejected(imp: &SessionToken, rejected: &gst::StructureRef) -> Option<bool> {
    let generation = rejected.get::<u32>("generation").ok();
    if generation.is_none() {
        gst::warning!(CAT, imp = imp, "{REJECTED} names no generation");
    }
    let http_status = rejected.get::<u32>("http-status").unwrap_or(0);
    let file = imp.read_token_file();
    let is_ours =
        imp.with(|provider, call| provider.on_rejected_event(generation, http_status, file, call));
    is_ours.then(|| !imp.flags.has(Flags::ENDED))
}
