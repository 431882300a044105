// SPDX-License-Identifier: MIT OR Apache-2.0

//! Why there is no reply, in words of ours.

use std::error::Error as _;
use std::io;

use crate::descriptors;
use crate::error::Failure;

use super::{Deadline, Endpoint};

/// A request that ended without a reply that could be read.
pub struct RequestError {
    pub failure: Failure,
    /// Whether the server has seen, or could have seen, something of it.
    pub was_sent: bool,
    /// Whether the same request may succeed.
    pub again: bool,
    /// It went out on a connection from before, which the server has closed meanwhile. That says
    /// nothing of how the server is.
    pub was_kept: bool,
}

/// What stands in the way before anything is sent.
impl From<Failure> for RequestError {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            was_sent: false,
            again: false,
            was_kept: false,
        }
    }
}

impl RequestError {
    pub fn sent(failure: Failure, again: bool) -> Self {
        Self {
            failure,
            was_sent: true,
            again,
            was_kept: false,
        }
    }

    /// Says what broke. reqwest's own text is left out, its cause's kind is enough. `status` is
    /// that of a reply whose body broke.
    pub fn by(
        url: &Endpoint,
        deadline: &Deadline,
        error: &reqwest::Error,
        status: Option<u16>,
    ) -> Self {
        let mut broken = Self::why(url, deadline, error);
        if let Some(status) = status {
            broken.failure = broken.failure.with_http_status(status);
        }
        broken
    }

    /// No response came in time.
    pub fn late(url: &Endpoint, deadline: &Deadline) -> Self {
        Self::sent(Failure::timed_out(did_not_answer(url, deadline)), false)
    }

    fn why(url: &Endpoint, deadline: &Deadline, error: &reqwest::Error) -> Self {
        let place = url.authority();
        let is_cut = !error.is_connect() && is_system_timeout(error);
        if error.is_timeout() && !is_cut {
            let what = if error.is_connect() {
                format!(
                    "no connection to {place} within {} ms: check that the service runs there{}{}",
                    deadline.connect().as_millis(),
                    proxy(url),
                    deadline.advice()
                )
            } else {
                did_not_answer(url, deadline)
            };
            // Where all the time is over, and not only that for the connection, there is none for
            // another attempt.
            return Self::sent(Failure::timed_out(what), error.is_connect());
        }
        if let Some(error) = cause::<rustls::Error>(error) {
            return Self::sent(
                Failure::transient(format!(
                    "no secure connection to {place}: {}: check {}",
                    what_happened(error),
                    what_to_check(error)
                )),
                // The same certificate would come again.
                false,
            );
        }
        let cause_of_io = cause::<io::Error>(error);
        // Looking up a name does not say for want of what it failed.
        let is_scarce = cause_of_io.is_some_and(descriptors::were_missing)
            || error.is_dns() && descriptors::are_missing();
        if is_scarce {
            return Self::sent(
                Failure::transient(format!(
                    "no connection to {place}: {}",
                    descriptors::NONE_LEFT
                )),
                true,
            );
        }
        let kind = cause_of_io
            .map(io::Error::kind)
            // The others are not worth a word: they say that there is none for what happened.
            .filter(|kind| {
                *kind != io::ErrorKind::Other && kind.to_string() != "uncategorized error"
            });
        if error.is_dns() {
            return Self::sent(
                Failure::transient(format!(
                    "no connection to {place}: nobody knows that name: check it, and this device's network{}",
                    proxy(url)
                )),
                true,
            );
        }
        if error.is_connect() {
            let why = kind.map_or_else(String::new, |kind| format!(" ({kind})"));
            return Self::sent(
                Failure::transient(format!(
                    "no connection to {place}{why}: check that the service runs there{}",
                    proxy(url)
                )),
                true,
            );
        }
        let is_no_http = cause::<hyper::Error>(error).is_some_and(hyper::Error::is_parse)
            || matches!(
                kind,
                Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
            );
        if is_no_http {
            return Self::sent(
                Failure::malformed(format!(
                    "{place} gave no valid HTTP reply: check that the URL names the right service"
                )),
                false,
            );
        }
        let why = kind.map_or_else(String::new, |kind| format!(" ({kind})"));
        Self::sent(
            Failure::transient(format!(
                "{place} broke the connection off{why} before it had answered: check that the service is well"
            )),
            true,
        )
    }
}

/// Whether the connection had gone before there was a reply.
pub fn is_closed(error: &reqwest::Error) -> bool {
    let by_hyper = cause::<hyper::Error>(error)
        .is_some_and(|error| error.is_incomplete_message() || error.is_canceled());
    let kind = cause::<io::Error>(error).map(io::Error::kind);
    let by_system = matches!(
        kind,
        Some(
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected
                // TLS without its goodbye.
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
        )
    );
    !error.is_connect() && (by_hyper || by_system || is_system_timeout(error))
}

/// Whether the system has given the connection up, since nothing of what was sent was acknowledged
/// (tcp(7), `TCP_USER_TIMEOUT`). There is time left for another one.
fn is_system_timeout(error: &reqwest::Error) -> bool {
    let is_one = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
    cause::<io::Error>(error).is_some_and(is_one)
}

fn did_not_answer(url: &Endpoint, deadline: &Deadline) -> String {
    format!(
        "{} did not answer within {} ms: check that it runs{}",
        url.authority(),
        deadline.timeout.as_millis(),
        deadline.advice()
    )
}

/// For sentences about connections, which may be those of a proxy: reqwest takes it from the
/// environment.
fn proxy(url: &Endpoint) -> &'static str {
    let names = if url.is_tls() {
        ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    } else {
        ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
    };
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !url.is_loopback() && names.iter().any(is_set) {
        ", and the proxy of the environment"
    } else {
        ""
    }
}

/// In words of ours: rustls's own list all the names in a certificate, which are the server's
/// choice.
fn what_happened(error: &rustls::Error) -> String {
    use rustls::CertificateError as Bad;
    let what = match error {
        rustls::Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => "its certificate has expired",
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => "its certificate is not valid yet",
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                "its certificate is for another name"
            }
            Bad::UnknownIssuer => "its certificate is from an issuer that is not trusted",
            Bad::Revoked => "its certificate has been revoked",
            Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
                "its certificate is not one for servers"
            }
            _ => "its certificate is not a valid one",
        },
        rustls::Error::AlertReceived(alert) => return format!("it says {alert:?}"),
        _ => "the handshake failed",
    };
    what.to_owned()
}

fn what_to_check(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::AlertReceived(alert) if is_about_a_certificate(*alert) => {
            "`ssl-client-cert` and `ssl-client-key`"
        }
        rustls::Error::InvalidCertificate(_) => {
            "its certificate, this device's clock, and `ssl-ca-file` or this device's roots"
        }
        _ => "that it speaks TLS 1.2 or 1.3 there",
    }
}

/// Whether the server complains of our certificate (RFC 8446, 6.2).
fn is_about_a_certificate(alert: rustls::AlertDescription) -> bool {
    use rustls::AlertDescription as Alert;
    matches!(
        alert,
        Alert::NoCertificate
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired
    )
}

/// The cause of that type, also where I/O errors are wrapped around it, which do not count as its
/// causes.
fn cause<E: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        next = match cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    None
}
