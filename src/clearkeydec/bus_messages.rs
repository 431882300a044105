// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the application is told of licenses on the bus: when one has come, and when one cannot be renewed. Errors are told as errors.

use std::sync::Arc;

use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::error::Failure;
use crate::messages::{self, clock_time, describe};

use super::imp::{CAT, ClearKeyDec};
use super::licenses::Granted;

/// Something that happened to a stream's licenses.
pub enum LicenseNotice {
    Granted {
        granted: Arc<Granted>,
        /// Another decryptor had asked for it.
        is_shared: bool,
        /// It takes the place of one that was close to its end.
        is_renewal: bool,
    },
    /// The one at hand goes on until its end.
    RenewalFailed(Failure),
}

impl ClearKeyDec {
    pub(super) fn post_notice(&self, news: &LicenseNotice) {
        let message = gst::Structure::builder("clearkey-license");
        let message = match news {
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
                gst::warning!(CAT, imp = self, "license not renewed: {}", failure.what);
                describe(message.field("state", "failed"), failure)
            }
        };
        messages::post_element_message(self.obj().upcast_ref(), message.build());
    }
}
