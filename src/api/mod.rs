// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the elements tell an application or a decryptor in Rust, with types: messages on the bus,
//! details of errors, and the key request on a protection event.
//!
//! They read GStreamer's own messages and events, so they work with the plugin as GStreamer loads
//! it and with a plugin that is linked statically alike. A field that a message does not have is
//! `None`, and so is a word that this version does not know.
//!
//! ```
//! use gstsessiontoken::api::{ErrorDetails, Reason, TokenMessage, TokenState};
//!
//! fn on_message(message: &gst::Message) {
//!     if let Some(token) = TokenMessage::of(message) {
//!         if token.state() == Some(TokenState::Failed) {
//!             eprintln!("no session token: {}", token.text().unwrap_or_default());
//!         }
//!     }
//!     if let gst::MessageView::Error(error) = message.view() {
//!         let reason = ErrorDetails::of(error).and_then(|details| details.reason());
//!         if reason == Some(Reason::Denied) {
//!             eprintln!("this account may not watch that");
//!         }
//!     }
//! }
//! ```

mod error_details;
mod key_request;
mod license_message;
mod token_message;

pub use crate::error::Kind as Reason;
pub use crate::key_request::Flow;
pub use crate::ocdm::KeyStatus;
pub use error_details::ErrorDetails;
pub use key_request::KeyRequest;
pub use license_message::{LicenseMessage, LicenseState};
pub use token_message::{TokenMessage, TokenState};

/// The structure of an element's message, if it has that name.
fn structure_of<'a>(message: &'a gst::Message, name: &str) -> Option<&'a gst::StructureRef> {
    match message.view() {
        gst::MessageView::Element(element) => element.structure(),
        _ => None,
    }
    .filter(|structure| structure.name() == name)
}

/// Why something failed, as a structure says it.
fn reason(structure: &gst::StructureRef) -> Option<Reason> {
    Reason::from_nick(structure.get("reason").ok()?)
}

/// Getters for fields that may be missing.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $field:literal;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(&self) -> Option<$type> {
                self.0.get($field).ok()
            }
        )*
    };
}
use fields;

#[cfg(test)]
mod tests;
