// SPDX-License-Identifier: MIT OR Apache-2.0

//! An application with a login of its own: it hands tokens over, has them replaced, and takes them
//! away.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use gst::glib;
use gst::prelude::*;
use headend::{Auth, Headend};
use support::rig::*;

/// A handler of `request-token` that stands still until the test lets it answer.
struct Handler {
    called: Receiver<thread::ThreadId>,
    answer: Sender<Option<&'static str>>,
}

impl Handler {
    fn on(element: &gst::Element) -> Self {
        let (call, called) = mpsc::channel();
        let (answer, answers) = mpsc::channel::<Option<&'static str>>();
        let answers = Mutex::new(answers);
        element.connect("request-token", false, move |args| {
            assert!(args[0].get::<gst::Element>().is_ok());
            // The test may have ended meanwhile.
            let _ = call.send(thread::current().id());
            let answers = answers.lock().expect("one call at a time");
            let answer = answers.recv().unwrap_or_default();
            Some(answer.map(String::from).to_value())
        });
        Self { called, answer }
    }

    /// Waits until the application is asked.
    fn is_called(&self) -> thread::ThreadId {
        self.called
            .recv_timeout(PATIENCE)
            .expect("the handler is called")
    }

    fn answers(&self, text: Option<&'static str>) {
        self.answer.send(text).expect("the handler waits");
    }
}

/// A rig whose application answers, with the element still in NULL while the handler is connected.
fn asked(headend: &Headend, timeout: u32) -> (Rig, Handler) {
    let (element, bus) = with_bus(sessiontoken(headend).property("timeout", timeout));
    let handler = Handler::on(&element);
    (Rig::around(element, bus), handler)
}

fn begin(rig: &Rig) {
    rig.send(&[stream_start().into(), caps_event().into()]);
}

fn event() -> Input {
    protection(COMMON_SYSTEM, Some("dash/mpd")).into()
}

/// A rig that plays with the application's token `one`.
fn playing_with_one(headend: &Headend) -> (Rig, Handler) {
    let (rig, handler) = asked(headend, NO_HURRY);
    handler.is_called();
    handler.answers(Some("one"));
    begin(&rig);
    assert_eq!(next(&rig), ("one".to_owned(), 1));
    (rig, handler)
}

/// Token and generation of the last protection event that left.
fn last(rig: &Rig) -> (String, u32) {
    let events = rig.log.protections();
    let request = key_request(events.last().expect("an event left"));
    let field = |name| request.get::<String>(name).expect("a text");
    (field("session-token"), rig.ordinal(&request))
}

/// What leaves with the next protection event.
fn next(rig: &Rig) -> (String, u32) {
    let event = event();
    rig.send(std::slice::from_ref(&event));
    rig.log.wait_for(event.item());
    last(rig)
}

