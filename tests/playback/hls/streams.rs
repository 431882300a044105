// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a viewer does with a film that has key tags: seeking, listening to another language,
//! watching on a network that gets better.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use gst::prelude::*;
use headend::{AUDIO_KEY_ID, NEXT_AUDIO_KEY_ID, NEXT_VIDEO_KEY_ID, VIDEO_KEY_ID};
use support::fixtures::Programme;
use support::folders::{copy_files, media, scratch_folder};
use support::in_both_players;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Kind, PlayerHarness, Setup};
use support::reference::{assert_clear, assert_last_segment, assert_played, samples};
use support::rig::PATIENCE;

use super::{key_tag, raise, with_licenses};

/// In kbit/s.
const SLOW: u32 = 200;
const FAST: u32 = 10_000;

fn set_connection_speed(harness: &PlayerHarness, speed: u32) {
    let demuxer = harness.element("hlsdrmdemux").expect("it plays HLS");
    demuxer.set_property("connection-speed", speed);
}

/// The viewer would see a picture that breaks, or none.
#[track_caller]
fn assert_switches_to_a_variant_with_another_key(player: Player) {
    raise();
    let operator = Operator::start();
    // So that there is something left to be fetched when the network gets better.
    operator.set_media_delay(Duration::from_millis(500));
    let uri = operator.url("/hls/variants/master.m3u8");
    let harness = with_licenses(Setup::new(player, &operator).uri(uri), &operator).open();
    harness.on_new("hlsdrmdemux", |demuxer| {
        demuxer.set_property("connection-speed", SLOW);
    });
    harness.start();
    harness.wait_until("the first picture", |seen| seen.count(Kind::Picture) > 0);
    set_connection_speed(&harness, FAST);
    let ended = harness.end();
    assert_played(&harness, &ended, operator.kinds());
    assert_eq!(operator.token_requests().len(), 1);
    let paths: Vec<_> = operator.media_requests();
    let came = |path: &str| paths.iter().any(|request| request.path == path);
    assert!(came("/hls/cenc/v_1.m4s"));
    assert!(came("/hls/periods/v_3.m4s"), "it never switched: {paths:?}");
    assert_eq!(asked_for(&operator, NEXT_VIDEO_KEY_ID), 1);
}

/// How often the license server was asked for this key.
fn asked_for(operator: &Operator, key_id: &str) -> usize {
    let requests = operator.license_requests().into_iter();
    let kids = requests.flat_map(|request| request.kids);
    kids.filter(|kid| kid == key_id).count()
}

/// Asserts that these are the last samples of the film, however many.
#[track_caller]
fn assert_end(kind: Kind, samples: &[Vec<u8>]) {
    assert!(!samples.is_empty());
    let film = self::samples(kind);
    let end = &film[film.len() - samples.len()..];
    assert!(samples == end, "{} samples", samples.len());
}

/// Seeks into the last segment when all has come, which costs neither a token nor a license.
#[track_caller]
fn assert_seeks(player: Player, programme: Programme) {
    raise();
    let operator = Operator::start_for(programme);
    let harness = with_licenses(Setup::new(player, &operator).in_time(), &operator).open();
    harness.start();
    harness.wait_until_all_has_come(&operator);
    harness.wait_for_picture(gst::ClockTime::ZERO);
    harness.forget();
    harness.seek(gst::ClockTime::from_mseconds(4500));
    let ended = harness.end();
    ended.assert_well();
    harness.seen(|seen| {
        assert_last_segment(Kind::Picture, &seen.decrypted(Kind::Picture));
        if operator.kinds().contains(&Kind::Sound) {
            assert_end(Kind::Sound, &seen.decrypted(Kind::Sound));
        }
    });
    operator.assert_asked(1, 1);
}

#[test]
fn viewer_who_seeks_sees_what_is_there_in_playbin() {
    assert_seeks(Player::Playbin, Programme::HlsCenc);
}

