// SPDX-License-Identifier: MIT OR Apache-2.0

//! An operator's head-end in one process, for tests and demonstrations.
//!
//! A [`Headend`] is three servers on one port of the loopback interface: the auth service that
//! grants session tokens, the licence server that gives content keys to whoever presents one
//! (W3C EME ClearKey), and the origin that serves the DASH media of `tests/media`. All three speak
//! real HTTP to a real client, so a test that passes here has passed through the whole stack.
//!
//! A test says how the services behave ([`Auth`], [`Licences`]), and reads afterwards what was
//! asked of them ([`Record`]):
//!
//! ```
//! use headend::{Auth, Headend};
//!
//! # fn main() -> std::io::Result<()> {
//! let headend = Headend::start()?;
//! headend.set_auth(Auth::GrantFor(60));
//! println!("fetch a token from {}", headend.auth_url());
//! assert!(headend.token_requests().is_empty());
//! # Ok(())
//! # }
//! ```

mod auth_service;
mod behaviour;
mod headend;
mod keys;
mod licence_server;
mod manifest;
mod media;
mod range;
mod record;
mod reply;
mod server;
mod shared;
mod tokens;

pub use behaviour::{Auth, Licences};
pub use headend::Headend;
pub use keys::{AUDIO_KEY, AUDIO_KEY_ID, VIDEO_KEY, VIDEO_KEY_ID, secret_forms};
pub use record::{LicenceRequest, Record, TokenRequest};
