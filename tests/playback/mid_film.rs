// SPDX-License-Identifier: MIT OR Apache-2.0

//! A session token is refused in mid-film, when a license is renewed or another key comes into use.
//! The viewer sees nothing of it, and does not wait while another token is under way.

use std::time::Duration;

use headend::Licenses;
use support::fixtures::Programme;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Kind, NEVER, PlayerHarness, Setup};
use support::reference::{assert_first_segment, assert_played};

/// What a renewal of a license takes: files that come so slowly that it is due with the second
/// segment already, two seconds after the license, and the third one sees what came of it.
const DELAY: Duration = Duration::from_millis(2100);

/// Plays in these players at once, whose licenses live for a second, and has the token refused with
/// this status from the first license on.
#[track_caller]
fn play_and_revoke_at_renewal(harnesses: usize, player: Player, status: u16) {
    let operator = Operator::start();
    operator.set_refusal(status);
    operator.set_licenses(Licenses::ServeFor(Duration::from_secs(1)));
    operator.set_media_delay(DELAY);
    let harnesses: Vec<_> = (0..harnesses)
        .map(|_| {
            Setup::new(player, &operator)
                .config("timeout", NEVER)
                .open()
        })
        .collect();
    for harness in &harnesses {
        harness.start();
    }
    for harness in &harnesses {
        harness.wait_until("the first fragment of each stream", |seen| {
            operator
                .kinds()
                .iter()
                .all(|kind| !seen.decrypted(*kind).is_empty())
        });
    }
    let before = operator.license_requests().len();
    operator.revoke();
    for harness in &harnesses {
        let ended = harness.end();
        assert_played(harness, &ended, operator.kinds());
        // Beside the stream, so that it is told by those alone whose events or licenses come later.
        let refused = ended
            .told
            .iter()
            .filter(|told| told.get("state") == Ok("rejected"));
        assert!(refused.count() <= operator.kinds().len(), "{ended:?}");
    }
    assert_eq!(operator.token_requests().len(), 2);
    let renewals = &operator.license_requests()[before..];
    let refused = renewals
        .iter()
        .filter(|one| one.status == Some(status))
        .count();
    // They share a request where they ask at the same time.
    assert!(
        (1..=harnesses.len() * operator.kinds().len()).contains(&refused),
        "{renewals:?}"
    );
    assert!(
        renewals.iter().any(|one| one.status == Some(200)),
        "{renewals:?}"
    );
    assert!(
        renewals
            .iter()
            .all(|one| [Some(200), Some(status)].contains(&one.status))
    );
}

in_every_player! {
    fn renewal_that_is_unauthorized_gets_a_new_token(player: Player) {
        play_and_revoke_at_renewal(1, player, 401);
    }

    fn renewal_403_gets_new_token_for_four_decryptors(player: Player) {
        play_and_revoke_at_renewal(2, player, 403);
    }

    fn renewal_412_gets_new_token_for_four_decryptors(player: Player) {
        play_and_revoke_at_renewal(2, player, 412);
    }
}

/// Plays until the second fragment's key is refused, and everything behind the first one waits for
/// a token that does not come.
#[track_caller]
fn open_and_wait_in_mid_film(player: Player, operator: &Operator) -> PlayerHarness {
    let harness = Setup::new(player, operator)
        .config("timeout", NEVER)
        .in_time()
        .open();
    harness.start_and_wait_for_another_token_in_mid_film(operator);
    harness.seen(|seen| assert_first_segment(Kind::Picture, &seen.decrypted(Kind::Picture)));
    harness
}

in_every_player! {
    fn stop_in_mid_film_does_not_wait_for_new_token(player: Player) {
        let operator = Operator::start_for(Programme::Rotating);
        let harness = open_and_wait_in_mid_film(player, &operator);
        harness.stop(gst::State::Null);
        assert_eq!(operator.token_requests().len(), 2);
    }

    fn seek_in_mid_film_does_not_wait_for_new_token(player: Player) {
        let operator = Operator::start_for(Programme::Rotating);
        let harness = open_and_wait_in_mid_film(player, &operator);
        harness.forget();
        harness.seek(gst::ClockTime::ZERO);
        // The events that come again need the other token as well.
        harness.wait_until_all_waits_for_the_token(&operator);
        harness.stop(gst::State::Ready);
        assert_eq!(operator.token_requests().len(), 2);
    }

    fn playback_resumes_at_seek_target_with_new_token(player: Player) {
        let operator = Operator::start_for(Programme::Rotating);
        let harness = open_and_wait_in_mid_film(player, &operator);
        harness.forget();
        harness.seek(gst::ClockTime::ZERO);
        harness.wait_until_all_waits_for_the_token(&operator);
        operator.release();
        assert_played(&harness, &harness.end(), operator.kinds());
        assert_eq!(operator.token_requests().len(), 2);
    }
}
