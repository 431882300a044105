// SPDX-License-Identifier: MIT OR Apache-2.0

//! The messages `clearkey-license` and `ocdm-license`.

use super::{Reason, fields, reason, structure_of};
use crate::ocdm::KeyStatus;

/// What has become of a license, or of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LicenseState {
    /// The first one is here.
    Acquired,
    /// Another one is here.
    Renewed,
    /// A renewal has failed; the license at hand is used on.
    Failed,
    /// What can be done with a key has changed (`ocdmdec`).
    Key(KeyStatus),
}

/// An element message `clearkey-license` of `clearkeydec` or `ocdm-license` of `ocdmdec`.
#[derive(Clone, Copy, Debug)]
pub struct LicenseMessage<'a>(&'a gst::StructureRef);

impl<'a> LicenseMessage<'a> {
    /// That of a message on the bus, if it is one.
    pub fn of(message: &'a gst::Message) -> Option<Self> {
        let names = ["clearkey-license", "ocdm-license"];
        let mut found = names.iter().filter_map(|name| structure_of(message, name));
        found.next().map(Self)
    }

    /// What has become of it.
    pub fn state(&self) -> Option<LicenseState> {
        Some(match self.0.get("state").ok()? {
            "acquired" => LicenseState::Acquired,
            "renewed" => LicenseState::Renewed,
            "failed" => LicenseState::Failed,
            status => LicenseState::Key(KeyStatus::from_nick(status)?),
        })
    }

    /// Why a renewal failed.
    pub fn reason(&self) -> Option<Reason> {
        reason(self.0)
    }

    fields! {
        /// How many keys a license has.
        keys: u32 = "keys";
        /// Which key it is about, in hexadecimal digits.
        key_id: &'a str = "key-id";
        /// Whether another stream had asked for it.
        cached: bool = "cached";
        /// How many requests were made.
        attempts: u32 = "attempts";
        /// How long they took.
        latency: gst::ClockTime = "latency";
        /// The HTTP status of a failure.
        http_status: u32 = "http-status";
        /// Why a renewal failed, in a sentence.
        text: &'a str = "text";
    }
}
