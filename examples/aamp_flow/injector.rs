// SPDX-License-Identifier: MIT OR Apache-2.0

//! A track on its way from the playlist into the pipeline: a thread that downloads what is next and
//! pushes it into the track's `appsrc`, as AAMP's injector threads do.

use std::io;
use std::sync::Arc;
use std::thread;

use gst::prelude::*;

use crate::download::{Downloader, MAX_SEGMENT, Place};
use crate::key_tag::{self, InitData, KeyTag};
use crate::pipeline::Kind;
use crate::playlist::Step;
use crate::report::Report;

/// The origin of protection events that are made of an HLS playlist
/// (`AAMPGstPlayer::QueueProtectionEvent`).
pub const ORIGIN: &str = "hls/m3u8";

/// Begins to inject. It ends with the track, or when the pipeline takes no more. What goes wrong is
/// an error of the source's on the bus.
pub fn start(kind: Kind, steps: Vec<Step>, source: gst::Element, report: Report) -> io::Result<()> {
    let injector = Injector {
        kind,
        source,
        report,
    };
    thread::Builder::new()
        .name(format!("inject-{kind}"))
        .spawn(move || match injector.run(&steps) {
            Ok(()) | Err(Ended::Pipeline) => {}
            Err(Ended::Because(why)) => injector.complain(&why),
        })?;
    Ok(())
}

struct Injector {
    kind: Kind,
    source: gst::Element,
    report: Report,
}

/// Why a track ended before its time.
enum Ended {
    /// The pipeline was stopped, or has said on its bus what is wrong.
    Pipeline,
    Because(String),
}

impl Injector {
    fn run(&self, steps: &[Step]) -> Result<(), Ended> {
        let downloader = Downloader::new().map_err(Ended::Because)?;
        for step in steps {
            match step {
                Step::Keys(tags) => self.send_events(tags)?,
                Step::Init(place) => {
                    let buffer = self.fetch(&downloader, place, "init segment")?;
                    self.push(buffer)?;
                }
                Step::Segment {
                    place,
                    start,
                    duration,
                } => {
                    let mut buffer = self.fetch(&downloader, place, "segment")?;
                    if let Some(buffer) = buffer.get_mut() {
                        buffer.set_pts(*start);
                        buffer.set_duration(*duration);
                    }
                    self.push(buffer)?;
                }
            }
        }
        let _: gst::FlowReturn = self.source.emit_by_name("end-of-stream", &[]);
        Ok(())
    }

    /// One protection event for each init data of the key tags. qtdemux keeps them for the pads
    /// that it makes of the init segment, and takes their system ids for its choice of a decryptor,
    /// so they go before that.
    ///
    /// AAMP pushes its event from the source's pad when the first buffer is at hand
    /// (`InterfacePlayerRDK::SendGstEvents`). By `send_event` an `appsrc` does so in the order of
    /// its buffers, which is what it takes where the keys change between two segments.
    fn send_events(&self, tags: &[Arc<KeyTag>]) -> Result<(), Ended> {
        let kind = self.kind;
        for tag in tags {
            let KeyTag { method, format, .. } = &**tag;
            self.report
                .line(&format!("{kind}: key tag {method} for {format}"));
        }
        for InitData { system, data } in key_tag::init_data(tags) {
            let (name, size) = (key_tag::name_of(system), data.len());
            let data = gst::Buffer::from_mut_slice(data);
            let event = gst::event::Protection::builder(&system.to_string(), &data)
                .origin(ORIGIN)
                .build();
            if !self.source.send_event(event) {
                return Err(Ended::Pipeline);
            }
            self.report.line(&format!(
                "{kind}: protection event {ORIGIN}, {name}, {size} bytes"
            ));
        }
        Ok(())
    }

    fn fetch(
        &self,
        downloader: &Downloader,
        place: &Place,
        what: &str,
    ) -> Result<gst::Buffer, Ended> {
        let fetched = downloader.get(place, MAX_SEGMENT);
        let (bytes, _) = fetched.map_err(|why| Ended::Because(format!("the {what} at {why}")))?;
        self.report.line(&format!(
            "{}: {what} {place}, {} bytes",
            self.kind,
            bytes.len()
        ));
        Ok(gst::Buffer::from_mut_slice(bytes))
    }

    /// Waits as long as the source is full.
    fn push(&self, buffer: gst::Buffer) -> Result<(), Ended> {
        let taken: gst::FlowReturn = self.source.emit_by_name("push-buffer", &[&buffer]);
        match taken {
            gst::FlowReturn::Ok => Ok(()),
            _ => Err(Ended::Pipeline),
        }
    }

    fn complain(&self, why: &str) {
        let error = gst::message::Error::builder(gst::ResourceError::Read, why).src(&self.source);
        // Fails only where nobody listens any more.
        let _ = self.source.post_message(error.build());
    }
}
