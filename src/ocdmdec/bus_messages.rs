// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the application is told of licenses and keys on the bus. Errors are told as errors.

use super::debug::CAT;
use crate::messages::{self, describe};
use crate::ocdm::Notice;

pub fn post_notice(element: &gst::Element, notice: &Notice) {
    let message = gst::Structure::builder("ocdm-license");
    let message = match notice {
        Notice::Key(key_id, status) => {
            let key_id = key_id.map(|key_id| key_id.to_string());
            let named = key_id.as_deref().unwrap_or("without an id");
            gst::info!(CAT, obj = element, "key {named}: {}", status.nick());
            message
                .field("state", status.nick())
                .field_if_some("key-id", key_id)
        }
        Notice::Licensed { is_renewal } => {
            message.field("state", if *is_renewal { "renewed" } else { "acquired" })
        }
        Notice::RenewalFailed(failure) => {
            gst::warning!(CAT, obj = element, "license not renewed: {}", failure.what);
            describe(message.field("state", "failed"), failure)
        }
    };
    messages::post_element_message(element, message.build());
}
