// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an element has from PAUSED on, besides its keys.

use super::decrypt_thread::{DecryptThread, InFlight};
use crate::ocdm::Opening;

/// What one tune has.
#[derive(Default)]
pub struct Tune {
    pub library: Option<Opening>,
    pub thread: Option<DecryptThread>,
    pub in_flight: Option<InFlight>,
    /// Those behind the decryptor, for the CDM.
    pub caps: Option<gst::Caps>,
}
