// SPDX-License-Identifier: MIT OR Apache-2.0

//! Requests and downloads with servers on loopback.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use url::Url;

use super::*;
use crate::error::Kind;
use crate::http::{
    Endpoint, FileRequest, Method, Redirects, Source, TlsConfig, TokenHosts, download, open,
    refused,
};
use crate::token::Secret;

const ALLOWED: Redirects = Redirects::Followed {
    allow_cleartext: false,
};

/// A server that gives each connection the next of its replies.
struct Server {
    host: String,
    requests: JoinHandle<Vec<String>>,
}

/// A listener, and the host and port at which it is.
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address.to_string())
}

impl Server {
    fn on((listener, host): (TcpListener, String), replies: Vec<String>) -> Self {
        let requests = std::thread::spawn(move || {
            let mut requests = Vec::new();
            for reply in replies {
                let (mut connection, _) = listener.accept().expect("a connection");
                requests.push(read_request(&mut connection));
                connection.write_all(reply.as_bytes()).expect("a reader");
            }
            requests
        });
        Self { host, requests }
    }

    fn start(replies: Vec<String>) -> Self {
        Self::on(listener(), replies)
    }

    /// Waits until all replies are given.
    fn requests(self) -> Vec<String> {
        self.requests.join().expect("no panic")
    }
}

/// Head and body, the header names as they are on the wire.
fn read_request(connection: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length")
                .map_or(0, |length| length.parse::<usize>().expect("a length"));
            if body.len() >= length {
                return text.into_owned();
            }
        }
        let count = connection.read(&mut buffer).expect("a request");
        assert_ne!(count, 0, "the request has an end");
        request.extend_from_slice(&buffer[..count]);
    }
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = request.lines().filter_map(|line| line.split_once(": "));
    lines.find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
}

fn reply(status: u16, headers: &[&str], body: &str) -> String {
    let mut reply = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n");
    reply.push_str(&format!("Content-Length: {}\r\n", body.len()));
    for header in headers {
        reply.push_str(&format!("{header}\r\n"));
    }
    reply + "\r\n" + body
}

fn redirect(status: u16, to: &str) -> String {
    reply(status, &[&format!("Location: {to}")], "")
}

