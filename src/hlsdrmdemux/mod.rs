// SPDX-License-Identifier: MIT OR Apache-2.0

//! Stock HLS demuxing for playlists with DRM key tags.

use gst::glib;
use gst::prelude::*;

mod box_table;
mod connections;
mod debug;
mod demuxer;
mod directives;
mod first_playlist;
mod host;
mod imp;
mod init_segments;
mod inside;
mod kept_playlists;
mod key_fetcher;
mod key_response;
mod keys;
mod paths;
mod playlist_rewrite;
mod playlists;
mod presentation;
mod recent_digests;
mod retries;
mod segments;
mod server;
mod settings;
mod source;
mod starting;
mod templates;
mod token;
mod troubles;
mod turns;
mod url_map;

pub(crate) use debug::CAT;

glib::wrapper! {
    pub struct HlsDrmDemux(ObjectSubclass<imp::HlsDrmDemux>)
        @extends gst::Bin, gst::Element, gst::Object,
        @implements gst::ChildProxy;
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    #[cfg(feature = "doc")]
    for type_ in [
        settings::Demuxer::static_type(),
        settings::KeyRequestToken::static_type(),
    ] {
        type_.mark_as_plugin_api(gst::PluginAPIFlags::empty());
    }
    // Nothing plugs it unasked: what is stock plays what is not protected.
    gst::Element::register(
        Some(plugin),
        "hlsdrmdemux",
        gst::Rank::NONE,
        HlsDrmDemux::static_type(),
    )
}
