// SPDX-License-Identifier: MIT OR Apache-2.0

//! TLS: whom an element gives its credentials, and who gets none.

use gst::element_factory::ElementBuilder;
use gst::prelude::*;
use headend::certificates::{Authority, Identity};
use headend::{Auth, Headend, Licenses, Tls};
use support::rig::*;

use crate::decrypting::{PLAINTEXT, complaint_after, contents, picture, started};
use crate::services::{SERVICES, asking_at, failed_tune, soon, tune, url, with};

/// Everything that makes requests: `sessiontoken` with each of its services, and `clearkeydec`.
const CLIENTS: [&str; 4] = [SERVICES[0], SERVICES[1], SERVICES[2], "clearkeydec"];

/// The element of a client.
fn element_of(client: &str) -> &str {
    match client {
        "clearkeydec" => "clearkeydec",
        _ => "sessiontoken",
    }
}

fn client_at(client: &'static str, location: String) -> ElementBuilder<'static> {
    match client {
        "clearkeydec" => make("clearkeydec")
            .property("license-url", location)
            .property("timeout", NO_HURRY),
        service => asking_at(service, location),
    }
}

fn location(client: &str, headend: &Headend) -> String {
    match client {
        "clearkeydec" => headend.license_url(),
        service => url(service, headend),
    }
}

fn client(client: &'static str, headend: &Headend) -> ElementBuilder<'static> {
    client_at(client, location(client, headend))
}

/// Tunes, and sees that what was asked for is here.
fn plays(client: &str, builder: ElementBuilder<'_>, headend: &Headend) -> Rig {
    match client {
        "clearkeydec" => {
            let mut rig = started(builder);
            assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
            assert_eq!(contents(&rig.harness.pull().expect("a buffer")), PLAINTEXT);
            rig
        }
        _ => {
            let rig = Rig::new(builder);
            let token = tune(&rig).get::<String>("session-token");
            assert_eq!(token, Ok(headend.token()));
            rig
        }
    }
}

/// Tunes without success, and gives back what the application is told.
fn fails(client: &str, builder: ElementBuilder<'_>) -> Complaint {
    match client {
        "clearkeydec" => complaint_after(&started(builder), picture()),
        _ => failed_tune(&Rig::new(builder)).errors.remove(0),
    }
}

/// How many requests have arrived, of whatever kind.
fn requests(headend: &Headend) -> usize {
    headend.token_requests().len()
        + headend.discovery_requests().len()
        + headend.license_requests().len()
}

/// Host and port of the head-end.
fn place(headend: &Headend) -> String {
    let url = headend.url("");
    let (_, place) = url.split_once("://").expect("a URL");
    place.to_owned()
}

/// A head-end that presents itself by this, and admits whom this authority vouches for, or else
/// everybody.
fn speaking(identity: Identity, admits: Option<&Authority>) -> Headend {
    let headend = Headend::start_tls(Tls {
        certificate_chain: identity.certificate,
        private_key: identity.key,
        client_roots: admits.map(Authority::pem),
    })
    .expect("a head-end starts");
    headend.set_licenses(Licenses::ServeAnonymous);
    headend
}

/// A head-end, and the file of the authority that vouches for it.
pub fn trusted() -> (Headend, File) {
    let authority = Authority::new();
    let headend = speaking(authority.server(&["localhost"]), None);
    (headend, File::new(authority.pem()))
}

#[test]
fn server_signed_by_ssl_ca_file_is_trusted() {
    for client in CLIENTS {
        let (headend, ca_file) = trusted();
        let builder = self::client(client, &headend).property("ssl-ca-file", ca_file.path());
        plays(client, builder, &headend);
        assert_eq!(requests(&headend), 1, "{client}");
    }
}

#[test]
fn ssl_ca_file_with_two_cas_trusts_ip_certificate() {
    let (stranger, authority) = (Authority::new(), Authority::new());
    let ca_file = File::new([stranger.pem(), authority.pem()].concat());
    for client in CLIENTS {
        let headend = speaking(authority.server(&["127.0.0.1"]), None);
        let location = location(client, &headend).replacen("localhost", "127.0.0.1", 1);
        let builder = client_at(client, location).property("ssl-ca-file", ca_file.path());
        plays(client, builder, &headend);
        assert_eq!(requests(&headend), 1, "{client}");
    }
}

/// A connection that must not come about.
struct Refused {
    name: &'static str,
    server: Identity,
    /// Who vouches for clients, where the server wants to know them.
    admits: Option<Authority>,
    /// `None` for the system's roots.
    ca_file: Option<File>,
    client: Option<Identity>,
    says: &'static [&'static str],
}

fn refused() -> Vec<Refused> {
    let authority = Authority::new();
    let ca_file = || Some(File::new(authority.pem()));
    let server = || authority.server(&["localhost"]);
    let certificate = &["`ssl-ca-file`", "certificate", "clock"];
    let own = &["`ssl-client-cert`", "`ssl-client-key`"];
    let case = |name, server, ca_file| Refused {
        name,
        server,
        admits: None,
        ca_file,
        client: None,
        says: certificate,
    };
    vec![
        case(
            "wrong host",
            authority.server(&["elsewhere.example"]),
            ca_file(),
        ),
        case(
            "expired",
            authority.expired_server(&["localhost"]),
            ca_file(),
        ),
        case(
            "unknown root",
            server(),
            Some(File::new(Authority::new().pem())),
        ),
        case("no root of the system's", server(), None),
        case(
            "a client's certificate",
            authority.client("localhost"),
            ca_file(),
        ),
        Refused {
            admits: Some(Authority::new()),
            says: own,
            ..case("no client certificate", server(), ca_file())
        },
        Refused {
            admits: Some(Authority::new()),
            client: Some(Authority::new().client("box")),
            says: own,
            ..case("another authority's client", server(), ca_file())
        },
    ]
}

#[test]
fn tls_failure_sends_no_request_and_is_not_retried() {
    for case in refused() {
        for client in CLIENTS {
            let headend = speaking(case.server.clone(), case.admits.as_ref());
            let own = case
                .client
                .as_ref()
                .map(|own| (File::new(&own.certificate), File::new(&own.key)));
            let (cert, key) = own
                .as_ref()
                .map(|(cert, key)| (cert.path(), key.path()))
                .unzip();
            let builder = self::client(client, &headend)
                .property_if_some("ssl-ca-file", case.ca_file.as_ref().map(File::path))
                .property_if_some("ssl-client-cert", cert)
                .property_if_some("ssl-client-key", key);
            let complaint = fails(client, builder);
            complaint
                .is(gst::ResourceError::OpenRead)
                .says(&[&place(&headend), "secure connection"])
                .says(case.says);
            let reason = complaint.detail::<String>("reason");
            assert_eq!(reason, "transient", "{}", case.name);
            assert!(soon(&complaint), "{}, {client}: {complaint:?}", case.name);
            // The same certificate would come again.
            let attempts = complaint.detail::<u32>("attempts");
            assert_eq!(attempts, 1, "{}, {client}", case.name);
            assert_eq!(requests(&headend), 0, "{}, {client}", case.name);
        }
    }
}

#[test]
fn client_certificate_is_presented_if_requested() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let ca_file = File::new(authority.pem());
    let own = clients.client("box");
    let cert = File::new(&own.certificate);
    let key = File::new(&own.key);
    let both = File::new([own.key, own.certificate].concat());
    for client in CLIENTS {
        for (cert, key) in [
            (cert.path(), Some(key.path())),
            (both.path(), None),
            (both.path(), Some(both.path())),
        ] {
            // One that does not ask for it gets on with the same settings.
            for admits in [Some(&clients), None] {
                let headend = speaking(authority.server(&["localhost"]), admits);
                let builder = self::client(client, &headend)
                    .property("ssl-ca-file", ca_file.path())
                    .property("ssl-client-cert", cert.clone())
                    .property_if_some("ssl-client-key", key.clone());
                plays(client, builder, &headend);
                assert_eq!(requests(&headend), 1, "{client}");
            }
        }
    }
}

