// SPDX-License-Identifier: MIT OR Apache-2.0

//! What tells a blocked streaming thread that nobody waits for it any more, when nobody can tell the element.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gst::glib;
use gst::prelude::*;

use crate::surroundings::{ancestors, is_adaptive_demuxer, target_state};

/// Looks at the bins around an element.
///
/// * One that is to go below PAUSED: an adaptive demuxer then waits for its scheduler, which may
///   be the very thread that is blocked, before it tells its children (`gst_adaptive_demux_stop_tasks`).
/// * A flushing seek on its way into an adaptive demuxer: that waits for the same thread before it
///   sends the first FLUSH_START (`gst_adaptive_demux_handle_seek_event` takes the scheduler's lock first). Probes on the demuxer's
///   source pads see the seek arrive.
pub struct Watch {
    element: glib::WeakRef<gst::Element>,
    seeking: Arc<AtomicBool>,
    probes: Vec<(glib::WeakRef<gst::Pad>, gst::PadProbeId)>,
}

impl Watch {
    pub fn new(element: &gst::Element) -> Self {
        Self {
            element: element.downgrade(),
            seeking: Arc::default(),
            probes: Vec::new(),
        }
    }

    /// Whether waiting has lost its point.
    pub fn look(&mut self) -> bool {
        let Some(element) = self.element.upgrade() else {
            return true;
        };
        for ancestor in ancestors(&element) {
            if target_state(&ancestor) < gst::State::Paused {
                return true;
            }
            if is_adaptive_demuxer(&ancestor) {
                for pad in ancestor.src_pads() {
                    self.probe(&pad);
                }
            }
        }
        self.seeking.load(Ordering::Acquire)
    }

    /// The flush of the seek has come, or there is nothing left to wait for.
    pub fn seek_is_done(&self) {
        self.seeking.store(false, Ordering::Release);
    }

    fn probe(&mut self, pad: &gst::Pad) {
        if self
            .probes
            .iter()
            .any(|(known, _)| known.upgrade().as_ref() == Some(pad))
        {
            return;
        }
        self.probes.retain(|(known, _)| known.upgrade().is_some());
        let seeking = self.seeking.clone();
        let id = pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            if let Some(event) = info.event()
                && let gst::EventView::Seek(seek) = event.view()
            {
                let (_, flags, _, start, _, _) = seek.get();
                if flags.contains(gst::SeekFlags::FLUSH) && start.format() == gst::Format::Time {
                    seeking.store(true, Ordering::Release);
                }
            }
            gst::PadProbeReturn::Ok
        });
        if let Some(id) = id {
            self.probes.push((pad.downgrade(), id));
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for (pad, id) in self.probes.drain(..) {
            if let Some(pad) = pad.upgrade() {
                pad.remove_probe(id);
            }
        }
    }
}
