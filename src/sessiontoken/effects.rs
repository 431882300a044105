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
        Effect::Ready {
            service,
            token,
            cached,
        } => bus_messages::post_ready(element, service, &token, cached),
        Effect::Renewed { service, token } => {
            bus_messages::post_renewed(element, service, &token);
        }
        Effect::RenewalFailed { service, failure } => {
            bus_messages::post_renewal_failed(element, service, &failure);
        }
        Effect::Rejected {
            service,
            generation,
            http_status,
            origin,
        } => {
            let origin = origin.as_ref();
            bus_messages::post_rejected(element, service, generation, http_status, origin);
        }
        Effect::Failed {
            service,
            failure,
            severity,
        } => bus_messages::post_failed(element, service, &failure, severity),
    }
}
