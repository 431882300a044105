// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an element does from READY on: its settings, completed and checked.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::dashif_authz::AuthzServices;
use crate::auth_service::dashif;
use crate::key_request::Shape;
use crate::session::{SessionHandle, SessionObserver};

/// What an element does from READY on.
pub struct Policy {
    pub source: Source,
    /// For a token, all in all.
    pub timeout: Duration,
    /// Without a token events pass as they are, and the stream goes on.
    pub is_anonymous_allowed: bool,
    pub prefetch: bool,
    pub shape: Shape,
    /// The DRM systems whose events get the token; all of them where none is named.
    pub systems: Vec<Uuid>,
    pub correlation_id: Option<String>,
    /// Who is told what the session does meanwhile.
    pub observer: Option<Arc<dyn SessionObserver>>,
    pub max_held_bytes: u64,
    /// What the user should know and what stops nothing.
    pub warnings: Vec<String>,
}

impl Policy {
    /// Whether that system's events get the token.
    pub fn is_for(&self, system: &str) -> bool {
        self.systems.is_empty()
            || Uuid::try_parse(system).is_ok_and(|system| self.systems.contains(&system))
    }
}

/// Where the token comes from, unless the application gives one itself.
pub enum Source {
    /// The path of `session-token-file`.
    File(String),
    Service(SessionHandle),
    /// The stream says where the service is, and for which keys to ask.
    DashIf(Box<dyn AuthzServices>),
}

impl Source {
    /// Its name in messages.
    pub fn nick(&self) -> &'static str {
        match self {
            Source::File(_) => "file",
            Source::Service(session) => session.nick(),
            Source::DashIf(_) => dashif::NICK,
        }
    }
}
