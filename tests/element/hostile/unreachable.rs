// SPDX-License-Identifier: MIT OR Apache-2.0

//! Servers that cannot be reached, and ports where something else is spoken than was expected.

use super::*;

/// An element that asks there. What is at stake is not whether the certificate is right.
fn asking(location: &str) -> ElementBuilder<'_> {
    make("sessiontoken")
        .property("location", location)
        .property("timeout", PLENTY)
        .property("ssl-strict", false)
}

#[test]
fn failed_connection_names_endpoint_and_is_retried() {
    let nobody_on_ipv6 = nobody().replace("127.0.0.1", "[::1]");
    for (scheme, place) in [
        ("http", nobody()),
        ("https", nobody()),
        ("http", nobody_on_ipv6),
        ("http", "127.0.0.1:0".to_owned()),
    ] {
        for (retries, attempts) in [(0_u32, 1), (2, 3)] {
            let location = format!("{scheme}://SECRET@{place}/SECRET{retries}?SECRET");
            let complaint = failure_of(asking(&location).property("retries", retries));
            complaint.is(gst::ResourceError::OpenRead).says(&[
                "No connection to",
                &place,
                "check that the service runs there",
            ]);
            assert_eq!(complaint.detail::<String>("reason"), "transient");
            assert_eq!(complaint.detail::<u32>("attempts"), attempts);
            let elapsed = complaint.detail::<gst::ClockTime>("elapsed");
            assert!(elapsed < gst::ClockTime::from_mseconds(PLENTY.into()));
        }
    }
}

#[test]
fn name_that_nobody_knows_is_said_to_be_one() {
    // Longer than any label of a name can be, so that no resolver has to be asked.
    let label = "x".repeat(64);
    let hosts = [
        ("https", "no-such-host.invalid", 443),
        ("http", "no-such-host.invalid", 80),
        ("http", &*label, 80),
    ];
    run_each(
        hosts.into(),
        |(scheme, host, _)| format!("{scheme}://{host}"),
        |(scheme, host, port)| {
            let location = format!("{scheme}://SECRET@{host}/SECRET?SECRET");
            let complaint = failure_of(asking(&location).property("allow-cleartext", true));
            complaint
                .is(gst::ResourceError::OpenRead)
                .says(&["No connection to", &format!("{host}:{port}"), "name"])
                .does_not_say(&["uncategorized"]);
            assert_eq!(complaint.detail::<String>("reason"), "transient");
            assert_eq!(complaint.detail::<u32>("attempts"), 3);
        },
    );
}

#[test]
fn tls_handshake_error_is_named_and_not_retried() {
    let answers: Vec<(_, &[u8])> = vec![
        ("HTTP", b"HTTP/1.1 400 SECRET\r\nContent-Length: 0\r\n\r\n"),
        ("a grant", GRANT.as_bytes()),
        ("another protocol", b"SSH-2.0-SECRET\r\n"),
        ("zeros", &[0; 64]),
        ("an alert", b"\x15\x03\x03\x00\x02\x02\x28"),
    ];
    run_each(
        answers,
        |(name, _)| (*name).to_owned(),
        |(_, bytes)| {
            let script = vec![Step::Peek, Step::Send(bytes.into()), Step::Silence];
            let server = RawServer::new(vec![script]);
            let location = format!("https://SECRET@{}/SECRET?SECRET", server.place());
            let complaint = failure_of(asking(&location));
            complaint
                .is(gst::ResourceError::OpenRead)
                .says(&["No secure connection", &server.place()]);
            assert_eq!(complaint.detail::<String>("reason"), "transient");
            assert_eq!(complaint.detail::<u32>("attempts"), 1);
            assert_eq!(server.connections(1), 1);
        },
    );
}

#[test]
fn old_tls_error_names_version_not_client_cert() {
    // `protocol_version`.
    let alert = b"\x15\x03\x01\x00\x02\x02\x46".to_vec();
    let server = RawServer::new(vec![vec![Step::Peek, Step::Send(alert), Step::Silence]]);
    let location = format!("https://SECRET@{}/SECRET?SECRET", server.place());
    failure_of(asking(&location))
        .is(gst::ResourceError::OpenRead)
        .says(&["No secure connection", "TLS 1.2 or 1.3"])
        .does_not_say(&["ssl-client"]);
}

#[test]
fn tls_server_disconnect_is_retried() {
    for script in [vec![], vec![Step::Peek]] {
        let server = RawServer::new(vec![script]);
        let location = format!("https://SECRET@{}/SECRET?SECRET", server.place());
        let complaint = failure_of(asking(&location));
        complaint
            .is(gst::ResourceError::OpenRead)
            .says(&["connection to", &server.place()]);
        assert_eq!(complaint.detail::<String>("reason"), "transient");
        assert_eq!(complaint.detail::<u32>("attempts"), 3);
        assert_eq!(server.connections(3), 3);
    }
}

#[test]
fn unfinished_tls_handshake_times_out() {
    // The head of a record of the largest size, of which nothing comes, or little.
    let record: &[u8] = b"\x16\x03\x03\x40\x00";
    for script in [
        vec![Step::Silence],
        vec![Step::Peek, Step::Send(record.into()), Step::Silence],
        vec![Step::Peek, Step::Send(record.into()), Step::Drip(vec![2])],
    ] {
        let server = RawServer::new(vec![script]);
        let location = format!("https://SECRET@{}/SECRET?SECRET", server.place());
        let complaint = failure_of(asking(&location).property("timeout", SHORT));
        complaint
            .is(gst::ResourceError::OpenRead)
            .says(&[&server.place(), "`timeout`"]);
        assert_eq!(complaint.detail::<String>("reason"), "timed-out");
        let elapsed = complaint.detail::<gst::ClockTime>("elapsed").mseconds();
        // A connection may take three fifths of the time, and then there is some for another
        // attempt.
        assert!(
            (240..u64::from(SHORT + GRACE)).contains(&elapsed),
            "{elapsed} ms"
        );
        assert_eq!(server.requests(0), 0);
    }
}

#[test]
fn ipv6_loopback_works_like_ipv4() {
    let server = RawServer::on_ipv6(vec![answers(200, GRANT)]);
    assert_eq!(token_of(Service::Rdk.element(&server.place())), TOKEN);
    assert_eq!(server.requests(1), 1);

    let server = RawServer::on_ipv6(vec![answers(403, "SECRET")]);
    let complaint = failure_of(Service::Rdk.element(&server.place()));
    complaint.is(gst::ResourceError::NotAuthorized);
    assert_eq!(server.requests(1), 1);

    let server = RawServer::on_ipv6(vec![vec![Step::Read]]);
    let complaint = failure_of(
        Service::Rdk
            .element(&server.place())
            .property("retries", 0_u32),
    );
    complaint.says(&[&format!(
        "[::1]:{}",
        server.place().rsplit(':').next().expect("a port")
    )]);
}
