// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a CDM says of a key.

/// `KeyStatus` of OpenCDM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    Usable,
    Expired,
    Released,
    OutputRestricted,
    OutputRestrictedHdcp22,
    OutputDownscaled,
    Pending,
    InternalError,
    HardwareError,
}

impl KeyStatus {
    /// By OpenCDM's numbers. One that they do not know is an error inside the CDM.
    pub fn from_raw(raw: i32) -> Self {
        match raw {
            0 => KeyStatus::Usable,
            1 => KeyStatus::Expired,
            2 => KeyStatus::Released,
            3 => KeyStatus::OutputRestricted,
            4 => KeyStatus::OutputRestrictedHdcp22,
            5 => KeyStatus::OutputDownscaled,
            6 => KeyStatus::Pending,
            8 => KeyStatus::HardwareError,
            _ => KeyStatus::InternalError,
        }
    }

    /// The words in messages, as W3C's Encrypted Media Extensions have them where they have some.
    pub fn nick(self) -> &'static str {
        match self {
            KeyStatus::Usable => "usable",
            KeyStatus::Expired => "expired",
            KeyStatus::Released => "released",
            KeyStatus::OutputRestricted => "output-restricted",
            KeyStatus::OutputRestrictedHdcp22 => "output-restricted-hdcp22",
            KeyStatus::OutputDownscaled => "output-downscaled",
            KeyStatus::Pending => "status-pending",
            KeyStatus::InternalError => "internal-error",
            KeyStatus::HardwareError => "hardware-error",
        }
    }

    /// Whether samples can be decrypted.
    pub fn is_usable(self) -> bool {
        matches!(self, KeyStatus::Usable | KeyStatus::OutputDownscaled)
    }

    /// Whether that may pass by itself: a display that is plugged in, a CDM that is not done.
    pub fn may_pass(self) -> bool {
        matches!(
            self,
            KeyStatus::OutputRestricted | KeyStatus::OutputRestrictedHdcp22 | KeyStatus::Pending
        )
    }
}