#[test]
fn slow_handler_holds_stream_without_blocking() {
    let headend = headend(Auth::Grant);
    let (rig, handler) = asked(&headend, NO_HURRY);
    let thread = handler.is_called();
    assert_ne!(thread, thread::current().id());
    begin(&rig);
    let inputs: Vec<Input> = vec![event(), segment().into(), buffer(1).into()];
    rig.send(&inputs);
    assert_eq!(rig.log.protections().len(), 0);
    handler.answers(Some("app-1"));
    rig.send(&[gst::event::Eos::new().into()]);
    assert_eq!(last(&rig), ("app-1".to_owned(), 1));
    let told = rig.told();
    assert_eq!(told.state().get::<&str>("service"), Ok("application"));
    assert_eq!(told.state().get::<&str>("state"), Ok("acquired"));
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn first_handler_that_has_a_token_is_heard() {
    let headend = headend(Auth::Grant);
    let (element, bus) = with_bus(sessiontoken(&headend));
    for answer in [None, Some("second"), Some("third")] {
        element.connect("request-token", false, move |_| {
            Some(answer.map(String::from).to_value())
        });
    }
    let rig = Rig::around(element, bus);
    begin(&rig);
    assert_eq!(next(&rig), ("second".to_owned(), 1));
}

#[test]
fn handler_without_token_falls_back_to_service() {
    for answer in [None, Some("")] {
        let headend = headend(Auth::Grant);
        let (rig, handler) = asked(&headend, NO_HURRY);
        handler.is_called();
        begin(&rig);
        rig.send(&[event()]);
        assert_eq!(headend.token_requests(), []);
        handler.answers(answer);
        rig.send(&[gst::event::Eos::new().into()]);
        assert_eq!(last(&rig), (headend.token(), 1));
        assert_eq!(headend.token_requests().len(), 1);
        assert_eq!(rig.told().state().get::<&str>("service"), Ok("rdk"));
    }
}

#[test]
fn repeated_token_keeps_generation_one_call_per_tune() {
    let headend = headend(Auth::Grant);
    let (rig, handler) = asked(&headend, NO_HURRY);
    for (tune, (answer, generation)) in [("a", 1), ("a", 1), ("b", 2)].into_iter().enumerate() {
        if tune > 0 {
            rig.restart(gst::State::Ready);
        }
        handler.is_called();
        handler.answers(Some(answer));
        begin(&rig);
        for _ in 0..3 {
            assert_eq!(next(&rig), (answer.to_owned(), generation));
        }
    }
    assert!(handler.called.try_recv().is_err());
}

#[test]
fn invalid_handler_token_error_names_signal() {
    let headend = headend(Auth::Grant);
    let (rig, handler) = asked(&headend, NO_HURRY);
    begin(&rig);
    rig.send(&[event()]);
    handler.answers(Some("SECRET\r\nX: y"));
    let complaint = Complaint::of(&rig.message(gst::MessageType::Error));
    complaint
        .is(gst::ResourceError::Settings)
        .says(&["`request-token`", "visible ASCII"])
        .does_not_say(&["SECRET"]);
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn hanging_handler_fails_tune_at_timeout() {
    let headend = headend(Auth::Grant);
    let (rig, handler) = asked(&headend, 300);
    begin(&rig);
    handler.is_called();
    rig.send(&[event()]);
    let complaint = Complaint::of(&rig.message(gst::MessageType::Error));
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&["`request-token`", "300 ms"]);
    assert_eq!(complaint.detail::<String>("reason"), "timed-out");
    handler.answers(None);
}

#[test]
fn player_stops_while_a_handler_thinks() {
    let headend = headend(Auth::Grant);
    let (rig, handler) = asked(&headend, NO_HURRY);
    begin(&rig);
    handler.is_called();
    rig.send(&[event(), segment().into(), buffer(1).into()]);
    // It would wait for the handler for ever, and so would this test.
    rig.set_state(gst::State::Null);
    handler.answers(Some("too late"));
    assert_eq!(rig.log.protections().len(), 0);
}

#[test]
fn token_set_during_handler_call_is_used() {
    let headend = headend(Auth::Grant);
    let (rig, handler) = asked(&headend, NO_HURRY);
    begin(&rig);
    handler.is_called();
    rig.send(&[event()]);
    rig.element.set_property("session-token", "set");
    rig.send(&[gst::event::Eos::new().into()]);
    assert_eq!(last(&rig).0, "set");
    handler.answers(None);
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn application_token_keeps_generation_across_tunes() {
    let headend = headend(Auth::Grant);
    // Somebody else has a token of the service's already.
    let other = Rig::new(sessiontoken(&headend));
    begin(&other);
    assert_eq!(next(&other), (headend.token(), 1));
    let rig = Rig::new(sessiontoken(&headend).property("session-token", "mine"));
    for tune in 0..3 {
        if tune > 0 {
            rig.restart(gst::State::Ready);
        }
        begin(&rig);
        assert_eq!(next(&rig), ("mine".to_owned(), 1));
        // Not of the generation that a token of the service's has.
        assert!(rig.generation(1) > other.generation(1));
    }
}

#[test]
fn nobody_is_asked_who_has_given_a_token_already() {
    let headend = headend(Auth::Grant);
    let calls = Arc::new(AtomicU32::new(0));
    let (element, bus) = with_bus(sessiontoken(&headend).property("session-token", "given"));
    element.connect("request-token", false, {
        let calls = calls.clone();
        move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            Some(None::<String>.to_value())
        }
    });
    let rig = Rig::around(element, bus);
    begin(&rig);
    assert_eq!(next(&rig), ("given".to_owned(), 1));
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[test]
fn refresh_replaces_token_without_holding_stream() {
    let headend = headend(Auth::Sequence(vec![Auth::Grant, Auth::Hang]));
    let rig = Rig::new(sessiontoken(&headend));
    begin(&rig);
    let first = headend.token();
    assert_eq!(next(&rig), (first.clone(), 1));
    headend.revoke();
    rig.element.emit_by_name::<()>("refresh-token", &[]);
    // Twice is no more than once while the first is under way.
    rig.element.emit_by_name::<()>("refresh-token", &[]);
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 2));
    // Passes at once, with the token that is still good.
    rig.send(&[event()]);
    assert_eq!(last(&rig), (first.clone(), 1));
    headend.release();
    let begun = Instant::now();
    while next(&rig) == (first.clone(), 1) {
        assert!(begun.elapsed() < PATIENCE, "the new token never came");
    }
    assert_eq!(last(&rig), (headend.token(), 2));
    assert_eq!(headend.token_requests().len(), 2);
    let states = rig.told().states;
    let states = states.iter().map(|state| state.get::<String>("state"));
    assert_eq!(
        states.collect::<Vec<_>>(),
        [Ok("acquired".to_owned()), Ok("refreshed".to_owned())]
    );
}

