// SPDX-License-Identifier: MIT OR Apache-2.0

//! The one HTTP client: bounded in time and size, and quiet about what it carries.
//!
//! No error text from below is passed on as it is: it could hold a URL with credentials.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::OnceCell;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, redirect};
use rustls_platform_verifier::BuilderVerifierExt;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::secret::Secret;

/// Largest reply that is read. A token is at most 16 KiB and a licence a few hundred bytes a key,
/// so more is a mistake or an attack.
pub const MAX_REPLY: usize = 64 * 1024;

/// One request: a POST where it has a body, else a GET.
pub struct Request {
    pub url: Endpoint,
    pub headers: Vec<(String, Secret)>,
    /// Content type and bytes.
    pub body: Option<(&'static str, Zeroizing<Vec<u8>>)>,
    /// For the whole of it, from the name look-up to the last byte of the reply.
    pub timeout: Duration,
}

/// One reply. It may hold a token or keys, so it is wiped when it is dropped.
pub struct Reply {
    pub status: u16,
    pub body: Zeroizing<Vec<u8>>,
}

/// A server that may be asked: an `https` URL, or an `http` one where that is safe or allowed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(Url);

impl Endpoint {
    /// `setting` is the property that the text came from, for the error.
    ///
    /// # Errors
    ///
    /// A sentence that says what to set. It names scheme and host at most: path, query and userinfo may hold secrets.
    pub fn parse(text: &str, setting: &str, allow_cleartext: bool) -> Result<Self, Failure> {
        let url = Url::parse(text).map_err(|error| {
            Failure::misconfigured(format!(
                "`{setting}` is not a URL ({error}): set it to one that begins with http:// or https://"
            ))
        })?;
        let endpoint = Self(url);
        match endpoint.0.scheme() {
            "https" => {}
            "http" if allow_cleartext || endpoint.is_loopback() => {}
            "http" => {
                return Err(Failure::misconfigured(format!(
                    "`{setting}` would send a secret in the clear to {}: use https, or set `allow-cleartext` if that network is trusted",
                    endpoint.place()
                )));
            }
            scheme => {
                return Err(Failure::misconfigured(format!(
                    "`{setting}` has the scheme {scheme}: set it to a URL that begins with http:// or https://"
                )));
            }
        }
        if endpoint.0.host().is_none() {
            return Err(Failure::misconfigured(format!("`{setting}` names no host")));
        }
        Ok(endpoint)
    }

    /// The whole URL, for comparing and for the wire.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Host and port, which are safe to show.
    pub fn place(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// What a property may read back: without userinfo, query and fragment.
    pub fn shown(text: &str) -> String {
        match Url::parse(text) {
            Ok(mut url) => {
                // Both fail only for URLs that cannot have them, such as `data:`.
                let _ = url.set_username("");
                let _ = url.set_password(None);
                url.set_query(None);
                url.set_fragment(None);
                url.to_string()
            }
            // What is no URL cannot be cleaned, so it is not shown.
            Err(_) => String::new(),
        }
    }

    fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }
}

/// Sends the request and reads the reply, whatever its status.
///
/// # Errors
///
/// `TimedOut` at the deadline, `Transient` where no reply came, `Malformed` for one that is too
/// large or no HTTP, `Misconfigured` for a header that cannot be sent.
pub async fn send(request: Request) -> Result<Reply, Failure> {
    let place = request.url.place();
    let timeout = request.timeout;
    match tokio::time::timeout(timeout, exchange(request)).await {
        Ok(result) => result,
        Err(_) => Err(Failure::timed_out(format!(
            "{place} did not answer within {} ms: check that it runs, or raise `timeout`",
            timeout.as_millis()
        ))),
    }
}

async fn exchange(request: Request) -> Result<Reply, Failure> {
    let Request {
        url, headers, body, ..
    } = request;
    let place = url.place();
    let method = match body {
        Some(_) => Method::POST,
        None => Method::GET,
    };
    let mut builder = client(&url).await?.request(method, url.0);
    if let Some((content_type, bytes)) = body {
        // The client takes plain bytes; this one copy lives until it is sent.
        builder = builder
            .header(CONTENT_TYPE, HeaderValue::from_static(content_type))
            .body(bytes.to_vec());
    }
    // These replace ours where they have the same name.
    let mut response = builder
        .headers(header_map(headers)?)
        .send()
        .await
        .map_err(|error| broken(&place, &error))?;
    let status = response.status().as_u16();
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_REPLY));
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| broken(&place, &error).with_http_status(status))?
    {
        if body.len() + chunk.len() > MAX_REPLY {
            return Err(Failure::malformed(format!(
                "{place} answered with more than {MAX_REPLY} bytes: check that the URL names the right service"
            ))
            .with_http_status(status));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, body })
}