fn request(url: &str, token_hosts: &str) -> Request {
    let url = Endpoint::parse(url, "license-url", false).expect(url);
    let mut request = Request::new(url, TlsConfig::default());
    request.headers = vec![("X-Own".to_owned(), Secret::from("own"))];
    request.token_headers = vec![("X-Token".to_owned(), Secret::from("Bearer TOKEN"))];
    request.token_hosts = TokenHosts::parse(token_hosts).expect(token_hosts);
    request.redirects = ALLOWED;
    request
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

fn sent(request: &Request) -> Result<HttpResponse, Failure> {
    let deadline = Deadline::new(Duration::from_secs(60), 0);
    block_on(send(request, &deadline)).map_err(|broken| broken.failure)
}

fn source(url: &str) -> Source {
    let url = Url::parse(url).expect(url);
    Source::new([url.clone(), url], Vec::new(), &[], TlsConfig::default())
}

#[test]
fn token_is_decided_anew_at_each_hop() {
    let last = Server::start(vec![reply(200, &[], "KEY")]);
    let other = Server::start(vec![redirect(302, &format!("http://{}/c", last.host))]);
    let first = Server::start(vec![redirect(302, &format!("http://{}/b", other.host))]);
    let hosts = format!("{} {}", first.host, last.host);
    let url = format!("http://{}/a", first.host);
    let reply = sent(&request(&url, &hosts)).expect("a reply");
    assert_eq!((reply.status, &reply.body[..]), (200, &b"KEY"[..]));
    assert_eq!(reply.place, format!("http://{}/c", last.host));
    assert_eq!(reply.token_withheld, None);
    let seen = [first, other, last].map(|server| {
        let request = server.requests().remove(0);
        ["x-own", "x-token"].map(|name| header(&request, name).is_some())
    });
    assert_eq!(seen, [[true, true], [false, false], [false, true]]);
}

#[test]
fn token_query_goes_where_the_token_headers_go() {
    let last = Server::start(vec![reply(200, &[], "KEY")]);
    let other = Server::start(vec![redirect(302, &format!("http://{}/c?a=b", last.host))]);
    let first = Server::start(vec![redirect(302, &format!("http://{}/b", other.host))]);
    let mut request = request(
        &format!("http://{}/a?token=old&x=y", first.host),
        &format!("{} {}", first.host, last.host),
    );
    request.token_query = Some(Secret::from("v=1&token=TOKEN"));
    let reply = sent(&request).expect("a reply");
    // Neither is the place shown with it.
    assert_eq!(reply.place, format!("http://{}/c", last.host));
    let url = reply.url.expect("a URL");
    assert!(!url.as_str().contains("TOKEN"), "{url}");
    let asked = [first, other, last].map(|server| {
        let request = server.requests().remove(0);
        request.split(' ').nth(1).expect("a target").to_owned()
    });
    assert_eq!(
        asked,
        ["/a?x=y&v=1&token=TOKEN", "/b", "/c?a=b&v=1&token=TOKEN"]
    );
}

#[test]
fn refusal_says_that_the_token_was_withheld() {
    let other = Server::start(vec![reply(403, &[], "")]);
    let first = Server::start(vec![redirect(307, &format!("http://{}/b", other.host))]);
    let url = format!("http://{}/a", first.host);
    let reply = sent(&request(&url, &first.host)).expect("a reply");
    assert_eq!(reply.status, 403);
    assert_eq!(reply.token_withheld.as_ref(), Some(&other.host));
    assert_eq!(
        reply.token_advice(),
        format!(
            ": {} was not sent the token: add it to `token-hosts`",
            other.host
        )
    );
    assert_eq!(header(&other.requests()[0], "x-token"), None);
    assert!(header(&first.requests()[0], "x-token").is_some());
}

/// What is refused before the request is made tells nobody of the token.
#[test]
fn body_with_token_goes_only_where_the_token_may() {
    let post = |url: &str, token_hosts: &str| {
        let mut request = request(url, token_hosts);
        request.method = Method::Post;
        request.token_headers.clear();
        request.token_in_body = true;
        let body = Zeroizing::new(b"TOKEN".to_vec());
        request.body = Some(("application/json".into(), body));
        request
    };
    let other = Server::start(vec![reply(200, &[], "KEY")]);
    let first = Server::start(vec![
        redirect(307, &format!("http://{}/b", other.host)),
        redirect(307, &format!("http://{}/b", other.host)),
    ]);
    let url = format!("http://{}/a", first.host);
    let says = |host: &str| {
        format!(
            "{host} was not sent the request, which holds the session token: \
             add it to `token-hosts`"
        )
    };
    let failure = sent(&post(&url, "keys.example")).err();
    assert_eq!(failure.expect("one").what, says(&first.host));
    let failure = sent(&post(&url, &first.host)).err();
    assert_eq!(failure.expect("one").what, says(&other.host));
    let allowed = format!("{} {}", first.host, other.host);
    assert_eq!(sent(&post(&url, &allowed)).expect("a reply").status, 200);
    assert_eq!((first.requests().len(), other.requests().len()), (2, 1));
}

#[test]
fn post_follows_307_and_308_with_its_body() {
    let post = |url: &str| {
        let mut request = request(url, "127.0.0.1");
        request.method = Method::Post;
        request.body = Some((
            "application/json".into(),
            Zeroizing::new(b"{\"kids\":[]}".to_vec()),
        ));
        request
    };
    for status in [307, 308] {
        let last = Server::start(vec![reply(200, &[], "{}")]);
        let first = Server::start(vec![redirect(status, &format!("http://{}/b", last.host))]);
        let reply = sent(&post(&format!("http://{}/a", first.host))).expect("a reply");
        assert_eq!(reply.status, 200);
        let seen = last.requests().remove(0);
        assert!(seen.starts_with("POST /b "), "{seen}");
        assert!(seen.ends_with("{\"kids\":[]}"), "{seen}");
        assert_eq!(header(&seen, "content-type"), Some("application/json"));
    }
    for status in [301, 302, 303] {
        let to = "https://u:SECRET@keys.example/b?SECRET#SECRET";
        let server = Server::start(vec![redirect(status, to)]);
        let url = format!("http://{}/a?SECRET", server.host);
        let reply = sent(&post(&url)).expect("a reply");
        assert_eq!(reply.status, status);
        assert_eq!(
            reply.redirect.as_deref(),
            Some("https://keys.example:443/b")
        );
        assert_eq!(reply.place, format!("http://{}/a", server.host));
    }
}

#[test]
fn file_request_gets_cookies_of_redirects() {
    let last = Server::start(vec![reply(200, &["Set-Cookie: k=2"], "KEY")]);
    let headers = format!("Location: http://{}/b", last.host);
    let cookies = ["Set-Cookie: k=1", "Set-Cookie: s=1; Secure", &headers];
    let first = Server::start(vec![reply(302, &cookies, "")]);
    let url = format!("http://{}/a", first.host);
    let source = source(&url);
    let key = Url::parse(&url).expect("valid");
    let request = Request::for_file(&key, &source).expect("an http URL");
    assert_eq!(sent(&request).expect("a reply").status, 200);
    assert_eq!(header(&first.requests()[0], "cookie"), None);
    let seen = last.requests().remove(0);
    assert_eq!(header(&seen, "cookie"), Some("k=1"));
    let origin = format!("{}/", url.trim_end_matches("/a"));
    assert_eq!(header(&seen, "referer"), Some(origin.as_str()));
}

#[test]
fn reply_is_bounded_by_the_request() {
    for (max, is_read) in [(16, true), (15, false)] {
        let server = Server::start(vec![reply(200, &[], &"k".repeat(16))]);
        let mut request = request(&format!("http://{}/k?SECRET", server.host), "");
        request.max = max;
        match sent(&request) {
            Ok(reply) => assert!(is_read && reply.body.len() == 16),
            Err(failure) => {
                assert!(!is_read);
                assert_eq!(failure.kind, Kind::Malformed);
                let says = format!("http://{}/k answered with more than 15 bytes", server.host);
                assert!(failure.what.starts_with(&says), "{}", failure.what);
            }
        }
    }
}

#[test]
fn download_follows_ten_redirects() {
    for (count, is_found) in [(10, true), (11, false)] {
        let mut replies = vec![redirect(302, "/again"); count];
        if is_found {
            replies.push(reply(200, &[], "FILE"));
        }
        let server = Server::start(replies);
        let url = Url::parse(&format!("http://{}/SECRET", server.host)).expect("valid");
        let downloaded = block_on(download(FileRequest {
            url: &url,
            source: &source(url.as_str()),
            range: Some((3, None)),
            max: 4,
        }));
        match downloaded {
            Ok(downloaded) => {
                assert!(is_found);
                assert_eq!(downloaded.body, b"FILE");
                assert_eq!(downloaded.url.path(), "/again");
                let requests = server.requests();
                let ranges = requests.iter().map(|request| header(request, "range"));
                assert!(ranges.into_iter().all(|range| range == Some("bytes=3-")));
            }
            Err(failure) => {
                assert!(!is_found);
                let says = format!("{} answered with more than 10 redirects", server.host);
                assert!(failure.what.starts_with(&says), "{}", failure.what);
            }
        }
    }
}

#[test]
fn length_that_no_file_has_does_no_harm() {
    const LENGTH: u64 = 18_446_744_073_709_551_613;
    let huge = || {
        let reply = format!("HTTP/1.1 200 X\r\nContent-Length: {LENGTH}\r\n\r\nFILE");
        Server::start(vec![reply])
    };
    let server = huge();
    let url = Url::parse(&format!("http://{}/f", server.host)).expect("valid");
    let source = source(url.as_str());
    let wanted = |url| FileRequest {
        url,
        source: &source,
        range: None,
        max: 4,
    };
    block_on(async {
        let mut opened = open(wanted(&url)).await.expect("a file");
        assert_eq!((opened.status, opened.length), (200, Some(LENGTH)));
        let chunk = opened.chunk().await.expect("a piece");
        assert_eq!(chunk.as_deref(), Some(&b"FILE"[..]));
        let failure = opened.chunk().await.expect_err("a missing end");
        assert_eq!(failure.kind, Kind::Transient);
    });
    let server = huge();
    let url = Url::parse(&format!("http://{}/f", server.host)).expect("valid");
    let failure = block_on(download(wanted(&url)))
        .err()
        .expect("a missing end");
    assert_eq!(failure.kind, Kind::Transient);
}

#[test]
fn file_of_another_scheme_is_refused() {
    let url = Url::parse("ftp://h.example/SECRET").expect("valid");
    let failure = refused::<()>(&url, 404).expect_err("no http");
    assert_eq!(failure.kind, Kind::Misconfigured);
    assert!(failure.what.contains("`ftp`"), "{}", failure.what);
    assert!(Request::for_file(&url, &source("http://h.example/")).is_err());
}
