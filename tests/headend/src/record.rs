// SPDX-License-Identifier: MIT OR Apache-2.0

//! What was asked of the auth services, of discovery, of the license server and of the origin.

use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;

/// The auth services that grant session tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// RDK's, which is asked with a plain GET.
    Rdk,
    /// RDK's behind Thunder, which is asked with JSON-RPC.
    Thunder,
    /// OpenTV's Authentication Gateway Service.
    Ags,
    /// DASH-IF's authorization service.
    DashIf,
    /// An OAuth 2.0 authorization server.
    OAuth2,
    /// An operator's own service, of no known shape.
    Login,
}

/// One request for a session token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// Which of the services was asked.
    pub service: Service,
    /// The HTTP method.
    pub method: String,
    /// The path, with the query if there was one.
    pub path: String,
    /// The headers in order of arrival, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it arrived; empty if it was longer than any request for a token is.
    pub body: Vec<u8>,
    /// The HTTP status of the answer, or `None` while, or if ever, there is none.
    pub status: Option<u16>,
}

/// One request for the services that AGS has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveryRequest {
    /// The path, with the query if there was one.
    pub path: String,
    /// The headers in order of arrival, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The HTTP status of the answer, or `None` while, or if ever, there is none.
    pub status: Option<u16>,
}

/// One request for a WebSocket of Thunder's, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The path, with the query if there was one.
    pub path: String,
    /// The headers in order of arrival, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The HTTP status of the answer: 101 for a WebSocket.
    pub status: u16,
    /// The events that were registered for.
    pub registered: Vec<String>,
    /// What came in pongs.
    pub pongs: Vec<Vec<u8>>,
    /// Whether there is a connection still.
    pub open: bool,
}

/// One request for content keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LicenseRequest {
    /// The path, with the query if there was one.
    pub path: String,
    /// The headers in order of arrival, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The value of the `Authorization` header.
    pub authorization: Option<String>,
    /// Whether the request brought a token at all, good or bad, in whichever header.
    pub token_present: bool,
    /// Whether the request brought the token that was current when it arrived.
    pub token_valid: bool,
    /// The key ids asked for, as lower case hexadecimal digits; none if the body is no license
    /// request.
    pub kids: Vec<String>,
    /// The value of the `Content-Type` header.
    pub content_type: Option<String>,
    /// The body as it arrived.
    pub body: Vec<u8>,
    /// The HTTP status of the answer, or `None` while, or if ever, there is none.
    pub status: Option<u16>,
}

/// One request for a key of AES-128 or identity SAMPLE-AES.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// The path, with the query if there was one.
    pub path: String,
    /// The name of the key.
    pub name: String,
    /// The headers in order of arrival, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The value of the `Authorization` header.
    pub authorization: Option<String>,
    /// Whether the request brought a token at all, good or bad, in whichever header.
    pub token_present: bool,
    /// Whether the request brought the token that was current when it arrived.
    pub token_valid: bool,
    /// The HTTP status of the answer, or `None` while, or if ever, there is none.
    pub status: Option<u16>,
}

/// One request to the origin, for a manifest, a playlist or a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaRequest {
    /// The path, with the query if there was one.
    pub path: String,
    /// The headers in order of arrival, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// How many license requests had come before.
    pub licenses_before: usize,
}

/// More than a test looks at, and not much memory: a head-end that plays for days keeps no more.
const MOST_MEDIA_REQUESTS: usize = 10_000;

/// Every request to the auth services, to discovery, to the license server and to the origin, in
/// order of arrival.
///
/// A request is in the record before its answer is under way: a client that has the answer can
/// rely on finding its request here. Printed with `{}` it is a line a request, without any token,
/// and without the requests to the origin, of which there are too many to read.
#[derive(Debug, Default)]
pub struct Record {
    entries: Vec<(Ticket, Times, Entry)>,
    issued: u64,
    media_requests: VecDeque<(SystemTime, MediaRequest)>,
    listeners: Vec<Listener>,
}

/// What finds an entry of the record again when its answer is known, even if the record has been
/// cleared in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// When a request came, and when its answer was known.
#[derive(Clone, Copy, Debug)]
struct Times {
    asked: SystemTime,
    answered: Option<SystemTime>,
}

#[derive(Debug)]
enum Entry {
    Token(TokenRequest),
    Discovery(DiscoveryRequest),
    License(LicenseRequest),
    Key(KeyRequest),
}

