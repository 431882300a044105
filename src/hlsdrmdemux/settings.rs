// SPDX-License-Identifier: MIT OR Apache-2.0

//! The properties.

use gst::glib;
use gst::prelude::*;
use once_cell::sync::Lazy;

use url::Url;

use crate::config::{Configured, text};
use crate::error::Failure;
use crate::http::{TokenHosts, is_loopback};

/// Which of GStreamer's demuxers is inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstHlsDrmDemuxDemuxer")]
#[repr(i32)]
pub enum Demuxer {
    #[default]
    #[enum_value(
        name = "The one that fits where this element is plugged",
        nick = "auto"
    )]
    Auto,
    #[enum_value(name = "The older one, for playbin and decodebin", nick = "hlsdemux")]
    HlsDemux,
    #[enum_value(
        name = "The newer one, of GStreamer 1.22, for playbin3 and urisourcebin",
        nick = "hlsdemux2"
    )]
    HlsDemux2,
}

impl Demuxer {
    /// The factory's name. `takes_streams` says that whoever is around takes parsed streams of the
    /// demuxer's choice.
    pub fn factory(self, takes_streams: bool) -> &'static str {
        let has_newer = || gst::ElementFactory::find("hlsdemux2").is_some();
        match self {
            Demuxer::HlsDemux => "hlsdemux",
            Demuxer::HlsDemux2 => "hlsdemux2",
            Demuxer::Auto if takes_streams && has_newer() => "hlsdemux2",
            Demuxer::Auto => "hlsdemux",
        }
    }
}

/// When the request for a key that a playlist names carries the session token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstHlsDrmDemuxKeyRequestToken")]
#[repr(i32)]
pub enum KeyRequestToken {
    #[default]
    #[enum_value(
        name = "After its server has refused a request without it (HTTP 401, 403 or 412)",
        nick = "on-refusal"
    )]
    OnRefusal,
    #[enum_value(name = "Always", nick = "always")]
    Always,
    #[enum_value(name = "Never", nick = "never")]
    Never,
}

/// The properties as they were set.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub demuxer: Demuxer,
    /// In kbit/s, 0 to measure it.
    pub connection_speed: u32,
    pub key_request_token: KeyRequestToken,
    /// Hosts, as they were written.
    token_hosts: Option<String>,
    pub allow_cleartext: bool,
    pub prefetch: bool,
}

impl Settings {
    pub fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: Lazy<Vec<glib::ParamSpec>> = Lazy::new(|| {
            vec![
                glib::ParamSpecUInt::builder("connection-speed")
                    .nick("Connection speed")
                    .blurb("Network connection speed to use in kbit/s (0: measure it)")
                    .maximum(u32::MAX / 1000)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecEnum::builder::<Demuxer>("demuxer")
                    .nick("Demuxer")
                    .blurb("Which of GStreamer's demuxers is inside")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecEnum::builder::<KeyRequestToken>("key-request-token")
                    .nick("Key request token")
                    .blurb("When the request for a key that a playlist names (METHOD=AES-128, or SAMPLE-AES with KEYFORMAT=identity) carries the session token")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecString::builder("token-hosts")
                    .nick("Token hosts")
                    .blurb("Hosts that may be sent the session token with key requests, separated by commas: host, host:port or *.example.com (default: those of the presentation's first playlist, and behind its redirect where that came over TLS)")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecBoolean::builder("allow-cleartext")
                    .nick("Allow cleartext")
                    .blurb("Send the session token over http to other hosts than this one")
                    .mutable_ready()
                    .build(),
                glib::ParamSpecBoolean::builder("prefetch")
                    .nick("Prefetch")
                    .blurb("Fetch the session token when going to PAUSED, also for what turns out to be in the clear, instead of when the first playlist names a key")
                    .mutable_ready()
                    .build(),
            ]
        });
        PROPERTIES.as_ref()
    }

    /// Who may be sent the token, where the presentation is at these URLs.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with what is wrong with `token-hosts`.
    pub fn hosts(&self, asked_for: &Url, found: &Url) -> Result<TokenHosts, Failure> {
        if let Some(hosts) = &self.token_hosts {
            return TokenHosts::parse(hosts);
        }
        // Where there is no TLS anybody on the way could have sent the redirect.
        let may_redirect = self.allow_cleartext
            || asked_for.scheme() == "https"
            || is_loopback(asked_for)
            || asked_for.host() == found.host();
        let own = [asked_for, found].into_iter();
        Ok(TokenHosts::origins(own.take(1 + usize::from(may_redirect))))
    }

    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "demuxer" => self.demuxer.to_value(),
            "key-request-token" => self.key_request_token.to_value(),
            "token-hosts" => self.token_hosts.to_value(),
            "allow-cleartext" => self.allow_cleartext.to_value(),
            "prefetch" => self.prefetch.to_value(),
            _ => self.connection_speed.to_value(),
        }
    }
}

impl Configured for Settings {
    fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "demuxer" => self.demuxer = value.get().unwrap_or_default(),
            "key-request-token" => self.key_request_token = value.get().unwrap_or_default(),
            "token-hosts" => self.token_hosts = text(value),
            "allow-cleartext" => self.allow_cleartext = value.get().unwrap_or_default(),
            "prefetch" => self.prefetch = value.get().unwrap_or_default(),
            _ => self.connection_speed = value.get().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_without_tls_chooses_no_host_for_the_token() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let evil = url("https://evil.example/m.m3u8");
        let allows = |settings: &Settings, asked_for: &str, found: &Url| {
            let hosts = settings.hosts(&url(asked_for), found).expect("hosts");
            assert!(hosts.allows(&url(asked_for)));
            hosts.allows(found)
        };
        let settings = Settings::default();
        assert!(!allows(&settings, "http://op.example/m.m3u8", &evil));
        assert!(allows(&settings, "https://op.example/m.m3u8", &evil));
        assert!(allows(&settings, "http://127.0.0.1:80/m.m3u8", &evil));
        let own = url("https://op.example/m.m3u8");
        assert!(allows(&settings, "http://op.example/m.m3u8", &own));
        let cleartext = Settings {
            allow_cleartext: true,
            ..Settings::default()
        };
        assert!(allows(&cleartext, "http://op.example/m.m3u8", &evil));
    }
}
