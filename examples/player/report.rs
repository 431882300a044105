// SPDX-License-Identifier: MIT OR Apache-2.0

//! What happens, in words: a line each, and a line at the bottom of a terminal that is drawn again
//! and again.

use std::collections::{BTreeSet, HashSet};
use std::io::{IsTerminal, Write, stdout};

use gst::prelude::*;

/// What to say, and what has been said.
#[derive(Default)]
pub struct Report {
    /// How far it was when that was last shown.
    progress: String,
    /// It stands on the terminal's last line.
    is_drawn: bool,
    /// What the elements of this tune have said. Each stream has elements of its own, which say the
    /// same.
    said: HashSet<String>,
    /// The tokens by generation that a service was asked for.
    fetched: BTreeSet<u32>,
    /// Those that the license server refused.
    refused: BTreeSet<u32>,
    /// How often there was no token.
    failed: u32,
    /// How this tune came by its token.
    way: Way,
    channels: BTreeSet<usize>,
}

#[derive(Clone, Copy, Default)]
enum Way {
    /// The stream is not protected, or not yet known to be.
    #[default]
    None,
    Fetched,
    AtHand,
}

impl Report {
    /// Prints a line.
    pub fn line(&mut self, text: &str) {
        let clear = match std::mem::take(&mut self.is_drawn) {
            true => "\r\x1b[K",
            false => "",
        };
        // A player whose output nobody reads any more goes on.
        let _ = writeln!(stdout(), "{clear}{text}");
    }

    /// Shows how far it is: on the terminal's last line, again and again, or else on a line of its
    /// own for each second.
    pub fn progress(&mut self, text: &str) {
        let is_terminal = stdout().is_terminal();
        if text == self.progress && self.is_drawn == is_terminal {
            return;
        }
        if is_terminal {
            let mut out = stdout();
            let _ = write!(out, "\r{text}\x1b[K").and_then(|()| out.flush());
            self.is_drawn = true;
        } else {
            self.line(text);
        }
        text.clone_into(&mut self.progress);
    }

    pub fn tunes(&mut self, channel: usize, what: &str) {
        self.said.clear();
        self.way = Way::None;
        self.line(&format!("channel {}: {what}", channel + 1));
    }

    /// The first picture is here.
    pub fn shows(&mut self, channel: usize, after: gst::ClockTime) {
        let token = match self.way {
            Way::None => "no token was needed",
            Way::Fetched => "the token was requested for it",
            Way::AtHand => "no token request",
        };
        self.channels.insert(channel);
        self.line(&format!(
            "channel {}: plays, first picture after {} ms, {token}",
            channel + 1,
            after.mseconds()
        ));
    }

    /// An element's message `session-token`.
    pub fn token_message(&mut self, message: &gst::StructureRef) {
        let text = match message.get("state") {
            Ok("acquired") => self.acquired(message),
            Ok("refreshed") => format!("{} instead of that before", self.acquired(message)),
            Ok("rejected") => self.rejected(message),
            Ok("failed") => none(message),
            Ok("renewed") => "token: renewed ahead of its end".to_owned(),
            Ok("renewal-failed") => format!(
                "token: not renewed: {} The old one goes on until its end",
                message.get::<&str>("text").unwrap_or_default()
            ),
            _ => return,
        };
        if self.said.insert(text.clone()) {
            self.failed += u32::from(message.get("state") == Ok("failed"));
            self.line(&text);
        }
    }

    fn acquired(&mut self, message: &gst::StructureRef) -> String {
        let service = message.get("service").unwrap_or("somewhere");
        let generation = message.get("generation").unwrap_or(0);
        // Its own field `cached` says that this element has not asked. For a token that the warm-up
        // has asked for all of them say so; whether a request was made shows in the generation.
        let is_from_service = service != "file" && service != "application";
        if is_from_service && self.fetched.insert(generation) {
            self.way = Way::Fetched;
            return format!(
                "token: acquired from {service}, generation {generation}, in {} ms ({}), playback waited {} ms",
                milliseconds(message, "latency"),
                requests(message),
                milliseconds(message, "waited")
            );
        }
        if let Way::None = self.way {
            self.way = Way::AtHand;
        }
        format!("token: at hand from {service}, generation {generation}, no request")
    }

