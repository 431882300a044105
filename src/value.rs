// SPDX-License-Identifier: MIT OR Apache-2.0

//! Texts of structures, which other elements may fill with what is no UTF-8.

use std::ffi::CStr;

use gst::glib;

/// The bytes of a text; `None` for what is none.
pub fn c_text(value: &glib::Value) -> Option<&CStr> {
    if !value.is::<Option<String>>() {
        return None;
    }
    // SAFETY: the value holds a string, which it keeps as long as it is borrowed.
    unsafe {
        let text = glib::gobject_ffi::g_value_get_string(value.as_ptr());
        (!text.is_null()).then(|| CStr::from_ptr(text))
    }
}