#[test]
fn whoever_gives_up_checking_is_served_by_anybody() {
    let authority = Authority::new();
    for client in CLIENTS {
        for server in [
            authority.server(&["localhost"]),
            authority.server(&["elsewhere.example"]),
            authority.expired_server(&["localhost"]),
        ] {
            let headend = speaking(server, None);
            // Another authority's.
            let ca_file = File::new(Authority::new().pem());
            let builder = self::client(client, &headend)
                .property("ssl-strict", false)
                .property("ssl-ca-file", ca_file.path());
            plays(client, builder, &headend);
            assert_eq!(requests(&headend), 1, "{client}");
        }
        // It is still the server that decides about its clients.
        let headend = speaking(authority.server(&["localhost"]), Some(&authority));
        let builder = self::client(client, &headend).property("ssl-strict", false);
        fails(client, builder).says(&["`ssl-client-cert`"]);
        assert_eq!(requests(&headend), 0, "{client}");
    }
}

#[test]
fn ssl_strict_element_shares_no_unverified_response() {
    for client in CLIENTS {
        let authority = Authority::new();
        let headend = speaking(authority.server(&["localhost"]), None);
        let stranger = File::new(Authority::new().pem());
        let ours = File::new(authority.pem());
        let builder = |ca_file: &File, strict| {
            self::client(client, &headend)
                .property("ssl-ca-file", ca_file.path())
                .property("ssl-strict", strict)
        };
        // It stays, and with it what it has got.
        let unchecked = plays(client, builder(&stranger, false), &headend);
        assert_eq!(requests(&headend), 1, "{client}");
        fails(client, builder(&stranger, true))
            .is(gst::ResourceError::OpenRead)
            .says(&["`ssl-ca-file`"]);
        assert_eq!(requests(&headend), 1, "{client}");
        plays(client, builder(&ours, true), &headend);
        assert_eq!(requests(&headend), 2, "{client}");
        drop(unchecked);
    }
}

