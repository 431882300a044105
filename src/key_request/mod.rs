// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a key request carries: the token in a header, and packed for the DRM library.

mod ave;
mod header;
mod query;
mod secclient;
mod template;

use serde::Serialize;

pub use header::{DEFAULT_HEADER, HeaderTemplate};
pub use query::QueryTemplate;

use crate::token::{Secret, Token};

/// What kind of presentation a protection event is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flow {
    /// MPEG-DASH.
    Dash,
    /// HTTP Live Streaming.
    Hls,
    /// Microsoft's Smooth Streaming.
    SmoothStreaming,
    /// Nobody says.
    #[default]
    Unknown,
}

impl Flow {
    /// By the event's origin, which qtdemux's (`isobmff/…`) does not tell.
    pub(crate) fn of_origin(origin: Option<&str>) -> Self {
        match origin {
            Some("dash/mpd") => Flow::Dash,
            Some("hls/m3u8") => Flow::Hls,
            Some("smooth-streaming") => Flow::SmoothStreaming,
            _ => Flow::Unknown,
        }
    }

    /// By the name of the demuxer that the stream has come through.
    pub(crate) fn of_demuxer(factory: &str) -> Self {
        match factory {
            "dashdemux" | "dashdemux2" => Flow::Dash,
            "hlsdemux" | "hlsdemux2" | "hlsdrmdemux" => Flow::Hls,
            "mssdemux" | "mssdemux2" => Flow::SmoothStreaming,
            _ => Flow::Unknown,
        }
    }

    /// By the field's value.
    pub(crate) fn from_nick(nick: &str) -> Self {
        let known = [Flow::Dash, Flow::Hls, Flow::SmoothStreaming];
        let mut known = known.into_iter();
        known.find(|flow| flow.nick() == nick).unwrap_or_default()
    }

    /// The field's value.
    pub fn nick(self) -> &'static str {
        match self {
            Flow::Dash => "dash",
            Flow::Hls => "hls",
            Flow::SmoothStreaming => "smooth-streaming",
            Flow::Unknown => "unknown",
        }
    }
}

/// For which DRM library the token is packed, beside the HTTP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// AVE for HLS, SecClient otherwise.
    Auto,
    None,
    Ave,
    SecClient,
}

/// How key requests are shaped.
#[derive(Clone, Debug)]
pub struct Shape {
    pub headers: Vec<HeaderTemplate>,
    pub query: Option<QueryTemplate>,
    pub packing: Packing,
}

impl Shape {
    /// What to add to the request with that token. Its own headers take the place of those that
    /// have the same name.
    pub fn headers(&self, token: &Token) -> Vec<(String, Secret)> {
        let own = token.headers();
        let is_own = |name: &str| {
            own.iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(name))
        };
        let others = self.headers.iter().filter(|header| !is_own(header.name()));
        others
            .map(|header| (header.name().to_owned(), header.value(token.text())))
            .chain(own.iter().cloned())
            .collect()
    }

    /// What to add to the URL's query, encoded.
    pub fn query(&self, token: &Secret) -> Option<Secret> {
        self.query.as_ref().map(|query| query.value(token))
    }

    /// What to pack into the key request for the init data of that protection system, if anything.
    pub fn custom_data(
        &self,
        token: &Token,
        flow: Flow,
        system: &str,
        init_data: &[u8],
    ) -> Option<Secret> {
        match (self.packing, flow) {
            (Packing::None, _) => None,
            (Packing::Ave, _) | (Packing::Auto, Flow::Hls) => {
                Some(ave::client_access(token.text()))
            }
            (Packing::SecClient | Packing::Auto, _) => {
                Some(secclient::key_request(token.text(), system, init_data))
            }
        }
    }
}

/// What is built of texts alone always becomes JSON.
fn json(message: &impl Serialize) -> Secret {
    Secret::new(serde_json::to_string(message).unwrap_or_default())
}