fn header_map(headers: Vec<(String, Secret)>) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let unsendable =
            || Failure::misconfigured("a header for the request is not a valid HTTP header");
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| unsendable())?;
        value.set_sensitive(true);
        map.append(name, value);
    }
    Ok(map)
}

/// The client for that kind of server.
async fn client(url: &Endpoint) -> Result<&'static Client, Failure> {
    static CLIENTS: [OnceCell<Client>; 4] = [const { OnceCell::new() }; 4];
    let (tls, remote) = (url.is_tls(), !url.is_loopback());
    let cell = &CLIENTS[usize::from(tls) + 2 * usize::from(remote)];
    if let Some(client) = cell.get() {
        return Ok(client);
    }
    // Reads the system's roots where there is TLS, which takes long enough to hold up the other requests.
    tokio::task::spawn_blocking(move || cell.get_or_try_init(|| build(tls, remote)))
        .await
        .map_err(|_| Failure::transient("the HTTP client could not be set up"))?
}

fn build(system_roots: bool, environment_proxy: bool) -> Result<Client, Failure> {
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::misconfigured(format!("TLS cannot be set up: {error}"))
    };
    // The crypto provider is named here and not installed for the process, which is the player's.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?;
    let tls = if system_roots {
        tls.with_platform_verifier()
            .map_err(|error| unusable(&error))?
            .with_no_client_auth()
    } else {
        tls.with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
    };
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .redirect(redirect::Policy::none())
        .referer(false)
        // No connection is kept: a tune makes one request, and on a connection that a server has closed meanwhile
        // (restarted, say) that one would fail.
        .pool_max_idle_per_host(0)
        .user_agent(concat!(
            env!("CARGO_PKG_NAME"),
            "/",
            env!("CARGO_PKG_VERSION")
        ));
    if !environment_proxy {
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|error| unusable(&error.without_url()))
}

/// Says what broke. reqwest's own text is left out, its cause's kind is enough.
fn broken(place: &str, error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        return Failure::timed_out(format!("{place} did not answer in time"));
    }
    if let Some(error) = cause::<rustls::Error>(error) {
        return Failure::transient(format!(
            "no secure connection to {place}: {error}: check its certificate and this device's clock and roots"
        ));
    }
    if error.is_connect() {
        let why = io_kind(error).map_or_else(String::new, |kind| format!(" ({kind})"));
        return Failure::transient(format!(
            "no connection to {place}{why}: check that the service runs there"
        ));
    }
    match io_kind(error) {
        Some(kind) => Failure::transient(format!("{place} broke the connection off ({kind})")),
        None => Failure::transient(format!(
            "{place} gave no whole HTTP reply: check that the URL names the right service"
        )),
    }
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    cause::<io::Error>(error)
        .map(io::Error::kind)
        .filter(|kind| *kind != io::ErrorKind::Other)
}

/// The cause of that type, also where an I/O error is wrapped around it.
fn cause<E: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        let wrapped = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref());
        if wrapped.is_some() {
            return wrapped;
        }
        next = cause.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_goes_in_the_clear_to_this_machine_only_unless_the_user_says_otherwise() {
        for url in [
            "http://localhost:50050/x",
            "http://127.0.0.1/",
            "http://[::1]:80/",
            "https://auth.example/",
        ] {
            assert!(Endpoint::parse(url, "location", false).is_ok(), "{url}");
        }
        for url in [
            "http://auth.example/",
            "http://192.168.0.2/",
            "http://localhost.example/",
        ] {
            let Err(failure) = Endpoint::parse(url, "location", false) else {
                panic!("{url} was accepted");
            };
            assert!(failure.what.contains("allow-cleartext"), "{}", failure.what);
            assert!(Endpoint::parse(url, "location", true).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_asked_is_refused_by_the_name_of_its_setting_and_not_shown() {
        for url in [
            "",
            "localhost",
            "ftp://u:SECRET@h/SECRET",
            "data:SECRET",
            "http://",
            "//SECRET",
        ] {
            let Err(failure) = Endpoint::parse(url, "license-url", true) else {
                panic!("{url} was accepted");
            };
            assert!(failure.what.contains("`license-url`"), "{}", failure.what);
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
    }

    #[test]
    fn what_a_property_reads_back_has_lost_credentials() {
        assert_eq!(
            Endpoint::shown("https://user:pw@host:8443/path?key=SECRET#SECRET"),
            "https://host:8443/path"
        );
        assert_eq!(Endpoint::shown("SECRET, no URL"), "");
    }
}
