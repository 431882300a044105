// SPDX-License-Identifier: MIT OR Apache-2.0

//! The element's signals: it asks the application for a token, and takes its orders.

// hotdoc reads those of signals.
#![allow(unused_doc_comments)]

use gst::glib;
use gst::glib::subclass::{Signal, SignalId};
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::debug::CAT;
use crate::shared_result::Completer;
use crate::token::Secret;

const REQUEST_TOKEN: &str = "request-token";

/// What the action signals do.
pub struct Actions {
    pub refresh_token: fn(&super::SessionToken),
    pub clear_token: fn(&super::SessionToken),
}

/// The signals of the element's class.
pub fn signals(actions: &Actions) -> Vec<Signal> {
    let action = |name, act: fn(&super::SessionToken)| {
        Signal::builder(name)
            .action()
            .class_handler(move |args| {
                let element = args[0].get::<super::SessionToken>().ok()?;
                element.imp().catch_panic(|| (), |_| act(&element));
                None
            })
            .build()
    };
    vec![
        /**
         * GstSessionToken::request-token:
         * @element: the element that needs a token
         *
         * Asks the application for a session token of its own, once a tune and before any service.
         * The first handler that gives one back decides. It is called on a thread of its own and may
         * take its time, up to `timeout`.
         *
         * Returns: (nullable) (transfer full): the token, or %NULL to leave it to the service
         *
         * Since: 0.1.0
         */
        Signal::builder(REQUEST_TOKEN)
            .return_type::<Option<String>>()
            .run_last()
            .accumulator(|_, _, value| match value.get::<Option<String>>() {
                Ok(Some(_)) => std::ops::ControlFlow::Break(value.clone()),
                _ => std::ops::ControlFlow::Continue(value.clone()),
            })
            .build(),
        /**
         * GstSessionToken::refresh-token:
         * @element: the element
         *
         * Has a new token fetched, read or asked for. The one at hand is used until that is here,
         * and stays if there will be none.
         *
         * Since: 0.1.0
         */
        action("refresh-token", actions.refresh_token),
        /**
         * GstSessionToken::clear-token:
         * @element: the element
         *
         * Forgets the token of this element's session for the whole process, and the application's
         * own (a logout). A pending request is dropped, and who waits for it asks again.
         *
         * Since: 0.1.0
         */
        action("clear-token", actions.clear_token),
    ]
}

/// Whether the application listens to `request-token`.
pub fn has_handler(element: &super::SessionToken) -> bool {
    SignalId::lookup(REQUEST_TOKEN, element.type_()).is_some_and(|signal| {
        glib::signal::signal_has_handler_pending(element, signal, None, false)
    })
}

/// Emits `request-token` on a thread of its own, where the application may take its time, and
/// completes the answer. `answered` is called after that.
pub fn ask_application(
    element: &super::SessionToken,
    completer: Completer<Option<Secret>>,
    answered: fn(&super::SessionToken),
) {
    let weak = element.downgrade();
    let ask = move || {
        if let Some(element) = weak.upgrade() {
            let text = element
                .emit_by_name::<Option<String>>(REQUEST_TOKEN, &[])
                .filter(|text| !text.is_empty());
            completer.complete(text.map(Secret::new));
            answered(&element);
        }
    };
    // Not one of the runtime's threads: it may take for ever.
    let thread = std::thread::Builder::new().name(REQUEST_TOKEN.to_owned());
    // Where there is no thread the completer goes with the closure: the application has no token.
    if let Err(error) = thread.spawn(ask) {
        gst::warning!(CAT, obj = element, "request-token was not emitted: {error}");
        answered(element);
    }
}
