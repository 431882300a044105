// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pipeline, and how its elements are configured.
//!
//! AAMP has a `playbin` with `appsrc://` for each track (`InterfacePlayerRDK::SetupStream`), which
//! plugs the same elements where the ranks of `sessiontoken` and the decryptor are raised. Written
//! out they can be seen.

use std::fmt;

use gst::prelude::*;

/// What an `appsrc` holds before the injector waits, as AAMP's `videoBufBytes` and `audioBufBytes`
/// do.
const MAX_BYTES: usize = 8 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Picture,
    Sound,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Picture => "picture",
            Kind::Sound => "sound",
        })
    }
}

/// Where pictures and sound go.
#[derive(Clone, Copy)]
pub struct Sinks {
    pub video: &'static str,
    pub audio: &'static str,
}

impl Sinks {
    pub const REAL: Self = Self {
        video: "autovideosink",
        audio: "autoaudiosink",
    };
    /// They keep the time as real ones do, and take what comes late all the same.
    pub const FAKE: Self = Self {
        video: "fakevideosink qos=false max-lateness=-1",
        audio: "fakeaudiosink",
    };
}

/// The configuration of our elements as a context. Its fields are names of properties: each element
/// takes what it knows, and converts the text to the property's type.
pub fn token_config(settings: &[(String, String)]) -> gst::Context {
    // Persistent: bins forget others on the way to READY.
    let mut context = gst::Context::new("session-token-config", true);
    let fields = context.make_mut().structure_mut();
    for (name, value) in settings {
        fields.set(name.as_str(), value.as_str());
    }
    context
}

/// A pipeline with a chain for each of these tracks.
pub fn build(kinds: &[Kind], sinks: Sinks) -> Result<gst::Pipeline, String> {
    let chains: Vec<_> = kinds.iter().map(|kind| chain(*kind, sinks)).collect();
    gst::parse::launch(&chains.join(" "))
        .map_err(|error| error.message().to_owned())?
        .downcast()
        .map_err(|_| "the description is of no pipeline".to_owned())
}

fn chain(kind: Kind, sinks: Sinks) -> String {
    let Sinks { video, audio } = sinks;
    let decode = match kind {
        Kind::Picture => {
            format!("h264parse ! avdec_h264 ! queue ! videoconvert ! {video} name=screen")
        }
        Kind::Sound => {
            format!("aacparse ! avdec_aac ! queue ! audioconvert ! audioresample ! {audio}")
        }
    };
    // Time is the format of AAMP's too (`InitializeSourceForPlayer`). With `block` it is the thread
    // that injects who waits.
    format!(
        "appsrc name={kind} format=time block=true max-bytes={MAX_BYTES} caps=video/quicktime \
         ! qtdemux ! sessiontoken name={kind}-token ! clearkeydec name={kind}-decryptor ! {decode}"
    )
}

/// The source of a track's chain.
pub fn source(pipeline: &gst::Pipeline, kind: Kind) -> Result<gst::Element, String> {
    pipeline
        .by_name(&kind.to_string())
        .ok_or_else(|| format!("the pipeline has no source for the {kind}"))
}

/// How many pictures the screen has shown, and how many came too late (as AAMP's
/// `GetVideoPlaybackQuality` asks).
pub fn pictures(pipeline: &gst::Pipeline) -> (u64, u64) {
    let screen = pipeline.by_name("screen");
    // Sinks that choose one by themselves are bins.
    let inside = screen
        .iter()
        .filter_map(|screen| screen.downcast_ref::<gst::Bin>());
    let inside = inside.flat_map(|bin| bin.iterate_recurse().into_iter().flatten());
    screen
        .clone()
        .into_iter()
        .chain(inside)
        .filter(|element| element.has_property_with_type("stats", gst::Structure::static_type()))
        .map(|sink| sink.property::<gst::Structure>("stats"))
        .map(|stats| {
            let count = |name| stats.get::<u64>(name).unwrap_or(0);
            (count("rendered"), count("dropped"))
        })
        .next()
        .unwrap_or_default()
}
