// SPDX-License-Identifier: MIT OR Apache-2.0

//! From PLAYING to the first decrypted buffer, with a token that takes its time and without any.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use gst::prelude::*;
use headend::{Auth, Headend, Licenses};
use support::folders::media;
use support::player::init;
use support::table::{Figures, head, row};

/// What the auth service takes.
const AUTHS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
];

/// What each file takes to arrive: manifest, init segment and first segment come one after the
/// other.
const FILE: Duration = Duration::from_millis(70);

const RUNS: usize = 9;

/// Far longer than any run takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// No `sessiontoken`, and a license server that wants no token.
    WithoutToken,
    /// As it comes: in a written-out pipeline the element asks when going to PAUSED.
    Plain,
    /// AAMP's order of work: the token is asked for when the stream brings its init data, and the
    /// license when the token is here. Segments come meanwhile.
    InOrder,
    /// `hlsdrmdemux` asks when going to PAUSED, where by itself it waits for a key.
    AtOnce,
    /// The application takes an element of its own to PAUSED when it opens the URI.
    Warmed,
    /// The viewer has been on another channel before.
    Second,
    /// The viewer comes back to the channel: its license has been kept.
    ZapBack,
    /// The same content in the clear, for comparison.
    Clear,
}

impl Way {
    /// Whether the first tune is only what comes before the one that counts.
    fn is_second(self) -> bool {
        matches!(self, Way::Second | Way::ZapBack)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Player {
    WrittenOut,
    Playbin3,
    /// The same on HLS, with `hlsdrmdemux`, which begins to fetch the token itself. With
    /// `prefetch=false` it does not.
    Playbin3Hls,
    /// The same where the multivariant playlist names the keys (EXT-X-SESSION-KEY).
    Playbin3SessionKeys,
}

impl Player {
    fn is_hls(self) -> bool {
        matches!(self, Player::Playbin3Hls | Player::Playbin3SessionKeys)
    }
}

struct Contestant {
    name: &'static str,
    player: Player,
    way: Way,
}

const fn contestant(name: &'static str, player: Player, way: Way) -> Contestant {
    Contestant { name, player, way }
}

const CONTESTANTS: [Contestant; 13] = [
    contestant("written out, clear stream", Player::WrittenOut, Way::Clear),
    contestant(
        "written out, no token",
        Player::WrittenOut,
        Way::WithoutToken,
    ),
    contestant("written out, token", Player::WrittenOut, Way::Plain),
    contestant(
        "written out, `prefetch=false` (AAMP's order)",
        Player::WrittenOut,
        Way::InOrder,
    ),
    contestant("written out, second tune", Player::WrittenOut, Way::Second),
    contestant("written out, zap back", Player::WrittenOut, Way::ZapBack),
    contestant("playbin3, clear stream", Player::Playbin3, Way::Clear),
    contestant("playbin3, no token", Player::Playbin3, Way::WithoutToken),
    contestant("playbin3, token, warmed", Player::Playbin3, Way::Warmed),
    contestant("playbin3, token, cold", Player::Playbin3, Way::Plain),
    contestant(
        "playbin3, `prefetch=false` (AAMP's order)",
        Player::Playbin3,
        Way::InOrder,
    ),
    contestant("playbin3, second tune", Player::Playbin3, Way::Second),
    contestant("playbin3, zap back", Player::Playbin3, Way::ZapBack),
];

const HLS_CONTESTANTS: [Contestant; 6] = [
    contestant("no token", Player::Playbin3Hls, Way::WithoutToken),
    contestant("token, cold", Player::Playbin3Hls, Way::Plain),
    contestant(
        "token, cold, `prefetch=true`",
        Player::Playbin3Hls,
        Way::AtOnce,
    ),
    contestant(
        "token, cold, EXT-X-SESSION-KEY",
        Player::Playbin3SessionKeys,
        Way::Plain,
    ),
    contestant(
        "`prefetch=false` (AAMP's order)",
        Player::Playbin3Hls,
        Way::InOrder,
    ),
    contestant("second tune", Player::Playbin3Hls, Way::Second),
];

/// DASH.
pub fn measure() {
    measure_all("player", &CONTESTANTS);
}

/// HLS, with what `hlsdrmdemux` asks for itself.
pub fn measure_hls() {
    measure_all("playbin3, HLS", &HLS_CONTESTANTS);
}

fn measure_all(name: &str, contestants: &[Contestant]) {
    init();
    let title = format!(
        "From PLAYING to the first decrypted buffer, each file {} ms, ms: median of {RUNS} (least–most)",
        FILE.as_millis()
    );
    let auths = AUTHS.map(|auth| format!("auth service {} ms", auth.as_millis()));
    let cells: Vec<_> = std::iter::once(name)
        .chain(auths.iter().map(String::as_str))
        .collect();
    let mut figures: Vec<[Figures; AUTHS.len()]> = Vec::new();
    figures.resize_with(contestants.len(), Default::default);
    for (column, auth) in AUTHS.into_iter().enumerate() {
        // In turns, so that what else the machine does strikes all alike.
        for run in 0..=RUNS {
            for (contestant, figures) in contestants.iter().zip(&mut figures) {
                let time = contestant.run(auth);
                // The first one loads plugins.
                if run > 0 {
                    figures[column].add_time(time);
                }
            }
        }
    }
    head(&title, &cells);
    for (contestant, figures) in contestants.iter().zip(&figures) {
        let spreads = figures.each_ref().map(Figures::spread);
        let cells: Vec<_> = std::iter::once(contestant.name)
            .chain(spreads.iter().map(String::as_str))
            .collect();
        row(&cells);
    }
}

impl Contestant {
    fn run(&self, auth: Duration) -> Duration {
        let headend = Headend::start().expect("a head-end");
        headend.set_media_delay(FILE);
        headend.set_auth(Auth::GrantAfter(auth));
        let is_plugged = !matches!(self.way, Way::WithoutToken | Way::Clear);
        if !is_plugged {
            headend.set_licenses(Licenses::ServeAnonymous);
        }
        gst::ElementFactory::find("sessiontoken")
            .expect("the plugin has it")
            .set_rank(match is_plugged {
                true => gst::Rank::PRIMARY,
                false => gst::Rank::NONE,
            });
        gst::ElementFactory::find("hlsdrmdemux")
            .expect("the plugin has it")
            .set_rank(match self.player.is_hls() {
                true => gst::Rank::PRIMARY + 100,
                false => gst::Rank::NONE,
            });
        let mut config = gst::Context::new("session-token-config", true);
        let fields = config.make_mut().structure_mut();
        fields.set("location", new_session(&headend));
        fields.set("keep-licenses", self.way == Way::ZapBack);
        match self.way {
            Way::AtOnce => fields.set("prefetch", true),
            Way::InOrder => fields.set("prefetch", false),
            _ => {}
        }
        let mut most_licenses = 1;
        if self.player.is_hls() {
            // The playlists name a key each, and no license server. Picture and sound share a
            // request where the first one names both keys.
            most_licenses = 2;
            fields.set("license-url", headend.license_url());
        }
        let mut time = self.tune(&headend, &config);
        if self.way.is_second() {
            time = self.tune(&headend, &config);
        }
        let tunes = match self.way {
            Way::Clear => 0,
            Way::Second => 2,
            _ => 1,
        };
        let requests = headend.token_requests().len();
        assert_eq!(requests, usize::from(is_plugged), "{}", self.name);
        let asked = headend.license_requests().len();
        let expected = tunes..=tunes * most_licenses;
        assert!(expected.contains(&asked), "{}: {asked}", self.name);
        time
    }

    fn tune(&self, headend: &Headend, config: &gst::Context) -> Duration {
        let (arrived, arrival) = mpsc::channel();
        let pipeline = self.pipeline(headend, arrived);
        pipeline.set_context(config);

        let start = Instant::now();
        let warming = (self.way == Way::Warmed).then(|| {
            let element = gst::ElementFactory::make("sessiontoken")
                .build()
                .expect("the plugin has it");
            element.set_context(config);
            element.set_state(gst::State::Paused).expect("it warms");
            element
        });
        pipeline.set_state(gst::State::Playing).expect("it plays");
        let time = first(&pipeline, &arrival).duration_since(start);
        // All has come when it ends; a stop in mid-download may crash GStreamer 1.22.
        wait_for_end(&pipeline);
        pipeline.set_state(gst::State::Null).expect("it stops");
        if let Some(element) = warming {
            element.set_state(gst::State::Null).expect("it stops");
        }
        time
    }

    fn pipeline(&self, headend: &Headend, arrived: Sender<Instant>) -> gst::Pipeline {
        let uri = match self.player {
            Player::Playbin3Hls => headend.url("/hls/cenc/master.m3u8"),
            Player::Playbin3SessionKeys => {
                headend.set_file(SESSION_KEYS, with_session_keys());
                headend.url(SESSION_KEYS)
            }
            Player::WrittenOut | Player::Playbin3 => match self.way {
                Way::Clear => headend.clear_manifest_url(),
                _ => headend.manifest_url(),
            },
        };
        match self.player {
            Player::WrittenOut => {
                let decryption = match self.way {
                    Way::Clear => "identity",
                    Way::WithoutToken => "clearkeydec",
                    _ => "sessiontoken ! clearkeydec",
                };
                let pipeline = gst::parse::launch(&format!(
                    "souphttpsrc location={uri} ! dashdemux name=d \
                     d.video_00 ! qtdemux ! {decryption} name=picture ! fakesink \
                     d.audio_00 ! qtdemux ! {decryption} name=sound ! fakesink"
                ))
                .expect("the line parses");
                let pipeline: gst::Pipeline = pipeline.downcast().expect("a pipeline");
                for name in ["picture", "sound"] {
                    let decryptor = pipeline.by_name(name).expect("the line names it");
                    watch(&decryptor, arrived.clone());
                }
                pipeline
            }
            Player::Playbin3 | Player::Playbin3Hls | Player::Playbin3SessionKeys => {
                let sink = || {
                    gst::ElementFactory::make("fakesink")
                        .build()
                        .expect("GStreamer has it")
                };
                let playbin = gst::ElementFactory::make("playbin3")
                    .property("uri", uri)
                    .property("video-sink", sink())
                    .property("audio-sink", sink())
                    .build()
                    .expect("GStreamer has it");
                let pipeline: gst::Pipeline = playbin.downcast().expect("a pipeline");
                let arrived = std::sync::Mutex::new(arrived);
                // In the clear the parsers are where the decryptors would be.
                let watched: &[&str] = match self.way {
                    Way::Clear => &["h264parse", "aacparse"],
                    _ => &["clearkeydec"],
                };
                pipeline.connect_deep_element_added(move |_, _, element| {
                    if element
                        .factory()
                        .is_some_and(|one| watched.contains(&one.name().as_str()))
                    {
                        watch(element, arrived.lock().expect("no panic").clone());
                    }
                });
                pipeline
            }
        }
    }
}

/// Where the multivariant playlist is that names the keys.
const SESSION_KEYS: &str = "/hls/cenc/session-keys.m3u8";

/// The multivariant playlist, with the key tags of its media playlists.
fn with_session_keys() -> String {
    let read = |name| {
        let path = media().join("dash/cenc").join(name);
        fs::read_to_string(path).expect("the test media")
    };
    let mut playlist = read("master.m3u8");
    for name in ["video.m3u8", "audio.m3u8"] {
        for line in read(name).lines() {
            if let Some(attributes) = line.strip_prefix("#EXT-X-KEY:") {
                playlist += &format!("#EXT-X-SESSION-KEY:{attributes}\n");
            }
        }
    }
    playlist
}

/// Where no token has been asked for yet. The system may choose a port again that another head-end
/// had.
fn new_session(headend: &Headend) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{}?session={number}", headend.auth_url())
}

/// Says when data leaves the decryptor.
fn watch(decryptor: &gst::Element, arrived: Sender<Instant>) {
    let data = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    let arrived = std::sync::Mutex::new(arrived);
    let source = decryptor.static_pad("src").expect("a source pad");
    source.add_probe(data, move |_, _| {
        // Nobody listens after the first one.
        let _ = arrived.lock().expect("no panic").send(Instant::now());
        gst::PadProbeReturn::Remove
    });
}

fn first(pipeline: &gst::Pipeline, arrival: &Receiver<Instant>) -> Instant {
    arrival.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        let error = pipeline
            .bus()
            .and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
        panic!("nothing was decrypted: {error:?}")
    })
}

fn wait_for_end(pipeline: &gst::Pipeline) {
    let message = pipeline.bus().expect("a bus").timed_pop_filtered(
        gst::ClockTime::try_from(PATIENCE).expect("seconds"),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    let message = message.expect("its end");
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
}
