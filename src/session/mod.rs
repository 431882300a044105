// SPDX-License-Identifier: MIT OR Apache-2.0

//! A session: at most one token and one request for it at a time, shared by the whole process.
//!
//! Audio, video and text of one pipeline, the next channel and a second pipeline have one session.
//! `state.rs` decides what becomes of it and needs no runtime. `task.rs` does it: one task a
//! session fetches, refreshes and listens for changes. Callers poll, by `handle.rs`.

mod cache;
mod change_notices;
pub mod failover;
mod failures;
mod fetcher;
mod handle;
pub mod logins;
mod refresh_policy;
mod rejections;
mod request;
mod shared;
mod state;
mod task;
#[cfg(test)]
pub mod testing;

pub use cache::{Account, Identity, clear_account, has_other_identity, session, set_identity};
pub use fetcher::{
    ChangeNotice, Discovered, FetchReason, Fetched, NoticeSink, SessionEvent, SessionObserver,
    TokenFetcher, TokenResponse, Work,
};
pub use handle::{Session, SessionGuard, SessionHandle, WeakSession};
pub use refresh_policy::{pause_after, renewal_pause};
pub use request::{Answer, Outcome};
