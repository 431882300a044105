// SPDX-License-Identifier: MIT OR Apache-2.0

//! The handle by which a test holds a head-end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hyper::header::HeaderName;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::behaviour::{Auth, Discovery, Events, Gzip, KeyPolicy, Licenses};
use crate::events::Order;
use crate::record::{
    DiscoveryRequest, KeyRequest, LicenseRequest, Listener, MediaRequest, Record, TokenRequest,
};
use crate::script::Script;
use crate::server;
use crate::shared::Shared;
use crate::tls::Tls;
use crate::{credentials, key_server};

/// The media that lie beside this crate.
const MEDIA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../media");

/// A running head-end. It has a thread of its own, and stops when it is dropped.
#[derive(Debug)]
pub struct Headend {
    shared: Arc<Shared>,
    /// Dropped to stop the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Headend {
    /// Starts a head-end on a free port of 127.0.0.1, so that any number can run side by side.
    ///
    /// # Errors
    ///
    /// If the system gives no socket or no thread.
    pub fn start() -> io::Result<Self> {
        Self::start_on(0)
    }

    /// Starts a head-end on this port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If the port is taken, or the system gives no socket or no thread.
    pub fn start_on(port: u16) -> io::Result<Self> {
        Self::start_with_media(port, MEDIA)
    }

    /// Starts a head-end on this port of 127.0.0.1 that serves the media in another folder.
    ///
    /// # Errors
    ///
    /// If the port is taken, or the system gives no socket or no thread.
    pub fn start_with_media(port: u16, media: impl Into<PathBuf>) -> io::Result<Self> {
        Self::launch(port, media.into(), None)
    }

    /// Starts a head-end on a free port of 127.0.0.1 that speaks nothing but TLS. Its URLs have the
    /// name `localhost`, for which its certificate should be.
    ///
    /// # Errors
    ///
    /// If the certificates or the key are no good, or the system gives no socket or no thread.
    pub fn start_tls(tls: Tls) -> io::Result<Self> {
        Self::launch(0, MEDIA.into(), Some(tls.acceptor()?))
    }

    fn launch(port: u16, media: PathBuf, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let origin = match tls {
            None => format!("http://{address}"),
            Some(_) => format!("https://localhost:{}", address.port()),
        };
        let shared = Arc::new(Shared::new(origin, media));

        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _context = runtime.enter();
            TcpListener::from_std(listener)?
        };
        runtime.spawn(server::serve(listener, tls, Arc::clone(&shared)));

        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("headend".into())
            .spawn(move || {
                // It ends when the sender is dropped, which is an error to a receiver but what
                // is wanted here. Dropping the runtime then ends all connections.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self {
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The URL of a path on this head-end; the path starts with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.shared.origin)
    }

    /// Where RDK's auth service grants session tokens.
    #[must_use]
    pub fn auth_url(&self) -> String {
        self.url(server::AUTH_PATH)
    }

    /// Where Thunder takes calls, among them that for a session token.
    #[must_use]
    pub fn thunder_url(&self) -> String {
        self.url(server::THUNDER_PATH)
    }

    /// Where AGS grants session tokens; its discovery is beside it, at `servicediscovery`.
    #[must_use]
    pub fn ags_url(&self) -> String {
        self.url(server::AGS_PATH)
    }

    /// Where the OAuth 2.0 authorization server grants tokens.
    #[must_use]
    pub fn oauth2_url(&self) -> String {
        self.url(server::OAUTH2_PATH)
    }

    /// The refresh token that the authorization server takes now. It is good once.
    #[must_use]
    pub fn refresh_token(&self) -> String {
        self.shared.state().oauth2.refresh_token()
    }

    /// Makes the current refresh token a bad one.
    pub fn revoke_refresh_token(&self) {
        self.shared.update(|state| state.oauth2.revoke());
    }

    /// Says whether the authorization server replaces refresh tokens as they are used; it does
    /// otherwise.
    pub fn set_refresh_token_rotation(&self, rotates: bool) {
        self.shared
            .update(|state| state.oauth2.set_rotation(rotates));
    }

