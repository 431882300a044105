// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a CDM says of a key.

/// What can be done with a key: OpenCDM's `KeyStatus`, W3C Encrypted Media Extensions'
/// `MediaKeyStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyStatus {
    /// Samples can be decrypted.
    Usable,
    /// It has ended.
    Expired,
    /// It was given back.
    Released,
    /// The output is not protected enough.
    OutputRestricted,
    /// The output lacks HDCP 2.2.
    OutputRestrictedHdcp22,
    /// Samples can be decrypted, and come out smaller.
    OutputDownscaled,
    /// The CDM does not know yet.
    Pending,
    /// Something is wrong in the CDM.
    InternalError,
    /// Something is wrong in the hardware.
    HardwareError,
}

impl KeyStatus {
    /// By the word in messages.
    pub(crate) fn from_nick(nick: &str) -> Option<Self> {
        let mut all = (0..=8).map(Self::from_raw);
        all.find(|status| status.nick() == nick)
    }

    /// By OpenCDM's numbers. One that they do not know is an error inside the CDM.
    pub(crate) fn from_raw(raw: i32) -> Self {
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
    pub(crate) fn may_pass(self) -> bool {
        matches!(
            self,
            KeyStatus::OutputRestricted | KeyStatus::OutputRestrictedHdcp22 | KeyStatus::Pending
        )
    }
}
