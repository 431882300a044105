// SPDX-License-Identifier: MIT OR Apache-2.0

//! The stock demuxer inside the bin, and its streams, which are the bin's.

use std::sync::Mutex;

use gst::glib;
use gst::prelude::*;

use super::inside::Inside;
use super::retries::Retries;
use crate::error::{Failure, MissingPlugin};
use crate::hierarchy::ancestors;
use crate::wait::lock;

#[derive(Default)]
pub struct StockDemuxer {
    element: Mutex<Option<gst::Element>>,
    retries: Retries,
}

impl StockDemuxer {
    pub fn element(&self) -> Option<gst::Element> {
        lock(&self.element).clone()
    }

    /// What there is to know of it.
    pub fn inside(&self) -> Inside {
        let factory = self.element().and_then(|element| element.factory());
        let name = factory.map(|factory| factory.name()).unwrap_or_default();
        Inside::of(&name, gst::version())
    }

    /// From now on it takes a failure for one.
    pub fn end_retries(&self) {
        if let Some(element) = self.element() {
            self.retries.end(&element);
        }
    }

    /// Puts one from that factory into the bin, unless it is there, and links it to the bin's sink
    /// pad.
    ///
    /// # Errors
    ///
    /// `Misconfigured` where GStreamer has none.
    pub fn ensure(
        &self,
        factory: &str,
        bin: &gst::Bin,
        sinkpad: &gst::GhostPad,
    ) -> Result<gst::Element, Failure> {
        let before = lock(&self.element).take();
        if let Some(before) = before {
            if before.factory().is_some_and(|one| one.name() == factory) {
                self.retries.restore(&before);
                *lock(&self.element) = Some(before.clone());
                return Ok(before);
            }
            // Fails only where it is not ours. The bin stops it.
            let _ = before.set_state(gst::State::Null);
            let _ = bin.remove(&before);
        }
        let element = gst::ElementFactory::make(factory).build().map_err(|_| {
            let what = format!("GStreamer has no `{factory}`: install the plugin that it is in");
            let missing = MissingPlugin::Element(factory.to_owned());
            Failure::misconfigured(what).of_missing(missing)
        })?;
        hand_on_streams(&element, bin);
        bin.add(&element)
            .and_then(|()| sinkpad.set_target(element.static_pad("sink").as_ref()))
            .map_err(|_| Failure::misconfigured(format!("`{factory}` has no pad `sink`")))?;
        *lock(&self.element) = Some(element.clone());
        Ok(element)
    }
}

/// Whether whoever is around the element takes the streams of a newer demuxer.
pub fn takes_streams(element: &gst::Element) -> bool {
    ancestors(element)
        .next()
        .and_downcast::<gst::Bin>()
        .is_some_and(|bin| bin.bin_flags().contains(gst::BinFlags::STREAMS_AWARE))
}

/// The demuxer's streams become the bin's.
fn hand_on_streams(element: &gst::Element, bin: &gst::Bin) {
    let with_bin = |act: fn(&gst::Bin, &gst::Pad)| {
        let bin: glib::WeakRef<gst::Bin> = bin.downgrade();
        move |_: &gst::Element, pad: &gst::Pad| {
            if let Some(bin) = bin.upgrade() {
                act(&bin, pad);
            }
        }
    };
    element.connect_pad_added(with_bin(add_stream));
    element.connect_pad_removed(with_bin(remove_stream));
    let bin = bin.downgrade();
    element.connect_no_more_pads(move |_| {
        if let Some(bin) = bin.upgrade() {
            bin.no_more_pads();
        }
    });
}

fn add_stream(bin: &gst::Bin, pad: &gst::Pad) {
    if pad.direction() != gst::PadDirection::Src {
        return;
    }
    let theirs = pad.pad_template();
    let named = theirs.and_then(|theirs| bin.pad_template(theirs.name_template()));
    let Some(template) = named.or_else(|| bin.pad_template("src_%u")) else {
        return;
    };
    let ghost = gst::GhostPad::builder_from_template_with_target(&template, pad);
    let Ok(ghost) = ghost.map(|builder| builder.name(pad.name()).build()) else {
        return;
    };
    // Fails only where it is there already.
    let _ = ghost.set_active(true);
    pad.sticky_events_foreach(|event| {
        let _ = ghost.store_sticky_event(event);
        std::ops::ControlFlow::Continue(gst::EventForeachAction::Keep)
    });
    let _ = bin.add_pad(&ghost);
}

fn remove_stream(bin: &gst::Bin, pad: &gst::Pad) {
    // By its name: it has no target any more.
    let ours = bin.static_pad(&pad.name());
    if let Some(ghost) = ours.filter(|ghost| ghost.direction() == gst::PadDirection::Src) {
        let _ = ghost.set_active(false);
        let _ = bin.remove_pad(&ghost);
    }
}
