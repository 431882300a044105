// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the test's thread and the head-end's thread share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::HeaderName;
use tokio::sync::watch;

use crate::behaviour::{Auth, Discovery, Events, Gzip, Licenses};
use crate::events::Connected;
use crate::files::Files;
use crate::key_server::KeyPolicies;
use crate::live::Live;
use crate::oauth2::OAuth2;
use crate::record::Record;
use crate::script::Script;
use crate::statuses::Statuses;
use crate::tokens::Tokens;

/// The state of a head-end, and the means to wait for it to change.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Where the head-end listens, as a URL without a path.
    pub(crate) origin: String,
    /// No other head-end of this process has that.
    pub(crate) tenant: u32,
    /// The folder that the origin serves.
    pub(crate) media: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
    released: watch::Sender<()>,
    licenses_released: watch::Sender<()>,
}

/// What changes in the life of a head-end.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) auth: Script,
    pub(crate) discovery: Discovery,
    pub(crate) events: Events,
    /// Who listens for events.
    pub(crate) connected: Connected,
    pub(crate) licenses: Licenses,
    /// The HTTP status for a token that is not valid.
    pub(crate) refusal: u16,
    /// For how long the origin thinks.
    pub(crate) media_delay: Duration,
    /// What the origin answers instead of files.
    pub(crate) media_statuses: Statuses,
    /// What the origin has besides the media folder.
    pub(crate) files: Files,
    /// How the key server answers.
    pub(crate) key_policies: KeyPolicies,
    /// Another head-end, whose tokens are good here too.
    pub(crate) trusted: Option<Arc<Shared>>,
    /// Which playlists the origin compresses.
    pub(crate) gzip: Gzip,
    /// How far the live channel is.
    pub(crate) live: Live,
    pub(crate) tokens: Tokens,
    pub(crate) oauth2: OAuth2,
    pub(crate) token_header: Option<HeaderName>,
    pub(crate) token_parameter: Option<String>,
    /// How many connections have been made.
    pub(crate) connections: usize,
    pub(crate) record: Record,
}

/// A place in the queue of those that wait for [`Shared::release`].
pub(crate) struct Release(watch::Receiver<()>);

impl Release {
    pub(crate) async fn wait(mut self) {
        // Fails if there is no sender any more; then the head-end ends and so does this task.
        let _ = self.0.changed().await;
    }
}

impl Shared {
    pub(crate) fn new(origin: String, media: PathBuf) -> Self {
        static TENANTS: AtomicU32 = AtomicU32::new(0);
        Self {
            origin,
            tenant: TENANTS.fetch_add(1, Ordering::Relaxed),
            media,
            state: Mutex::new(State {
                auth: Script::new(Auth::default()),
                discovery: Discovery::default(),
                events: Events::default(),
                connected: Connected::default(),
                licenses: Licenses::default(),
                refusal: 403,
                media_delay: Duration::ZERO,
                media_statuses: Statuses::default(),
                files: Files::default(),
                key_policies: KeyPolicies::default(),
                trusted: None,
                gzip: Gzip::default(),
                live: Live::default(),
                tokens: Tokens::new(),
                oauth2: OAuth2::new(Tokens::new().instance().to_owned()),
                token_header: None,
                token_parameter: None,
                connections: 0,
                record: Record::default(),
            }),
            changed: Condvar::new(),
            released: watch::Sender::new(()),
            licenses_released: watch::Sender::new(()),
        }
    }

    pub(crate) fn license_url(&self) -> String {
        format!("{}/license", self.origin)
    }

    /// The current token of the head-end that this one trusts.
    pub(crate) fn trusted_token(&self) -> Option<String> {
        let trusted = self.state().trusted.clone();
        trusted.map(|other| other.state().tokens.current())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // The lock can only be poisoned by a predicate of `wait_until` that panics, which changes
        // nothing. The failing test must still be able to drop its head-end in peace.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and tells those that wait for a change.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    /// As [`update`](Self::update), and in the same moment joins those that wait for a release, so
    /// that none can slip in between.
    pub(crate) fn update_and_queue<T>(&self, change: impl FnOnce(&mut State) -> T) -> (T, Release) {
        self.update(|state| (change(state), Release(self.released.subscribe())))
    }

    /// The same for those that wait for licenses.
    pub(crate) fn update_and_queue_for_licenses<T>(
        &self,
        change: impl FnOnce(&mut State) -> T,
    ) -> (T, Release) {
        self.update(|state| (change(state), Release(self.licenses_released.subscribe())))
    }

    /// Lets all hanging requests go, and no later one hang.
    pub(crate) fn release(&self) {
        self.update(|state| {
            state.auth.release();
            if state.discovery == Discovery::Hang {
                state.discovery = Discovery::Offer;
            }
            state.key_policies.release();
            self.let_licenses_go(state);
            self.released.send_replace(());
        });
    }

    /// The same for licenses alone.
    pub(crate) fn release_licenses(&self) {
        self.update(|state| self.let_licenses_go(state));
    }

    fn let_licenses_go(&self, state: &mut State) {
        if state.licenses == Licenses::Hang {
            state.licenses = Licenses::Serve;
        }
        self.licenses_released.send_replace(());
    }

    /// Waits until the record is as the predicate wants it; `false` if that took too long.
    pub(crate) fn wait_until(
        &self,
        timeout: Duration,
        mut satisfied: impl FnMut(&Record) -> bool,
    ) -> bool {
        let (_state, wait) = self
            .changed
            .wait_timeout_while(self.state(), timeout, |state| !satisfied(&state.record))
            .unwrap_or_else(PoisonError::into_inner);
        !wait.timed_out()
    }
}