    fn rejected(&mut self, message: &gst::StructureRef) -> String {
        let generation = message.get("generation").unwrap_or(0);
        self.refused.insert(generation);
        format!(
            "token: refused by the license server{}, generation {generation}; another one is asked for",
            http_status(message)
        )
    }

    /// The decryptor's message `clearkey-license`.
    pub fn license_message(&mut self, message: &gst::StructureRef) {
        let state = match message.get("state") {
            // Another stream has asked for it.
            Ok("acquired" | "renewed") if message.get("cached") == Ok(true) => return,
            Ok(state @ ("acquired" | "renewed")) => state,
            Ok("failed") => {
                return self.line(&format!(
                    "license: not renewed, {}{}; the old one goes on until its end",
                    message.get("reason").unwrap_or("unknown"),
                    http_status(message)
                ));
            }
            _ => return,
        };
        self.line(&format!(
            "license: {state}, keys: {}, in {} ms ({})",
            message.get("keys").unwrap_or(0u32),
            milliseconds(message, "latency"),
            requests(message)
        ));
    }

    /// An error or a warning, with what our elements say of it in the details, if it is theirs.
    pub fn complaint(
        &mut self,
        kind: &str,
        message: &gst::MessageRef,
        error: &gst::glib::Error,
        details: Option<&gst::StructureRef>,
    ) {
        let source = message.src().and_then(|one| one.downcast_ref());
        let source = source.and_then(gst::Element::factory);
        let source = source.map_or_else(|| "player".into(), |factory| factory.name());
        let is_license = source == "clearkeydec";
        self.line(&format!("{kind}: {source}: {}", error.message()));
        let details = details.filter(|one| one.name() == "session-token-error");
        let Some(details) = details else {
            return;
        };
        for name in ["title", "detail"] {
            if let Ok(words) = details.get::<&str>(name) {
                self.line(&format!("  the server says: {words}"));
            }
        }
        if let Some(hint) = details
            .get("reason")
            .ok()
            .and_then(|reason| hint(reason, is_license))
        {
            self.line(&format!("  {hint}"));
        }
    }

    /// What there was, at the end.
    pub fn summary(&mut self) {
        self.line(&format!(
            "channels watched: {}; tokens used: {}; tokens refused by the license server: {}; times without a token: {}",
            self.channels.len(),
            self.fetched.len(),
            self.refused.len(),
            self.failed
        ));
    }
}

fn none(message: &gst::StructureRef) -> String {
    format!(
        "token: none from {}: {}{}, after {} ms ({})",
        message.get("service").unwrap_or("anywhere"),
        message.get("reason").unwrap_or("unknown"),
        http_status(message),
        milliseconds(message, "latency"),
        requests(message)
    )
}

/// What the user can do, by the `reason` of an error.
fn hint(reason: &str, is_license: bool) -> Option<&'static str> {
    Some(match reason {
        "denied" => {
            "not for this box or this account: check credentials and subscription, or press n for another channel"
        }
        "transient" | "timed-out" => {
            "the server may be back soon: press n and p to try this channel again"
        }
        "malformed" if is_license => {
            "check --set license-url=…: something else seems to answer there"
        }
        "malformed" => "check --auth-service and --location: something else seems to answer there",
        "misconfigured" => "correct the setting and start again",
        _ => return None,
    })
}

fn http_status(message: &gst::StructureRef) -> String {
    match message.get::<u32>("http-status") {
        Ok(status @ 1..) => format!(" (HTTP {status})"),
        _ => String::new(),
    }
}

fn requests(message: &gst::StructureRef) -> String {
    match message.get::<u32>("attempts") {
        Ok(1) => "1 request".to_owned(),
        Ok(attempts) => format!("{attempts} requests"),
        Err(_) => "requests unknown".to_owned(),
    }
}

fn milliseconds(message: &gst::StructureRef, field: &str) -> u64 {
    message
        .get::<gst::ClockTime>(field)
        .map_or(0, gst::ClockTime::mseconds)
}
