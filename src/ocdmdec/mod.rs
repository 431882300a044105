// SPDX-License-Identifier: MIT OR Apache-2.0

//! A decryptor over OpenCDM that reads the key request metadata.

use gst::glib;
use gst::prelude::*;

mod bus_messages;
mod debug;
mod decrypt_thread;
mod decrypting;
mod finished;
mod holding;
mod imp;
mod sample_check;
mod sample_copy;
mod second_try;
mod settings;
mod stream_keys;
mod tune;

pub(crate) use debug::CAT;

glib::wrapper! {
    pub struct OcdmDec(ObjectSubclass<imp::OcdmDec>)
        @extends gst::Element, gst::Object;
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    #[cfg(feature = "doc")]
    settings::Format::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(
        Some(plugin),
        "ocdmdec",
        gst::Rank::NONE,
        OcdmDec::static_type(),
    )
}