#[test]
fn failed_refresh_keeps_valid_token() {
    let refusal = Auth::Reply {
        status: 403,
        content_type: "application/json".to_owned(),
        body: String::new(),
    };
    let headend = headend(Auth::Sequence(vec![Auth::Grant, refusal, Auth::Grant]));
    let rig = Rig::new(sessiontoken(&headend));
    begin(&rig);
    let before = next(&rig);
    rig.element.emit_by_name::<()>("refresh-token", &[]);
    assert!(headend.wait_for(PATIENCE, |record| {
        record
            .token_requests()
            .nth(1)
            .is_some_and(|request| request.status == Some(403))
    }));
    for _ in 0..10 {
        assert_eq!(next(&rig), before);
    }
    assert!(rig.told().errors.is_empty());
}

#[test]
fn clear_token_renews_token_in_every_element() {
    let headend = headend(Auth::Grant);
    let rigs = [0, 1].map(|_| Rig::new(sessiontoken(&headend)));
    let first = headend.token();
    for rig in &rigs {
        begin(rig);
        assert_eq!(next(rig), (first.clone(), 1));
    }
    headend.revoke();
    rigs[0].element.emit_by_name::<()>("clear-token", &[]);
    for rig in &rigs {
        assert_eq!(next(rig), (headend.token(), 2));
    }
    assert_eq!(headend.token_requests().len(), 2);
}

#[test]
fn clear_token_mid_tune_replaces_pending_request() {
    let headend = headend(Auth::Sequence(vec![Auth::Hang, Auth::Grant]));
    let rig = Rig::new(sessiontoken(&headend));
    begin(&rig);
    rig.send(&[event()]);
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    rig.element.emit_by_name::<()>("clear-token", &[]);
    // The second request is answered, the first one never is.
    rig.send(&[gst::event::Eos::new().into()]);
    assert_eq!(last(&rig), (headend.token(), 1));
    assert_eq!(headend.token_requests().len(), 2);
}

#[test]
fn logout_takes_the_applications_own_token_too() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend).property("session-token", "mine"));
    begin(&rig);
    assert_eq!(next(&rig).0, "mine");
    rig.element.emit_by_name::<()>("clear-token", &[]);
    let (token, generation) = next(&rig);
    assert_eq!(token, headend.token());
    // No decryptor sees two tokens of one generation.
    assert_eq!(generation, 2);
}

