// SPDX-License-Identifier: MIT OR Apache-2.0

//! A box that is told so asks for the token before a playlist names a key.

use std::time::Duration;

use gst::prelude::*;
use headend::Auth;
use support::fixtures::Programme;
use support::in_both_players;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::Setup;
use support::reference::assert_played;

use super::{raise, with_licenses};

const CLEAR: &str = "/hls/clear/master.m3u8";

/// What a clear film makes of it.
#[track_caller]
fn assert_clear_film_plays(operator: &Operator, player: Player, prefetch: Option<bool>) {
    raise();
    // hlsdemux2 fails where so short a film has come before the player has taken its pads.
    operator.set_media_delay(Duration::from_millis(25));
    let mut setup = Setup::new(player, operator).uri(operator.url(CLEAR));
    if let Some(prefetch) = prefetch {
        setup = setup.config("prefetch", prefetch);
    }
    let (_, ended) = setup.play();
    ended.assert_well();
}

in_both_players! {
    fn clear_film_asks_nobody_unless_told(player: Player) {
        for prefetch in [None, Some(false)] {
            let operator = Operator::start();
            assert_clear_film_plays(&operator, player, prefetch);
            operator.assert_asked(0, 0);
        }
    }

    fn clear_film_asks_where_told(player: Player) {
        let operator = Operator::start();
        assert_clear_film_plays(&operator, player, Some(true));
        operator.wait_for_token_requests(1);
        operator.assert_asked(1, 0);
    }

    fn clear_film_plays_where_the_token_is_refused(player: Player) {
        let operator = Operator::start();
        operator.set_auth(Auth::Reply {
            status: 403,
            content_type: "application/problem+json".to_owned(),
            body: r#"{"title":"No subscription"}"#.to_owned(),
        });
        assert_clear_film_plays(&operator, player, Some(true));
        operator.wait_for_token_requests(1);
    }

    fn clear_film_plays_where_the_token_hangs(player: Player) {
        let operator = Operator::start();
        operator.set_auth(Auth::Hang);
        assert_clear_film_plays(&operator, player, Some(true));
        operator.release();
    }

    fn protected_film_asks_once(player: Player) {
        raise();
        let operator = Operator::start_for(Programme::HlsCenc);
        let setup = with_licenses(Setup::new(player, &operator), &operator);
        let (harness, ended) = setup.config("prefetch", true).play();
        assert_played(&harness, &ended, operator.kinds());
        assert_eq!(operator.token_requests().len(), 1);
    }
}

#[test]
fn token_is_asked_for_before_there_is_a_playlist() {
    let operator = Operator::start();
    let mut context = gst::Context::new("session-token-config", true);
    let fields = context.make_mut().structure_mut();
    fields.set("location", operator.location());
    fields.set("prefetch", true);
    let element = gst::ElementFactory::make("hlsdrmdemux")
        .build()
        .expect("the plugin has it");
    element.set_context(&context);
    element.set_state(gst::State::Paused).expect("it starts");
    operator.wait_for_token_requests(1);
    element.set_state(gst::State::Null).expect("it stops");
    operator.assert_asked(1, 0);
}
