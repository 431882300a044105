// SPDX-License-Identifier: MIT OR Apache-2.0

//! What GStreamer's registry knows of the element: its pads' templates, and what it is.

/// The source pads of `hlsdemux`, and those of `hlsdemux2`.
const STREAMS: [&str; 4] = ["src_%u", "video_%02u", "audio_%02u", "subtitle_%02u"];

/// The playlist comes in, streams go out.
pub fn templates() -> Vec<gst::PadTemplate> {
    let sink = gst::Caps::new_empty_simple("application/x-hls");
    let any = gst::Caps::new_any();
    let (always, sometimes) = (gst::PadPresence::Always, gst::PadPresence::Sometimes);
    let sink = gst::PadTemplate::new("sink", gst::PadDirection::Sink, always, &sink);
    let streams =
        STREAMS.map(|name| gst::PadTemplate::new(name, gst::PadDirection::Src, sometimes, &any));
    std::iter::once(sink)
        .chain(streams)
        .map(|template| template.expect("a valid template"))
        .collect()
}

pub fn metadata() -> gst::subclass::ElementMetadata {
    gst::subclass::ElementMetadata::new(
        "HLS demuxer for DRM",
        "Codec/Demuxer/Adaptive",
        "Plays HLS with protected and clear parts, and keys that want a session token, by the stock demuxer",
        "The gst-plugin-sessiontoken developers",
    )
}
