// SPDX-License-Identifier: MIT OR Apache-2.0

//! A head-end of the test's own, and how the elements are told about it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use headend::{Auth, Headend, Licenses};

use crate::fixtures::Programme;
use crate::folders::without_sound;
use crate::player::Player;
use crate::player_harness::{HeadendControl, KINDS, Kind};

/// How long a request may take to come to the head-end. It comes within a second; on a machine
/// that is busy with other things it may take longer, and a test that fails takes this long.
const REQUEST: Duration = Duration::from_secs(30);

/// An auth service that grants this token.
pub fn granting(token: impl AsRef<str>) -> Auth {
    Auth::Reply {
        status: 200,
        content_type: "application/json".to_owned(),
        body: format!(
            r#"{{"token":"{}","status":0,"expires":3600}}"#,
            token.as_ref()
        ),
    }
}

/// An auth service that refuses with this status.
pub fn refusing(status: u16) -> Auth {
    Auth::Reply {
        status,
        content_type: "text/plain".to_owned(),
        body: "no".to_owned(),
    }
}

/// A head-end that answers as the auth service of a box without a subscription does.
pub fn without_subscription() -> Headend {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Reply {
        status: 403,
        content_type: "application/problem+json".to_owned(),
        body: r#"{"title":"No subscription"}"#.to_owned(),
    });
    headend
}

/// Host and port of a head-end.
pub fn address(headend: &Headend) -> String {
    let origin = headend.url("");
    let address = origin.strip_prefix("http://");
    address.expect("an http URL").to_owned()
}

/// Has a request of its own answered. The head-end works in one thread, so it has answered every
/// request that came before.
#[track_caller]
pub fn catch_up(headend: &Headend) {
    let address = address(headend);
    let mut connection = TcpStream::connect(&address).expect("a connection");
    write!(
        connection,
        "GET /record HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .expect("the head-end reads");
    let mut reply = Vec::new();
    connection
        .read_to_end(&mut reply)
        .expect("the head-end answers");
    assert!(reply.starts_with(b"HTTP/1.1 200"));
}

/// A head-end and the location of its auth service.
pub struct Operator {
    headend: Headend,
    location: String,
    programme: Programme,
    kinds: &'static [Kind],
}

impl Deref for Operator {
    type Target = Headend;

    fn deref(&self) -> &Headend {
        &self.headend
    }
}

impl Operator {
    /// Starts one, and GStreamer with it.
    pub fn start() -> Self {
        Self::start_for(Programme::Usual)
    }

    /// Starts one that has something else on.
    pub fn start_for(programme: Programme) -> Self {
        let headend = Headend::start().expect("a head-end");
        Self::start_with(headend, programme, programme.kinds())
    }

    /// Starts one that serves other media.
    pub fn start_with_media(folder: PathBuf) -> Self {
        let headend = Headend::start_with_media(0, folder).expect("a head-end");
        Self::start_with(headend, Programme::Usual, &KINDS)
    }

    /// Starts one whose media a player can be stopped in before they end.
    ///
    /// GStreamer 1.22 with libsoup 3.2 crashes now and then when it is stopped or sought in the
    /// middle of a download (a segmentation fault in libsoup, below souphttpsrc and dashdemux2),
    /// whatever it plays. So the tests wait until everything has come. In playbin3 that is only
    /// certain of a single stream: dashdemux2 brings all of them on one thread, and when that is
    /// free again it goes on with the next download of the other stream.
    pub fn start_for_stopping(player: Player) -> Self {
        match player {
            Player::Playbin | Player::WrittenOut => Self::start(),
            Player::Playbin3 => {
                let headend = Headend::start_with_media(0, without_sound());
                Self::start_with(headend.expect("a head-end"), Programme::Usual, &KINDS[..1])
            }
        }
    }

    fn start_with(headend: Headend, programme: Programme, kinds: &'static [Kind]) -> Self {
        crate::player::init();
        static STARTED: AtomicU32 = AtomicU32::new(0);
        // Sessions are shared by location. The system may give the port of a test that has ended
        // to another one, so the number keeps their locations apart.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let location = format!("{}?device=query-secret-{number}", headend.auth_url());
        Self {
            headend,
            location,
            programme,
            kinds,
        }
    }

    /// Where what it has on is.
    pub fn uri(&self) -> String {
        self.url(self.programme.path())
    }

    /// What it has on.
    pub fn programme(&self) -> Programme {
        self.programme
    }

    /// The streams of the media.
    pub fn kinds(&self) -> &'static [Kind] {
        self.kinds
    }

    /// The URL of the auth service. Its query holds `query-secret`, which must be in no log.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Host and port.
    pub fn address(&self) -> String {
        address(&self.headend)
    }

    /// Has a request of its own answered. The head-end works in one thread, so it has answered
    /// every request that came before.
    #[track_caller]
    pub fn catch_up(&self) {
        catch_up(&self.headend);
    }

    /// Waits until the auth service has been asked so many times, all in all.
    #[track_caller]
    pub fn wait_for_token_requests(&self, count: usize) {
        assert!(
            self.wait_for(REQUEST, |record| record.token_requests().count() >= count),
            "no token request number {count} came"
        );
    }

    /// Waits until the license server has been asked so many times, all in all.
    #[track_caller]
    pub fn wait_for_license_requests(&self, count: usize) {
        assert!(
            self.wait_for(REQUEST, |record| record.license_requests().count() >= count),
            "no license request number {count} came"
        );
    }

    /// Waits until the key server has been asked so many times, all in all.
    #[track_caller]
    pub fn wait_for_key_requests(&self, count: usize) {
        assert!(
            self.wait_for(REQUEST, |record| record.key_requests().count() >= count),
            "no key request number {count} came"
        );
    }

    /// Asserts how often the services have been asked, and that the license server was always
    /// shown the current token.
    #[track_caller]
    pub fn assert_asked(&self, token_requests: usize, license_requests: usize) {
        let licenses = self.license_requests();
        assert!(licenses.iter().all(|request| request.token_valid));
        assert_eq!(
            (self.token_requests().len(), licenses.len()),
            (token_requests, license_requests),
            "token requests and license requests"
        );
    }
}

impl HeadendControl for Operator {
    fn programme(&self) -> Programme {
        self.programme
    }

    fn kinds(&self) -> &'static [Kind] {
        self.kinds
    }

    fn url(&self, path: &str) -> String {
        self.headend.url(path)
    }

    fn uri(&self) -> String {
        Self::uri(self)
    }

    fn location(&self) -> &str {
        &self.location
    }

    fn set_auth(&self, auth: Auth) {
        self.headend.set_auth(auth);
    }

    fn set_licenses(&self, licenses: Licenses) {
        self.headend.set_licenses(licenses);
    }

    fn revoke(&self) {
        self.headend.revoke();
    }

    fn release_licenses(&self) {
        self.headend.release_licenses();
    }

    fn token_request_count(&self) -> usize {
        self.headend.token_requests().len()
    }

    fn catch_up(&self) {
        catch_up(&self.headend);
    }

    fn wait_for_token_requests(&self, count: usize) {
        Self::wait_for_token_requests(self, count);
    }

    fn wait_for_license_requests(&self, count: usize) {
        Self::wait_for_license_requests(self, count);
    }
}
