// SPDX-License-Identifier: MIT OR Apache-2.0

//! The debug category of the element.

use once_cell::sync::Lazy;

pub static CAT: Lazy<gst::DebugCategory> = Lazy::new(|| {
    gst::DebugCategory::new(
        "ocdmdec",
        gst::DebugColorFlags::empty(),
        Some("Decryptor over OpenCDM"),
    )
});
