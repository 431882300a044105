// SPDX-License-Identifier: MIT OR Apache-2.0

//! Live playlists: keys that come as they are needed, tokens that end in between, and windows
//! that begin in an ad.

use std::time::Duration;

use headend::{Auth, KeyPolicy};
use support::in_both_players;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::Setup;

use super::part::{Aes128, Form, Part, Track};
use super::presentation::Presentation;
use super::rendition::{Rendition, Style};
use super::tap::{Medium, Passed, Place};
use super::{FOLDER, as_usual, key_requests, open_path, operator, twin};

/// How many segments a playlist has. Demuxers begin with one of the last four.
const WINDOW: usize = 4;

/// In each round the film has so many.
const IN_A_FILM: usize = 3;

/// The longest that a minute of live television may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// The film over and over again, with a key for each segment.
fn film(segments: usize) -> Rendition {
    let parts = (0..segments).map(|number| {
        let part = Part::muxed(number % IN_A_FILM + 1);
        let part = part.aes128(&Aes128::key(&format!("live-{number}")));
        match number > 0 && number.is_multiple_of(IN_A_FILM) {
            true => part.after_discontinuity(),
            false => part,
        }
    });
    Rendition::from(parts.collect::<Vec<_>>()).sequence(1000)
}

/// What came to the decoder of pictures.
fn digests(passed: &Passed) -> Vec<u64> {
    let pictures = passed.at(Place::DecoderOf(Medium::Picture)).iter();
    pictures.map(|one| one.digest).collect()
}

/// Asserts that what comes is a part of what the stock player makes of the whole, and all but its
/// first segment.
#[track_caller]
fn assert_end_plays(
    player: Player,
    operator: &Operator,
    rendition: &Rendition,
    segments: usize,
    configure: impl FnOnce(Setup) -> Setup,
    during: impl FnOnce(),
) {
    let after_first = segments - 1;
    assert_plays_from(
        WINDOW,
        player,
        operator,
        rendition,
        after_first,
        configure,
        during,
    );
}

/// The same with playlists of that window, and for so many of the last segments. The newer demuxer
/// of GStreamer 1.26 leaves out the last one of a live playlist.
#[track_caller]
fn assert_plays_from(
    window: usize,
    player: Player,
    operator: &Operator,
    rendition: &Rendition,
    segments: usize,
    configure: impl FnOnce(Setup) -> Setup,
    during: impl FnOnce(),
) {
    const PICTURES: usize = 50;
    let presentation = Presentation::new().video(rendition.clone());
    let whole = twin(player, operator, &presentation);
    let whole = digests(&whole);
    let path = rendition.publish_live(operator, Form::Protected, FOLDER, window);
    let played = open_path(player, operator, &path, configure);
    played.harness.start();
    during();
    let (_, minor, ..) = gst::version();
    // Without an end the newer demuxer holds back the last picture of an MPEG-TS, and so does the
    // parser.
    let mut expected = PICTURES * segments;
    if player == Player::Playbin3 && minor >= 24 {
        expected -= PICTURES + 2;
    }
    played.tap.wait_for(PATIENCE, |passed| {
        passed.at(Place::DecoderOf(Medium::Picture)).len() >= expected
    });
    // GStreamer 1.22 may crash where it is stopped in a download. The newer demuxer of 1.26 does
    // not come to the end of a live playlist.
    if player == Player::Playbin || minor < 24 {
        played.harness.end().assert_well();
    }
    let pictures = digests(&played.tap.passed());
    let place = whole
        .windows(pictures.len().min(whole.len()))
        .position(|some| some == pictures);
    assert!(
        place.is_some(),
        "{} pictures that are no part of the film",
        pictures.len()
    );
}

/// Plays so many segments, with a token that is revoked in between.
#[track_caller]
fn assert_outlives_token(player: Player, segments: usize) {
    let operator = operator();
    operator.set_keys(KeyPolicy::Token);
    let rendition = film(segments);
    assert_end_plays(player, &operator, &rendition, segments, as_usual, || {
        // The next key is asked for when the playlist has been asked for again.
        let name = format!("live-{WINDOW}");
        assert!(operator.wait_for(PATIENCE, |record| {
            let mut requests = record.key_requests();
            requests.any(|request| request.name == name && request.status == Some(200))
        }));
        operator.revoke();
        // The newer demuxer of 1.26 does not play all of it, but reads each playlist.
        assert!(operator.wait_for(PATIENCE, |record| {
            let given = record.key_requests();
            given.filter(|one| one.status == Some(200)).count() >= segments
        }));
    });
    let requests = operator.key_requests();
    let refused = requests
        .iter()
        .filter(|one| one.token_present && !one.token_valid);
    assert_eq!(refused.count(), 1, "{:?}", key_requests(&operator));
    let mut given: Vec<_> = requests
        .iter()
        .filter(|one| one.status == Some(200))
        .map(|one| &one.name)
        .collect();
    given.sort();
    let count = given.len();
    given.dedup();
    assert_eq!(
        (count, given.len()),
        (segments, segments),
        "one request a key"
    );
    assert_eq!(operator.token_requests().len(), 2);
}

