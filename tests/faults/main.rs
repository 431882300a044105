// SPDX-License-Identifier: MIT OR Apache-2.0

//! What becomes of a tune, and of a token, when the world around the player breaks: a file for each
//! kind of fault. `docs/faults.md` lists all of them, each with its test.

mod clock;
mod descriptors;
mod kept_connections;
mod machine;
mod network;
mod restarted;
mod subprocess;
mod suspended;
mod threads;
mod tokens;
mod waits;