#[test]
fn changed_ca_file_applies_at_next_tune() {
    let authority = Authority::new();
    for service in SERVICES {
        let headend = speaking(authority.server(&["localhost"]), None);
        let ca_file = File::new(Authority::new().pem());
        let rig = Rig::new(client(service, &headend).property("ssl-ca-file", ca_file.path()));
        failed_tune(&rig).error().says(&["`ssl-ca-file`"]);
        ca_file.write(authority.pem());
        rig.restart(gst::State::Ready);
        let token = tune(&rig).get::<String>("session-token");
        assert_eq!(token, Ok(headend.token()));
        assert_eq!(requests(&headend), 1);
    }
}

/// PEM of that label around these bytes, which are no more than text in Base64.
fn pem(label: &str) -> String {
    format!("-----BEGIN {label}-----\nU0VDUkVU\n-----END {label}-----\n")
}

#[test]
fn unusable_certificate_file_error_names_property() {
    let authority = Authority::new();
    let (own, other) = (authority.client("box"), authority.client("other"));
    let own_pem = File::new(&own.certificate);
    let own_key = File::new(&own.key);
    let other_key = File::new(&other.key);
    let both = File::new([own.certificate, own.key].concat());
    let empty = File::new("");
    let text = File::new("SECRET");
    let binary = File::new([0xff, 0x00, 0xfe]);
    let broken = File::new("-----BEGIN CERTIFICATE-----\nSECRET\n");
    let no_certificate = File::new(pem("CERTIFICATE"));
    let no_key = File::new(pem("PRIVATE KEY"));
    let encrypted = File::new(pem("ENCRYPTED PRIVATE KEY"));
    let large = File::new("SECRET".repeat(200_000));
    let path = |file: &File| file.path().to_value();
    let ca = |file: &File| vec![("ssl-ca-file", path(file))];
    let client = |cert: &File, key: &File| {
        vec![
            ("ssl-client-cert", path(cert)),
            ("ssl-client-key", path(key)),
        ]
    };
    for (settings, says) in [
        (
            vec![("ssl-ca-file", "/nowhere/SECRET".to_value())],
            &["`ssl-ca-file`", "cannot be read"][..],
        ),
        (
            vec![("ssl-ca-file", env!("CARGO_TARGET_TMPDIR").to_value())],
            &["`ssl-ca-file`", "not a regular file"],
        ),
        (ca(&empty), &["`ssl-ca-file`", "no certificate"]),
        (ca(&text), &["`ssl-ca-file`", "no certificate"]),
        (ca(&binary), &["`ssl-ca-file`", "no certificate"]),
        (ca(&own_key), &["`ssl-ca-file`", "no certificate"]),
        (ca(&broken), &["`ssl-ca-file`", "no valid PEM"]),
        (ca(&no_certificate), &["`ssl-ca-file`", "cannot be used"]),
        (ca(&large), &["`ssl-ca-file`", "more than"]),
        (
            vec![("ssl-client-key", path(&own_key))],
            &["`ssl-client-key`", "`ssl-client-cert`"],
        ),
        (
            vec![("ssl-client-cert", path(&own_pem))],
            &["`ssl-client-cert`", "`ssl-client-key`", "no private key"],
        ),
        (
            client(&own_key, &own_key),
            &["`ssl-client-cert`", "no certificate"],
        ),
        (
            client(&own_pem, &own_pem),
            &["`ssl-client-key`", "no private key"],
        ),
        (client(&own_pem, &text), &["`ssl-client-key`"]),
        (client(&own_pem, &no_key), &["`ssl-client-key`"]),
        (client(&own_pem, &encrypted), &["`ssl-client-key`"]),
        (client(&own_pem, &large), &["`ssl-client-key`"]),
        (
            client(&no_certificate, &own_key),
            &["`ssl-client-cert`", "cannot be used"],
        ),
        (
            client(&own_pem, &other_key),
            &["`ssl-client-cert`", "`ssl-client-key`", "together"],
        ),
        (
            client(&both, &other_key),
            &["`ssl-client-cert`", "`ssl-client-key`", "together"],
        ),
    ] {
        for name in CLIENTS {
            let builder = client_at(name, "https://localhost/".to_owned());
            refusal(with(builder, &settings))
                .says(says)
                .does_not_say(&["SECRET", "PRIVATE", "nowhere"]);
        }
    }
}

