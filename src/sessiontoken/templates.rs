// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pads' templates.

/// For what the element is there: everything that a demuxer hands to a decryptor.
const CAPS: [&str; 3] = [
    "application/x-cenc",
    "application/x-cbcs",
    "application/x-webm-enc",
];

/// Those of sink and source pad, which are alike.
pub fn templates() -> Vec<gst::PadTemplate> {
    let caps = CAPS
        .iter()
        .map(|name| gst::Structure::new_empty(*name))
        .collect::<gst::Caps>();
    [
        ("sink", gst::PadDirection::Sink),
        ("src", gst::PadDirection::Src),
    ]
    .into_iter()
    .map(|(name, direction)| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
            .expect("a valid template")
    })
    .collect()
}