    /// Has the authorization server take assertions of its client that were signed with the other
    /// half of this P-256 key.
    pub fn set_client_key(&self, public: &[u8]) {
        self.shared
            .update(|state| state.oauth2.set_client_key(public.to_owned()));
    }

    /// Where an operator's own service grants tokens; `plain` below it gives the token alone.
    #[must_use]
    pub fn login_url(&self) -> String {
        self.url(server::LOGIN_PATH)
    }

    /// Where a DASH-IF authorization service grants tokens. Any path below this is another such
    /// service.
    #[must_use]
    pub fn authz_url(&self) -> String {
        self.url(server::AUTHZ_PATH)
    }

    /// Where the key server has the key of this name.
    #[must_use]
    pub fn key_url(&self, name: &str) -> String {
        self.url(&format!("{}{name}", key_server::KEYS_PATH))
    }

    /// Where the license server gives out keys.
    #[must_use]
    pub fn license_url(&self) -> String {
        self.shared.license_url()
    }

    /// The manifest of the encrypted media.
    #[must_use]
    pub fn manifest_url(&self) -> String {
        self.url("/dash/cenc/manifest.mpd")
    }

    /// The manifest of the encrypted media whose second Period has keys of its own.
    #[must_use]
    pub fn periods_manifest_url(&self) -> String {
        self.url("/dash/periods/manifest.mpd")
    }

    /// The manifest of the encrypted picture whose key rotates from segment to segment.
    #[must_use]
    pub fn rotating_manifest_url(&self) -> String {
        self.url("/dash/rotating/manifest.mpd")
    }

    /// The manifest of the same media without encryption.
    #[must_use]
    pub fn clear_manifest_url(&self) -> String {
        self.url("/dash/clear/manifest.mpd")
    }

    /// The playlist of the encrypted media as a live channel: the film again and again, with keys
    /// that rotate twice in each turn of six seconds. Every other turn begins with a discontinuity.
    ///
    /// It begins with the first request for one of its media playlists, six segments long already.
    #[must_use]
    pub fn live_url(&self) -> String {
        self.url("/hls/live/master.m3u8")
    }

    /// The same channel at the same moment, but without discontinuities.
    #[must_use]
    pub fn steady_live_url(&self) -> String {
        self.url("/hls/live-steady/master.m3u8")
    }

    /// Says how the auth services, all of them, answer the requests that arrive from now on.
    pub fn set_auth(&self, auth: Auth) {
        self.shared.update(|state| state.auth = Script::new(auth));
    }

    /// Says how AGS answers the requests for its services that arrive from now on.
    pub fn set_discovery(&self, discovery: Discovery) {
        self.shared.update(|state| state.discovery = discovery);
    }

    /// Says how Thunder answers the requests for a WebSocket that arrive from now on.
    pub fn set_events(&self, events: Events) {
        self.shared.update(|state| state.events = events);
    }

    /// Has Thunder say that there is another session token to all who have registered for that,
    /// whether there is one ([`revoke`](Self::revoke)) or not.
    pub fn session_token_changed(&self) {
        self.order(&Order::Changed);
    }

    /// Has Thunder say this on all its WebSockets.
    pub fn say(&self, text: &str) {
        self.order(&Order::Say(text.to_owned()));
    }

    /// Has Thunder ping on all its WebSockets.
    pub fn ping(&self, data: &[u8]) {
        self.order(&Order::Ping(data.to_owned()));
    }

    /// Has Thunder send these bytes on all connections that are WebSockets, whether they are frames
    /// or not.
    pub fn send_raw(&self, bytes: &[u8]) {
        self.order(&Order::Raw(bytes.to_owned()));
    }

    /// Has Thunder close all connections that are WebSockets, without a word.
    pub fn drop_listeners(&self) {
        self.order(&Order::Drop);
    }

    fn order(&self, order: &Order) {
        self.shared.update(|state| state.connected.order(order));
    }

