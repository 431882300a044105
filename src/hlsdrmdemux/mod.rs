// SPDX-License-Identifier: MIT OR Apache-2.0

//! Stock HLS demuxing for playlists with DRM key tags.

use gst::glib;
use gst::prelude::*;

mod imp;
mod places;
mod playlist_server;
mod settings;
mod source;

glib::wrapper! {
    pub struct HlsDrmDemux(ObjectSubclass<imp::HlsDrmDemux>)
        @extends gst::Bin, gst::Element, gst::Object,
        @implements gst::ChildProxy;
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    // Nothing plugs it unasked: what is stock plays what is not protected.
    gst::Element::register(
        Some(plugin),
        "hlsdrmdemux",
        gst::Rank::NONE,
        HlsDrmDemux::static_type(),
    )
}
