// SPDX-License-Identifier: MIT OR Apache-2.0

//! Does what the provider wants done, without its lock.

use gst::prelude::*;

use super::bus_messages;
use super::signals;
use crate::tune::Effect;

/// `answered` is called when the application has given what it was asked for, or nothing.
pub fn perform(obj: &super::SessionToken, effect: Effect, answered: fn(&super::SessionToken)) {
    let element = obj.upcast_ref();
    match effect {
        Effect::AskApplication(completer) => signals::ask_application(obj, completer, answered),
        Effect::Acquired {
            service,
            token,
            report,
        } => bus_messages::post_acquired(element, service, &token, &report),
        Effect::Rejected {
            service,
            generation,
            http_status,
        } => bus_messages::post_rejected(element, service, generation, http_status),
        Effect::Failed {
            service,
            failure,
            severity,
        } => bus_messages::post_failed(element, service, &failure, severity),
    }
}
