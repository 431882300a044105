// SPDX-License-Identifier: MIT OR Apache-2.0

//! The head-end over TLS: who trusts whom.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use crate::client::PATIENCE;
use headend::certificates::{Authority, Identity};
use headend::{Headend, Tls};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

const GET: &str = "GET /authService/getSessionToken";

fn start(identity: &Identity, client_roots: Option<&Authority>) -> Headend {
    Headend::start_tls(Tls {
        certificate_chain: identity.certificate.clone(),
        private_key: identity.key.clone(),
        client_roots: client_roots.map(Authority::pem),
    })
    .expect("a head-end")
}

/// A client of this version that trusts this authority, and brings a certificate if it has one.
fn client(
    version: &'static SupportedProtocolVersion,
    trusted: &Authority,
    identity: Option<&Identity>,
) -> ClientConfig {
    let certificate =
        |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots
        .add(certificate(&trusted.pem()))
        .expect("a certificate to trust");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .expect("a version of TLS")
        .with_root_certificates(roots);
    match identity {
        None => config.with_no_client_auth(),
        Some(identity) => config
            .with_client_auth_cert(
                vec![certificate(&identity.certificate)],
                PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key"),
            )
            .expect("a certificate and its key"),
    }
}

/// Asks, and returns all that is answered until the end of the connection.
fn ask(headend: &Headend, client: ClientConfig, head: &str) -> io::Result<String> {
    let origin = headend.url("");
    let address = origin.strip_prefix("https://").expect("an https URL");
    let (host, port) = address.split_once(':').expect("a port");
    let name = host.to_owned().try_into().expect("the name of a host");
    let stream = TcpStream::connect(("127.0.0.1", port.parse().expect("a number")))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let connection = ClientConnection::new(Arc::new(client), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let request = format!("{head} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Why a client does not want to speak to the head-end.
fn objection(headend: &Headend, trusted: &Authority) -> String {
    let outcome = ask(headend, client(&TLS13, trusted, None), GET);
    assert!(headend.token_requests().is_empty());
    outcome.expect_err("an objection").to_string()
}

#[test]
fn every_version_in_use_reaches_the_services() {
    let authority = Authority::new();
    let headend = start(&authority.server(&["localhost"]), None);
    for version in [&TLS12, &TLS13] {
        let answer = ask(&headend, client(version, &authority, None), GET).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains(&headend.token()));
    }
    assert_eq!(headend.token_requests().len(), 2);
}

#[test]
fn every_url_is_one_of_tls() {
    let authority = Authority::new();
    let headend = start(&authority.server(&["localhost"]), None);
    for url in [
        headend.auth_url(),
        headend.thunder_url(),
        headend.ags_url(),
        headend.license_url(),
        headend.manifest_url(),
    ] {
        assert!(url.starts_with("https://localhost:"), "{url}");
    }
    let client = client(&TLS13, &authority, None);
    let manifest = ask(&headend, client, "GET /dash/cenc/manifest.mpd").expect("an answer");
    assert!(manifest.contains(&headend.license_url()));
}

#[test]
fn certificate_can_be_one_that_nobody_should_trust() {
    let authority = Authority::new();

    let unknown = start(&Authority::new().server(&["localhost"]), None);
    let reason = objection(&unknown, &authority);
    assert!(reason.contains("UnknownIssuer"), "{reason}");

    let expired = start(&authority.expired_server(&["localhost"]), None);
    let reason = objection(&expired, &authority);
    assert!(reason.contains("expired"), "{reason}");

    let other = start(&authority.server(&["127.0.0.1", "headend.example"]), None);
    let reason = objection(&other, &authority);
    assert!(reason.contains("not valid for name"), "{reason}");
}

#[test]
fn client_can_be_asked_who_it_is() {
    let authority = Authority::new();
    let clients = Authority::new();
    let headend = start(&authority.server(&["localhost"]), Some(&clients));

    for (before, version) in [&TLS12, &TLS13].into_iter().enumerate() {
        let ask = |identity: Option<Identity>| {
            ask(
                &headend,
                client(version, &authority, identity.as_ref()),
                GET,
            )
        };
        // What it gets to see is up to the moment at which the connection ends.
        assert!(ask(None).is_err());
        assert!(ask(Some(authority.client("a box"))).is_err());
        assert!(ask(Some(clients.server(&["localhost"]))).is_err());
        assert_eq!(headend.token_requests().len(), before);

        let answer = ask(Some(clients.client("a box"))).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(headend.token_requests().len(), before + 1);
    }
}

#[test]
fn what_is_no_certificate_is_refused_at_the_start() {
    let identity = Authority::new().server(&["localhost"]);
    let other = Authority::new().server(&["localhost"]);
    let tls = Tls {
        certificate_chain: identity.certificate,
        private_key: identity.key.clone(),
        client_roots: None,
    };
    for tls in [
        Tls {
            certificate_chain: "nothing".into(),
            ..tls.clone()
        },
        Tls {
            private_key: other.key,
            ..tls.clone()
        },
        Tls {
            client_roots: Some(String::new()),
            ..tls.clone()
        },
    ] {
        let error = Headend::start_tls(tls).expect_err("an error");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }
}

#[test]
fn no_key_is_printed() {
    let identity = Authority::new().server(&["localhost"]);
    let tls = Tls {
        certificate_chain: identity.certificate.clone(),
        private_key: identity.key.clone(),
        client_roots: None,
    };
    let key = identity.key.lines().nth(1).expect("a line of the key");
    assert!(!format!("{identity:?}{tls:?}").contains(key));
}

#[test]
fn process_is_left_without_a_provider() {
    let authority = Authority::new();
    let headend = start(&authority.server(&["localhost"]), None);
    ask(&headend, client(&TLS13, &authority, None), GET).expect("an answer");
    assert!(CryptoProvider::get_default().is_none());
}
