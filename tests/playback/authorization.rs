// SPDX-License-Identifier: MIT OR Apache-2.0

//! DASH-IF's interoperable license request model: the manifest says where there are tokens for
//! which keys, and the content plays without a word of configuration. `docs/dashif.md` says which
//! test shows which clause.

use headend::{AUDIO_KEY_ID, Auth, Licenses, Service, TokenRequest, VIDEO_KEY_ID};
use support::fixtures::Programme;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Ended, KINDS, NEVER, PlayerHarness, Setup, play_periods};
use support::reference::assert_played;

const AUDIO: &str = "00112233-4455-6677-8899-aabbccddee01";
const VIDEO: &str = "00112233-4455-6677-8899-aabbccddee02";

fn setup(player: Player, operator: &Operator, manifest: &str) -> Setup {
    Setup::new(player, operator)
        .manifest(manifest)
        .authorized_by_manifest()
}

/// The path of a request for a token, and the list of its keys, which must be its only one.
fn asked(request: &TokenRequest) -> (&str, &str) {
    assert_eq!(
        (request.service, request.method.as_str()),
        (Service::DashIf, "GET")
    );
    let (path, query) = request.path.split_once('?').expect("a query");
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (kids, others): (Vec<_>, Vec<_>) = pairs.partition(|(name, _)| *name == "kids");
    // What the manifest's URL holds beside it is still there.
    assert!(matches!(others[..], [("tenant", _)]), "{query}");
    assert!(matches!(kids[..], [_]), "{query}");
    (path, kids[0].1)
}

