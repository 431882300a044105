// SPDX-License-Identifier: MIT OR Apache-2.0

//! How the elements are configured, the session is warmed, and a pipeline is made.

use gst::prelude::*;

/// The configuration for elements that the player does not make itself, as a context. Its fields
/// are names of properties. Each element takes what it knows, and converts the text to the
/// property's type.
pub fn token_config(settings: &[(String, String)]) -> gst::Context {
    // Persistent: bins forget others on the way to READY.
    let mut context = gst::Context::new("session-token-config", true);
    let fields = context.make_mut().structure_mut();
    for (name, value) in settings {
        fields.set(name.as_str(), value.as_str());
    }
    context
}

/// A `sessiontoken` in no pipeline, for as long as the player lives. All elements of a process with
/// the same configuration share a session, so it warms it for those that come: the request for the
/// token runs beside that for the manifest, and the token stays fresh between channels.
///
/// That is for playbin3, which makes its elements when the stream is there already. One that is in
/// its pipeline from the start asks by itself on the way to PAUSED (`prefetch`).
pub struct WarmUp(gst::Element);

impl WarmUp {
    /// Returns at once; the request is under way then.
    pub fn start(config: &gst::Context) -> Result<Self, String> {
        let element = make("sessiontoken")?;
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        element.set_context(config);
        let warm_up = Self(element);
        // It fails for a setting that cannot work, which would fail every channel.
        warm_up.0.set_state(gst::State::Paused).map_err(|_| {
            let complaint = bus.pop_filtered(&[gst::MessageType::Error]);
            match complaint.as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => error.error().message().to_owned(),
                _ => "`sessiontoken` does not start".to_owned(),
            }
        })?;
        Ok(warm_up)
    }
}

impl Drop for WarmUp {
    fn drop(&mut self) {
        // Going down never fails.
        let _ = self.0.set_state(gst::State::Null);
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
    /// They keep the time as real ones do.
    pub const FAKE: Self = Self {
        video: "fakevideosink",
        audio: "fakeaudiosink",
    };
}

/// The stock player. It plugs `sessiontoken` and the decryptor wherever a stream is protected.
pub fn playbin3(sinks: Sinks) -> Result<gst::Pipeline, String> {
    let playbin = make("playbin3")?;
    playbin.set_property("video-sink", make(sinks.video)?);
    playbin.set_property("audio-sink", make(sinks.audio)?);
    playbin
        .downcast()
        .map_err(|_| "playbin3 is no pipeline".to_owned())
}

/// The same for one URI, with every element by name: DASH with a picture in H.264 and sound in AAC.
pub fn written_out(uri: &str, sinks: Sinks) -> Result<gst::Pipeline, String> {
    // The queue before the demuxer is the buffer against a network that stalls.
    let buffer = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=30000000000";
    let Sinks { video, audio } = sinks;
    let pipeline = gst::parse::launch(&format!(
        "souphttpsrc name=source ! dashdemux name=dash \
         dash.video_00 ! {buffer} ! qtdemux ! sessiontoken ! clearkeydec ! h264parse ! avdec_h264 \
           ! queue ! videoconvert ! {video} \
         dash.audio_00 ! {buffer} ! qtdemux ! sessiontoken ! clearkeydec ! aacparse ! avdec_aac \
           ! queue ! audioconvert ! audioresample ! {audio}"
    ))
    .map_err(|error| error.to_string())?;
    let pipeline: gst::Pipeline = pipeline
        .downcast()
        .map_err(|_| "the description is of no pipeline".to_owned())?;
    // Not in the description, where it would have to be quoted.
    let source = pipeline.by_name("source").ok_or("there is no source")?;
    source.set_property("location", uri);
    Ok(pipeline)
}

fn make(factory: &str) -> Result<gst::Element, String> {
    gst::ElementFactory::make(factory)
        .build()
        .map_err(|_| format!("GStreamer has no `{factory}`: install the plugin that it is in"))
}
