// SPDX-License-Identifier: MIT OR Apache-2.0

//! One element's tokens, as a state machine without GStreamer: events in, actions and effects out.
//!
//! `provider.rs` is what the element calls for its stream, `rejection.rs` for decryptors and
//! `orders.rs` for the application. `state.rs` decides which token a tune has, and the
//! others know one thing each.

mod action;
mod app_token;
mod background;
mod call;
mod dashif_authz;
mod effect;
mod event_replay;
mod failures;
mod issuers;
mod newest;
mod orders;
mod policy;
mod provider;
mod rejection;
mod reports;
mod state;
mod stream_registry;
mod wait_time;

pub use action::{Action, Attachment, Newer, Protection, Stats};
pub use app_token::correlation_id_or_new;
pub use call::Call;
pub use dashif_authz::{AuthzServices, Endpoints, FollowingItem, ProtectionNotice};
pub use effect::{Effect, Report, Severity};
pub use policy::{Policy, Source};
pub use provider::TokenProvider;

pub use stream_registry::Stream;