/// Asserts that each key was asked for by itself, with the token of the service at that path.
#[track_caller]
fn assert_licenses(operator: &Operator, expected: &[(&str, &str)]) {
    let mut licenses: Vec<_> = operator
        .license_requests()
        .into_iter()
        .map(|request| {
            assert_eq!(request.status, Some(200), "{request:?}");
            let authorizations = request
                .headers
                .iter()
                .filter(|(name, _)| name == "authorization");
            assert_eq!(authorizations.count(), 1);
            let token = request.authorization.expect("a token");
            (request.kids.join(","), issuer(&token))
        })
        .collect();
    licenses.sort();
    let expected: Vec<_> = expected
        .iter()
        .map(|(kids, path)| ((*kids).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(licenses, expected);
}

/// Which service the token in that header is from.
fn issuer(authorization: &str) -> String {
    let token = authorization
        .strip_prefix("Bearer ")
        .expect("a bearer token");
    let claims = token.split('.').nth(1).expect("a JSON Web Token");
    let claims =
        gst::glib::base64_decode(&format!("{}==", claims.replace('-', "+").replace('_', "/")));
    let claims = String::from_utf8(claims.to_vec()).expect("JSON");
    let (_, after) = claims.split_once(r#""iss":""#).expect("an issuer");
    after.split('"').next().expect("its end").to_owned()
}

fn assert_all_played(harness: &PlayerHarness, ended: &Ended) {
    assert_played(harness, ended, &KINDS);
}

in_every_player! {
    fn manifest_service_plays_all_keys_with_one_token(player: Player) {
        let operator = Operator::start();
        let (harness, ended) = setup(player, &operator, "manifest-authz.mpd").play();
        assert_all_played(&harness, &ended);
        let requests = operator.token_requests();
        let requests: Vec<_> = requests.iter().map(asked).collect();
        assert_eq!(requests, [("/authz", format!("{AUDIO},{VIDEO}").as_str())]);
        assert_licenses(&operator, &[(AUDIO_KEY_ID, "/authz"), (VIDEO_KEY_ID, "/authz")]);
    }

    fn second_tune_goes_on_with_the_token_of_the_first(player: Player) {
        let operator = Operator::start();
        for _ in 0..2 {
            let (harness, ended) = setup(player, &operator, "manifest-authz.mpd").play();
            assert_all_played(&harness, &ended);
        }
        assert_eq!(operator.token_requests().len(), 1);
    }

    fn license_request_uses_token_of_its_keys_service(player: Player) {
        let operator = Operator::start();
        let (harness, ended) = setup(player, &operator, "manifest-authz-each.mpd").play();
        assert_all_played(&harness, &ended);
        let requests = operator.token_requests();
        let mut requests: Vec<_> = requests.iter().map(asked).collect();
        requests.sort_unstable();
        assert_eq!(requests.len(), 2, "{requests:?}");
        for ((path, kids), (own_path, own)) in requests.iter().zip([("/authz/01", AUDIO), ("/authz/02", VIDEO)]) {
            assert_eq!(*path, own_path);
            assert!(kids.contains(own), "{kids}");
        }
        assert_licenses(&operator, &[(AUDIO_KEY_ID, "/authz/01"), (VIDEO_KEY_ID, "/authz/02")]);
    }

    fn one_of_two_equal_services_is_enough(player: Player) {
        for out_of_order in ["/authz/a", "/authz/b"] {
            let operator = Operator::start();
            operator.set_media_status(out_of_order, 503, usize::MAX);
            let (harness, ended) = setup(player, &operator, "manifest-authz-twice.mpd")
                .config("retries", 0u32)
                .play();
            assert_all_played(&harness, &ended);
            let granted = operator.token_requests();
            let granted = granted.iter().filter(|request| request.status == Some(200));
            assert!(granted.count() > 0);
        }
    }

    fn what_demands_no_token_gets_none(player: Player) {
        for manifest in ["manifest.mpd", "manifest-authz-elsewhere.mpd"] {
            let operator = Operator::start();
            operator.set_licenses(Licenses::ServeAnonymous);
            let (harness, ended) = setup(player, &operator, manifest).play();
            assert_all_played(&harness, &ended);
            assert_eq!(operator.token_requests().len(), 0, "{manifest}");
            for request in operator.license_requests() {
                assert!(!request.token_present, "{manifest}");
            }
            harness.seen(|seen| {
                assert!(seen.reached.iter().all(|reached| reached.key_request().is_none()));
            });
        }
    }

    fn license_request_is_not_sent_if_token_is_denied(player: Player) {
        let operator = Operator::start_for_stopping(player);
        operator.set_auth(Auth::Hang);
        operator.set_licenses(Licenses::ServeAnonymous);
        let harness = setup(player, &operator, "manifest-authz.mpd")
            .config("timeout", NEVER)
            .open();
        harness.start();
        harness.wait_until_all_waits_for_the_token(&operator);
        operator.set_media_status("/authz", 403, usize::MAX);
        operator.release();
        let ended = harness.end();
        harness.stop(gst::State::Null);
        let details = ended.error().details.as_ref().expect("details");
        assert_eq!(details.get("reason"), Ok("denied"));
        assert_eq!(details.get("http-status"), Ok(403u32));
        assert_eq!(details.get("title"), Ok("Not authorized"));
        assert_eq!(operator.license_requests().len(), 0);
    }

    fn rejected_token_is_replaced_before_its_expiry(player: Player) {
        let operator = Operator::start();
        for _ in 0..2 {
            let (harness, ended) = setup(player, &operator, "manifest-authz.mpd").play();
            assert_all_played(&harness, &ended);
            operator.revoke();
        }
        assert_eq!(operator.token_requests().len(), 2);
        let statuses = operator.license_requests().into_iter().map(|request| request.status);
        let (granted, refused): (Vec<_>, Vec<_>) = statuses.partition(|status| *status == Some(200));
        assert_eq!(granted.len(), 4);
        assert!(refused.iter().all(|status| *status == Some(403)), "{refused:?}");
    }

    fn redirect_is_followed(player: Player) {
        let operator = Operator::start();
        operator.set_auth(Auth::Sequence(vec![
            Auth::ReplyWithHeaders {
                status: 307,
                headers: vec![("location".to_owned(), format!("/authz/moved?kids={AUDIO},{VIDEO}"))],
                body: String::new(),
            },
            Auth::Grant,
        ]));
        let (harness, ended) = setup(player, &operator, "manifest-authz.mpd").play();
        assert_all_played(&harness, &ended);
        let paths: Vec<_> = operator.token_requests().into_iter().map(|request| request.path).collect();
        assert_eq!(paths.len(), 2, "{paths:?}");
        assert!(paths[1].starts_with("/authz/moved?"), "{paths:?}");
        assert_licenses(&operator, &[(AUDIO_KEY_ID, "/authz/moved"), (VIDEO_KEY_ID, "/authz/moved")]);
    }

    fn configured_location_overrides_manifest_service(player: Player) {
        let operator = Operator::start();
        let (harness, ended) = setup(player, &operator, "manifest-authz.mpd")
            .config("location", operator.url("/authz/own?tenant=own"))
            .play();
        assert_all_played(&harness, &ended);
        let requests = operator.token_requests();
        let requests: Vec<_> = requests.iter().map(asked).collect();
        assert_eq!(requests, [("/authz/own", format!("{AUDIO},{VIDEO}").as_str())]);
    }

    fn keys_of_a_new_period_get_a_token_of_their_own(player: Player) {
        let (operator, harness, ended) = play_periods(|| {
            let operator = Operator::start_for(Programme::Periods);
            let uri = operator.url("/dash/periods/manifest-authz.mpd");
            let setup = setup(player, &operator, "manifest-authz.mpd").uri(uri);
            (operator, setup)
        });
        assert_all_played(&harness, &ended);
        let requests = operator.token_requests();
        let kids: Vec<_> = requests.iter().map(|request| asked(request).1.to_owned()).collect();
        // A stream of the new period that begins while one of the old still waits asks with the
        // keys of both.
        assert!((2..=3).contains(&kids.len()), "{kids:?}");
        assert_ne!(kids.first(), kids.last());
        for request in operator.license_requests() {
            assert_eq!(request.status, Some(200));
            assert_eq!(request.kids.len(), 1);
        }
    }
}
