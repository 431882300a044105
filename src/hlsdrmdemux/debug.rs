// SPDX-License-Identifier: MIT OR Apache-2.0

//! The debug category of the element.

use once_cell::sync::Lazy;

pub static CAT: Lazy<gst::DebugCategory> = Lazy::new(|| {
    gst::DebugCategory::new(
        "hlsdrmdemux",
        gst::DebugColorFlags::empty(),
        Some("HLS with DRM key tags"),
    )
});
