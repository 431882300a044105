// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is played is the content, every byte of it, with one token request and one license request.

use support::fixtures::Programme;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Ended, KINDS, PlayerHarness, Setup};
use support::reference::assert_played;

use crate::child::{launch_with, run};

fn assert_played_at_once(harness: &PlayerHarness, ended: &Ended, operator: &Operator) {
    assert_played(harness, ended, &KINDS);
    operator.assert_asked(1, 1);
}

in_every_player! {
    fn content_that_is_protected_by_a_pattern_plays_too(player: Player) {
        let operator = Operator::start_for(Programme::Cbcs);
        let (harness, ended) = Setup::new(player, &operator).play();
        assert_played_at_once(&harness, &ended, &operator);
    }

    fn protected_content_plays_bit_exact(player: Player) {
        let operator = Operator::start();
        let (harness, ended) = Setup::new(player, &operator).play();
        assert_played_at_once(&harness, &ended, &operator);
    }

    fn upper_case_system_ids_are_recognized(player: Player) {
        let operator = Operator::start();
        let (harness, ended) = Setup::new(player, &operator)
            .manifest("manifest-upper-case.mpd")
            .play();
        assert_played_at_once(&harness, &ended, &operator);
    }

    fn configured_license_url_plays_without_laurl(player: Player) {
        let operator = Operator::start();
        let (harness, ended) = Setup::new(player, &operator)
            .manifest("manifest-no-laurl.mpd")
            .config("license-url", operator.license_url())
            .play();
        assert_played_at_once(&harness, &ended, &operator);
    }

    fn laurl_with_ancestor_namespace_is_found(player: Player) {
        let operator = Operator::start();
        let (harness, ended) = Setup::new(player, &operator)
            .manifest("manifest-ancestor-ns.mpd")
            .play();
        assert_played_at_once(&harness, &ended, &operator);
    }
}

/// Plays it with `gst-launch-1.0 -v`, which names every element whose caps it reports.
fn assert_plays_with(player: Player, ranks: &str, token_element: &str, plugged: &[&str]) {
    let operator = Operator::start();
    let output = run(&mut launch_with(
        player,
        &operator,
        ranks,
        token_element,
        &["-v"],
    ));
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.contains("Got EOS from element"), "{output:?}");
    for type_ in ["GstSessionToken", "GstSessionTokenSrc"] {
        let is_there = output.stdout.contains(&format!("/{type_}:"));
        assert_eq!(is_there, plugged.contains(&type_), "{type_} in {output:?}");
    }
    operator.assert_asked(1, 1);
}

in_every_player! {
    fn line_in_the_documentation_plays(player: Player) {
        assert_plays_with(player, "sessiontoken:PRIMARY", "sessiontoken", &["GstSessionToken"]);
    }

    fn who_knows_the_element_as_sessiontokensrc_plays_too(player: Player) {
        assert_plays_with(
            player,
            "sessiontokensrc:PRIMARY",
            "sessiontokensrc",
            &["GstSessionTokenSrc"],
        );
    }

    fn both_names_at_once_do_no_harm(player: Player) {
        assert_plays_with(
            player,
            "sessiontoken:PRIMARY,sessiontokensrc:PRIMARY",
            "sessiontoken ! sessiontokensrc",
            &["GstSessionToken", "GstSessionTokenSrc"],
        );
    }
}
