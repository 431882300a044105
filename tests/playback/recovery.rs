// SPDX-License-Identifier: MIT OR Apache-2.0

//! When the license server refuses a session token that was good before, the viewer sees the
//! content and nothing of the refusal.

use std::collections::HashMap;

use headend::{Auth, Licenses};
use support::in_every_player;
use support::operator::{Operator, granting, refusing};
use support::player::Player;
use support::player_harness::{Ended, NEVER, PlayerHarness, Setup};
use support::reference::assert_played;

/// Tokens that a session has before it is given up.
const STRIKES: usize = 3;

/// Plays once, with a token that is good, and has it refused from then on.
#[track_caller]
fn play_and_revoke(player: Player, operator: &Operator) {
    let (harness, ended) = Setup::new(player, operator).play();
    assert_played(&harness, &ended, operator.kinds());
    operator.assert_asked(1, 1);
    operator.revoke();
}

/// Asserts how the license server answered all requests so far, and that from the second one on
/// those that it granted, and no others, came with the token that is current now.
#[track_caller]
fn assert_licenses(operator: &Operator, statuses: &[u16]) {
    let licenses = operator.license_requests();
    let answers: Vec<_> = licenses.iter().map(|request| request.status).collect();
    let expected: Vec<_> = statuses.iter().copied().map(Some).collect();
    assert_eq!(answers, expected);
    for request in &licenses {
        assert!(request.token_present);
    }
    let tokens: Vec<_> = licenses
        .iter()
        .map(|request| request.authorization.as_deref().expect("a token"))
        .collect();
    let current = format!("Bearer {}", operator.token());
    for (status, token) in statuses.iter().zip(&tokens).skip(1) {
        assert_eq!(*status == 200, **token == *current);
    }
}

/// The names of the elements that told of this state and of the so manieth generation of all that
/// they told of, in order of their names.
fn tellers<'a>(ended: &'a Ended, state: &str, ordinal: usize) -> Vec<&'a str> {
    let generation = ended.generations()[ordinal - 1];
    let mut names: Vec<_> = ended
        .told
        .iter()
        .zip(&ended.told_by)
        .filter(|(told, _)| {
            told.get("state") == Ok(state) && told.get("generation") == Ok(generation)
        })
        .map(|(_, name)| name.as_str())
        .collect();
    names.sort_unstable();
    names
}

/// Asserts that each stream's element told of the refusal once, and no other.
#[track_caller]
fn assert_told_of_refusal(ended: &Ended, operator: &Operator, status: u16) {
    let mut tellers = tellers(ended, "rejected", 1);
    tellers.dedup();
    assert_eq!(tellers.len(), operator.kinds().len(), "{ended:?}");
    let rejected: Vec<_> = ended
        .told
        .iter()
        .filter(|told| told.get("state") == Ok("rejected"))
        .collect();
    assert_eq!(rejected.len(), operator.kinds().len(), "{ended:?}");
    for told in rejected {
        assert_eq!(told.get("service"), Ok("rdk"));
        assert_eq!(told.get("http-status"), Ok(u32::from(status)));
    }
}

/// Plays a second time, lets all streams wait for one license, and has that refused. Returns when
/// it has ended.
#[track_caller]
fn play_with_revoked_token(player: Player, operator: &Operator) -> (PlayerHarness, Ended) {
    play_and_revoke(player, operator);
    operator.set_licenses(Licenses::Hang);
    let harness = Setup::new(player, operator).open();
    harness.start();
    harness.wait_until_every_stream_waits_for_the_license(operator);
    operator.release();
    let ended = harness.end();
    (harness, ended)
}

