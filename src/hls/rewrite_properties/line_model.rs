// SPDX-License-Identifier: MIT OR Apache-2.0

//! Lines of playlists with URIs, and what has to become of these.

use super::variable_model::resolved;

/// One line with a URI, or without.
#[derive(Clone, Debug)]
pub struct Line {
    pub before: String,
    pub uri: Option<String>,
    pub after: String,
    pub kind: LineKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// What is in it is nobody's to fetch.
    Other,
    /// It names a playlist, which is had from the server.
    Playlist,
    /// It tells of a playlist, which is had from the server where others name it.
    Report,
    /// Part of a segment.
    Part,
    /// EXT-X-SESSION-KEY.
    Removed,
}

impl Line {
    pub fn plain(text: &str) -> Self {
        Self {
            before: text.to_owned(),
            uri: None,
            after: String::new(),
            kind: LineKind::Other,
        }
    }

    pub fn text(&self) -> String {
        let uri = self.uri.as_deref().unwrap_or_default();
        format!("{}{uri}{}", self.before, self.after)
    }

    /// As it has to be rewritten, where `place` gives playlists their places.
    pub fn rewritten(
        &self,
        header: &[&str],
        place: impl FnOnce(&str) -> Option<String>,
    ) -> Option<String> {
        let Some(uri) = &self.uri else {
            return (self.kind != LineKind::Removed).then(|| self.text());
        };
        let url = resolved(header, uri);
        let is_webs = url.starts_with("http");
        let uri = match self.kind {
            LineKind::Removed => return None,
            LineKind::Playlist | LineKind::Report => place(&url).unwrap_or(url),
            LineKind::Other if !is_webs => uri.clone(),
            LineKind::Other | LineKind::Part => url,
        };
        Some(format!("{}{uri}{}", self.before, self.after))
    }
}

/// How lines are written.
#[derive(Clone, Debug)]
pub struct Style {
    pub first: &'static str,
    pub line_end: &'static str,
    pub is_last_line_ended: bool,
}

impl Style {
    pub fn text(&self, lines: &[String]) -> String {
        let last = match self.is_last_line_ended {
            true => self.line_end,
            false => "",
        };
        let first = [self.first.to_owned()];
        let all: Vec<_> = first.iter().chain(lines).map(String::as_str).collect();
        format!("{}{last}", all.join(self.line_end))
    }
}
