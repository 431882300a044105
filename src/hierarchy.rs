// SPDX-License-Identifier: MIT OR Apache-2.0

//! What stands around an element: the bins it is in, and what those are about to do.

use gst::glib::translate::from_glib;
use gst::prelude::*;

/// The bins around `element`, the innermost first.
pub fn ancestors(element: &gst::Element) -> impl Iterator<Item = gst::Element> {
    std::iter::successors(parent(element), parent)
}

fn parent(element: &gst::Element) -> Option<gst::Element> {
    element.parent().and_then(|parent| parent.downcast().ok())
}

/// Whether this is dashdemux2, hlsdemux2 or another bin that fetches segments and demuxes inside
/// itself.
pub fn is_adaptive_demuxer(element: &gst::Element) -> bool {
    klass(element).is_some_and(|klass| klass.contains("Demux") && klass.contains("Adaptive"))
}

/// Whether this bin can keep an error of an element inside it to itself: adaptive demuxers always
/// do (`gst_adaptive_demux_handle_message`), decodebin and parsebin for an element that they are
/// plugging (`add_error_filter` in `gstdecodebin2.c` and `gstparsebin.c`).
pub fn swallows_errors(element: &gst::Element) -> bool {
    is_adaptive_demuxer(element)
        || klass(element).is_some_and(|klass| {
            klass.contains("Bin") && (klass.contains("Decoder") || klass.contains("Parser"))
        })
}

/// How many elements upstream are looked at. A player has some ten between its demuxer and a
/// decryptor.
const MAX_ELEMENTS: usize = 64;

/// The elements upstream of `element` and the bins around each of them, the nearest first: what a
/// stream has come through.
pub fn upstream(element: &gst::Element) -> impl Iterator<Item = gst::Element> {
    std::iter::successors(Some(element.clone()), before)
        .take(MAX_ELEMENTS)
        .flat_map(|element| {
            let around: Vec<_> = ancestors(&element).collect();
            std::iter::once(element).chain(around)
        })
        .skip(1)
}

/// Where the manifest is from that the stream of `element` belongs to: where the source of the
/// adaptive demuxer among the elements upstream was redirected to, if it was. Without such a
/// demuxer, what the elements upstream say. To be called without a lock held.
///
/// The demuxer itself cannot be asked: dashdemux names the URL from before a redirect, and
/// dashdemux2 does not hand on queries of the elements inside it.
pub fn manifest_url(element: &gst::Element) -> Option<String> {
    let demuxer = upstream(element).find(is_adaptive_demuxer);
    let asked = demuxer.as_ref().unwrap_or(element);
    asked.sink_pads().iter().find_map(|pad| {
        let mut query = gst::query::Uri::new();
        if !pad.peer_query(query.query_mut()) {
            return None;
        }
        let (redirection, _) = query.redirection();
        redirection.or_else(|| query.uri()).map(String::from)
    })
}

/// The element from which this one gets its stream.
fn before(element: &gst::Element) -> Option<gst::Element> {
    let mut peer = element.sink_pads().iter().find_map(gst::Pad::peer)?;
    // At the edge of a bin the peer is a pad inside the bin's ghost pad, which goes on outside.
    while let Some(ghost) = peer.parent().and_downcast::<gst::GhostPad>() {
        peer = ghost.peer()?;
    }
    peer.parent_element()
}

fn klass(element: &gst::Element) -> Option<String> {
    element
        .factory()
        .and_then(|factory| factory.metadata("klass").map(String::from))
}

/// The state that the element was last told to reach (`GST_STATE_TARGET`). A bin that is being
/// stopped has the new one before any of its children hears of it.
pub fn target_state(element: &gst::Element) -> gst::State {
    let _lock = element.object_lock();
    // SAFETY: the pointer is that of a live GstElement, and `target_state` is a public field that
    // is read and written under the object lock, which is held here.
    unsafe { from_glib((*element.as_ptr()).target_state) }
}
