// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tokens and licenses that end in mid-film. The viewer sees nothing of it, as long as there are
//! others.

use std::time::Duration;

use headend::{ACCOUNT, AUTH_SERVICE_ID, Auth, Licenses, PUBLIC_CLIENT_ID, SHARED_SECRET};
use support::fixtures::Programme;
use support::in_every_player;
use support::operator::{Operator, refusing};
use support::player::Player;
use support::player_harness::{Ended, Kind, NEVER, PlayerHarness, Setup};
use support::reference::assert_played;
use support::rig::File;

/// What each file of a programme takes to arrive, so that its five or more files come one after the
/// other for some seconds.
const DELAY: Duration = Duration::from_millis(1100);

/// A film whose files come so slowly that what lives for a second ends while it plays.
#[track_caller]
fn play_slowly(operator: &Operator, setup: Setup) -> (PlayerHarness, Ended) {
    operator.set_media_delay(DELAY);
    setup.config("timeout", NEVER).play()
}

/// The generations of the tokens on the events that reached the decryptors of a stream, in their
/// order.
fn generations(harness: &PlayerHarness) -> Vec<u32> {
    harness.seen(|seen| {
        let requests = seen.reached.iter().map(|reached| reached.key_request());
        requests
            .map(|request| request.and_then(|request| request.get("generation").ok()))
            .map(|generation| generation.expect("a key request on every event"))
            .collect()
    })
}

in_every_player! {
    fn token_renewal_needs_no_license_request_or_wait(player: Player) {
        let operator = Operator::start();
        // The first one lasts until all streams have begun, however busy the machine; the others
        // are renewed after a second.
        operator.set_auth(Auth::Sequence(vec![Auth::GrantFor(4), Auth::GrantFor(2)]));
        let harness = Setup::new(player, &operator).config("timeout", NEVER).in_time().open();
        harness.start();
        operator.wait_for_token_requests(3);
        let ended = harness.end();
        assert_played(&harness, &ended, operator.kinds());
        assert_eq!(operator.license_requests().len(), 1);
        for told in &ended.told {
            assert_eq!(told.get("state"), Ok("acquired"));
        }
        assert_eq!(ended.generations().len(), 1);
    }

    fn refresh_token_rotates_in_mid_film(player: Player) {
        let operator = Operator::start();
        operator.set_auth(Auth::Sequence(vec![Auth::GrantFor(4), Auth::GrantFor(2)]));
        let file = File::new(operator.refresh_token());
        let harness = Setup::new(player, &operator)
            .config("auth-service", "oauth2")
            .config("location", operator.oauth2_url())
            .config("client-id", PUBLIC_CLIENT_ID)
            .config("grant", "refresh-token")
            .config("refresh-token-file", file.path())
            .config("timeout", NEVER)
            .in_time()
            .open();
        harness.start();
        operator.wait_for_token_requests(3);
        let ended = harness.end();
        assert_played(&harness, &ended, operator.kinds());
        assert_eq!(operator.license_requests().len(), 1);
        let requests = operator.token_requests();
        assert!(requests.iter().all(|request| request.status == Some(200)), "{requests:?}");
        assert_eq!(file.read(), operator.refresh_token());
    }

    fn operators_jwt_that_ended_is_signed_anew_in_mid_film(player: Player) {
        let operator = Operator::start();
        let secret = File::new(SHARED_SECRET);
        let file = File::new(format!(
            r#"{{"OperatorAuthToken":{{"jwt":{{"secret-file":"{}","claims":{{"account":"{ACCOUNT}"}},"lifetime":1}}}}}}"#,
            secret.path()
        ));
        let harness = Setup::new(player, &operator)
            .config("auth-service", "ags")
            .config("location", operator.ags_url())
            .config("auth-service-id", AUTH_SERVICE_ID)
            .config("parameters-file", file.path())
            .config("token-lifetime", 3)
            .config("timeout", NEVER)
            .in_time()
            .open();
        harness.start();
        // The first JWT ended two seconds ago, at the least.
        operator.wait_for_token_requests(3);
        let ended = harness.end();
        assert_played(&harness, &ended, operator.kinds());
        let requests = operator.token_requests();
        assert!(requests.iter().all(|request| request.status == Some(200)), "{requests:?}");
    }

    fn later_protection_events_carry_newest_token(player: Player) {
        let operator = Operator::start_for(Programme::Rotating);
        operator.set_auth(Auth::GrantFor(1));
        let setup = Setup::new(player, &operator);
        let (harness, ended) = play_slowly(&operator, setup);
        assert_played(&harness, &ended, operator.kinds());
        let generations = generations(&harness);
        assert!(generations.is_sorted(), "{generations:?}");
        assert!(generations.last() > generations.first(), "{generations:?}");
        let licenses = operator.license_requests();
        assert_eq!(licenses.len(), headend::rotating_key_ids().len());
        assert!(licenses.iter().all(|request| request.token_valid));
    }

    fn service_failure_is_reported_after_token_expiry(player: Player) {
        let operator = Operator::start_for(Programme::Rotating);
        operator.set_auth(Auth::GrantFor(1));
        operator.set_media_delay(DELAY);
        let harness = Setup::new(player, &operator).open();
        harness.start();
        harness.wait_until("the first fragment", |seen| !seen.decrypted(Kind::Picture).is_empty());
        operator.set_auth(refusing(403));
        // The next file may have been asked for already; the one after it comes when the token has
        // ended.
        operator.set_media_delay(Duration::from_secs(3));
        let ended = harness.end();
        let error = ended.error();
        assert_eq!(error.from, "sessiontoken", "{ended:?}");
        assert!(error.error.matches(gst::ResourceError::NotAuthorized), "{error:?}");
        assert!(harness.seen(|seen| seen.decrypted(Kind::Picture).len() >= 50));
        // At most as the pauses between failures allow.
        assert!(operator.token_requests().len() < 15, "{}", operator.token_requests().len());
    }

    fn license_that_ends_in_mid_film_is_replaced(player: Player) {
        let operator = Operator::start();
        operator.set_licenses(Licenses::ServeFor(Duration::from_secs(1)));
        let (harness, ended) = play_slowly(&operator, Setup::new(player, &operator));
        assert_played(&harness, &ended, operator.kinds());
        assert_eq!(operator.token_requests().len(), 1);
        let licenses = operator.license_requests();
        assert!(licenses.len() > 1, "{licenses:?}");
        assert!(licenses.iter().all(|request| request.kids.len() == 2));
    }
}