    /// Says how the license server answers the requests that arrive from now on.
    pub fn set_licenses(&self, licenses: Licenses) {
        self.shared.update(|state| state.licenses = licenses);
    }

    /// Says with which HTTP status the license server refuses a token that is not valid, in the
    /// requests that arrive from now on. It is 403 otherwise.
    pub fn set_refusal(&self, status: u16) {
        self.shared.update(|state| state.refusal = status);
    }

    /// Lets the origin answer the requests that arrive from now on only after so long, as over a
    /// network. No other connection waits for that.
    pub fn set_media_delay(&self, delay: Duration) {
        self.shared.update(|state| state.media_delay = delay);
    }

    /// Lets the origin answer the next so many requests for exactly this path, whatever their
    /// query, with this HTTP status and no file; `usize::MAX` stands for all requests from now on,
    /// and 0 for none. What was said before of the same path no longer counts.
    ///
    /// An auth service's path does as well; it answers with a problem document of that status then.
    ///
    /// The path is that of the request: the same file has one under `/dash/` and one under `/hls/`.
    pub fn set_media_status(&self, path: &str, status: u16, times: usize) {
        self.shared
            .update(|state| state.media_statuses.set(path, status, times));
    }

    /// Has the origin serve this at this path, under `/hls/` or `/dash/`, before what it has
    /// itself.
    pub fn set_file(&self, path: &str, contents: impl Into<Vec<u8>>) {
        self.set_file_versions(path, [contents]);
    }

    /// The same with another content for each request; all after the last one get that. So a live
    /// playlist goes on as it is asked for.
    pub fn set_file_versions(
        &self,
        path: &str,
        versions: impl IntoIterator<Item = impl Into<Vec<u8>>>,
    ) {
        let versions = versions.into_iter().map(Into::into);
        self.shared.update(|state| state.files.set(path, versions));
    }

    /// Says how the key server answers the requests for any key that arrive from now on.
    pub fn set_keys(&self, policy: KeyPolicy) {
        self.shared
            .update(|state| state.key_policies.set_all(policy));
    }

    /// The same for the key of this name alone, until the next [`set_keys`](Self::set_keys).
    pub fn set_key(&self, name: &str, policy: KeyPolicy) {
        self.shared
            .update(|state| state.key_policies.set(name, policy));
    }

    /// Has the key server and the license server take the current token of another head-end too, as
    /// where one auth service is there for several.
    pub fn trust(&self, other: &Self) {
        let other = Arc::clone(&other.shared);
        self.shared.update(|state| state.trusted = Some(other));
    }

    /// Says which playlists the origin compresses in its answers from now on.
    pub fn set_gzip(&self, gzip: Gzip) {
        self.shared.update(|state| state.gzip = gzip);
    }

    /// Says how many segments the playlists of the live channels have from now on; 6 otherwise. To
    /// be said before the first request for one of them, with which the channels begin.
    pub fn set_live_window(&self, segments: u64) {
        self.shared.update(|state| state.live.set_window(segments));
    }

    /// Lets the live channel end after so many segments, counted from its first,
    /// number 0: its playlists say so when they have the last of them. Those that are there already
    /// stay, so after 0 segments is at once.
    pub fn end_live_after(&self, segments: u64) {
        self.shared
            .update(|state| state.live.end_after(segments, Instant::now()));
    }

    /// Lets the license server accept the token in this header too, where it is the whole value.
    ///
    /// It goes on accepting `Authorization: Bearer` as well.
    ///
    /// # Panics
    ///
    /// If the name cannot be the name of a header.
    pub fn set_token_header(&self, name: &str) {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("the name of a header");
        self.shared.update(|state| state.token_header = Some(name));
    }

    /// Lets the license server and the key server accept the token in this parameter of the URL's
    /// query too.
    pub fn set_token_parameter(&self, name: &str) {
        self.shared
            .update(|state| state.token_parameter = Some(name.to_owned()));
    }

