// SPDX-License-Identifier: MIT OR Apache-2.0

//! What stands between the pads, and what is pushed through it.

use std::sync::OnceLock;

use headend::Headend;
use support::cc;
use support::pad_harness::PadHarness;
use support::rig;

/// Buffers in a list: what qtdemux makes of a short fragment of sound.
pub const LIST: usize = 10;

/// What stands between the pads.
#[derive(Clone, Copy, PartialEq)]
pub enum Contestant {
    Nothing,
    /// The least that an element in C can do.
    Passthrough,
    Identity,
    SessionToken,
}

pub const CONTESTANTS: [(Contestant, &str); 4] = [
    (Contestant::Nothing, "no element"),
    (
        Contestant::Passthrough,
        "an element in C that hands everything on",
    ),
    (Contestant::Identity, "`identity silent=true`"),
    (Contestant::SessionToken, "`sessiontoken`, token at hand"),
];

/// What is pushed.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Buffer,
    List,
    /// One that means nothing to any element.
    Event,
    /// A new protection event and a buffer, as a fragment with other keys brings them.
    Protection,
}

pub const KINDS: [(Kind, &str); 4] = [
    (Kind::Buffer, "a buffer"),
    (Kind::List, "a list of ten buffers"),
    (Kind::Event, "another event"),
    (Kind::Protection, "a protection event and a buffer"),
];

/// A stream through that contestant.
pub fn harness(contestant: Contestant, headend: &Headend) -> PadHarness {
    rig::init();
    match contestant {
        Contestant::Nothing => PadHarness::around(None),
        Contestant::Passthrough => {
            load_passthrough();
            PadHarness::around(Some(rig::make("passthrough").build().expect("it is there")))
        }
        Contestant::Identity => {
            let identity = rig::make("identity").property("silent", true);
            PadHarness::around(Some(identity.build().expect("GStreamer has it")))
        }
        Contestant::SessionToken => {
            let element = rig::sessiontoken(headend).build().expect("it is there");
            let harness = PadHarness::around(Some(element));
            // The token is fetched now, and the stream let go.
            harness.push_event(rig::protections()[0].clone());
            harness.wait_until_direct();
            harness
        }
    }
}

/// Pushes so many of that kind.
pub fn pusher(harness: &PadHarness, kind: Kind) -> impl Fn(usize) + '_ {
    let buffer = rig::buffer(1000);
    let list: gst::BufferList = std::iter::repeat_n(buffer.clone(), LIST).collect();
    let event = rig::custom("nothing");
    let protection = rig::protections()[0].clone();
    move |count| {
        for _ in 0..count {
            match kind {
                Kind::Buffer => harness.push_buffer(buffer.clone()),
                Kind::List => harness.push_list(list.clone()),
                Kind::Event => harness.push_event(event.clone()),
                Kind::Protection => {
                    // Pads hand on a sticky event that they have once only.
                    harness.push_event(protection.copy());
                    harness.push_buffer(buffer.clone());
                }
            }
        }
    }
}

fn load_passthrough() {
    static LOADED: OnceLock<gst::Plugin> = OnceLock::new();
    LOADED.get_or_init(|| {
        let library = cc::library("benches/passing/passthrough.c", &["gstreamer-1.0"]);
        let plugin = gst::Plugin::load_file(library).expect("it loads");
        let registry = gst::Registry::get();
        registry.add_plugin(&plugin).expect("it is registered");
        plugin
    });
}
