// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the services answer, as a test chooses it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the auth services answer a request for a session token.
///
/// Where it says that a service grants, Thunder and AGS still refuse whoever does not bring what
/// they want to see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auth {
    /// Grants the current token for an hour.
    #[default]
    Grant,
    /// Grants the current token for so many seconds. AGS has no way to say for how long.
    GrantFor(u64),
    /// Grants the current token for an hour, but only after so long.
    GrantAfter(Duration),
    /// Answers exactly this.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The value of the `Content-Type` header.
        content_type: String,
        /// The body, sent as it is.
        body: String,
    },
    /// Answers exactly this, with no header but these and the length.
    ReplyWithHeaders {
        /// The HTTP status.
        status: u16,
        /// The names and values of the headers.
        headers: Vec<(String, String)>,
        /// The body, sent as it is.
        body: String,
    },
    /// Takes the request and answers nothing until [`Headend::release`](crate::Headend::release).
    Hang,
    /// Takes the request and closes the connection without an answer.
    CloseAtOnce,
    /// Grants, and closes the connection in the middle of the reply.
    BreakOff,
    /// Treats each request as the next entry says, whichever of the services it is for, and all
    /// after the last entry as that one says. Without entries it is [`Grant`](Self::Grant).
    Sequence(Vec<Auth>),
}

/// How AGS answers a request for the services it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Discovery {
    /// Offers the one service there is.
    #[default]
    Offer,
    /// Answers exactly this.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The value of the `Content-Type` header.
        content_type: String,
        /// The body, sent as it is.
        body: String,
    },
    /// Takes the request and answers nothing until [`Headend::release`](crate::Headend::release).
    Hang,
}

/// How Thunder answers a request for a WebSocket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Events {
    /// Agrees with whoever has the security token, and grants what is registered for. It looks for
    /// that where Thunder does when security is switched on: in the query alone, as `token`.
    #[default]
    Serve,
    /// Answers with this HTTP status.
    Refuse(u16),
    /// Agrees as if the client had sent another key.
    Misread,
}

/// How the license server answers a request for keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Licenses {
    /// Gives the keys to whoever presents a valid token.
    #[default]
    Serve,
    /// As [`Serve`](Self::Serve), and each key says that it ends so long after the answer.
    ///
    /// It says so by the member `exp` of a JSON Web Key (registered for OpenID Federation 1.0),
    /// seconds since the epoch with a fraction (`NumericDate` of RFC 7519, section 2).
    ServeFor(Duration),
    /// Gives the keys to everyone.
    ServeAnonymous,
    /// As [`Serve`](Self::Serve), but as if it did not know this key id (32 hexadecimal digits).
    ServeWithout(String),
    /// Answers every request with this HTTP status, whatever token it brings.
    Refuse(u16),
    /// Answers exactly this, as `application/json`, whatever token the request brings.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The body, sent as it is.
        body: String,
    },
    /// Sends the client elsewhere.
    Redirect {
        /// The HTTP status.
        status: u16,
        /// The value of the `Location` header.
        location: String,
    },
    /// Takes the request and answers nothing until [`Headend::release`](crate::Headend::release).
    Hang,
}

/// How the key server answers a request for a key of AES-128 or identity SAMPLE-AES.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeyPolicy {
    /// Gives the key to everyone.
    #[default]
    Open,
    /// Gives the key to whoever presents a valid session token, as the license server takes it.
    /// Without a token the answer is 401, with another one that of
    /// [`Headend::set_refusal`](crate::Headend::set_refusal).
    Token,
    /// Answers with this HTTP status, whatever the request brings.
    Refuse(u16),
    /// As [`Refuse`](Self::Refuse), and the current token is revoked before.
    Revoke(u16),
    /// Redirects.
    Redirect {
        /// The HTTP status.
        status: u16,
        /// The value of the `Location` header.
        to: String,
    },
    /// Answers exactly this.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The value of the `Content-Type` header.
        content_type: String,
        /// The body, sent as it is.
        body: Vec<u8>,
    },
    /// Takes the request and answers nothing until [`Headend::release`](crate::Headend::release).
    Hang,
    /// Treats each request as the next entry says, and all after the last entry as that one says.
    /// Sequences do not nest.
    Sequence(Vec<KeyPolicy>),
}

/// Which playlists the origin compresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gzip {
    /// None.
    #[default]
    Never,
    /// Those that are asked for with `gzip` in `Accept-Encoding`.
    WhereAccepted,
    /// All, whatever the client says it can read. There are such servers.
    Always,
}
