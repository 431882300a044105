// SPDX-License-Identifier: MIT OR Apache-2.0

//! Multivariant playlists as their packagers think of them.

use super::key_model::{ActiveTags, Key, Protection};
use super::line_model::{Line, Style};

/// A multivariant playlist.
#[derive(Clone, Debug)]
pub struct Multivariant {
    pub header: Vec<&'static str>,
    pub lines: Vec<Line>,
    pub session_keys: Vec<Key>,
    pub style: Style,
}

impl Multivariant {
    pub fn text(&self) -> String {
        let header = self.header.iter().map(|line| line.to_string());
        let lines = self.lines.iter().map(Line::text);
        self.style.text(&header.chain(lines).collect::<Vec<_>>())
    }

    /// What protects its segments, as far as it says that itself. Of one format the first tag
    /// counts.
    pub fn protection(&self) -> Protection {
        let mut keys = ActiveTags::default();
        for key in &self.session_keys {
            if !keys.has(&key.format) {
                keys.apply(key);
            }
        }
        keys.protection()
    }
}
