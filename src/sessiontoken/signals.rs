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
const REQUEST_TOKEN_FOR: &str = "request-token-for";

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
         * The first handler that gives one back decides. It is called on a thread of its own and
         * may take its time, up to `timeout`.
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
         * GstSessionToken::request-token-for:
         * @element: the element whose session needs a token
         * @context: why (#GstStructure): `reason`, which is `first`, `renewal` or `refused`, and
         *     where they are known `generation` (uint, of the token before), `http-status` (uint,
         *     of the refusal), `system-id` and `key-ids` (strings)
         *
         * Asks the application for the token of a session, before any service: once for all
         * elements that share it, ahead of the token's end, and after a refusal. The first handler
         * that gives one back decides. It is called on a thread of its own and may take its time,
         * up to `timeout`.
         *
         * Returns: (nullable) (transfer full): a structure with `session-token` (string), and where
         *     it applies `expires-in` (seconds, any integer) and `http-headers` (#GstStructure, a
         *     string field for each header of key requests); or %NULL to leave it to the service
         *
         * Since: 0.1.0
         */
        Signal::builder(REQUEST_TOKEN_FOR)
            .param_types([gst::Structure::static_type()])
            .return_type::<Option<gst::Structure>>()
            .run_last()
            .accumulator(|_, _, value| match value.get::<Option<gst::Structure>>() {
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
    has_handler_of(element, REQUEST_TOKEN)
}

/// Whether the application listens to `request-token-for`.
pub fn has_handler_for_context(element: &super::SessionToken) -> bool {
    has_handler_of(element, REQUEST_TOKEN_FOR)
}

fn has_handler_of(element: &super::SessionToken, signal: &str) -> bool {
    SignalId::lookup(signal, element.type_()).is_some_and(|signal| {
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

/// The same for `request-token-for`.
pub fn ask_application_for(
    element: &super::SessionToken,
    context: gst::Structure,
    completer: Completer<Option<gst::Structure>>,
) {
    let weak = element.downgrade();
    let ask = move || {
        if let Some(element) = weak.upgrade() {
            let given =
                element.emit_by_name::<Option<gst::Structure>>(REQUEST_TOKEN_FOR, &[&context]);
            completer.complete(given);
        }
    };
    // As above.
    let thread = std::thread::Builder::new().name("request-token".to_owned());
    if let Err(error) = thread.spawn(ask) {
        gst::warning!(
            CAT,
            obj = element,
            "request-token-for was not emitted: {error}"
        );
    }
}
