// SPDX-License-Identifier: MIT OR Apache-2.0

//! How manifests name license servers in the field, and what GStreamer passes on of that.

use headend::Licenses;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{KINDS, Setup};
use support::reference::assert_played;

fn assert_plays(player: Player, manifest: &str) {
    let operator = Operator::start();
    let (harness, ended) = Setup::new(player, &operator).manifest(manifest).play();
    assert_played(&harness, &ended, &KINDS);
    operator.assert_asked(1, 1);
}

/// Expects an error that says this and `license-url`, which helps.
fn assert_fails(player: Player, manifest: &str, says: &str) {
    let operator = Operator::start_for_stopping(player);
    let harness = Setup::new(player, &operator).manifest(manifest).open();
    harness.start();
    let ended = harness.end();
    let error = ended.error();
    assert_eq!(error.from, "clearkeydec", "{error:?}");
    assert!(
        error.error.matches(gst::ResourceError::Settings),
        "{error:?}"
    );
    let text = error.error.message();
    assert!(
        text.contains(says) && text.contains("`license-url`"),
        "{text}"
    );
    assert!(operator.license_requests().is_empty());
    operator.catch_up();
    harness.stop(gst::State::Null);

    let operator = Operator::start();
    let (harness, ended) = Setup::new(player, &operator)
        .manifest(manifest)
        .config("license-url", operator.license_url())
        .play();
    assert_played(&harness, &ended, &KINDS);
    operator.assert_asked(1, 1);
}

/// The server that the license server redirects to is another one.
fn play_redirected(player: Player, is_allowed: bool) {
    let (operator, elsewhere) = (Operator::start(), Operator::start());
    elsewhere.set_licenses(Licenses::ServeAnonymous);
    operator.set_licenses(Licenses::Redirect {
        status: 307,
        location: elsewhere.license_url(),
    });
    let mut setup = Setup::new(player, &operator);
    if is_allowed {
        let hosts = format!("{}, {}", operator.address(), elsewhere.address());
        setup = setup.config("token-hosts", hosts);
    }
    let (harness, ended) = setup.play();
    assert_played(&harness, &ended, &KINDS);
    operator.assert_asked(1, 1);
    let requests = elsewhere.license_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].token_present, is_allowed);
}

in_every_player! {
    fn redirected_license_plays_without_the_token(player: Player) {
        play_redirected(player, false);
    }

    fn redirected_license_gets_the_token_by_token_hosts(player: Player) {
        play_redirected(player, true);
    }

    fn rejected_redirect_without_token_names_token_hosts(player: Player) {
        let (operator, elsewhere) = (Operator::start_for_stopping(player), Operator::start());
        operator.set_licenses(Licenses::Redirect {
            status: 308,
            location: format!("{}?SECRET", elsewhere.license_url()),
        });
        let harness = Setup::new(player, &operator).open();
        harness.start();
        let ended = harness.end();
        let error = ended.error();
        assert!(error.error.matches(gst::ResourceError::NotAuthorized), "{error:?}");
        let text = error.error.message();
        for part in ["`token-hosts`", &elsewhere.address(), &elsewhere.license_url()] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("SECRET"), "{text}");
        operator.catch_up();
        harness.stop(gst::State::Null);
        // The token is not to blame, and no other was asked for.
        assert_eq!(operator.token_requests().len(), 1);
        // One for each decryptor that came after the other's refusal.
        let requests = elsewhere.license_requests();
        assert!((1..=2).contains(&requests.len()), "{requests:?}");
        assert!(requests.iter().all(|request| !request.token_present));
    }

    fn relative_laurl_plays(player: Player) {
        assert_plays(player, "manifest-relative-laurl.mpd");
    }

    fn laurl_of_old_guidelines_plays(player: Player) {
        assert_plays(player, "manifest-old-laurl.mpd");
    }

    fn dead_laurls_before_the_right_one_do_no_harm(player: Player) {
        assert_plays(player, "manifest-dead-laurls.mpd");
    }

    fn content_protection_by_reference_is_named(player: Player) {
        assert_fails(player, "manifest-reference.mpd", "`ref`");
    }

    fn content_protection_in_representation_is_named(player: Player) {
        assert_fails(player, "manifest-in-representation.mpd", "Representation");
    }

    /// dashdemux hands over the whole element.
    fn value_beside_laurl_is_named_where_it_hides_it(player: Player) {
        match player {
            Player::Playbin | Player::WrittenOut => assert_plays(player, "manifest-value.mpd"),
            Player::Playbin3 => assert_fails(player, "manifest-value.mpd", "`value`"),
        }
    }
}
