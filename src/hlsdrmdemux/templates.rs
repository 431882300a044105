// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pads' templates.

/// The playlist comes in, streams go out.
pub fn templates() -> Vec<gst::PadTemplate> {
    let sink = gst::Caps::new_empty_simple("application/x-hls");
    let any = gst::Caps::new_any();
    let (always, sometimes) = (gst::PadPresence::Always, gst::PadPresence::Sometimes);
    [
        gst::PadTemplate::new("sink", gst::PadDirection::Sink, always, &sink),
        gst::PadTemplate::new("src_%u", gst::PadDirection::Src, sometimes, &any),
    ]
    .map(|template| template.expect("a valid template"))
    .into()
}
