// SPDX-License-Identifier: MIT OR Apache-2.0

//! Hostile and broken servers: each failure has its reason and comes within its deadline, and
//! nothing of the reply is in it.
//!
//! The word SECRET stands for what must not be told: in the URL, in headers, and in what the
//! servers say.

mod ags;
mod compressed;
mod connections;
mod custom;
mod dashif;
mod headers;
mod json;
mod lengths;
mod licenses;
mod oauth2;
mod problems;
mod redirects;
mod retries;
mod slow;
mod status_lines;
mod statuses;
mod thunder;
mod unreachable;

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use gst::element_factory::ElementBuilder;
use gst::prelude::*;
use support::raw_server::{RawServer, Script, Step};
use support::rig::*;
use support::samples::picture;

/// Milliseconds for servers that answer. Nothing takes as long.
const PLENTY: u32 = 30_000;

/// Milliseconds for servers that do not.
const SHORT: u32 = 400;

/// Milliseconds after the deadline within which the failure is there.
const GRACE: u32 = 1000;

/// Cases that run at the same time. Most of them wait most of the time.
const AT_ONCE: usize = 16;

const TOKEN: &str = "SECRET-TOKEN";

/// What RDK's authservice answers.
const GRANT: &str = r#"{"token":"SECRET-TOKEN","status":0}"#;

/// Which service is asked, and which of its requests the script is about.
#[derive(Clone, Copy)]
enum Service {
    Rdk,
    Thunder,
    Ags,
    /// AGS, which is asked first which services there are.
    Discovery,
    /// DASH-IF's authorization service.
    DashIf,
    /// An OAuth 2.0 authorization server.
    OAuth2,
    /// Any other service.
    Custom,
    /// The license server.
    License,
}

impl Service {
    /// An element that asks this service there.
    fn element(self, place: &str) -> ElementBuilder<'static> {
        // Sessions are shared by location, and the system gives out ports again.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let location = format!(
            "http://SECRET-USER:SECRET-PASSWORD@{place}/{number}/getSessionToken?key=SECRET-QUERY"
        );
        let sessiontoken = || make("sessiontoken").property("location", location.clone());
        match self {
            Service::Rdk => sessiontoken(),
            Service::Thunder => sessiontoken()
                .property_from_str("auth-service", "thunder")
                // One that names no plugin, with which nobody could register: every connection
                // counts here.
                .property("thunder-method", "getSessionToken")
                .property("authorization", "SECRET-AUTHORIZATION"),
            Service::Ags => sessiontoken()
                .property_from_str("auth-service", "ags")
                .property("auth-service-id", "sso")
                .property("parameters", parameters()),
            Service::Discovery => sessiontoken()
                .property_from_str("auth-service", "ags")
                .property("discover", true)
                .property("parameters", parameters()),
            Service::DashIf => sessiontoken()
                .property_from_str("auth-service", "dashif")
                .property("extra-headers", secret_headers()),
            Service::OAuth2 => sessiontoken()
                .property_from_str("auth-service", "oauth2")
                .property("client-id", "client")
                .property("client-secret-file", secret_file())
                .property("extra-headers", secret_headers()),
            Service::Custom => sessiontoken()
                .property_from_str("auth-service", "http")
                .property("extra-headers", secret_headers())
                .property("token-pointer", "/data/token")
                .property("expires-pointer", "/data/expires"),
            Service::License => make("clearkeydec").property("license-url", location),
        }
    }

    /// How a tune with that element fails.
    fn failure_of(self, element: ElementBuilder<'_>) -> Complaint {
        match self {
            Service::License => licenses::failure_of(element),
            _ => failure_of(element),
        }
    }

    /// What a tune with that element plays with, or plays.
    fn token_of(self, element: ElementBuilder<'_>) -> String {
        match self {
            Service::License => licenses::played_by(element),
            _ => token_of(element),
        }
    }
}

fn secret_headers() -> gst::Structure {
    gst::Structure::builder("headers")
        .field("X-Account", "SECRET-ACCOUNT")
        .build()
}

/// A file that all cases have in common.
fn secret_file() -> String {
    static FILE: std::sync::OnceLock<File> = std::sync::OnceLock::new();
    FILE.get_or_init(|| File::new("SECRET-CLIENT")).path()
}

fn parameters() -> gst::Structure {
    gst::Structure::builder("parameters")
        .field("Password", "SECRET-PARAMETER")
        .build()
}

/// How a tune ends.
enum End {
    Plays(String),
    Fails(Expected),
}

/// What the application is to be told of a failure.
struct Expected {
    reason: &'static str,
    http_status: Option<u32>,
    service_status: Option<i64>,
    title: Option<String>,
    detail: Option<String>,
    says: Vec<String>,
    does_not_say: Vec<&'static str>,
    /// Milliseconds that it takes at least and at most.
    takes: (u32, u32),
}

