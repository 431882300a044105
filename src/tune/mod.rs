// SPDX-License-Identifier: MIT OR Apache-2.0

//! One element's tokens, as a state machine without GStreamer: events in, actions and effects out.
//!
//! `provider.rs` is what the element calls, `state.rs` decides which token a tune has, and the
//! others know one thing each.

mod app_token;
mod dashif_authz;
mod effect;
mod event_replay;
mod issuers;
mod policy;
mod provider;
mod state;
mod stream_registry;
mod wait_time;

pub use app_token::correlation_id_or_new;
pub use dashif_authz::{AuthzServices, Endpoints, FollowingItem, ProtectionNotice};
pub use effect::{Effect, Report, Severity};
pub use policy::{Policy, Source};
pub use provider::{Action, Attachment, Newer, Protection, Stats, TokenProvider};
pub use state::Call;
pub use stream_registry::Stream;
