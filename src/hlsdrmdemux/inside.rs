// SPDX-License-Identifier: MIT OR Apache-2.0

//! What there is to know of the stock demuxer inside.

/// Its ways, which the server has to mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// It reads an init segment only at the beginning of a rendition and after a seek
    /// (`need_header` in `gstadaptivedemux.c`).
    pub reads_one_map: bool,
    /// It may end the whole process. It starts the renditions again where the first buffer behind a
    /// discontinuity comes, also one that waits for its playlist, and finds a call that it did not
    /// expect where that comes next (`g_assert (stream->pending_cb_id == 0)` in
    /// `gst_adaptive_demux2_stream_mark_prepared`, from 1.23.1 on; seen in 1.26.2 and 1.28.8).
    pub may_abort: bool,
    /// It reads the first playlist until it has that of the variant, which only an answer or its
    /// end wakes (`gst_adaptive_demux2_stream_wait_prepared`, from 1.23.1 on). Where it is ended
    /// so, it tells of what it has freed (`handle_incoming_manifest`).
    pub needs_playlist: bool,
}

impl Inside {
    /// The one of this name, in this version of GStreamer.
    pub fn of(factory: &str, version: (u32, u32, u32, u32)) -> Self {
        let (major, minor, ..) = version;
        let is_newest = factory == "hlsdemux2" && (major, minor) >= (1, 23);
        Self {
            reads_one_map: factory == "hlsdemux",
            may_abort: is_newest,
            needs_playlist: is_newest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_one_may_abort_since_it_waits_for_playlists() {
        for (version, expected) in [
            ((1, 22, 12, 0), false),
            ((1, 24, 0, 0), true),
            ((1, 26, 2, 0), true),
            ((1, 28, 8, 0), true),
            ((2, 0, 0, 0), true),
        ] {
            let newer = Inside::of("hlsdemux2", version);
            assert_eq!(newer.may_abort, expected, "{version:?}");
            assert_eq!(newer.needs_playlist, expected, "{version:?}");
            assert!(!newer.reads_one_map);
            let older = Inside::of("hlsdemux", version);
            assert!(older.reads_one_map, "{version:?}");
            assert!(!older.may_abort && !older.needs_playlist, "{version:?}");
        }
    }
}