    /// Answers every request that hangs, as if there had been no wait, and lets no later one hang:
    /// [`Auth::Hang`] becomes [`Auth::Grant`], in a sequence too, [`Discovery::Hang`] becomes
    /// [`Discovery::Offer`], [`Licenses::Hang`] becomes [`Licenses::Serve`], and
    /// [`KeyPolicy::Hang`] becomes [`KeyPolicy::Open`].
    pub fn release(&self) {
        self.shared.release();
    }

    /// As [`release`](Self::release), for requests to the license server alone.
    pub fn release_licenses(&self) {
        self.shared.release_licenses();
    }

    /// The token that the auth services grant now; the license server accepts this one alone,
    /// whether it has been granted yet or not.
    #[must_use]
    pub fn token(&self) -> String {
        self.shared.state().tokens.current()
    }

    /// Lets the license server refuse the tokens granted so far, and the auth services grant a new
    /// one next.
    pub fn revoke(&self) {
        self.shared.update(|state| state.tokens.revoke());
    }

    /// Writes what a client needs to come by a token into files in this folder, which only their
    /// owner can read: `thunder-token.txt` has Thunder's security token, `ags-parameters.json` the
    /// parameters that AGS wants, `client-secret.txt` and `refresh-token.txt` what the
    /// authorization server wants, `login.json` a body that the service of no known shape takes,
    /// and `session-token.txt` the token that is current now.
    ///
    /// # Errors
    ///
    /// If there is no such folder, or a file cannot be written there.
    pub fn write_credentials(&self, folder: &Path) -> io::Result<()> {
        credentials::write(folder, &self.token(), &self.refresh_token())
    }

    /// The requests to the auth services so far, in order of arrival.
    #[must_use]
    pub fn token_requests(&self) -> Vec<TokenRequest> {
        self.shared
            .state()
            .record
            .token_requests()
            .cloned()
            .collect()
    }

    /// The requests for a WebSocket of Thunder's so far, in order of arrival.
    #[must_use]
    pub fn listeners(&self) -> Vec<Listener> {
        self.shared.state().record.listeners().to_vec()
    }

    /// The requests for the services of AGS so far, in order of arrival.
    #[must_use]
    pub fn discovery_requests(&self) -> Vec<DiscoveryRequest> {
        self.shared
            .state()
            .record
            .discovery_requests()
            .cloned()
            .collect()
    }

    /// The requests to the license server so far, in order of arrival.
    #[must_use]
    pub fn license_requests(&self) -> Vec<LicenseRequest> {
        self.shared
            .state()
            .record
            .license_requests()
            .cloned()
            .collect()
    }

    /// The requests to the key server so far, in order of arrival.
    #[must_use]
    pub fn key_requests(&self) -> Vec<KeyRequest> {
        self.shared.state().record.key_requests().cloned().collect()
    }

    /// The requests to the origin so far, in order of arrival: GET and HEAD of whatever is under
    /// `/dash/` and `/hls/`, there or not. Of very many the last 10 000.
    #[must_use]
    pub fn media_requests(&self) -> Vec<MediaRequest> {
        self.shared
            .state()
            .record
            .media_requests()
            .cloned()
            .collect()
    }

    /// Forgets all requests so far, but not those for a WebSocket.
    pub fn clear_record(&self) {
        self.shared.update(|state| state.record.clear());
    }

    /// How many connections have been made so far, for whatever.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Waits until the record is as the predicate wants it. Returns whether it came to that before
    /// the time was over.
    ///
    /// The predicate must look at nothing but the record it is given: while it runs, the head-end
    /// stands still, and a call to one of its methods would never return.
    #[must_use]
    pub fn wait_for(&self, timeout: Duration, satisfied: impl FnMut(&Record) -> bool) -> bool {
        self.shared.wait_until(timeout, satisfied)
    }
}

impl Drop for Headend {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported on standard error already, and a second one
            // from a destructor would take the whole test process down.
            let _ = thread.join();
        }
    }
}
