// SPDX-License-Identifier: MIT OR Apache-2.0

//! Channels, keys and the bus.
//!
//! One thread does it all: it waits on one bus, to which pipelines and keyboard post.

use std::collections::HashSet;

use gst::prelude::*;
use url::Url;

use crate::keys::{self, Key, Terminal};
use crate::options::Options;
use crate::pipeline::{self, Sinks, WarmUp};
use crate::report::Report;

/// How often the progress is looked at.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(200);

/// How far a seek goes.
const STEP: gst::ClockTime = gst::ClockTime::from_seconds(10);

pub struct Player {
    options: Options,
    config: gst::Context,
    bus: gst::Bus,
    pipeline: Option<gst::Pipeline>,
    report: Report,
    channel: usize,
    failed: HashSet<usize>,
    /// When the key was pressed, until there is a picture.
    tuning_since: Option<gst::ClockTime>,
    is_live: bool,
    is_paused: bool,
    has_ended: bool,
    terminal: Option<Terminal>,
    /// Kept in PAUSED until the end.
    _warm_up: Option<WarmUp>,
}

impl Player {
    /// With the session being warmed already, where that is of use and wanted.
    pub fn new(mut options: Options) -> Result<Self, String> {
        if options.cold {
            // First, so that `--set` is stronger.
            options
                .settings
                .insert(0, ("prefetch".into(), "false".into()));
        }
        let config = pipeline::token_config(&options.settings);
        let warm_up = match options.cold || options.written_out {
            true => None,
            false => Some(WarmUp::start(&config)?),
        };
        Ok(Self {
            options,
            config,
            bus: gst::Bus::new(),
            pipeline: None,
            report: Report::default(),
            channel: 0,
            failed: HashSet::new(),
            tuning_since: None,
            is_live: false,
            is_paused: false,
            has_ended: false,
            terminal: None,
            _warm_up: warm_up,
        })
    }

    /// Plays until the last channel ends or the user has had enough. Whether any channel could be
    /// played.
    pub fn run(mut self) -> bool {
        self.terminal = Terminal::take();
        keys::listen(self.bus.clone());
        self.tune(0, gst::get_timestamp());
        while !self.has_ended {
            if let Some(message) = self.bus.timed_pop(TICK) {
                self.hear(&message);
            }
            self.show_progress();
        }
        self.stop();
        self.report.summary();
        !self.has_failed_everywhere()
    }

    fn hear(&mut self, message: &gst::Message) {
        match message.view() {
            gst::MessageView::Application(message) => {
                if let Some((key, at)) = keys::pressed(message) {
                    self.press(key, at);
                }
            }
            gst::MessageView::Element(message) => {
                if let Some(structure) = message.structure() {
                    match structure.name().as_str() {
                        "session-token" => self.report.token_message(structure),
                        "clearkey-license" => self.report.license_message(structure),
                        _ => {}
                    }
                }
            }
            gst::MessageView::AsyncDone(message) => {
                let is_ours =
                    |pipeline: &gst::Pipeline| message.src() == Some(pipeline.upcast_ref());
                if self.pipeline.as_ref().is_some_and(is_ours) {
                    self.has_picture();
                }
            }
            gst::MessageView::Buffering(message) => self.buffer(message.percent()),
            gst::MessageView::Latency(_) => {
                if let Some(pipeline) = &self.pipeline {
                    // Fails only while the pipeline changes; it asks again then.
                    let _ = pipeline.recalculate_latency();
                }
            }
            gst::MessageView::Warning(warning) => {
                let (error, details) = (warning.error(), warning.details());
                self.report.complaint("warning", message, &error, details);
            }
            gst::MessageView::Error(error) => {
                let (error, details) = (error.error(), error.details());
                self.report.complaint("error", message, &error, details);
                self.fail();
            }
            gst::MessageView::Eos(_) => self.go_on(),
            _ => {}
        }
    }

    fn press(&mut self, key: Key, at: gst::ClockTime) {
        let channels = self.options.channels.len();
        match key {
            Key::Next => self.tune((self.channel + 1) % channels, at),
            Key::Previous => self.tune((self.channel + channels - 1) % channels, at),
            Key::Pause => {
                self.is_paused = !self.is_paused;
                self.set_state(self.wanted_state());
            }
            Key::Back => self.seek(|position| position.saturating_sub(STEP)),
            Key::Ahead => self.seek(|position| position.saturating_add(STEP)),
            Key::Quit => self.has_ended = true,
        }
    }

    /// Changes to that channel. The session is the process's, so its token is at hand there.
    fn tune(&mut self, channel: usize, since: gst::ClockTime) {
        self.stop();
        self.channel = channel;
        self.is_paused = false;
        self.tuning_since = Some(since);
        let uri = self.options.channels[channel].clone();
        self.report.tunes(channel, &without_secrets(&uri));
        match self.open(&uri) {
            Ok(pipeline) => {
                // What fails at once is on the bus too.
                let outcome = pipeline.set_state(gst::State::Playing);
                self.is_live = outcome == Ok(gst::StateChangeSuccess::NoPreroll);
                self.pipeline = Some(pipeline);
            }
            Err(error) => {
                self.report.line(&format!("error: {error}"));
                self.fail();
            }
        }
    }