/// One server, and what is to become of a tune that asks it.
struct Case {
    name: String,
    service: Service,
    scripts: Vec<Script>,
    timeout: u32,
    retries: u32,
    /// Requests that the application is told of.
    asked: usize,
    /// Connections that the server must have seen, where that is not one for each request.
    connections: Option<usize>,
    end: End,
}

impl Case {
    /// An RDK authservice that is asked once and whose token must play.
    fn new(name: impl Into<String>, script: Script) -> Self {
        Self {
            name: name.into(),
            service: Service::Rdk,
            scripts: vec![script],
            timeout: PLENTY,
            retries: 0,
            asked: 1,
            connections: None,
            end: End::Plays(TOKEN.to_owned()),
        }
    }

    fn on(mut self, service: Service) -> Self {
        self.service = service;
        self
    }

    /// What the connection after the ones before finds.
    fn then(mut self, script: Script) -> Self {
        self.scripts.push(script);
        self
    }

    /// With so many retries allowed the server sees so many requests.
    fn asked(mut self, retries: u32, asked: usize) -> Self {
        self.retries = retries;
        self.asked = asked;
        self
    }

    /// The server sees so many connections, because redirects count for nothing.
    fn connections(mut self, connections: usize) -> Self {
        self.connections = Some(connections);
        self
    }

    fn plays(mut self, token: impl Into<String>) -> Self {
        self.end = End::Plays(token.into());
        self
    }

    fn fails(mut self, reason: &'static str, says: &[&str]) -> Self {
        self.end = End::Fails(Expected {
            reason,
            http_status: None,
            service_status: None,
            title: None,
            detail: None,
            says: says.iter().map(|word| (*word).to_owned()).collect(),
            does_not_say: Vec::new(),
            takes: (0, PLENTY),
        });
        self
    }

    fn denied(self, says: &[&str]) -> Self {
        self.fails("denied", says)
    }

    fn transient(self, says: &[&str]) -> Self {
        self.fails("transient", says)
    }

    fn malformed(self, says: &[&str]) -> Self {
        self.fails("malformed", says)
    }

    fn misconfigured(self, says: &[&str]) -> Self {
        self.fails("misconfigured", says)
    }

    /// Not before the deadline, and not much later.
    fn timed_out(mut self) -> Self {
        self.timeout = SHORT;
        self.fails("timed-out", &[&format!("{SHORT} ms"), "`timeout`"])
            .takes(SHORT, SHORT + GRACE)
    }

    fn expected(&mut self) -> &mut Expected {
        match &mut self.end {
            End::Fails(expected) => expected,
            End::Plays(_) => panic!("{} does not fail", self.name),
        }
    }

    fn takes(mut self, least: u32, most: u32) -> Self {
        self.expected().takes = (least, most);
        self
    }

    fn status(mut self, http_status: u16) -> Self {
        self.expected().http_status = Some(http_status.into());
        self
    }

    /// Fails by the status of its reply, which the text names.
    fn fails_by_status(self, status: u16, reason: &'static str, says: &str) -> Self {
        self.fails(reason, &[&format!("HTTP {status}"), says])
            .status(status)
    }

    fn service_status(mut self, status: i64) -> Self {
        self.expected().service_status = Some(status);
        self
    }

    fn titled(mut self, title: &str) -> Self {
        self.expected().title = Some(title.to_owned());
        self
    }

    fn detailed(mut self, detail: &str) -> Self {
        self.expected().detail = Some(detail.to_owned());
        self
    }

