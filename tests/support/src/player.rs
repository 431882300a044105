// SPDX-License-Identifier: MIT OR Apache-2.0

//! The players, and how each is made.

use std::sync::OnceLock;

use gst::prelude::*;

use crate::fixtures::{Link, PICTURE, Programme, SOUND};
use crate::{libsoup, warnings};

/// A way to play a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Player {
    /// decodebin, parsebin and the adaptive demuxers of before 1.22.
    Playbin,
    /// decodebin3, and dashdemux2 with a parsebin inside.
    Playbin3,
    /// Every element by name, with the older dashdemux.
    WrittenOut,
}

/// Makes a test in each player of one that takes the player.
#[macro_export]
macro_rules! in_every_player {
    ($($tests:tt)*) => {
        $crate::in_players! { [in_playbin Playbin, in_playbin3 Playbin3, in_a_written_out_pipeline WrittenOut] $($tests)* }
    };
}

/// Makes a test in playbin and playbin3 of one that takes the player.
#[macro_export]
macro_rules! in_both_players {
    ($($tests:tt)*) => {
        $crate::in_players! { [in_playbin Playbin, in_playbin3 Playbin3] $($tests)* }
    };
}

/// Makes a test in each of these players.
#[doc(hidden)]
#[macro_export]
macro_rules! in_players {
    (@each [$($test:ident $player:ident),*]) => {$(
        #[test]
        fn $test() {
            check($crate::player::Player::$player);
        }
    )*};
    ($players:tt) => {};
    ($players:tt $(#[$attribute:meta])* fn $name:ident($player:ident: $type:ty) $body:block $($tests:tt)*) => {
        $(#[$attribute])*
        mod $name {
            use super::*;

            fn check($player: $type) $body

            $crate::in_players! { @each $players }
        }

        $crate::in_players! { $players $($tests)* }
    };
}

/// How the sinks take what comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it comes.
    AtOnce,
    /// Each picture at its time, as on a screen.
    InTime,
}

impl Pace {
    fn set_on(self, sink: &gst::Element) {
        sink.set_property("sync", self == Pace::InTime);
        sink.set_property("signal-handoffs", true);
    }
}

impl Player {
    /// How many of so many streams come to their end while an element holds them. dashdemux2 brings
    /// all of them on one thread, which waits with the first one's end.
    pub fn ends_held(self, streams: usize) -> usize {
        match self {
            Player::Playbin | Player::WrittenOut => streams,
            Player::Playbin3 => 1,
        }
    }

    /// A pipeline that plays the programme from this URI into fakesinks, named `picture` and
    /// `sound`.
    pub fn pipeline(self, programme: Programme, uri: &str, pace: Pace) -> gst::Pipeline {
        init();
        let sink = |name: &str| {
            let sink = gst::ElementFactory::make("fakesink")
                .name(name)
                .build()
                .expect("fakesink is there");
            pace.set_on(&sink);
            sink
        };
        let element = match self {
            Player::Playbin | Player::Playbin3 => gst::ElementFactory::make(self.element())
                .property("uri", uri)
                .property("video-sink", sink("picture"))
                .property("audio-sink", sink("sound"))
                .build()
                .expect("the player is there"),
            Player::WrittenOut => {
                let (line, links) = programme.written_out(uri);
                let pipeline = gst::parse::launch(&line).expect("the line parses");
                let bin = pipeline.downcast_ref::<gst::Bin>().expect("a pipeline");
                for name in ["picture", "sound"] {
                    if let Some(sink) = bin.by_name(name) {
                        pace.set_on(&sink);
                    }
                }
                // A line with all links would make each of them once. In a second tune there are
                // new pads.
                for link in links {
                    link_later(bin, link);
                }
                pipeline
            }
        };
        element.downcast().expect("a pipeline")
    }

    /// What `gst-launch-1.0` is given to play the URI. `decryption` is what a written-out line has
    /// before the parsers.
    pub fn launch_line(self, uri: &str, decryption: &str) -> String {
        match self {
            Player::Playbin | Player::Playbin3 => format!(
                "{} uri={uri} video-sink=fakesink audio-sink=fakesink",
                self.element()
            ),
            Player::WrittenOut => format!(
                "souphttpsrc location={uri} ! dashdemux name=d \
                 d.video_00 ! qtdemux ! {decryption} {PICTURE} ! fakesink \
                 d.audio_00 ! qtdemux ! {decryption} {SOUND} ! fakesink"
            ),
        }
    }

    fn element(self) -> &'static str {
        match self {
            Player::Playbin => "playbin",
            Player::Playbin3 => "playbin3",
            Player::WrittenOut => "pipeline",
        }
    }
}

fn link_later(bin: &gst::Bin, link: Link) {
    let from = bin.by_name(&link.from).expect("the line names it");
    let to = bin
        .by_name(&link.to)
        .expect("the line names it")
        .downgrade();
    from.connect_pad_added(move |_, pad| {
        if pad.name().starts_with(&link.pads) {
            let sink = to
                .upgrade()
                .and_then(|to| to.static_pad("sink"))
                .expect("the pipeline lives");
            pad.link(&sink).expect("they fit");
        }
    });
}

static DECRYPTOR: OnceLock<&str> = OnceLock::new();

/// Has players take this decryptor, in the whole process. To be called before anything else.
pub fn use_decryptor(factory: &'static str) {
    assert_eq!(*DECRYPTOR.get_or_init(|| factory), factory);
}

/// The decryptor that players take.
pub fn decryptor() -> &'static str {
    DECRYPTOR.get_or_init(|| "clearkeydec")
}

/// GStreamer with our plugin, and the element raised so that players plug it.
pub fn init() {
    static INIT: OnceLock<()> = OnceLock::new();
    INIT.get_or_init(|| {
        warnings::take_over();
        libsoup::survive_closing();
        gst::init().expect("GStreamer starts");
        gstsessiontoken::plugin_register_static().expect("the plugin registers");
        gst::ElementFactory::find("sessiontoken")
            .expect("the plugin has it")
            .set_rank(gst::Rank::PRIMARY);
        for (factory, rank) in [
            ("clearkeydec", gst::Rank::NONE),
            (decryptor(), gst::Rank::MARGINAL),
        ] {
            let factory = gst::ElementFactory::find(factory).expect("the plugin has it");
            factory.set_rank(rank);
        }
    });
}
