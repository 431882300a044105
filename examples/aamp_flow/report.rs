// SPDX-License-Identifier: MIT OR Apache-2.0

//! What happens, in words: a line each, as AAMP's log tells a tune. No line has a token, a license,
//! a key, or the query of a URL.

use std::io::{Write, stdout};
use std::time::Instant;

use gst::prelude::*;

/// A line for the terminal.
pub fn print(line: &str) {
    // A player whose output nobody reads any more goes on.
    let _ = writeln!(stdout(), "{line}");
}

/// Who tells of a tune. Threads have copies.
#[derive(Clone, Copy)]
pub struct Report {
    to: fn(&str),
    tuned_at: Instant,
    has_shown: bool,
}

impl Report {
    /// Of a tune that begins now.
    pub fn new(to: fn(&str)) -> Self {
        Self {
            to,
            tuned_at: Instant::now(),
            has_shown: false,
        }
    }

    pub fn line(&self, text: &str) {
        (self.to)(text);
    }

    /// The first picture is here.
    pub fn shows(&mut self) {
        if !std::mem::replace(&mut self.has_shown, true) {
            let after = self.tuned_at.elapsed().as_millis();
            self.line(&format!("tune: first picture after {after} ms"));
        }
    }

    pub fn end(&self, shown: u64, late: u64) {
        let late = match late {
            0 => String::new(),
            late => format!(", {late} came too late"),
        };
        self.line(&format!("played {shown} pictures{late}"));
    }

    /// What `sessiontoken` and `clearkeydec` tell.
    pub fn element_message(&self, message: &gst::MessageRef, told: &gst::StructureRef) {
        let what = match told.name().as_str() {
            "session-token" => "token",
            "clearkey-license" => "license",
            _ => return,
        };
        let mut text = format!(
            "{}: {what} {}",
            track_of(message),
            told.get("state").unwrap_or("in an unknown state")
        );
        if let Ok(service) = told.get::<&str>("service") {
            text += &format!(" by {service}");
        }
        for name in ["generation", "keys", "attempts", "http-status"] {
            if let Ok(number) = told.get::<u32>(name) {
                text += &format!(", {name} {number}");
            }
        }
        if let Ok(cached) = told.get("cached") {
            text += if cached { ", cached" } else { ", not cached" };
        }
        for name in ["latency", "waited"] {
            if let Ok(time) = told.get::<gst::ClockTime>(name) {
                text += &format!(", {name} {} ms", time.mseconds());
            }
        }
        if let Ok(reason) = told.get::<&str>("reason") {
            text += &format!(", {reason}");
        }
        self.line(&text);
    }

    /// An error or a warning, with what our elements say of it in the details, if it is theirs.
    pub fn complaint(
        &self,
        kind: &str,
        message: &gst::MessageRef,
        error: &gst::glib::Error,
        details: Option<&gst::StructureRef>,
    ) {
        self.line(&format!(
            "{kind}: {}: {}",
            track_of(message),
            error.message()
        ));
        let details = details.filter(|one| one.name() == "session-token-error");
        for name in ["title", "detail"] {
            if let Some(words) = details.and_then(|details| details.get::<&str>(name).ok()) {
                self.line(&format!("  the server says: {words}"));
            }
        }
    }
}

/// The name of the element that says it, which begins with that of the track.
fn track_of(message: &gst::MessageRef) -> String {
    let source = message.src();
    let name = source.map(|source| source.name());
    name.map_or_else(|| "player".to_owned(), |name| name.to_string())
}
