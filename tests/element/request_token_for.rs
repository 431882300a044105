// SPDX-License-Identifier: MIT OR Apache-2.0

//! An application whose tokens belong to a session: `request-token-for` is emitted once for all of
//! its elements, with the reason, ahead of the token's end and after a refusal.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::prelude::*;
use headend::{Auth, Headend};
use support::rig::*;

use crate::services::{failed_tune, replacement, text, tune};

type Handler = dyn Fn(&gst::StructureRef) -> Option<gst::Structure> + Send + Sync;

/// What a handler is asked with, and how it answers.
struct Application {
    asked: Receiver<gst::Structure>,
    answer: Sender<Option<gst::Structure>>,
    handler: Arc<Handler>,
}

impl Application {
    fn new() -> Self {
        let (ask, asked) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let (ask, answers) = (Mutex::new(ask), Mutex::new(answers));
        let handler = move |context: &gst::StructureRef| {
            // The test may have ended meanwhile.
            let _ = ask.lock().expect("no panic").send(context.to_owned());
            let answers = answers.lock().expect("no panic");
            answers.recv().unwrap_or_default()
        };
        Self {
            asked,
            answer,
            handler: Arc::new(handler),
        }
    }

    /// A stream whose element asks this application.
    fn rig(&self, headend: &Headend) -> Rig {
        let (element, bus) = with_bus(sessiontoken(headend).property("timeout", NO_HURRY));
        let handler = self.handler.clone();
        element.connect("request-token-for", false, move |args| {
            let context = args[1].get::<gst::Structure>().expect("a context");
            Some(handler(&context).to_value())
        });
        Rig::around(element, bus)
    }

    /// Waits until it is asked.
    fn is_asked(&self) -> gst::Structure {
        self.asked.recv_timeout(PATIENCE).expect("it is asked")
    }

    fn is_not_asked(&self) {
        assert_eq!(self.asked.try_recv(), Err(mpsc::TryRecvError::Empty));
    }

    fn answers(&self, answer: Option<gst::structure::Builder>) {
        let answer = answer.map(gst::structure::Builder::build);
        self.answer.send(answer).expect("the handler waits");
    }
}

fn token(text: &str) -> gst::structure::Builder {
    gst::Structure::builder("token").field("session-token", text)
}

#[test]
fn application_is_asked_once_for_all_elements() {
    let (headend, application) = (headend(Auth::Grant), Application::new());
    let [first, second] = [(); 2].map(|()| application.rig(&headend));
    let context = application.is_asked();
    assert_eq!(context.name(), "request-token-for");
    assert_eq!(text(&context, "reason"), "first");
    assert!(!context.has_field("generation"));
    application.answers(Some(token("mine")));
    let requests = [&first, &second].map(tune);
    for request in &requests {
        assert_eq!(text(request, "session-token"), "mine");
    }
    assert_eq!(
        requests[0].get::<u32>("generation"),
        requests[1].get::<u32>("generation")
    );
    assert_eq!(text(first.told().state(), "service"), "application");
    application.is_not_asked();
    // Nor for the next tune.
    tune(&application.rig(&headend));
    application.is_not_asked();
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn token_that_ends_is_asked_for_ahead_of_it() {
    let (headend, application) = (headend(Auth::Grant), Application::new());
    let rig = application.rig(&headend);
    application.is_asked();
    application.answers(Some(token("one").field("expires-in", 4_u32)));
    let request = tune(&rig);
    assert!(request.has_field("expires-at"));
    let context = application.is_asked();
    assert_eq!(text(&context, "reason"), "renewal");
    assert_eq!(
        context.get::<u32>("generation"),
        request.get::<u32>("generation")
    );
    application.answers(Some(token("two").field("expires-in", 3600_i64)));
    let renewed = rig.wait_for_state("renewed");
    assert_eq!(text(&renewed, "service"), "application");
    assert_eq!(text(&tune(&rig), "session-token"), "two");
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn refused_token_is_replaced_by_the_application() {
    let (headend, application) = (headend(Auth::Grant), Application::new());
    let rig = application.rig(&headend);
    application.is_asked();
    application.answers(Some(token("one")));
    let request = tune(&rig);
    let another = std::thread::scope(|scope| {
        let another = scope.spawn(|| replacement(&rig, &request));
        let context = application.is_asked();
        assert_eq!(text(&context, "reason"), "refused");
        assert_eq!(context.get::<u32>("http-status"), Ok(403));
        assert_eq!(
            context.get::<u32>("generation"),
            request.get::<u32>("generation")
        );
        application.answers(Some(token("two")));
        another.join().expect("no panic")
    });
    assert_eq!(text(&another, "session-token"), "two");
}

#[test]
fn application_without_a_token_leaves_it_to_the_service() {
    let (headend, application) = (headend(Auth::Grant), Application::new());
    let rig = application.rig(&headend);
    application.is_asked();
    application.answers(None);
    assert_eq!(text(&tune(&rig), "session-token"), headend.token());
    assert_eq!(text(rig.told().state(), "service"), "rdk");
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn headers_of_the_application_go_into_key_requests() {
    let (headend, application) = (headend(Auth::Grant), Application::new());
    let rig = application.rig(&headend);
    application.is_asked();
    let headers = gst::Structure::builder("headers")
        .field("X-Account", "7")
        .field("authorization", "Session mine")
        .build();
    application.answers(Some(token("mine").field("http-headers", headers)));
    let headers = tune(&rig)
        .get::<gst::Structure>("http-headers")
        .expect("headers");
    assert_eq!(text(&headers, "X-Account"), "7");
    assert_eq!(text(&headers, "authorization"), "Session mine");
    assert_eq!(headers.n_fields(), 2);
}

#[test]
fn answer_that_is_no_token_is_an_error() {
    let (headend, application) = (headend(Auth::Grant), Application::new());
    let rig = application.rig(&headend);
    application.is_asked();
    application.answers(Some(
        gst::Structure::builder("token").field("token", "SECRET"),
    ));
    let told = failed_tune(&rig);
    told.error()
        .is(gst::ResourceError::Settings)
        .says(&["`request-token-for`", "`session-token`"])
        .does_not_say(&["SECRET"]);
}

/// A handler that hangs would cost a thread for each attempt.
#[test]
fn handler_that_hangs_is_called_once() {
    let (headend, application) = (headend(Auth::Grant), Application::new());
    let (element, bus) = with_bus(sessiontoken(&headend).property("timeout", 300_u32));
    let handler = application.handler.clone();
    element.connect("request-token-for", false, move |args| {
        let context = args[1].get::<gst::Structure>().expect("a context");
        Some(handler(&context).to_value())
    });
    let rig = Rig::around(element, bus);
    application.is_asked();
    let told = failed_tune(&rig);
    told.error()
        .is(gst::ResourceError::OpenRead)
        .says(&["`request-token-for`", "300 ms"]);
    rig.element.emit_by_name::<()>("refresh-token", &[]);
    assert!(
        application
            .asked
            .recv_timeout(Duration::from_millis(600))
            .is_err()
    );
    application.answers(Some(token("late")));
}
