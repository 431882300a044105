// SPDX-License-Identifier: MIT OR Apache-2.0

//! A ClearKey decryptor that reads the key request metadata.

use gst::glib;
use gst::prelude::*;

mod bus_messages;
mod debug;
mod decryption;
mod holding;
mod imp;
mod settings;

pub(crate) use debug::CAT;

glib::wrapper! {
    pub struct ClearKeyDec(ObjectSubclass<imp::ClearKeyDec>)
        @extends gst::Element, gst::Object;
}

pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(
        Some(plugin),
        "clearkeydec",
        gst::Rank::MARGINAL,
        ClearKeyDec::static_type(),
    )
}
