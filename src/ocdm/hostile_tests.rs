// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sessions with CDMs that do what they should not, without a pipeline around them, so that
//! `scripts/sanitize` can look at threads and memory.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use headend::{Headend, Licenses, VIDEO_KEY_ID};
use ocdm_clearkey::library;

use super::*;
use crate::cenc::KeyId;
use crate::error::Failure;
use crate::http::{Endpoint, TlsSettings};
use crate::license::{KeyRequest, LicensePolicy, ManifestServers};

/// What a session may take to come to its end, on a machine with other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn key_id() -> KeyId {
    let number = u128::from_str_radix(VIDEO_KEY_ID, 16).expect("hexadecimal");
    KeyId(number.to_be_bytes())
}

struct Rig(Headend);

impl Rig {
    fn new() -> Self {
        gst::init().expect("GStreamer starts");
        let headend = Headend::start().expect("a head-end");
        headend.set_licenses(Licenses::ServeAnonymous);
        Self(headend)
    }

    fn requester(&self) -> Requester {
        let url = self.0.license_url();
        Requester {
            policy: Arc::new(LicensePolicy {
                license_url: Endpoint::parse(&url, "license-url", true).ok(),
                token_hosts: None,
                timeout: Duration::from_secs(1),
                retries: 0,
                tls: TlsSettings::default().load().expect("the defaults"),
                allow_cleartext: true,
                keep_licenses: true,
            }),
            servers: ManifestServers::default(),
            header_url: None,
            request: KeyRequest::default(),
            cdm_data: None,
            format: RequestFormat::Challenge,
            family: Family::ClearKey,
        }
    }

    fn join(&self, behaviour: &str) -> (Arc<SharedSession>, Member) {
        let origin = Origin {
            library: Some(library().to_string_lossy().into_owned()),
            key_system: format!("org.w3.clearkey{behaviour}"),
            init_data: for_key_ids(&[key_id()]),
            family: Family::ClearKey,
        };
        join(origin, self.requester()).expect("there are threads")
    }
}

/// What can be done with the key, once that is known.
fn settled(session: &SharedSession) -> KeyState {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let until = Instant::now() + PATIENCE;
    loop {
        match session.poll_key(&key_id(), &waker) {
            KeyState::Pending => {
                assert!(Instant::now() < until, "it never ends");
                thread::park_timeout(PATIENCE);
            }
            state => return state,
        }
    }
}

#[test]
fn sessions_come_to_a_good_end_whenever_challenges_come() {
    for behaviour in [
        "",
        ";inside",
        ";during",
        ";twice",
        ";three-threads",
        ";certificate",
        ";renew",
        ";silent-keys",
        ";nameless",
        ";nameless=null",
        ";guid",
        ";late-callbacks",
    ] {
        let rig = Rig::new();
        let (session, member) = rig.join(behaviour);
        assert_eq!(settled(&session), KeyState::Usable, "{behaviour}");
        leave(session, member, false);
    }
}

#[test]
fn hostile_cdms_are_errors_that_say_what_was_wrong() {
    for (behaviour, says) in [
        (";empty;no-prefix", "empty"),
        (";huge", "HTTP 400"),
        (";none", "no challenge"),
        (";dead", "does not answer"),
        (";null", "made no session"),
        (";refuse", "made no session"),
        (";lie", "no key usable"),
        (";fail", "did not take"),
        (";complain", "not for this device"),
        (";endless", "another license"),
    ] {
        let rig = Rig::new();
        let (session, member) = rig.join(behaviour);
        let KeyState::Failed(Failure { what, .. }) = settled(&session) else {
            panic!("{behaviour} does not fail");
        };
        assert!(what.contains(says), "{behaviour}: {what}");
        leave(session, member, true);
    }
}

#[test]
fn status_that_is_never_usable_is_told() {
    let rig = Rig::new();
    let (session, _) = rig.join(";status=7");
    assert_eq!(
        settled(&session),
        KeyState::Unusable(KeyStatus::InternalError)
    );
}

#[test]
fn many_threads_share_one_session() {
    let rig = Rig::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let (session, member) = rig.join(";three-threads;late-callbacks");
                assert_eq!(settled(&session), KeyState::Usable);
                leave(session, member, true);
            });
        }
    });
    // Whoever leaves last keeps it, and whoever comes next asks nothing.
    let asked = rig.0.license_requests().len();
    let (session, member) = rig.join(";three-threads;late-callbacks");
    assert_eq!(settled(&session), KeyState::Usable);
    assert_eq!(rig.0.license_requests().len(), asked);
    leave(session, member, true);
    forget_kept();
}

#[test]
fn session_that_is_left_at_once_harms_nobody() {
    let rig = Rig::new();
    for behaviour in [";inside", ";during", ";three-threads", ";late-callbacks"] {
        for _ in 0..8 {
            let (session, member) = rig.join(behaviour);
            leave(session, member, false);
        }
    }
    let (session, _) = rig.join("");
    assert_eq!(settled(&session), KeyState::Usable);
}