#[test]
fn application_that_is_logged_out_is_asked_again() {
    let headend = headend(Auth::Grant);
    let (rig, handler) = playing_with_one(&headend);
    rig.element.emit_by_name::<()>("clear-token", &[]);
    let held = event();
    rig.send(std::slice::from_ref(&held));
    handler.is_called();
    assert_eq!(rig.log.protections().len(), 1);
    handler.answers(Some("two"));
    rig.log.wait_for(held.item());
    assert_eq!(last(&rig), ("two".to_owned(), 2));
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn handler_refresh_keeps_token_until_valid_answer() {
    let headend = headend(Auth::Grant);
    let (rig, handler) = playing_with_one(&headend);
    for answer in [Some("one\r\n"), Some("two")] {
        let begun = Instant::now();
        // Until the answer before is here.
        while handler.called.try_recv().is_err() {
            rig.element.emit_by_name::<()>("refresh-token", &[]);
            assert!(begun.elapsed() < PATIENCE, "the handler is not called");
        }
        // Twice is no more than once while the application thinks.
        rig.element.emit_by_name::<()>("refresh-token", &[]);
        rig.send(&[event()]);
        assert_eq!(last(&rig).0, "one");
        handler.answers(answer);
    }
    let begun = Instant::now();
    while next(&rig).0 == "one" {
        assert!(begun.elapsed() < PATIENCE, "the new token never came");
    }
    assert_eq!(last(&rig).0, "two");
    assert!(handler.called.try_recv().is_err());
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn answer_from_before_a_logout_is_not_taken() {
    let headend = headend(Auth::Grant);
    let (rig, handler) = asked(&headend, NO_HURRY);
    handler.is_called();
    begin(&rig);
    rig.element.emit_by_name::<()>("clear-token", &[]);
    let held = event();
    rig.send(std::slice::from_ref(&held));
    handler.answers(Some("before"));
    // Asked anew: one call at a time gets an answer from this handler.
    handler.is_called();
    handler.answers(Some("after"));
    rig.log.wait_for(held.item());
    assert_eq!(last(&rig).0, "after");
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn refresh_token_rereads_changed_token_file() {
    let path = format!("{}/refreshed-token", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&path, "before\n").expect("the file is written");
    let rig = Rig::new(make("sessiontoken").property("session-token-file", &path));
    begin(&rig);
    assert_eq!(next(&rig), ("before".to_owned(), 1));
    std::fs::write(&path, "after\n").expect("the file is written");
    assert_eq!(next(&rig), ("before".to_owned(), 1));
    rig.element.emit_by_name::<()>("refresh-token", &[]);
    assert_eq!(next(&rig), ("after".to_owned(), 2));
    // One that is just being replaced does not end the stream.
    std::fs::remove_file(&path).expect("it goes");
    rig.element.emit_by_name::<()>("refresh-token", &[]);
    assert_eq!(next(&rig), ("after".to_owned(), 2));
}

#[test]
fn signals_before_the_first_tune_do_no_harm() {
    let headend = headend(Auth::Grant);
    let (element, bus) = with_bus(sessiontoken(&headend));
    for signal in ["refresh-token", "clear-token"] {
        element.emit_by_name::<()>(signal, &[]);
    }
    let rig = Rig::around(element, bus);
    begin(&rig);
    assert_eq!(next(&rig).0, headend.token());

    // Nor where the settings cannot work.
    let (element, bus) = with_bus(make("sessiontoken").property("location", "nowhere"));
    for signal in ["refresh-token", "clear-token"] {
        element.emit_by_name::<()>(signal, &[]);
    }
    assert!(told(&bus).is_nothing());
}

#[test]
fn signals_have_the_types_that_c_and_python_see() {
    let element = make("sessiontokensrc").build().expect("an element");
    let structure = gst::Structure::static_type();
    for (name, returns, params, is_action) in [
        ("request-token", glib::Type::STRING, 0, false),
        ("request-token-for", structure, 1, false),
        ("refresh-token", glib::Type::UNIT, 0, true),
        ("clear-token", glib::Type::UNIT, 0, true),
    ] {
        let id = glib::subclass::SignalId::lookup(name, element.type_()).expect(name);
        let query = id.query();
        assert_eq!(query.return_type().type_(), returns, "{name}");
        assert_eq!(query.n_params(), params, "{name}");
        let flags = query.flags();
        assert_eq!(
            flags.contains(glib::SignalFlags::ACTION),
            is_action,
            "{name}"
        );
    }
}
