// SPDX-License-Identifier: MIT OR Apache-2.0

//! One box: its session, and its viewer.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Failure;
use crate::session::fetcher::{
    Discovered, FetchReason, Fetched, NoticeSink, TokenFetcher, TokenResponse, Work,
};
use crate::session::request::Ticket;
use crate::session::state::State;
use crate::token::{Grant, Secret};

/// A request that is under way.
pub struct Fetching {
    pub ticket: Ticket,
    pub attempts: u32,
    pub began: Duration,
}

/// A box.
pub struct Viewer {
    pub state: State,
    pub fetching: Option<Fetching>,
    /// Since when the viewer looks at a black screen.
    pub wanted: Option<Duration>,
    /// They are going to try again.
    pub tries_again: bool,
    /// When it does something next: what was planned before is over.
    pub wakes_at: Option<Duration>,
}

impl Viewer {
    /// A box that is switched on.
    pub fn new(fetcher: &Arc<dyn TokenFetcher>) -> Self {
        Self {
            state: state(fetcher),
            fetching: None,
            wanted: None,
            tries_again: false,
            wakes_at: None,
        }
    }
}

/// A session with an element that uses it.
pub fn state(fetcher: &Arc<dyn TokenFetcher>) -> State {
    let mut state = State::default();
    state.add_user(fetcher.clone(), None);
    state
}

/// Makes no request: the simulation does.
pub struct NoFetcher;

impl TokenFetcher for NoFetcher {
    fn nick(&self) -> &'static str {
        "rdk"
    }

    fn fetch(self: Arc<Self>, _: Option<Discovered>, _: FetchReason) -> Work<Fetched> {
        unreachable!("the simulation makes the requests")
    }

    fn listen(self: Arc<Self>, _: NoticeSink) -> Option<Work<()>> {
        None
    }

    fn overdue(&self) -> Failure {
        Failure::timed_out("no session token in time")
    }
}

/// What a service that is there grants, each time another token: one that says how long it is good
/// for, or a JSON Web Token that names the second since 1970 in which it ends.
pub fn granted(number: u64, lifetime: Duration, named_end: Option<u64>) -> Fetched {
    let text = match named_end {
        None => number.to_string(),
        Some(end) => {
            let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{end},"jti":"{number}"}}"#));
            format!("eyJhbGciOiJIUzI1NiJ9.{claims}.c2ln")
        }
    };
    Fetched {
        result: Ok(TokenResponse {
            grant: Grant {
                token: Secret::from(text.as_str()),
                lifetime: named_end.is_none().then_some(lifetime),
            },
            headers: Vec::new(),
            correlation_id: Arc::from(""),
            location: None,
            attempts: 1,
        }),
        discovered: None,
    }
}

/// What comes of a service that is away.
pub fn away() -> Fetched {
    Fetched {
        result: Err(Failure::transient("no connection")),
        discovered: None,
    }
}