    /// A pipeline for the URI: the one of before with another URI, where that can be, or a new one.
    fn open(&mut self, uri: &str) -> Result<gst::Pipeline, String> {
        let sinks = match self.options.fake_sinks {
            true => Sinks::FAKE,
            false => Sinks::REAL,
        };
        let pipeline = match self.pipeline.take() {
            Some(playbin) => playbin,
            None => {
                let pipeline = match self.options.written_out {
                    true => pipeline::written_out(uri, sinks)?,
                    false => pipeline::playbin3(sinks)?,
                };
                pipeline.set_bus(Some(&self.bus));
                // Keys are on this bus too.
                pipeline.set_auto_flush_bus(false);
                // While it is in NULL: elements check their settings on the way to READY.
                pipeline.set_context(&self.config);
                pipeline
            }
        };
        if !self.options.written_out {
            pipeline.set_property("uri", uri);
        }
        Ok(pipeline)
    }

    /// Stops what plays. A playbin3 that has played is kept for the next channel; one that has not
    /// may abort when it is used again (seen in 1.22).
    fn stop(&mut self) {
        let has_played = self.tuning_since.take().is_none();
        if has_played && !self.options.written_out {
            self.set_state(gst::State::Ready);
        } else {
            self.discard();
        }
        // What it had still to say of its playback is no news of the next channel's; of its token
        // it is.
        let of_playback = [
            gst::MessageType::AsyncDone,
            gst::MessageType::Buffering,
            gst::MessageType::Eos,
            gst::MessageType::Error,
            gst::MessageType::Warning,
        ];
        while self.bus.pop_filtered(&of_playback).is_some() {}
        while let Some(message) = self.bus.pop_filtered(&[gst::MessageType::Element]) {
            self.hear(&message);
        }
    }

    fn discard(&mut self) {
        self.set_state(gst::State::Null);
        self.pipeline = None;
    }

    fn set_state(&self, state: gst::State) {
        if let Some(pipeline) = &self.pipeline {
            // What fails is on the bus.
            let _ = pipeline.set_state(state);
        }
    }

    fn wanted_state(&self) -> gst::State {
        match self.is_paused {
            true => gst::State::Paused,
            false => gst::State::Playing,
        }
    }

    /// After a tune or a seek.
    fn has_picture(&mut self) {
        if let Some(since) = self.tuning_since.take() {
            let after = gst::get_timestamp().saturating_sub(since);
            self.failed.remove(&self.channel);
            self.report.shows(self.channel, after);
        }
    }

    /// Waits for the network where it is too slow.
    fn buffer(&self, percent: i32) {
        if !self.is_live && !self.is_paused {
            self.set_state(match percent {
                100.. => gst::State::Playing,
                _ => gst::State::Paused,
            });
        }
    }

    fn seek(&mut self, target: impl FnOnce(gst::ClockTime) -> gst::ClockTime) {
        let (Some(pipeline), Some((position, duration))) = (&self.pipeline, self.progress()) else {
            return;
        };
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT;
        // dashdemux2 refuses to go to the very end, and stands still then.
        let last = duration.saturating_sub(gst::ClockTime::SECOND);
        if pipeline
            .seek_simple(flags, target(position).min(last))
            .is_err()
        {
            self.report.line("this channel cannot be sought in");
        }
    }

    /// The channel cannot be played, or not any further. The user chooses another one, if there is
    /// one and a user.
    fn fail(&mut self) {
        self.discard();
        self.stop();
        self.failed.insert(self.channel);
        if self.has_failed_everywhere() {
            self.has_ended = true;
        } else if self.terminal.is_none() {
            self.go_on();
        }
    }

    fn has_failed_everywhere(&self) -> bool {
        self.failed.len() == self.options.channels.len()
    }

    /// To the next channel, or to the end.
    fn go_on(&mut self) {
        match self.channel + 1 < self.options.channels.len() {
            true => self.tune(self.channel + 1, gst::get_timestamp()),
            false => self.has_ended = true,
        }
    }

    /// Where it is, and where it ends.
    fn progress(&self) -> Option<(gst::ClockTime, gst::ClockTime)> {
        let pipeline = self.pipeline.as_ref()?;
        Some((pipeline.query_position()?, pipeline.query_duration()?))
    }

    fn show_progress(&mut self) {
        let Some((position, duration)) = self.progress() else {
            return;
        };
        let state = match self.is_paused {
            true => "paused",
            false => "playing",
        };
        self.report.progress(&format!(
            "channel {}: {state} {} of {} s",
            self.channel + 1,
            position.seconds(),
            duration.seconds()
        ));
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.discard();
    }
}

/// A URI, fit to be shown: credentials stand in front of the host or in the query.
fn without_secrets(uri: &str) -> String {
    let Ok(mut uri) = Url::parse(uri) else {
        return String::new();
    };
    uri.set_query(None);
    uri.set_fragment(None);
    // What has no host has no credentials either.
    let _ = uri.set_username("");
    let _ = uri.set_password(None);
    uri.into()
}
