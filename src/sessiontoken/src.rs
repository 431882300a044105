// SPDX-License-Identifier: MIT OR Apache-2.0

//! `sessiontokensrc`: the same element under the name that users also know it by.

use gst::glib;
use gst::subclass::prelude::*;

#[derive(Default)]
pub struct SessionTokenSrc;

#[glib::object_subclass]
impl ObjectSubclass for SessionTokenSrc {
    const NAME: &'static str = "GstSessionTokenSrc";
    type Type = super::SessionTokenSrc;
    type ParentType = super::SessionToken;
}

impl ObjectImpl for SessionTokenSrc {}
impl GstObjectImpl for SessionTokenSrc {}
impl ElementImpl for SessionTokenSrc {}
impl super::imp::SessionTokenImpl for SessionTokenSrc {}
