// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the application is told of licenses on the bus: when one has come, and when one cannot be
//! renewed. Errors are told as errors.

use super::debug::CAT;
use crate::license::LicenseNotice;
use crate::messages::{self, clock_time, describe};

pub fn post_notice(element: &gst::Element, notice: &LicenseNotice) {
    let message = gst::Structure::builder("clearkey-license");
    let message = match notice {
        LicenseNotice::Granted {
            granted,
            is_shared,
            is_renewal,
        } => message
            .field("state", if *is_renewal { "renewed" } else { "acquired" })
            .field("keys", granted.license.keys.len() as u32)
            .field("cached", *is_shared)
            .field("attempts", granted.attempts)
            .field("latency", clock_time(granted.latency)),
        LicenseNotice::RenewalFailed(failure) => {
            gst::warning!(CAT, obj = element, "license not renewed: {}", failure.what);
            describe(message.field("state", "failed"), failure)
        }
    };
    messages::post_element_message(element, message.build());
}
