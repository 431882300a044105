// SPDX-License-Identifier: MIT OR Apache-2.0

//! Live streams: playlists that slide, with keys that change twice in six seconds and timelines
//! that begin again. The viewer sees no seam.

use std::collections::HashSet;
use std::time::Duration;

use support::fixtures::Programme;
use support::in_both_players;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{KINDS, Kind, PlayerHarness, Setup};
use support::reference::samples;

use super::{raise, with_licenses};

/// Segments of two seconds in a minute, and some.
const MINUTE: usize = 33;

/// Enough to come to another key, and past a discontinuity.
const HALF_A_MINUTE: usize = 12;

/// Demuxers begin three before the end of the six that there are at first.
const SKIPPED: usize = 3;

/// How much longer than itself a stream may take on a machine that is busy.
const PATIENCE: u32 = 3;

/// How late a picture may be. Players are two or three segments behind what there is, so that it
/// takes more than one late segment for one.
const CUSHION: gst::ClockTime = gst::ClockTime::from_seconds(2);

/// How often in a row a playlist cannot be had. Each time what is new in it is late by a segment.
const MISSED: usize = 2;

/// In each round the film has so many.
const IN_A_FILM: usize = 3;

/// Starts a stream of so many segments as a viewer would see it.
fn live(player: Player, segments: usize) -> (Operator, PlayerHarness) {
    raise();
    let operator = Operator::start_for(Programme::Live);
    operator.end_live_after((SKIPPED + segments) as u64);
    let harness = with_licenses(Setup::new(player, &operator).in_time(), &operator).open();
    harness.start();
    (operator, harness)
}

/// Asserts that these are the film over and over again, from somewhere on.
#[track_caller]
fn assert_on_and_on(kind: Kind, samples: &[Vec<u8>]) {
    let film = self::samples(kind);
    let first = samples.first().expect("something");
    let start = film.iter().position(|sample| sample == first);
    let start = start.expect("a sample of the film");
    let expected = film.iter().cycle().skip(start);
    let differs = samples
        .iter()
        .zip(expected)
        .position(|(one, other)| one != other);
    assert_eq!(differs, None, "{kind:?}: of {} samples", samples.len());
}

/// How many segments come. The newer demuxer of GStreamer 1.26 leaves out the last one of a live
/// stream that ends, with us and without.
fn brought(player: Player, segments: usize) -> usize {
    let (_, minor, ..) = gst::version();
    segments - usize::from(player == Player::Playbin3 && minor >= 24)
}

/// Asserts that all comes without a repeat, a gap or a stall, with each key asked for once.
#[track_caller]
fn assert_seamless(operator: &Operator, harness: &PlayerHarness, segments: usize, missed: usize) {
    let limit = PATIENCE * Duration::from_secs(2 * segments as u64);
    let all = |kind| samples(kind).len() * segments / IN_A_FILM;
    harness.wait_for(limit, "all of both streams", |seen| {
        // A film's segments differ in length by a sample or two.
        KINDS.iter().all(|kind| seen.count(*kind) + 2 >= all(*kind))
    });
    harness.seen(|seen| {
        for kind in KINDS {
            assert_on_and_on(kind, &seen.decrypted(kind));
        }
        let limit = CUSHION + gst::ClockTime::from_seconds(2 * missed as u64);
        assert!(seen.most_late < limit, "late by {}", seen.most_late);
    });
    assert_eq!(operator.token_requests().len(), 1);
    let asked = operator.license_requests();
    let kids: Vec<_> = asked.iter().flat_map(|request| &request.kids).collect();
    let different: HashSet<_> = kids.iter().collect();
    assert_eq!((kids.len(), different.len()), (4, 4), "{kids:?}");
}

/// Where its newest playlist cannot be had for a moment, older demuxers ask for the first one
/// again, which they cannot play.
#[track_caller]
fn assert_outlives_failures(player: Player) {
    let (operator, harness) = live(player, HALF_A_MINUTE);
    for (pictures, status) in [(60, 503), (160, 404)] {
        harness.wait_until("some pictures", |seen| {
            seen.count(Kind::Picture) >= pictures
        });
        for name in ["video", "audio"] {
            let path = format!("/hls/live-steady/{name}.m3u8");
            operator.set_media_status(&path, status, MISSED);
        }
    }
    assert_seamless(&operator, &harness, brought(player, HALF_A_MINUTE), MISSED);
    let playlists = operator.media_requests().into_iter();
    let firsts = playlists.filter(|request| request.path.ends_with("/master.m3u8"));
    assert_eq!(firsts.count(), 1, "the demuxer went past us");
}

in_both_players! {
    fn minute_of_live_television_plays(player: Player) {
        let (operator, harness) = live(player, MINUTE);
        assert_seamless(&operator, &harness, brought(player, MINUTE), 0);
    }

    fn live_playback_survives_unavailable_playlists(player: Player) {
        assert_outlives_failures(player);
    }
}
