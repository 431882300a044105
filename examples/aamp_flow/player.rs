// SPDX-License-Identifier: MIT OR Apache-2.0

//! A tune: playlists, pipeline, injectors, and what is heard on the bus until the end.

use gst::prelude::*;
use url::Url;

use crate::download::{Downloader, MAX_PLAYLIST, Place};
use crate::injector;
use crate::pipeline::{self, Kind, Sinks};
use crate::playlist::{self, Media, Playlist, Step};
use crate::report::Report;

pub struct Player {
    pub pipeline: gst::Pipeline,
    tracks: Vec<(Kind, Vec<Step>)>,
    report: Report,
}

impl Player {
    /// Reads the playlists and makes the pipeline for what they name. Nothing plays yet.
    pub fn tune(
        url: &Url,
        settings: &[(String, String)],
        sinks: Sinks,
        report: Report,
    ) -> Result<Self, String> {
        let place = Place::file(url.clone());
        report.line(&format!("tune: {place}"));
        let tracks = tracks(&Downloader::new()?, &place, report)?;
        let kinds: Vec<_> = tracks.iter().map(|(kind, _)| *kind).collect();
        let pipeline = pipeline::build(&kinds, sinks)?;
        // While it is in NULL: elements check their settings on the way to READY.
        pipeline.set_context(&pipeline::token_config(settings));
        Ok(Self {
            pipeline,
            tracks,
            report,
        })
    }

    /// Plays to the end. An error that came over the bus has been printed then.
    pub fn play(mut self) -> Result<(), String> {
        let bus = self.pipeline.bus().ok_or("the pipeline has no bus")?;
        let mut patience = gst::ClockTime::NONE;
        match self.pipeline.set_state(gst::State::Playing) {
            Ok(_) => self.inject()?,
            // What is wrong is on the bus already.
            Err(_) => patience = Some(gst::ClockTime::ZERO),
        }
        while let Some(message) = bus.timed_pop(patience) {
            match message.view() {
                gst::MessageView::Eos(_) => {
                    let (shown, late) = pipeline::pictures(&self.pipeline);
                    self.report.end(shown, late);
                    return Ok(());
                }
                gst::MessageView::Error(error) => {
                    let (text, details) = (error.error(), error.details());
                    self.report.complaint("error", &message, &text, details);
                    return Err("it could not be played to its end".to_owned());
                }
                _ => self.hear(&message),
            }
        }
        Err("the pipeline does not start".to_owned())
    }

    /// Sources take data from PAUSED on.
    fn inject(&mut self) -> Result<(), String> {
        for (kind, steps) in std::mem::take(&mut self.tracks) {
            let source = pipeline::source(&self.pipeline, kind)?;
            injector::start(kind, steps, source, self.report)
                .map_err(|error| format!("no thread for the {kind}: {error}"))?;
        }
        Ok(())
    }

    fn hear(&mut self, message: &gst::Message) {
        match message.view() {
            gst::MessageView::Element(element) => {
                if let Some(structure) = element.structure() {
                    self.report.element_message(message, structure);
                }
            }
            gst::MessageView::AsyncDone(_) => self.report.shows(),
            gst::MessageView::Latency(_) => {
                // Fails only while the pipeline changes; it asks again then.
                let _ = self.pipeline.recalculate_latency();
            }
            gst::MessageView::Warning(warning) => {
                let (text, details) = (warning.error(), warning.details());
                self.report.complaint("warning", message, &text, details);
            }
            _ => {}
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // Going down never fails. Who injects is told so by the source.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// The tracks of a presentation. A media playlist alone is taken for the picture's, as AAMP takes
/// it.
fn tracks(
    downloader: &Downloader,
    place: &Place,
    report: Report,
) -> Result<Vec<(Kind, Vec<Step>)>, String> {
    let master = match fetch(downloader, place)? {
        Playlist::Media(media) => return Ok(vec![track(Kind::Picture, media, report)]),
        Playlist::Master(master) => master,
    };
    report.line(&format!(
        "playlist: variants: {}, the first one has {} bit/s",
        master.variants, master.bandwidth
    ));
    let picture = Some((Kind::Picture, master.picture));
    let sound = master.sound.map(|url| (Kind::Sound, url));
    let mut tracks = Vec::new();
    for (kind, url) in picture.into_iter().chain(sound) {
        let place = Place::file(url);
        match fetch(downloader, &place)? {
            Playlist::Media(media) => tracks.push(track(kind, media, report)),
            Playlist::Master(_) => {
                return Err(format!(
                    "the playlist at {place} names playlists where it should name segments"
                ));
            }
        }
    }
    Ok(tracks)
}

fn fetch(downloader: &Downloader, place: &Place) -> Result<Playlist, String> {
    let (bytes, url) = downloader
        .get(place, MAX_PLAYLIST)
        .map_err(|why| format!("the playlist at {why}"))?;
    playlist::read(&bytes, &url).map_err(|why| format!("the playlist at {place} {why}"))
}

fn track(kind: Kind, media: Media, report: Report) -> (Kind, Vec<Step>) {
    let live = match media.is_whole {
        true => "",
        false => "; it is live, and only what it names now is played",
    };
    report.line(&format!(
        "{kind}: playlist of {} segments, {} s{live}",
        media.segments,
        media.duration.seconds()
    ));
    (kind, media.steps)
}
