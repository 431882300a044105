// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the services answer, as a test chooses it.

use std::time::Duration;

/// How the auth service answers a request for a session token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Grants the current token for an hour.
    #[default]
    Grant,
    /// Grants the current token for so many seconds.
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
    /// Takes the request and answers nothing until [`Headend::release`](crate::Headend::release).
    Hang,
    /// Takes the request and closes the connection without an answer.
    CloseAtOnce,
}

/// How the licence server answers a request for keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Licences {
    /// Gives the keys to whoever presents a valid token.
    #[default]
    Serve,
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
    /// Takes the request and answers nothing until [`Headend::release`](crate::Headend::release).
    Hang,
}
