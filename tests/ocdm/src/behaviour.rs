// SPDX-License-Identifier: MIT OR Apache-2.0

//! How a key system behaves, by the words behind its name.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;

/// The only key system.
pub const KEY_SYSTEM: &str = "org.w3.clearkey";

/// The words, and what they are worth:
///
/// * When a challenge comes: `inside` (in construct, on the caller's thread, with a session that is
///   none), `during` (on another thread, while construct waits for it), otherwise on another thread
///   after construct has returned.
/// * What it is: `no-prefix`, `word-prefix`, `empty`, `huge` (65,535 bytes), `twice`,
///   `three-threads`, `none`, `certificate` (another one before it), `endless` (another one after
///   each license), `playready` (in a PlayReady key message of 16-bit characters), `pack` (with the
///   CDM data in it), `url=…` (with that URL).
/// * Construct: `dead` (the session has no id), `null` (success and no session), `refuse`, `hang`.
/// * Update: `lie` (success and nothing), `fail`, `complain`, `update-hang`.
/// * Keys: `status=N`, `recover` (usable a moment later), `renew` (a renewal challenge behind the
///   license), `expire=N` and `restrict=N` (after so many samples), `silently` (no callback for
///   what becomes of them then), `guid` (key ids in a GUID's order, and in no other), `nameless`
///   (no key id but zeros) or `nameless=null` (none at all), `silent-keys` (no callback for all
///   keys).
/// * Decrypt: `decrypt-fail=N` (so many times, or always), `decrypt-hang=N` (after so many
///   samples), `untouched` (success and nothing done), `unsecured` (no clear sample into secure
///   memory).
/// * The end: `late-callbacks` (from another thread, during and after destruct).
/// * `record=PATH`: a line for each call.
#[derive(Clone, Debug, Default)]
pub struct Behaviour(HashMap<String, String>);

impl Behaviour {
    /// `None` for another key system.
    pub fn of(key_system: &str) -> Option<Self> {
        let mut parts = key_system.split(';');
        if parts.next() != Some(KEY_SYSTEM) {
            return None;
        }
        let words = parts.map(|word| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            (name.to_owned(), value.to_owned())
        });
        Some(Self(words.collect()))
    }

    pub fn has(&self, word: &str) -> bool {
        self.0.contains_key(word)
    }

    pub fn text(&self, word: &str) -> Option<&str> {
        self.0.get(word).map(String::as_str)
    }

    pub fn number(&self, word: &str) -> Option<usize> {
        self.text(word)?.parse().ok()
    }

    /// Records a call.
    pub fn record(&self, call: &str) {
        if let Some(path) = self.text("record")
            && let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path)
        {
            // One write a line, so that threads do not mix theirs.
            let _ = file.write_all(format!("{call}\n").as_bytes());
        }
    }
}
