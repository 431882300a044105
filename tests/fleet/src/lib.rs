// SPDX-License-Identifier: MIT OR Apache-2.0

//! Boxes and one auth service, on a simulated clock. The rules are those of `src/session/state.rs`
//! and of the retries of a request (`src/http/retry.rs`), which are compiled here.

// Their unit tests are the plugin's.
#![cfg(not(test))]
#![allow(dead_code, unused_imports, reason = "the plugin needs more of it")]

#[path = "../../../src/backoff.rs"]
mod backoff;
#[path = "../../../src/echo.rs"]
mod echo;
#[path = "../../../src/error.rs"]
mod error;
#[path = "../../../src/json.rs"]
mod json;
#[path = "../../../src/problem_details.rs"]
mod problem_details;
#[path = "../../../src/shared_result.rs"]
mod shared_result;
#[path = "../../../src/sync.rs"]
mod sync;
#[path = "../../../src/token/mod.rs"]
mod token;
#[path = "../../../src/wait.rs"]
mod wait;

#[path = "../../../src/http"]
mod http {
    pub mod retry;
}

#[path = "../../../src/session"]
mod session {
    mod change_notices;
    mod failures;
    pub mod fetcher;
    mod refresh_policy;
    mod rejections;
    pub mod request;
    pub mod state;
}

mod boxes;
mod random;
mod scenarios;
mod simulation;

pub use scenarios::{SCENARIOS, Scenario};
pub use simulation::{Fleet, Policy, Seen};
