// SPDX-License-Identifier: MIT OR Apache-2.0

//! What stands between data and downstream.

use std::time::Instant;

use crate::error::Failure;
use crate::license::Missing;

pub enum Obstacle {
    /// A license is under way.
    Wait(Instant),
    /// There will be none.
    Failed(Failure),
    /// The stream cannot be decrypted.
    Broken(gst::StreamError, String),
}

impl Obstacle {
    pub fn broken(what: impl ToString) -> Self {
        Obstacle::Broken(gst::StreamError::Decrypt, what.to_string())
    }
}

impl From<Missing> for Obstacle {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Wait(until) => Obstacle::Wait(until),
            Missing::Failed(failure) => Obstacle::Failed(failure),
            Missing::NotInLicense { key_id, ignored } => {
                let but = ignored.map_or_else(String::new, |complaint| {
                    format!(" (another key in it {complaint})")
                });
                Obstacle::Broken(
                    gst::StreamError::DecryptNokey,
                    format!("the license has no key for the key id {key_id}{but}: check that it is granted for this content"),
                )
            }
            Missing::Unnamed => Obstacle::Broken(
                gst::StreamError::DecryptNokey,
                "the samples name no key (their key id is zero), and the `pssh` boxes of their fragment not exactly one: package each track by itself, or with a new init segment for each key".to_owned(),
            ),
        }
    }
}