impl Record {
    /// The requests to the auth services.
    pub fn token_requests(&self) -> impl Iterator<Item = &TokenRequest> {
        self.entries.iter().filter_map(|(_, _, entry)| match entry {
            Entry::Token(request) => Some(request),
            Entry::Discovery(_) | Entry::License(_) | Entry::Key(_) => None,
        })
    }

    /// The requests to discovery.
    pub fn discovery_requests(&self) -> impl Iterator<Item = &DiscoveryRequest> {
        self.entries.iter().filter_map(|(_, _, entry)| match entry {
            Entry::Discovery(request) => Some(request),
            Entry::Token(_) | Entry::License(_) | Entry::Key(_) => None,
        })
    }

    /// The requests to the license server.
    pub fn license_requests(&self) -> impl Iterator<Item = &LicenseRequest> {
        self.entries.iter().filter_map(|(_, _, entry)| match entry {
            Entry::License(request) => Some(request),
            Entry::Token(_) | Entry::Discovery(_) | Entry::Key(_) => None,
        })
    }

    /// The requests to the key server.
    pub fn key_requests(&self) -> impl Iterator<Item = &KeyRequest> {
        self.entries.iter().filter_map(|(_, _, entry)| match entry {
            Entry::Key(request) => Some(request),
            Entry::Token(_) | Entry::Discovery(_) | Entry::License(_) => None,
        })
    }

    /// The requests to the origin, the last 10 000 of them.
    pub fn media_requests(&self) -> impl Iterator<Item = &MediaRequest> {
        self.media_requests.iter().map(|(_, request)| request)
    }

    /// The requests for a WebSocket of Thunder's. They are printed as little as those to the
    /// origin, and outlast [`Headend`](crate::Headend)'s forgetting of the others, as the
    /// connections do.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Gives its number.
    pub(crate) fn add_listener(&mut self, listener: Listener) -> usize {
        self.listeners.push(listener);
        self.listeners.len() - 1
    }

    pub(crate) fn listener(&mut self, number: usize, change: impl FnOnce(&mut Listener)) {
        change(&mut self.listeners[number]);
    }

    pub(crate) fn add_media_request(&mut self, mut request: MediaRequest) {
        request.licenses_before = self.license_requests().count();
        if self.media_requests.len() == MOST_MEDIA_REQUESTS {
            self.media_requests.pop_front();
        }
        self.media_requests.push_back((SystemTime::now(), request));
    }

    pub(crate) fn add_token_request(&mut self, request: TokenRequest) -> Ticket {
        self.add(Entry::Token(request))
    }

    pub(crate) fn add_discovery_request(&mut self, request: DiscoveryRequest) -> Ticket {
        self.add(Entry::Discovery(request))
    }

    pub(crate) fn add_license_request(&mut self, request: LicenseRequest) -> Ticket {
        self.add(Entry::License(request))
    }

    pub(crate) fn add_key_request(&mut self, request: KeyRequest) -> Ticket {
        self.add(Entry::Key(request))
    }

    pub(crate) fn answered(&mut self, ticket: Ticket, answer: u16) {
        let entry = self.entries.iter_mut().find(|(own, ..)| *own == ticket);
        if let Some((_, times, entry)) = entry {
            times.answered = Some(SystemTime::now());
            let status = match entry {
                Entry::Token(request) => &mut request.status,
                Entry::Discovery(request) => &mut request.status,
                Entry::License(request) => &mut request.status,
                Entry::Key(request) => &mut request.status,
            };
            *status = Some(answer);
        }
    }

    /// When what was asked, in order: a line a request with the microseconds since 1970, what it
    /// was, and how many microseconds the answer took.
    pub(crate) fn timeline(&self) -> String {
        let services = self.entries.iter().map(|(_, times, entry)| {
            let what = match entry {
                Entry::Token(_) => "token",
                Entry::Discovery(_) => "discovery",
                Entry::License(_) => "license",
                Entry::Key(_) => "key",
            };
            let took = times
                .answered
                .map(|at| microseconds(at) - microseconds(times.asked));
            (times.asked, what, took)
        });
        let media = self.media_requests.iter().map(|(at, request)| {
            let path = without_query(&request.path);
            let what = match path.rsplit_once('.') {
                Some((_, "mpd")) => "manifest",
                Some((_, "m3u8")) => "playlist",
                _ if path.ends_with("init.mp4") => "init",
                _ => "segment",
            };
            (*at, what, None)
        });
        let mut all: Vec<_> = services.chain(media).collect();
        all.sort_unstable_by_key(|(at, ..)| *at);
        let mut text = String::new();
        for (at, what, took) in all {
            let took = took.map_or(String::new(), |took| format!(" {took}"));
            let _ = writeln!(text, "{} {what}{took}", microseconds(at));
        }
        text
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.media_requests.clear();
    }

