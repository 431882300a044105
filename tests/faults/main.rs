// SPDX-License-Identifier: MIT OR Apache-2.0

//! What becomes of a tune, and of a token, when the world around the player breaks: a file for each kind of fault. `docs/faults.md` is the table
//! of all of them.

mod apart;
#[path = "../apart/mod.rs"]
mod child;
mod clock;
#[path = "../compiled/mod.rs"]
mod compiled;
mod descriptors;
mod machine;
mod network;
#[path = "../process/mod.rs"]
mod process;
#[path = "../element/hostile/raw_server.rs"]
#[allow(dead_code, reason = "most of it is for other tests")]
mod raw_server;
mod restarted;
#[path = "../element/rig.rs"]
#[allow(dead_code, reason = "most of it is for other tests")]
mod rig;
#[path = "../element/samples.rs"]
#[allow(dead_code, reason = "most of it is for other tests")]
mod samples;
#[path = "../element/stream.rs"]
#[allow(dead_code, reason = "most of it is for other tests")]
mod stream;
mod suspended;
mod threads;
mod tokens;
mod waits;
