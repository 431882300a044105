// SPDX-License-Identifier: MIT OR Apache-2.0

//! What decryptors share: how samples are protected, which of them are clear, which caps come out,
//! and what `sessiontoken` wants on license requests.

mod caps;
mod clear_samples;
mod key_request;
mod key_request_fields;
mod license_settings;
mod obstacle;
mod presentation;
mod protection_meta;
mod token_store;

pub use caps::{answer as answer_caps_query, behind as caps_behind, templates};
pub use clear_samples::Samples;
pub use key_request::find as find_key_request;
pub use license_settings::LicenseSettings;
pub use obstacle::Obstacle;
pub use protection_meta::{ClearBy, Protection, remove as remove_protection};
