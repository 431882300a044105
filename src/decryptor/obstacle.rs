// SPDX-License-Identifier: MIT OR Apache-2.0

//! What stands between data and downstream.

use std::time::Instant;

use crate::error::{Failure, Fault};
use crate::license::Missing;

pub enum Obstacle {
    /// A license is under way.
    Wait(Instant),
    /// There will be none, or the data cannot be decrypted.
    Failed(Failure),
}

impl Obstacle {
    pub fn broken(what: impl ToString) -> Self {
        Obstacle::Failed(Failure::malformed(what.to_string()).with_fault(Fault::Sample))
    }
}

fn no_key(failure: Failure) -> Obstacle {
    Obstacle::Failed(failure.with_fault(Fault::Key))
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
                no_key(Failure::denied(format!(
                    "the license has no key for the key id {key_id}{but}: check that it is granted for this content"
                )))
            }
            Missing::Unnamed => no_key(Failure::malformed(
                "the samples name no key (their key id is zero), and the `pssh` boxes of their fragment not exactly one: package each track by itself, or with a new init segment for each key",
            )),
        }
    }
}