#[test]
fn scheme_mismatch_error_names_server_and_cause() {
    let (secure, ca_file) = trusted();
    for client in CLIENTS {
        let plain = headend(Auth::Grant);
        let location = self::location(client, &plain).replacen("http:", "https:", 1);
        let builder = client_at(client, location).property("ssl-ca-file", ca_file.path());
        let complaint = fails(client, builder);
        complaint.is(gst::ResourceError::OpenRead).says(&[
            &place(&plain),
            "secure connection",
            "TLS",
        ]);
        assert!(soon(&complaint), "{complaint:?}");
        assert_eq!(requests(&plain), 0, "{client}");

        let location = self::location(client, &secure).replacen("https:", "http:", 1);
        let complaint = fails(client, client_at(client, location));
        complaint
            .is(gst::ResourceError::Read)
            .says(&[&place(&secure), "no valid HTTP", "URL"]);
        assert!(soon(&complaint), "{complaint:?}");
        assert_eq!(requests(&secure), 0, "{client}");
    }
}

#[test]
fn tls_properties_read_back_and_default_to_strict() {
    for client in CLIENTS {
        let element = make(element_of(client)).build().expect("an element");
        assert!(element.property::<bool>("ssl-strict"));
        for property in ["ssl-ca-file", "ssl-client-cert", "ssl-client-key"] {
            assert_eq!(element.property::<Option<String>>(property), None);
            element.set_property(property, "/a/path");
            let path = element.property::<Option<String>>(property);
            assert_eq!(path.as_deref(), Some("/a/path"));
        }
    }
}
