// SPDX-License-Identifier: MIT OR Apache-2.0

//! What tells a streaming thread that waits that it is wanted elsewhere, when nobody can tell the
//! element.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;

use super::stream::Interruption;
use crate::hierarchy::{ancestors, is_adaptive_demuxer, target_state};
use crate::wait::lock;

/// How long a seek that was seen counts as under way. The demuxer waits for its scheduler from the
/// moment it has the seek, so a thread that blocks the scheduler looks around within 20 ms; a seek
/// that is older was refused or is done.
const SEEK_IS_FRESH: Duration = Duration::from_secs(1);

/// Looks at the bins around an element.
///
/// * One that is to go below PAUSED: an adaptive demuxer then waits for its scheduler, which may be
///   the very thread that is blocked, before it tells its children
///   (`gst_adaptive_demux_stop_tasks`).
/// * A flushing seek on its way into an adaptive demuxer: that waits for the same thread before it
///   sends the first FLUSH_START (`gst_adaptive_demux_handle_seek_event` takes the scheduler's lock
///   first). Probes on the demuxer's source pads see the seek arrive.
pub struct Watch {
    element: glib::WeakRef<gst::Element>,
    seek: Arc<Mutex<Seek>>,
    probes: Vec<(glib::WeakRef<gst::Pad>, gst::PadProbeId)>,
}

/// The last flushing seek.
#[derive(Default)]
struct Seek {
    /// A pipeline sends one seek through every sink, and the demuxer drops the repetitions.
    seqnum: Option<gst::Seqnum>,
    under_way_since: Option<Instant>,
}

impl Watch {
    pub fn new(element: &gst::Element) -> Self {
        Self {
            element: element.downgrade(),
            seek: Arc::default(),
            probes: Vec::new(),
        }
    }

    /// Begins to watch for seeks, also on pads that have come since.
    pub fn watch_for_seeks(&mut self) {
        let Some(element) = self.element.upgrade() else {
            return;
        };
        for demuxer in ancestors(&element).filter(is_adaptive_demuxer) {
            for pad in demuxer.src_pads() {
                self.probe(&pad);
            }
        }
    }

    /// Who wants the streaming thread. A seek does until its flush comes: a demuxer may push more
    /// before it returns to its scheduler.
    pub fn interruption(&mut self) -> Option<Interruption> {
        self.watch_for_seeks();
        let is_stopping = self.element.upgrade().is_none_or(|element| {
            ancestors(&element).any(|ancestor| target_state(&ancestor) < gst::State::Paused)
        });
        if is_stopping {
            return Some(Interruption::Stop);
        }
        let since = lock(&self.seek).under_way_since?;
        (since.elapsed() < SEEK_IS_FRESH).then_some(Interruption::Seek)
    }

    /// The flush of the seek has come.
    pub fn seek_is_done(&self) {
        lock(&self.seek).under_way_since = None;
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
        let seek = self.seek.clone();
        let id = pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            if let Some(event) = info.event()
                && is_flushing_seek(event)
            {
                let mut seek = lock(&seek);
                if seek.seqnum.replace(event.seqnum()) != Some(event.seqnum()) {
                    seek.under_way_since = Some(Instant::now());
                }
            }
            gst::PadProbeReturn::Ok
        });
        if let Some(id) = id {
            self.probes.push((pad.downgrade(), id));
        }
    }
}

/// Whether adaptive demuxers flush for it: they refuse other formats and segment seeks.
fn is_flushing_seek(event: &gst::EventRef) -> bool {
    let gst::EventView::Seek(seek) = event.view() else {
        return false;
    };
    let (_, flags, _, start, _, _) = seek.get();
    flags.contains(gst::SeekFlags::FLUSH)
        && !flags.contains(gst::SeekFlags::SEGMENT)
        && start.format() == gst::Format::Time
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
