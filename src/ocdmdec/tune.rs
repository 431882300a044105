// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an element has from PAUSED on, besides its keys.

use std::time::Instant;

use super::decrypt_thread::{DecryptThread, InFlight};
use crate::error::Failure;
use crate::hold::Item;
use crate::ocdm::Opening;

/// What one tune has.
#[derive(Default)]
pub struct Tune {
    pub library: Option<Opening>,
    /// Why there will be no data. It is told when there would be: dashdemux2 (1.22) aborts where a
    /// stream fails before it has any (`match_parsebin_to_track`).
    pub failure: Option<Failure>,
    pub thread: Option<DecryptThread>,
    pub in_flight: Option<InFlight>,
    /// What the CDM has not decrypted, and since when.
    pub refused: Option<(Item, Instant)>,
    /// What is decrypted lies in memory of the CDM's.
    pub is_secure: bool,
    /// Those of the sink pad, for the CDM.
    pub caps: Option<gst::Caps>,
}
