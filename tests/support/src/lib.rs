// SPDX-License-Identifier: MIT OR Apache-2.0

//! What several test programs and benchmarks share: harnesses for one element (`rig`, `samples`,
//! `stream`, `pad_harness`) and for whole players (`player_harness` and what goes with it),
//! servers, processes of their own, and folders.

pub mod cc;
pub mod fixtures;
pub mod folders;
pub mod leaks_tracer;
mod libsoup;
pub mod operator;
pub mod pad_harness;
pub mod player;
pub mod player_harness;
pub mod raw_server;
pub mod readings;
pub mod reference;
pub mod rig;
pub mod samples;
pub mod stream;
pub mod subprocess;
pub mod table;
pub mod warnings;