    fn add(&mut self, entry: Entry) -> Ticket {
        let ticket = Ticket(self.issued);
        self.issued += 1;
        let times = Times {
            asked: SystemTime::now(),
            answered: None,
        };
        self.entries.push((ticket, times, entry));
        ticket
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (_, _, entry) in &self.entries {
            let status = match entry {
                Entry::Token(request) => {
                    let path = without_query(&request.path);
                    write!(f, "token   {} {path}", request.method)?;
                    request.status
                }
                Entry::Discovery(request) => {
                    write!(f, "discovery GET {}", without_query(&request.path))?;
                    request.status
                }
                Entry::Key(request) => {
                    let token = token(request.token_present, request.token_valid);
                    write!(f, "key     GET {}, {token}", without_query(&request.path))?;
                    request.status
                }
                Entry::License(request) => {
                    let count = request.kids.len();
                    let plural = if count == 1 { "" } else { "s" };
                    let token = token(request.token_present, request.token_valid);
                    write!(f, "license {count} key id{plural}, {token}")?;
                    request.status
                }
            };
            match status {
                Some(status) => writeln!(f, " -> {status}")?,
                None => writeln!(f, " -> no answer")?,
            }
        }
        Ok(())
    }
}

/// What is printed of the token that a request brought.
fn token(is_present: bool, is_valid: bool) -> &'static str {
    match (is_present, is_valid) {
        (_, true) => "token valid",
        (true, false) => "token not valid",
        (false, false) => "no token",
    }
}

fn microseconds(at: SystemTime) -> u128 {
    at.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros()
}

/// A path as it is printed: the query stays out, since it is the client's and might hold anything.
fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

/// The headers as the record keeps them.
pub(crate) fn header_list(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.to_string(), value)
        })
        .collect()
}

/// One header as the record keeps it.
pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token_request() -> TokenRequest {
        TokenRequest {
            service: Service::Rdk,
            method: "GET".into(),
            path: "/authService/getSessionToken?device=secret".into(),
            headers: Vec::new(),
            body: b"secret".to_vec(),
            status: None,
        }
    }

    fn discovery_request() -> DiscoveryRequest {
        DiscoveryRequest {
            path: "/ags/servicediscovery?token=secret".into(),
            headers: vec![("token".into(), "secret".into())],
            status: None,
        }
    }

    fn license_request() -> LicenseRequest {
        LicenseRequest {
            path: "/license".into(),
            headers: Vec::new(),
            authorization: Some("Bearer secret".into()),
            token_present: true,
            token_valid: true,
            kids: vec!["01".into(), "02".into()],
            content_type: None,
            body: Vec::new(),
            status: None,
        }
    }

    #[test]
    fn line_a_request_without_secrets() {
        let mut record = Record::default();
        let token = record.add_token_request(token_request());
        let license = record.add_license_request(license_request());
        record.add_license_request(LicenseRequest {
            token_valid: false,
            kids: vec!["01".into()],
            ..license_request()
        });
        let discovery = record.add_discovery_request(discovery_request());
        record.answered(discovery, 404);
        record.answered(license, 200);
        record.answered(token, 503);
        assert_eq!(
            record.to_string(),
            "token   GET /authService/getSessionToken -> 503\n\
             license 2 key ids, token valid -> 200\n\
             license 1 key id, token not valid -> no answer\n\
             discovery GET /ags/servicediscovery -> 404\n"
        );
    }

    #[test]
    fn record_keeps_only_newest_media_requests() {
        let mut record = Record::default();
        for number in 0..=MOST_MEDIA_REQUESTS {
            record.add_media_request(MediaRequest {
                path: number.to_string(),
                headers: Vec::new(),
                licenses_before: 0,
            });
        }
        assert_eq!(record.media_requests().count(), MOST_MEDIA_REQUESTS);
        let first = record.media_requests().next().expect("a request");
        assert_eq!(first.path, "1");
        assert_eq!(record.to_string(), "");
        record.clear();
        assert_eq!(record.media_requests().count(), 0);
    }

    #[test]
    fn answer_after_clearing_marks_no_newer_request() {
        let mut record = Record::default();
        let cleared = record.add_token_request(token_request());
        record.clear();
        record.add_token_request(token_request());
        record.answered(cleared, 200);
        assert_eq!(record.token_requests().next(), Some(&token_request()));
    }
}