in_every_player! {
    fn revoked_token_is_replaced_without_data_loss(player: Player) {
        let operator = Operator::start();
        let (harness, ended) = play_with_revoked_token(player, &operator);
        assert_played(&harness, &ended, operator.kinds());
        assert_eq!(operator.token_requests().len(), 2);
        assert_licenses(&operator, &[200, 403, 200]);
    }

    fn rejection_is_reported_once_per_stream(player: Player) {
        let operator = Operator::start();
        let (_show, ended) = play_with_revoked_token(player, &operator);
        assert_told_of_refusal(&ended, &operator, 403);
    }

    fn replacement_token_is_reported_after_rejection(player: Player) {
        let operator = Operator::start();
        let (_show, ended) = play_with_revoked_token(player, &operator);
        ended.assert_well();
        let mut tellers = tellers(&ended, "refreshed", 2);
        tellers.extend(self::tellers(&ended, "acquired", 2));
        assert_eq!(tellers.len(), operator.kinds().len(), "{ended:?}");
        tellers.sort_unstable();
        tellers.dedup();
        assert_eq!(tellers.len(), operator.kinds().len(), "{ended:?}");
        for teller in tellers {
            let states: Vec<_> = ended
                .told
                .iter()
                .zip(&ended.told_by)
                .filter(|(_, name)| *name == teller)
                .map(|(told, _)| told.get::<&str>("state").expect("a state"))
                .collect();
            let rejected = states.iter().position(|state| *state == "rejected");
            assert_eq!(rejected, Some(states.len() - 2), "{states:?}");
        }
    }

    fn tune_after_the_recovery_needs_no_token_request(player: Player) {
        let operator = Operator::start();
        let (harness, ended) = play_with_revoked_token(player, &operator);
        assert_played(&harness, &ended, operator.kinds());
        drop(harness);
        let (harness, ended) = Setup::new(player, &operator).play();
        assert_played(&harness, &ended, operator.kinds());
        assert!(tellers(&ended, "rejected", 1).is_empty(), "{ended:?}");
        assert_eq!(operator.token_requests().len(), 2);
        assert_licenses(&operator, &[200, 403, 200, 200]);
    }

    // A film whose sound is over before the player has taken its pictures ends without them
    // (decodebin3): what was held comes all at once.
    fn channel_change_recovers_from_each_rejected_token(player: Player) {
        let operator = Operator::start();
        let setup = Setup::new(player, &operator);
        let harness = match player {
            Player::Playbin3 => setup.in_time().open(),
            _ => setup.open(),
        };
        harness.start();
        assert_played(&harness, &harness.end(), operator.kinds());
        for tune in 1..=2 {
            harness.stop(gst::State::Ready);
            harness.forget();
            operator.revoke();
            operator.set_licenses(Licenses::Hang);
            harness.start();
            harness.wait_until_every_stream_waits_for_the_license(&operator);
            operator.release();
            let ended = harness.end();
            assert_played(&harness, &ended, operator.kinds());
            assert_eq!(operator.token_requests().len(), 1 + tune);
            let refused = operator
                .license_requests()
                .iter()
                .filter(|request| request.status == Some(403))
                .count();
            assert_eq!(refused, tune);
            assert_eq!(operator.license_requests().len(), 1 + 2 * tune);
        }
    }
}

#[track_caller]
fn assert_recovers_from(player: Player, status: u16) {
    let operator = Operator::start();
    operator.set_refusal(status);
    let (harness, ended) = play_with_revoked_token(player, &operator);
    assert_played(&harness, &ended, operator.kinds());
    assert_eq!(operator.token_requests().len(), 2);
    assert_licenses(&operator, &[200, status, 200]);
    assert_told_of_refusal(&ended, &operator, status);
}

in_every_player! {
    fn license_server_401_gets_new_token(player: Player) {
        assert_recovers_from(player, 401);
    }

    fn license_server_412_gets_new_token(player: Player) {
        assert_recovers_from(player, 412);
    }
}

/// Plays with tokens from an auth service like that, none of which the license server takes, until
/// there is an error.
#[track_caller]
fn assert_given_up(player: Player, auth: Auth, operator: &Operator) {
    operator.set_auth(auth);
    operator.set_licenses(Licenses::Hang);
    let harness = Setup::new(player, operator).open();
    harness.start();
    harness.wait_until_all_waits_for_the_license(operator);
    operator.release();
    let ended = harness.end();
    harness.stop(gst::State::Null);
    operator.catch_up();
    let error = ended.error();
    assert_eq!(error.from, "clearkeydec", "{error:?}");
    assert!(
        error.error.matches(gst::ResourceError::NotAuthorized),
        "{error:?}"
    );
    let message = error.error.message();
    assert!(message.contains("HTTP 403"), "{message}");
    let details = error.details.as_ref().expect("details");
    assert_eq!(details.name(), "session-token-error");
    assert_eq!(details.get("reason"), Ok("denied"));
    assert_eq!(details.get("http-status"), Ok(403u32));
}

/// How often each token was shown to the license server, in the order of the tokens.
fn shown(operator: &Operator) -> Vec<(String, usize)> {
    let mut shown = HashMap::<String, usize>::new();
    for request in operator.license_requests() {
        let header = request.authorization.expect("a token");
        *shown.entry(header).or_default() += 1;
    }
    let mut shown: Vec<_> = shown.into_iter().collect();
    shown.sort_unstable();
    shown
}

