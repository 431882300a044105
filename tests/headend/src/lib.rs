// SPDX-License-Identifier: MIT OR Apache-2.0

//! An operator's head-end in one process, for tests and demonstrations.
//!
//! A [`Headend`] is several servers on one port of the loopback interface: the auth services that
//! grant session tokens, the license server that gives content keys to whoever presents one
//! (W3C EME ClearKey), and the origin that serves the media of `tests/media` for DASH and HLS. All
//! of them speak real HTTP to a real client, over TLS if a test wants it ([`Tls`]), so a test that
//! passes here has passed through the whole stack.
//!
//! For HLS the origin makes more of the same media than lies there: `/hls/live/` and
//! `/hls/live-steady/` have them without end, with keys that rotate, `/hls/live-clear/` and
//! `/hls/live-clear-both-keys/` the same with clear segments, `/hls/variants/` the picture twice,
//! with two keys, and `/hls/aes128/` and `/hls/aes128-no-map/` all of it encrypted as a whole,
//! without DRM.
//!
//! A test can have files of its own served besides ([`Headend::set_file`]), and whole segments
//! encrypted ([`encrypt_aes128`]) with keys that are at `/keys/NAME` ([`KeyPolicy`], [`key_of`]).
//!
//! The auth services are RDK's own, the same behind Thunder, OpenTV's Authentication Gateway
//! Service (AGS) with its discovery, an OAuth 2.0 authorization server, and one of no known shape.
//! They differ in how they are asked and what they want to see
//! ([`SECURITY_TOKEN`], [`AUTH_SERVICE_ID`], [`OPERATOR_TOKEN`], [`CLIENT_SECRET`],
//! [`DEVICE_KEY`]), but grant the same token. Thunder
//! has a WebSocket too, on which it says that there is another one.
//!
//! A test says how the services behave ([`Auth`], [`Discovery`], [`Licenses`]), and reads
//! afterwards what was asked of them ([`Record`]):
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

mod aes128;
mod ags;
mod auth_service;
mod bearer;
mod behaviour;
pub mod certificates;
mod credentials;
mod dashif;
mod discovery;
mod events;
mod files;
mod film;
mod gzip;
mod headend;
mod key_server;
mod keys;
mod license_server;
mod live;
mod login;
mod manifest;
mod media;
mod mp4;
mod oauth2;
mod playlist;
mod range;
mod rdk;
mod record;
mod reply;
mod script;
mod server;
mod shared;
mod statuses;
mod thunder;
mod tls;
mod tokens;
mod variants;

pub use behaviour::{Auth, Discovery, Events, Gzip, KeyPolicy, Licenses};
pub use credentials::{
    ACCOUNT, AUTH_SERVICE_ID, CLIENT_ID, CLIENT_SECRET, DEVICE_KEY, OPERATOR_TOKEN,
    PUBLIC_CLIENT_ID, SECURITY_TOKEN, SHARED_SECRET,
};
pub use headend::Headend;
pub use key_server::{encrypt_aes128, key_of};
pub use keys::{
    AD_AUDIO_KEY, AD_AUDIO_KEY_ID, AD_VIDEO_KEY, AD_VIDEO_KEY_ID, AUDIO_KEY, AUDIO_KEY_ID,
    NEXT_AUDIO_KEY, NEXT_AUDIO_KEY_ID, NEXT_VIDEO_KEY, NEXT_VIDEO_KEY_ID, VIDEO_KEY, VIDEO_KEY_ID,
    rotating_key_ids, secret_forms,
};
pub use mp4::retimed;
pub use record::{
    DiscoveryRequest, KeyRequest, LicenseRequest, Listener, MediaRequest, Record, Service,
    TokenRequest,
};
pub use tls::Tls;
