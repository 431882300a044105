// SPDX-License-Identifier: MIT OR Apache-2.0

//! An OpenCDM library with ClearKey, real AES, and bad manners on demand.
//!
//! How it behaves stands behind the key system's name: `org.w3.clearkey;inside;status=3` sends its
//! challenge from inside `opencdm_construct_session` and says that keys are output restricted. So
//! tests that run side by side in one process do not disturb each other. `behaviour.rs` lists the
//! words.

mod abi;
mod behaviour;
mod decrypt;
mod session;
