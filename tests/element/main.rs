// SPDX-License-Identifier: MIT OR Apache-2.0

//! Each element by itself in a harness, against real services on the loopback interface.
//!
//! A file for each thing that a player relies on. Sessions are shared in the process by their
//! location, so each test has a head-end, and with it a session, of its own.

mod app_token;
mod clear_samples;
mod custom_service;
mod dashif;
mod decrypting;
mod failing;
mod failover;
mod flush;
mod fresh_credentials;
mod holding;
mod hostile;
mod key_request;
mod license_life;
mod license_servers;
mod lifetime;
mod oauth2;
mod passing;
mod rejection;
mod request_token_for;
mod services;
mod settings;
mod sharing;
mod thunder_events;
mod tls;
mod warm_up;
