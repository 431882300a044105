// SPDX-License-Identifier: MIT OR Apache-2.0

//! When there is no token or no license, the application is told so, and by whom and why. In
//! playbin3 our elements sit inside dashdemux2, which keeps its children's errors to itself, so
//! each case is tried in each player.

use std::net::TcpStream;

use headend::{Auth, Licenses};
use support::in_every_player;
use support::operator::{Operator, refusing};
use support::player::Player;
use support::player_harness::{Complaint, KINDS, NEVER, PlayerHarness, Setup};
use support::reference::assert_clear;

use crate::child::{launch, run};
use crate::hanging_auth_server::HangingAuthServer;

const NOT_PROVISIONED: &str =
    "The auth service refused a session token (HTTP 403): check that this device is provisioned.";

/// Milliseconds. All media arrive in a tenth of this.
const A_WHILE: u32 = 3000;

fn assert_complaint(
    complaint: &Complaint,
    from: &str,
    code: gst::ResourceError,
    sentence: &str,
    reason: &str,
    http_status: Option<u32>,
) {
    assert_eq!(complaint.from, from, "{complaint:?}");
    assert!(complaint.error.matches(code), "{complaint:?}");
    assert_eq!(complaint.error.message(), sentence);
    let details = complaint.details.as_ref().expect("details");
    assert_eq!(details.name(), "session-token-error");
    assert_eq!(details.get("reason"), Ok(reason));
    assert_eq!(details.get_optional("http-status"), Ok(http_status));
}

/// Plays until all waits for the token, has the auth service answer like that, expects an error of
/// `sessiontoken`, and stops.
fn assert_fails(
    player: Player,
    answer: impl FnOnce(HangingAuthServer),
    code: gst::ResourceError,
    sentence: impl FnOnce(&HangingAuthServer) -> String,
    reason: &str,
    http_status: Option<u32>,
) {
    let operator = Operator::start_for_stopping(player);
    let server = HangingAuthServer::start();
    let sentence = sentence(&server);
    let harness = Setup::new(player, &operator)
        .config("location", server.location())
        .config("timeout", NEVER)
        // The server is closed after its one answer.
        .config("retries", 0)
        .open();
    harness.start();
    harness.wait_until_all_waits_for_the_token(&operator);
    answer(server);
    assert_complaint(
        harness.end().error(),
        "sessiontoken",
        code,
        &sentence,
        reason,
        http_status,
    );
    harness.stop(gst::State::Null);
    operator.assert_asked(0, 0);
}

/// Plays until all waits for a service that hangs, expects an error of this element when the time
/// is over, and stops.
fn assert_times_out(
    player: Player,
    operator: &Operator,
    wait: fn(&PlayerHarness, &Operator),
    from: &str,
) {
    let harness = Setup::new(player, operator)
        .config("timeout", A_WHILE)
        .open();
    harness.start();
    wait(&harness, operator);
    assert_complaint(
        harness.end().error(),
        from,
        gst::ResourceError::OpenRead,
        &format!(
            "{} did not answer within {A_WHILE} ms: check that it runs, or raise `timeout`.",
            operator.address()
        ),
        "timed-out",
        None,
    );
    harness.stop(gst::State::Null);
}