    fn does_not_say(mut self, words: &[&'static str]) -> Self {
        self.expected().does_not_say.extend(words);
        self
    }

    fn run(self) {
        let server = RawServer::new(self.scripts);
        let element = self
            .service
            .element(&server.place())
            .property("timeout", self.timeout)
            .property("retries", self.retries);
        match self.end {
            End::Plays(token) => assert_eq!(self.service.token_of(element), token),
            End::Fails(expected) => {
                expected.check(&self.service.failure_of(element), self.asked);
            }
        }
        let connections = self.connections.unwrap_or(self.asked);
        assert_eq!(server.connections(connections), connections);
    }
}

impl Expected {
    fn check(&self, complaint: &Complaint, attempts: usize) {
        let Complaint { text, details, .. } = complaint;
        let code = match self.reason {
            "denied" => gst::ResourceError::NotAuthorized,
            "malformed" => gst::ResourceError::Read,
            "misconfigured" => gst::ResourceError::Settings,
            _ => gst::ResourceError::OpenRead,
        };
        assert_eq!(complaint.detail::<String>("reason"), self.reason, "{text}");
        complaint
            .is(code)
            .says(&self.says.iter().map(String::as_str).collect::<Vec<_>>())
            .does_not_say(&self.does_not_say);
        let details = details.as_ref().expect("the error has details");
        let told = (
            details.get_optional::<u32>("http-status"),
            details.get_optional::<i64>("service-status"),
            details.get_optional::<String>("title"),
            details.get_optional::<String>("detail"),
            details.get_optional::<u32>("attempts"),
        );
        let expected = (
            Ok(self.http_status),
            Ok(self.service_status),
            Ok(self.title.clone()),
            Ok(self.detail.clone()),
            Ok(Some(attempts as u32)),
        );
        assert_eq!(told, expected, "{text}");
        let elapsed = complaint.detail::<gst::ClockTime>("elapsed").mseconds();
        let (least, most) = self.takes;
        assert!(
            (u64::from(least)..u64::from(most)).contains(&elapsed),
            "{elapsed} ms: {text}"
        );
    }
}

/// Runs each of them, and says which ones were not as expected. Each has a thread of its own, which
/// has its name.
fn run(cases: Vec<Case>) {
    run_each(cases, |case| case.name.clone(), Case::run);
}

fn run_each<T: Send>(cases: Vec<T>, name: impl Fn(&T) -> String, run: fn(T)) {
    init();
    let mut failed = Vec::new();
    let mut cases = cases.into_iter().peekable();
    while cases.peek().is_some() {
        thread::scope(|scope| {
            let running = cases.by_ref().take(AT_ONCE).map(|case| {
                let name = name(&case);
                let thread = thread::Builder::new().name(name.clone());
                let thread = thread.spawn_scoped(scope, move || run(case));
                (name, thread.expect("a thread"))
            });
            for (name, thread) in running.collect::<Vec<_>>() {
                if thread.join().is_err() {
                    failed.push(name);
                }
            }
        });
    }
    assert!(failed.is_empty(), "not as expected: {failed:#?}");
}

/// Tunes, brings a protection event and data, and hears what the application is told next: the
/// failure, or none.
fn tune(element: ElementBuilder<'_>) -> (Rig, Option<Complaint>) {
    let rig = Rig::new(element);
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    // Refused where the failure is here already.
    rig.push_event(protection(COMMON_SYSTEM, Some("dash/mpd")));
    let _ = rig.push(picture());
    let complaint = verdict(&rig.bus);
    (rig, complaint)
}

/// The next error, unless it is told first that there is a token. Nothing that is told may hold a
/// secret.
fn verdict(bus: &gst::Bus) -> Option<Complaint> {
    let patience = gst::ClockTime::try_from(PATIENCE).expect("a time");
    loop {
        let message = bus.timed_pop(patience).expect("a message in time");
        let shown = format!("{:?}", message.structure());
        assert!(!shown.contains("SECRET"), "{shown}");
        match message.view() {
            gst::MessageView::Error(error) => {
                let debug = error.debug().unwrap_or_default();
                assert!(!debug.contains("SECRET"), "{debug}");
                let complaint = Complaint::of(&message);
                complaint.does_not_say(&["SECRET"]);
                return Some(complaint);
            }
            gst::MessageView::Element(element) => {
                let structure = element.structure().expect("these have one");
                if structure.get::<&str>("state") == Ok("acquired") {
                    return None;
                }
            }
            _ => {}
        }
    }
}

/// How a tune fails.
fn failure_of(element: ElementBuilder<'_>) -> Complaint {
    let (rig, complaint) = tune(element);
    let complaint = complaint.expect("there is no token to be had");
    assert_eq!(complaint.from, Some(rig.element.clone().upcast()));
    assert_eq!(rig.log.protections().len(), 0);
    complaint
}

/// The token with which a tune plays.
fn token_of(element: ElementBuilder<'_>) -> String {
    let (rig, complaint) = tune(element);
    assert!(complaint.is_none(), "{complaint:?}");
    rig.send(&[gst::event::Eos::new().into()]);
    key_request(&rig.log.protections()[0])
        .get("session-token")
        .expect("a token")
}

/// Reads a request, sends this and hangs up.
fn raw(bytes: impl Into<Vec<u8>>) -> Script {
    vec![Step::Read, Step::Send(bytes.into())]
}

/// A whole reply, framed as it should be, with which the server hangs up.
fn reply(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = format!("Content-Length: {}", body.len());
    let mut bytes = head(
        &format!("HTTP/1.1 {status} SECRET"),
        &[headers, &[&length, "Connection: close"]].concat(),
    );
    bytes.extend_from_slice(body);
    bytes
}

/// Status line and headers, to their end.
fn head(status_line: &str, headers: &[&str]) -> Vec<u8> {
    let mut head = format!("{status_line}\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// Answers with that status and body.
fn answers(status: u16, body: impl AsRef<[u8]>) -> Script {
    raw(reply(status, &["Content-Type: application/json"], body))
}

/// Answers with that status and header.
fn answers_with(status: u16, header: &str) -> Script {
    raw(reply(status, &[header], GRANT))
}

/// Promises a reply that is within the bound and sends these, over and over and too slowly.
fn drips(bytes: &[u8]) -> Script {
    vec![
        Step::Read,
        Step::Send(head("HTTP/1.1 200 OK", &["Content-Length: 60000"])),
        Step::Drip(bytes.to_vec()),
    ]
}