#[test]
fn viewer_who_seeks_sees_what_is_there_in_playbin3() {
    assert_seeks(Player::Playbin3, Programme::HlsPictureAlone);
}

/// The film with a second sound, which has another key from the second segment on.
fn in_two_languages() -> PathBuf {
    let folder = scratch_folder();
    for name in ["cenc", "periods"] {
        copy_files(
            &media().join("dash").join(name),
            &folder.join("dash").join(name),
        );
    }
    let to = folder.join("dash/languages");
    fs::create_dir_all(&to).expect("a scratch folder");
    let master = "#EXTM3U\n#EXT-X-VERSION:6\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"one\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,URI=\"../cenc/audio.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"two\",LANGUAGE=\"de\",AUTOSELECT=YES,URI=\"two.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=200000,CODECS=\"avc1.64000c,mp4a.40.2\",AUDIO=\"a\"\n../cenc/video.m3u8\n";
    fs::write(to.join("master.m3u8"), master).expect("a scratch file");
    let map = |folder: &str, key_id: &str| {
        format!(
            "#EXT-X-MAP:URI=\"../{folder}/a_init.mp4\"\n{}",
            key_tag(key_id)
        )
    };
    let two = format!(
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n{}#EXTINF:2,\n../cenc/a_1.m4s\n{}#EXTINF:2,\n../periods/a_2.m4s\n#EXTINF:2,\n../periods/a_3.m4s\n#EXT-X-ENDLIST\n",
        map("cenc", AUDIO_KEY_ID),
        map("periods", NEXT_AUDIO_KEY_ID),
    );
    fs::write(to.join("two.m3u8"), two).expect("a scratch file");
    folder
}

#[test]
fn language_selection_plays_new_track_in_playbin3() {
    raise();
    let operator = Operator::start_with_media(in_two_languages());
    let uri = operator.url("/hls/languages/master.m3u8");
    let setup = Setup::new(Player::Playbin3, &operator).uri(uri).in_time();
    let harness = with_licenses(setup, &operator).open();
    harness.start();
    harness.wait_until_all_has_come(&operator);
    harness.wait_for_picture(gst::ClockTime::ZERO);
    assert_eq!(asked_for(&operator, NEXT_AUDIO_KEY_ID), 0);
    harness.select(|stream| {
        let is_video = stream.stream_type().contains(gst::StreamType::VIDEO);
        let language = stream.tags().and_then(|tags| {
            let language = tags.get::<gst::tags::LanguageCode>();
            language.map(|language| language.get().to_owned())
        });
        is_video || language.as_deref() == Some("de")
    });
    let ended = harness.end();
    ended.assert_well();
    harness.seen(|seen| assert_end(Kind::Sound, seen.last_decrypted(Kind::Sound)));
    assert_eq!(asked_for(&operator, NEXT_AUDIO_KEY_ID), 1);
    assert_eq!(asked_for(&operator, VIDEO_KEY_ID), 1);
    assert_eq!(operator.token_requests().len(), 1);
}