in_every_player! {
    fn connection_refused_error_names_auth_endpoint(player: Player) {
        let operator = Operator::start();
        // Nobody listens at the near end of a connection, and nobody can while it stands.
        let connection = TcpStream::connect(operator.address()).expect("a connection");
        let place = connection.local_addr().expect("it is connected");
        let config = format!("session-token-config,location=(string)\"http://{place}/\"");
        let output = run(launch(player, &operator, "sessiontoken:PRIMARY", &[])
            .env("GST_SESSION_TOKEN_CONFIG", config));
        assert!(!output.status.success(), "{output:?}");
        let sentence = format!("No connection to {place} (connection refused): check that the service runs there.");
        let line = output.stderr.lines().find(|line| line.contains(&sentence));
        let line = line.unwrap_or_else(|| panic!("{output:?}"));
        assert!(line.contains("GstSessionToken:"), "{line}");
        operator.assert_asked(0, 0);
    }

    fn auth_service_disconnect_is_named(player: Player) {
        assert_fails(
            player,
            HangingAuthServer::hang_up,
            gst::ResourceError::OpenRead,
            |server| format!(
                "{} broke the connection off before it had answered: check that the service is well.",
                server.address()
            ),
            "transient",
            None,
        );
    }

    fn unprovisioned_device_gets_denied_error(player: Player) {
        assert_fails(
            player,
            |server| server.answer(403, "text/plain", "no"),
            gst::ResourceError::NotAuthorized,
            |_| NOT_PROVISIONED.to_owned(),
            "denied",
            Some(403),
        );
    }

    fn html_reply_error_names_location(player: Player) {
        assert_fails(
            player,
            |server| server.answer(200, "text/html", "<html>Sign in</html>"),
            gst::ResourceError::Read,
            |_| "The auth service's reply is not JSON (line 1, column 1): check that `location` names the auth service.".to_owned(),
            "malformed",
            Some(200),
        );
    }

    fn reply_without_a_token_is_an_error_that_says_so(player: Player) {
        assert_fails(
            player,
            |server| server.answer(200, "application/json", r#"{"status":0}"#),
            gst::ResourceError::Read,
            |_| "The auth service's reply has no `token`: check that `location` names the auth service.".to_owned(),
            "malformed",
            Some(200),
        );
    }

    fn empty_token_is_an_error_that_says_so(player: Player) {
        assert_fails(
            player,
            |server| server.answer(200, "application/json", r#"{"token":"","status":0}"#),
            gst::ResourceError::Read,
            |_| "The session token from the auth service is empty.".to_owned(),
            "malformed",
            Some(200),
        );
    }

    fn auth_service_timeout_is_named(player: Player) {
        let operator = Operator::start_for_stopping(player);
        operator.set_auth(Auth::Hang);
        assert_times_out(
            player,
            &operator,
            PlayerHarness::wait_until_all_waits_for_the_token,
            "sessiontoken",
        );
        assert!(operator.license_requests().is_empty());
    }

    fn license_server_timeout_is_named(player: Player) {
        let operator = Operator::start_for_stopping(player);
        operator.set_licenses(Licenses::Hang);
        assert_times_out(
            player,
            &operator,
            PlayerHarness::wait_until_all_waits_for_the_license,
            "clearkeydec",
        );
        operator.assert_asked(1, 1);
    }

    fn anonymous_fallback_plays_free_content(player: Player) {
        let operator = Operator::start();
        operator.set_auth(refusing(403));
        operator.set_licenses(Licenses::ServeAnonymous);
        let (harness, ended) = Setup::new(player, &operator)
            .config("on-failure", "anonymous")
            .play();
        assert!(ended.error.is_none(), "{ended:?}");
        // One for the picture's element and one for the sound's.
        assert_eq!(ended.warnings.len(), 2, "{ended:?}");
        for warning in &ended.warnings {
            assert_complaint(
                warning,
                "sessiontoken",
                gst::ResourceError::NotAuthorized,
                NOT_PROVISIONED,
                "denied",
                Some(403),
            );
        }
        for kind in KINDS {
            harness.seen(|seen| assert_clear(kind, &seen.decrypted(kind)));
        }
        let licenses = operator.license_requests();
        assert_eq!(licenses.len(), 1);
        assert!(!licenses[0].token_present);
    }

    fn anonymous_fallback_reports_license_server_401(player: Player) {
        let operator = Operator::start_for_stopping(player);
        operator.set_auth(refusing(403));
        operator.set_licenses(Licenses::Hang);
        let harness = Setup::new(player, &operator)
            .config("on-failure", "anonymous")
            .config("timeout", NEVER)
            .open();
        harness.start();
        harness.wait_until_all_waits_for_the_license(&operator);
        operator.release();
        let ended = harness.end();
        let error = ended.error();
        assert_eq!(error.from, "clearkeydec", "{error:?}");
        assert!(error.error.matches(gst::ResourceError::NotAuthorized), "{error:?}");
        assert_eq!(
            error.details.as_ref().map(|details| details.get("http-status")),
            Some(Ok(401u32))
        );
        harness.stop(gst::State::Null);
    }

    fn configuration_error_names_field_and_hides_value(player: Player) {
        for (config, field) in [
            ("session-token-config,location=http://127.0.0.1/?key=looks-secret", "`location`"),
            ("session-token-config,session-token=(string)looks-secret", "`session-token`"),
            ("session-token-config,lokation=(string)\"looks-secret\"", "`lokation`"),
            ("session-token-config,timeout=looks-secret", "`timeout`"),
            ("session-token-config,license-url=(string)\"looks-secret", "`license-url`"),
        ] {
            let operator = Operator::start();
            let output = run(launch(player, &operator, "sessiontoken:PRIMARY", &[])
                .env("GST_SESSION_TOKEN_CONFIG", config));
            assert!(!output.status.success(), "{config}: {output:?}");
            assert!(output.stderr.contains("GST_SESSION_TOKEN_CONFIG"), "{config}: {output:?}");
            assert!(output.stderr.contains(field), "{config}: {output:?}");
            assert!(!output.stderr.contains("looks-secret"), "{config}: {output:?}");
            assert!(!output.stdout.contains("looks-secret"), "{config}: {output:?}");
            assert!(operator.token_requests().is_empty());
        }
    }
}
