// SPDX-License-Identifier: MIT OR Apache-2.0

//! Each service, asked over the network. One test program for all, so that it is linked once.

mod ags;
mod auth_service;
mod client;
mod discovery;
mod events;
mod hls;
mod key_server;
mod license_server;
mod origin;
mod program;
mod thunder;
mod tls;
