// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whole players against a whole head-end: stock playbin, playbin3 and written-out pipelines play
//! protected DASH over real HTTP. Each module is one thing that a viewer would notice.

mod authorization;
mod bit_exact;
mod child;
mod clear_lead;
mod failure;
mod fatal_warnings;
mod first_tune;
mod hanging;
mod hanging_auth_server;
mod hls;
mod leaks;
mod license_servers;
mod lifetime;
mod metadata;
mod mid_film;
mod recovery;
mod rotation;
mod second_tune;
mod secrets;
mod slow;
