// SPDX-License-Identifier: MIT OR Apache-2.0

//! Properties, and the one validated policy that they become when the element leaves NULL.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::auth_service::rdk;
use crate::config::{Common, text};
use crate::failure::Failure;
use crate::http::Endpoint;
use crate::packing::{DEFAULT_HEADER, HeaderTemplate};
use crate::secret::Secret;
use crate::session::{Grant, Identity, MAX_TOKEN_LEN, Moment, Session, Token, checked, session};

/// What happens to the stream when there is no token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstSessionTokenOnFailure")]
#[repr(i32)]
pub enum OnFailure {
    #[default]
    #[enum_value(name = "Error: post an error and end the stream", nick = "error")]
    Error,
    #[enum_value(
        name = "Anonymous: post a warning and pass protection events without a token",
        nick = "anonymous"
    )]
    Anonymous,
}

/// The properties as they were set.
#[derive(Clone)]
pub struct Settings {
    location: Option<Secret>,
    session_token_file: Option<String>,
    on_failure: OnFailure,
    prefetch: bool,
    key_request_header: Option<Secret>,
    common: Common,
    /// Names of those that were set on the element, which contexts and environment do not change.
    explicit: HashSet<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            location: None,
            session_token_file: None,
            on_failure: OnFailure::default(),
            prefetch: true,
            key_request_header: None,
            common: Common::default(),
            explicit: HashSet::new(),
        }
    }
}

impl Settings {
    pub fn properties() -> Vec<glib::ParamSpec> {
        let own = [
            glib::ParamSpecString::builder("location")
                .nick("Location")
                .blurb("URL of the auth service (read back without userinfo and query)")
                .default_value(rdk::DEFAULT_LOCATION)
                .mutable_ready()
                .build(),
            glib::ParamSpecString::builder("session-token-file")
                .nick("Session token file")
                .blurb("File that holds the session token, read at each tune instead of asking a service")
                .mutable_ready()
                .build(),
            glib::ParamSpecEnum::builder::<OnFailure>("on-failure")
                .nick("On failure")
                .blurb("What to do with the stream when there is no token")
                .mutable_ready()
                .build(),
            glib::ParamSpecBoolean::builder("prefetch")
                .nick("Prefetch")
                .blurb("Ask for the token when going to PAUSED, beside manifest and init segments, instead of at the first protection event")
                .default_value(true)
                .mutable_ready()
                .build(),
            glib::ParamSpecString::builder("key-request-header")
                .nick("Key request header")
                .blurb("HTTP header for the licence request, {token} stands for the token (default: Authorization: Bearer {token})")
                .mutable_ready()
                .write_only()
                .build(),
        ];
        own.into_iter().chain(Common::properties()).collect()
    }

    /// Sets a property from the application.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        self.explicit.insert(name.to_owned());
        self.apply(name, value);
    }

    /// The value has the property's type: GObject and `config` both see to that.
    fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "location" => self.location = text(value).map(Secret::new),
            "session-token-file" => self.session_token_file = text(value),
            "on-failure" => self.on_failure = value.get().unwrap_or_default(),
            "prefetch" => self.prefetch = value.get().unwrap_or(true),
            "key-request-header" => self.key_request_header = text(value).map(Secret::new),
            name => self.common.apply(name, value),
        }
    }

    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "location" => Endpoint::shown(self.location()).to_value(),
            "session-token-file" => self.session_token_file.to_value(),
            "on-failure" => self.on_failure.to_value(),
            "prefetch" => self.prefetch.to_value(),
            name => self.common.get(name),
        }
    }

    fn location(&self) -> &str {
        self.location
            .as_ref()
            .map_or(rdk::DEFAULT_LOCATION, Secret::expose)
    }

    /// These settings, completed from context and environment and checked.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn policy(
        &self,
        element: &glib::Object,
        context: Option<&gst::Context>,
    ) -> Result<Policy, Failure> {
        let mut settings = self.clone();
        for (name, value) in crate::config::settings_for(element, &self.explicit, context)? {
            settings.apply(&name, &value);
        }
        let header = match &settings.key_request_header {
            Some(text) => HeaderTemplate::parse(text.expose()),
            None => HeaderTemplate::parse(DEFAULT_HEADER),
        }
        .map_err(Failure::misconfigured)?;
        let source = match &settings.session_token_file {
            Some(path) => Source::File(path.clone()),
            None => {
                let endpoint = Endpoint::parse(
                    settings.location(),
                    "location",
                    settings.common.allow_cleartext,
                )?;
                Source::Service {
                    session: session(Identity {
                        service: rdk::NICK,
                        location: Secret::from(endpoint.as_str()),
                    }),
                    endpoint,
                }
            }
        };
        Ok(Policy {
            source,
            timeout: settings.common.timeout(),
            on_failure: settings.on_failure,
            prefetch: settings.prefetch,
            header,
            max_held_bytes: settings.common.max_held_bytes,
        })
    }
}

/// What the element does from READY on.
pub struct Policy {
    pub source: Source,
    pub timeout: Duration,
    pub on_failure: OnFailure,
    pub prefetch: bool,
    pub header: HeaderTemplate,
    pub max_held_bytes: u64,
}

/// Where the token comes from, unless the application gives one itself.
pub enum Source {
    File(String),
    Service {
        session: Arc<Session>,
        endpoint: Endpoint,
    },
}

impl Source {
    pub fn nick(&self) -> &'static str {
        match self {
            Source::File(_) => "file",
            Source::Service { .. } => rdk::NICK,
        }
    }
}

/// A token that the application gave, or why what it gave is none.
pub type Given = Result<Token, Failure>;

/// Takes the application's own text as the token of that generation.
pub fn given(text: Secret, source: &str, generation: u32) -> Given {
    let grant = Grant {
        token: checked(text, source).map_err(|failure| Failure::misconfigured(failure.what))?,
        lifetime: None,
    };
    let correlation_id = uuid::Uuid::new_v4().to_string().into();
    Ok(Token::new(
        grant,
        generation,
        correlation_id,
        Duration::ZERO,
        Moment::now(),
    ))
}

/// Reads the text of a token from a file; white space around it does not count.
pub fn read_file(path: &str) -> Result<Secret, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::misconfigured(format!("`session-token-file` cannot be read: {error}"))
    };
    // Opening a pipe could block the player.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Failure::misconfigured(
            "`session-token-file` is not a regular file",
        ));
    }
    let file = File::open(path).map_err(unreadable)?;
    // A little more than the longest token, so that one that is too long is seen to be.
    const LIMIT: usize = 2 * MAX_TOKEN_LEN;
    let mut text = zeroize::Zeroizing::new(String::with_capacity(LIMIT + 1));
    file.take(LIMIT as u64)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    Ok(Secret::from(text.trim()))
}

/// Whether others than its owner may read the file.
pub fn is_open_to_others(path: &str) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