/// Plays so many segments, with tokens that end by themselves.
#[track_caller]
fn assert_outlives_lifetimes(player: Player, segments: usize, seconds: u64) {
    let operator = operator();
    operator.set_keys(KeyPolicy::Token);
    operator.set_auth(Auth::GrantFor(seconds));
    let rendition = film(segments);
    assert_end_plays(player, &operator, &rendition, segments, as_usual, || {});
    let refused = operator.key_requests().into_iter();
    let refused = refused.filter(|request| request.token_present && request.status != Some(200));
    assert_eq!(refused.count(), 0);
    assert!(operator.token_requests().len() > 1, "no token was renewed");
}

/// A window that begins in a clear ad, behind which comes what is protected. The timeline goes
/// on: stock demuxers of 1.22 play no fragmented MP4 of a live playlist where it begins anew.
fn from_ad(scheme: &str) -> Rendition {
    let ads = [0, 1, 2, 3].map(|number| {
        let part = Part::mp4("clear", Track::Video, number % IN_A_FILM + 1);
        part.beginning_at(2 * number as u64)
    });
    let film = [4, 5, 6].map(|number| {
        let part = Part::drm(scheme, Track::Video, number % IN_A_FILM + 1);
        part.beginning_at(2 * number as u64)
    });
    let [first, second, third] = film;
    let film = [first.after_discontinuity(), second, third];
    Rendition::from(ads.into_iter().chain(film).collect::<Vec<_>>())
}

/// A break that no earlier window tells of. What comes before it is protected by no DRM system.
fn to_break(before: impl Fn(Part) -> Part) -> Rendition {
    let parts = (0..7).map(|number| {
        let part = Part::mp4("clear", Track::Video, number % IN_A_FILM + 1);
        let part = part.beginning_at(2 * number as u64);
        match number {
            0..5 => before(part),
            5 => part.after_discontinuity(),
            _ => part,
        }
    });
    Rendition::from(parts.collect::<Vec<_>>()).telling_nothing_ahead()
}

in_both_players! {
    fn clear_channel_comes_to_a_break(player: Player) {
        let operator = operator();
        assert_end_plays(player, &operator, &to_break(|part| part), 7, as_usual, || {});
        assert_eq!(operator.token_requests().len(), 0);
        assert_eq!(operator.license_requests().len(), 0);
    }

    fn aes_128_in_mp4_comes_to_a_break(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        let rendition = to_break(|part| part.aes128(&Aes128::key("1")));
        assert_end_plays(player, &operator, &rendition, 7, as_usual, || {});
        assert_eq!(operator.token_requests().len(), 1);
    }

    fn another_key_for_each_segment_outlives_the_token(player: Player) {
        assert_outlives_token(player, 8);
    }

    fn another_key_for_each_segment_outlives_lifetimes(player: Player) {
        assert_outlives_lifetimes(player, 8, 4);
    }

    // Key servers forget keys when their segments leave the window, and some a little before.
    fn window_whose_oldest_key_is_gone_plays(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        for gone in ["live-0", "live-1"] {
            operator.set_key(gone, KeyPolicy::Refuse(404));
        }
        assert_plays_from(6, player, &operator, &film(9), 6, as_usual, || {});
    }

    fn channel_whose_keys_are_gone_is_one_error(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Refuse(404));
        let path = film(8).publish_live(&operator, Form::Protected, FOLDER, WINDOW);
        let played = open_path(player, &operator, &path, as_usual);
        played.harness.start();
        let ended = played.harness.end();
        let error = &ended.error().error;
        assert!(error.message().contains("HTTP 404"), "{error}");
        assert!(played.tap.passed().at(Place::DecoderOf(Medium::Picture)).is_empty());
    }

    fn window_starting_in_ad_reaches_cenc_content(player: Player) {
        assert_comes_to_film(player, "cenc", Style::Brief);
    }

    fn window_starting_with_method_none_reaches_content(player: Player) {
        assert_comes_to_film(player, "cenc", Style::Repeated);
    }

    fn window_starting_in_ad_reaches_cbcs_content(player: Player) {
        assert_comes_to_film(player, "cbcs", Style::Brief);
    }
}

#[track_caller]
fn assert_comes_to_film(player: Player, scheme: &str, style: Style) {
    let operator = operator();
    let rendition = from_ad(scheme).style(style);
    assert_end_plays(player, &operator, &rendition, 7, as_usual, || {});
    assert_eq!(operator.token_requests().len(), 1);
    assert_eq!(operator.license_requests().len(), 1);
}

#[test]
#[ignore = "takes a minute"]
fn minute_of_keys_outlives_the_token_in_playbin() {
    assert_outlives_token(Player::Playbin, 33);
}

#[test]
#[ignore = "takes a minute"]
fn minute_of_keys_outlives_the_token_in_playbin3() {
    assert_outlives_token(Player::Playbin3, 33);
}

#[test]
#[ignore = "takes a minute"]
fn minute_of_keys_outlives_lifetimes_in_playbin() {
    assert_outlives_lifetimes(Player::Playbin, 33, 10);
}

#[test]
#[ignore = "takes a minute"]
fn minute_of_keys_outlives_lifetimes_in_playbin3() {
    assert_outlives_lifetimes(Player::Playbin3, 33, 10);
}