/// Plays a film whose better variant is answered so, on a network that gets better.
/// An application chooses before there are pads, through which the event could go.
#[test]
fn select_streams_before_pads_reaches_demuxer() {
    raise();
    let operator = Operator::start();
    let make = gst::ElementFactory::make;
    let source = make("souphttpsrc").property("location", operator.url("/hls/cbcs/master.m3u8"));
    let source = source.build().expect("souphttpsrc");
    let demuxer = make("hlsdrmdemux").property_from_str("demuxer", "hlsdemux2");
    let demuxer = demuxer.build().expect("our element");
    let pipeline = gst::Pipeline::new();
    pipeline
        .add_many([&source, &demuxer])
        .expect("they are new");
    source.link(&demuxer).expect("they fit");
    let weak = pipeline.downgrade();
    demuxer.connect_pad_added(move |_, pad| {
        let pipeline = weak.upgrade().expect("it plays");
        let sink = gst::ElementFactory::make("fakesink").property("async", false);
        let sink = sink.build().expect("fakesink");
        pipeline.add(&sink).expect("it is new");
        sink.sync_state_with_parent().expect("it starts");
        pad.link(&sink.static_pad("sink").expect("a pad"))
            .expect("they fit");
        // Of the same name as the demuxer's.
        let template = pad
            .pad_template()
            .expect("it has one")
            .name_template()
            .to_owned();
        let (kind, _) = template.split_once('_').expect("a kind and a number");
        assert!(pad.name().starts_with(kind), "{} by {template}", pad.name());
    });
    let bus = pipeline.bus().expect("a bus");
    let chooser = demuxer.clone();
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::StreamCollection(message) = message.view() {
            let streams = message.stream_collection();
            let videos = streams
                .iter()
                .filter(|stream| stream.stream_type().contains(gst::StreamType::VIDEO));
            let ids: Vec<_> = videos.filter_map(|stream| stream.stream_id()).collect();
            assert!(ids.len() < streams.len());
            let ids = ids.iter().map(|id| id.as_str());
            assert!(chooser.send_event(gst::event::SelectStreams::new(ids)));
        }
        gst::BusSyncReply::Pass
    });
    pipeline.set_state(gst::State::Playing).expect("it starts");
    let selected = bus.timed_pop_filtered(
        gst::ClockTime::try_from(PATIENCE).ok(),
        &[gst::MessageType::StreamsSelected, gst::MessageType::Error],
    );
    let selected = selected.expect("an answer in time");
    pipeline.set_state(gst::State::Null).expect("it stops");
    let gst::MessageView::StreamsSelected(selected) = selected.view() else {
        panic!("{selected:?}");
    };
    let selected: Vec<_> = selected.streams().collect();
    assert!(!selected.is_empty());
    let is_video = |stream: &gst::Stream| stream.stream_type().contains(gst::StreamType::VIDEO);
    assert!(selected.iter().all(is_video), "{selected:?}");
}

fn with_bad_variant(
    player: Player,
    operator: &Operator,
    status: u16,
    times: usize,
) -> PlayerHarness {
    raise();
    operator.set_media_delay(Duration::from_millis(300));
    operator.set_media_status("/hls/variants/high.m3u8", status, times);
    let uri = operator.url("/hls/variants/master.m3u8");
    let harness = with_licenses(Setup::new(player, operator).uri(uri), operator).open();
    harness.on_new("hlsdrmdemux", |demuxer| {
        demuxer.set_property("connection-speed", SLOW);
    });
    harness.start();
    harness.wait_until("the first picture", |seen| seen.count(Kind::Picture) > 0);
    set_connection_speed(&harness, FAST);
    harness
}

in_both_players! {
    fn variant_that_cannot_be_had_twice_is_no_end(player: Player) {
        let operator = Operator::start();
        let harness = with_bad_variant(player, &operator, 503, 2);
        let ended = harness.end();
        assert_played(&harness, &ended, operator.kinds());
        let tried = operator.media_requests().into_iter();
        let tried = tried.filter(|request| request.path == "/hls/variants/high.m3u8");
        assert!(tried.count() > 0, "it was not tried");
    }

    fn variant_that_is_no_playlist_is_told_and_no_end(player: Player) {
        let operator = Operator::start();
        let harness = with_bad_variant(player, &operator, 200, usize::MAX);
        let warning = harness.warning();
        assert_eq!(warning.from, "hlsdrmdemux");
        let message = warning.error.message();
        assert!(message.contains("does not begin with #EXTM3U"), "{message}");
        // The newer demuxer of GStreamer 1.26 asks for it for ever.
        let (_, minor, ..) = gst::version();
        if player == Player::Playbin || minor < 24 {
            let ended = harness.end();
            assert!(ended.error.is_none(), "{ended:?}");
            harness.seen(|seen| assert_clear(Kind::Picture, &seen.decrypted(Kind::Picture)));
        }
    }

    fn variant_switch_to_another_key_is_seamless(player: Player) {
        assert_switches_to_a_variant_with_another_key(player);
    }
}
