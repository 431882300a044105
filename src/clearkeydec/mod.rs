// SPDX-License-Identifier: MIT OR Apache-2.0

//! A ClearKey decryptor that reads the key request metadata.

use gst::glib;
use gst::prelude::*;

mod bus_messages;
mod caps;
mod clear_samples;
mod debug;
mod decryption;
mod holding;
mod imp;
mod key_request;
mod key_request_fields;
mod obstacle;
mod presentation;
mod protection_meta;
mod settings;
mod token_store;

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
