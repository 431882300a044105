// SPDX-License-Identifier: MIT OR Apache-2.0

//! How manifests name license servers in the field, and what GStreamer passes on of that.

use crate::operator::Operator;
use crate::player::{Player, in_every_player};
use crate::reference::assert_played;
use crate::show::{KINDS, Setup};

fn assert_plays(player: Player, manifest: &str) {
    let operator = Operator::start();
    let (show, ended) = Setup::new(player, &operator).manifest(manifest).play();
    assert_played(&show, &ended, &KINDS);
    operator.assert_asked(1, 1);
}

/// Expects an error that says this and `license-url`, which helps.
fn assert_fails(player: Player, manifest: &str, says: &str) {
    let operator = Operator::start_for_stopping(player);
    let show = Setup::new(player, &operator).manifest(manifest).open();
    show.start();
    let ended = show.end();
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
    assert!(operator.licence_requests().is_empty());
    operator.catch_up();
    show.stop(gst::State::Null);

    let operator = Operator::start();
    let (show, ended) = Setup::new(player, &operator)
        .manifest(manifest)
        .config("license-url", operator.licence_url())
        .play();
    assert_played(&show, &ended, &KINDS);
    operator.assert_asked(1, 1);
}

in_every_player! {
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