in_every_player! {
    fn third_rejected_token_ends_with_denied_error(player: Player) {
        let operator = Operator::start_for_stopping(player);
        // More than it may ask for, and each another one.
        let tokens = (1..=3 * STRIKES).map(|number| granting(format!("token-{number}")));
        assert_given_up(player, Auth::Sequence(tokens.collect()), &operator);
        assert_eq!(operator.token_requests().len(), STRIKES);
        let shown = shown(&operator);
        let tokens: Vec<_> = shown.iter().map(|(token, _)| token.as_str()).collect();
        assert_eq!(tokens, ["Bearer token-1", "Bearer token-2", "Bearer token-3"]);
        assert_eq!(shown[0].1, 1, "all streams wait for one license");
        for (token, count) in &shown {
            // A stream that asks after another one's refusal has one of its own.
            assert!(*count <= operator.kinds().len(), "{token}: {count}");
        }
    }

    fn regrant_of_rejected_token_ends_token_requests(player: Player) {
        let operator = Operator::start_for_stopping(player);
        assert_given_up(player, granting("the-only-one"), &operator);
        assert_eq!(operator.token_requests().len(), 2);
        assert_eq!(shown(&operator), [("Bearer the-only-one".to_owned(), 1)]);
    }

    fn denied_replacement_token_is_requested_once(player: Player) {
        let operator = Operator::start_for_stopping(player);
        let auth = Auth::Sequence(vec![granting("the-only-one"), refusing(403)]);
        assert_given_up(player, auth, &operator);
        assert_eq!(operator.token_requests().len(), 2);
        assert_eq!(shown(&operator), [("Bearer the-only-one".to_owned(), 1)]);
    }
}

in_every_player! {
    fn four_decryptors_share_one_replacement_token(player: Player) {
        let operator = Operator::start();
        play_and_revoke(player, &operator);
        operator.set_licenses(Licenses::Hang);
        let harnesses = [(); 2].map(|()| Setup::new(player, &operator).open());
        for harness in &harnesses {
            harness.start();
            harness.wait_until_every_stream_waits_for_the_license(&operator);
        }
        operator.release();
        for harness in &harnesses {
            assert_played(harness, &harness.end(), operator.kinds());
        }
        assert_eq!(operator.token_requests().len(), 2);
        // All four ask with the same token for the same keys.
        assert_licenses(&operator, &[200, 403, 200]);
    }
}

/// Plays a second time until everything waits for a token that takes the refused one's place, and
/// does not come.
#[track_caller]
fn open_and_wait_for_another_token(player: Player, operator: &Operator) -> PlayerHarness {
    play_and_revoke(player, operator);
    operator.set_auth(Auth::Hang);
    let harness = Setup::new(player, operator).config("timeout", NEVER).open();
    harness.start();
    operator.wait_for_token_requests(2);
    // In its decryptor, or before it where another stream's license was refused first.
    harness.wait_until_all_waits_for_the_token(operator);
    harness
}

in_every_player! {
    fn player_stops_while_decryptor_waits_for_new_token(player: Player) {
        let operator = Operator::start_for_stopping(player);
        let harness = open_and_wait_for_another_token(player, &operator);
        harness.stop(gst::State::Null);
        assert_eq!(operator.token_requests().len(), 2);
    }

    fn stop_during_recovery_posts_no_error(player: Player) {
        let operator = Operator::start_for_stopping(player);
        let harness = open_and_wait_for_another_token(player, &operator);
        let errors = harness.stop_slowly();
        assert!(errors.is_empty(), "{errors:?}");
    }

    fn tune_after_stop_in_recovery_shares_token_request(player: Player) {
        let operator = Operator::start_for_stopping(player);
        let harness = open_and_wait_for_another_token(player, &operator);
        harness.stop(gst::State::Null);
        harness.forget();
        harness.start();
        harness.wait_until_all_waits_for_the_token(&operator);
        operator.release();
        assert_played(&harness, &harness.end(), operator.kinds());
        assert_eq!(operator.token_requests().len(), 2);
        let licenses = operator.license_requests();
        let granted: Vec<_> = licenses.iter().filter(|one| one.status == Some(200)).collect();
        assert_eq!(granted.len(), 2, "one a tune: {licenses:?}");
    }
}
