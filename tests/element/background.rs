// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the application and the log are told of warm-ups and renewals: the list of
//! `docs/troubleshooting.md`, entry by entry.

use std::sync::{Arc, Mutex, OnceLock};

use gst::prelude::*;
use headend::Auth;
use support::rig::*;

use crate::services::{refresh, tune};

/// An entry of the list.
#[derive(Debug)]
struct Entry {
    what: String,
    state: String,
    level: String,
    line: String,
}

/// The items of the section's list, each as one line.
fn items(section: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut is_inside = false;
    for line in section.lines() {
        if let Some(first) = line.strip_prefix("* ") {
            items.push(first.to_owned());
            is_inside = true;
        } else if is_inside
            && let Some(more) = line.strip_prefix("  ")
            && let Some(item) = items.last_mut()
        {
            *item += " ";
            *item += more;
        } else {
            is_inside = false;
        }
    }
    items
}

/// Reads "**what happens**: `state`, at LEVEL: "line"".
fn entry(item: &str) -> Option<Entry> {
    let (what, rest) = item.strip_prefix("**")?.split_once("**: `")?;
    let (state, rest) = rest.split_once("`, at ")?;
    let (level, line) = rest.split_once(": \"")?;
    Some(Entry {
        what: what.to_owned(),
        state: state.to_owned(),
        level: level.to_owned(),
        line: line.strip_suffix('"')?.to_owned(),
    })
}

fn entries() -> Vec<Entry> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/troubleshooting.md");
    let text = std::fs::read_to_string(file).expect("the document");
    let (_, section) = text
        .split_once("\n## Requests, warm-up and renewal\n")
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    let items = items(section);
    let entries = items.iter().map(|item| entry(item).expect(item));
    entries.collect()
}

/// What was logged in the category `sessiontoken`: of which object, at which level, and what.
type Lines = Mutex<Vec<(usize, String, String)>>;

/// Everything that the category says from now on.
fn log() -> &'static Lines {
    static LINES: OnceLock<Arc<Lines>> = OnceLock::new();
    LINES.get_or_init(|| {
        init();
        let lines = Arc::<Lines>::default();
        let kept = lines.clone();
        gst::log::remove_default_log_function();
        gst::log::add_log_function(move |category, level, _, _, _, object, message| {
            if category.name() == "sessiontoken" {
                let object = object.map_or(0, |object| object.as_ptr() as usize);
                let level = match level {
                    gst::DebugLevel::Warning => "WARN".to_owned(),
                    level => level.name().trim().to_owned(),
                };
                let text = message.get().expect("a message").to_string();
                kept.lock().expect("no panic").push((object, level, text));
            }
        });
        gst::log::set_threshold_for_name("sessiontoken", gst::DebugLevel::Debug);
        lines
    })
}

/// Whether the text is what the pattern says, in which `…` stands for anything.
fn fits(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    for (at, part) in parts.iter().enumerate() {
        if at + 1 == parts.len() && part.is_empty() {
            return true;
        }
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

/// Has that happen. Gives the element, and the place that was asked.
fn happen(what: &str, state: &str) -> (gst::Element, String) {
    let refusal = |status| Auth::Reply {
        status,
        content_type: "text/plain".to_owned(),
        body: String::new(),
    };
    let warm = |auth| {
        let headend = headend(auth);
        let (element, bus) = with_bus(sessiontoken(&headend).property("timeout", NO_HURRY));
        element.set_state(gst::State::Paused).expect("it begins");
        wait_for_state(&bus, state);
        let _ = element.set_state(gst::State::Null);
        (element, headend.url(""))
    };
    let renewed = |auth| {
        let headend = headend(Auth::Sequence(vec![Auth::Grant, auth]));
        let rig = Rig::new(sessiontoken(&headend).property("retries", 0_u32));
        tune(&rig);
        refresh(&rig);
        rig.wait_for_state(state);
        (rig.element.clone(), headend.url(""))
    };
    match what {
        "A warm-up gets a token" => warm(Auth::Grant),
        "A warm-up gets none" => warm(refusal(403)),
        "A token is renewed" => renewed(Auth::Grant),
        "A renewal fails" => renewed(refusal(503)),
        "The service answers HTTP 503, then slowly" => {
            let slowly = Auth::GrantAfter(std::time::Duration::from_millis(50));
            let headend = headend(Auth::Sequence(vec![refusal(503), slowly]));
            let rig = Rig::new(sessiontoken(&headend).property("timeout", NO_HURRY));
            tune(&rig);
            rig.wait_for_state(state);
            (rig.element.clone(), headend.url(""))
        }
        "The token of `session-token-file` is refused"
        | "The token of `session-token-file` is refused, and the file holds no other one" => {
            let file = File::new("token");
            let rig = Rig::new(make("sessiontoken").property("session-token-file", file.path()));
            let key_request = tune(&rig);
            let generation = key_request.get::<u32>("generation").expect("a generation");
            let store = rig.element.property::<gst::glib::Object>("store");
            let none =
                store.emit_by_name::<Option<gst::Structure>>("reject", &[&generation, &403_u32]);
            assert!(none.is_none());
            rig.wait_for_state(state);
            (rig.element.clone(), "no place".to_owned())
        }
        other => panic!("nothing makes this happen: {other}"),
    }
}

#[test]
fn background_is_told_as_the_list_says() {
    let lines = log();
    let entries = entries();
    assert!(entries.len() >= 7, "{entries:#?}");
    for entry in entries {
        let (element, url) = happen(&entry.what, &entry.state);
        let place = url.rsplit('/').next().expect("a place").to_owned();
        let object = element.as_ptr() as usize;
        let lines = lines.lock().expect("no panic");
        let of_entry = lines
            .iter()
            .filter(|(of, _, text)| *of == object || (*of == 0 && text.contains(&place)));
        let said: Vec<_> = of_entry.map(|(_, level, text)| (level, text)).collect();
        let is_there = said
            .iter()
            .any(|(level, text)| **level == entry.level && fits(text, &entry.line));
        assert!(is_there, "{entry:#?}\n{said:#?}");
    }
}

#[test]
fn pattern_fits_what_it_says() {
    for (text, pattern, does) in [
        ("abc", "abc", true),
        ("abc", "a…c", true),
        ("abc", "a…", true),
        ("abc", "…c", true),
        ("abc", "a…b", false),
        ("abc", "b…", false),
        ("abcd", "a…c", false),
    ] {
        assert_eq!(fits(text, pattern), does, "{text} {pattern}");
    }
}
