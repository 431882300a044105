// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists, rewritten line by line so that a stock demuxer plays them: what it cannot play goes
//! through a server, and every other URI becomes absolute. Every other line stays as it is.

use std::sync::Arc;

use url::Url;

use super::resource::{FirstKey, InitSegment, Segment};
use super::tags::is_multivariant;
use super::uris::{Base, Objection};
use super::variables::{QueryParameters, Variables};

/// Longest line. A PlayReady header takes some kilobytes.
const MAX_LINE: usize = 64 * 1024;

/// What a playlist may become. It grows as its URIs are written out, and stock demuxers take some
/// forty milliseconds to read a megabyte.
const MAX_REWRITTEN: usize = 32 * 1024 * 1024;

/// Lines between two looks whether the result is still wanted: a millisecond or two.
const LINES_BETWEEN_LOOKS: usize = 256;

/// Said of a rewriting that nobody waits for any more.
pub const STOPPED: Objection = "is not wanted any more";

/// Where what a playlist names is to be had from now on.
pub trait UrlMap {
    /// A URL for the playlist that is at this one.
    fn playlist(&mut self, url: &Url) -> String;

    /// The same for one that other playlists name, if they do.
    fn known_playlist(&mut self, url: &Url) -> Option<String>;

    /// A URL for a key of whole segments, which the demuxer decrypts itself.
    fn key(&mut self, url: &Url) -> String;

    /// A URL for an init segment.
    fn init_segment(&mut self, init: &InitSegment) -> String;

    /// A URL for a media segment.
    fn segment(&mut self, segment: &Segment) -> String;

    /// Whether there has been a URL for any segment with its init segment.
    fn has_any_with_init(&mut self) -> bool;

    /// Whether there has been such a URL.
    fn is_known(&mut self, segment: &Segment) -> bool;
}

/// What a playlist does not say itself.
pub struct Context<'a> {
    /// Where it is.
    pub url: &'a Url,
    query: QueryParameters,
    /// The variables of the multivariant playlist that names it.
    pub imported: &'a Variables,
    /// What protects the presentation's first protected segments with init segments, if any are:
    /// then all init segments have to look as if theirs were.
    pub first_key: Option<&'a FirstKey>,
    /// The demuxer reads an init segment only where it begins with a rendition.
    pub reads_one_map: bool,
    /// Asked now and then: whether somebody still waits for the result.
    pub is_wanted: &'a (dyn Fn() -> bool + 'a),
}

impl<'a> Context<'a> {
    /// For a playlist at that URL of a presentation of which nothing else is known.
    pub fn new(url: &'a Url, imported: &'a Variables) -> Self {
        Self {
            url,
            query: QueryParameters::of(url),
            imported,
            first_key: None,
            reads_one_map: false,
            is_wanted: &|| true,
        }
    }

    pub fn base(&self) -> Base<'a> {
        Base::new(self.url)
    }

    /// The variables, and what this EXT-X-DEFINE adds to them.
    ///
    /// # Errors
    ///
    /// There have been too many tags.
    pub fn define(&self, base: &mut Base, list: &str) -> Result<(), Objection> {
        base.count_tag()?;
        base.variables.define(list, self.imported, &self.query);
        Ok(())
    }
}

/// What came of a playlist.
#[derive(Debug, Default)]
pub struct Rewritten {
    pub text: String,
    pub variables: Variables,
    /// Why some of it cannot be played, to go on after "the playlist".
    pub unplayable: Option<Arc<str>>,
    /// The first playlists that it names.
    pub playlists: Vec<Url>,
    /// What EXT-X-SESSION-KEY says of protected segments.
    pub session_key: Option<FirstKey>,
    /// The keys that come first where it is played from its beginning, and from its end.
    pub keys: Vec<Url>,
    /// An init segment goes to the demuxer as it lies there.
    pub has_direct_init: bool,
    /// An init segment says that segments are protected.
    pub has_protected_init: bool,
}

/// The playlist without a byte order mark, if it is one.
///
/// # Errors
///
/// What it is, to go on after "the playlist".
pub fn checked(playlist: &str) -> Result<&str, Objection> {
    const MARK: &str = "#EXTM3U";
    let playlist = playlist.strip_prefix('\u{feff}').unwrap_or(playlist);
    // IPTV lists have attributes there.
    let rest = playlist
        .lines()
        .next()
        .and_then(|line| line.strip_prefix(MARK));
    match rest {
        Some(rest) if rest.is_empty() || rest.starts_with([' ', '\t', '\r']) => Ok(playlist),
        _ => Err("does not begin with #EXTM3U: it is none"),
    }
}

/// Whether the playlist lists playlists and not segments.
///
/// # Errors
///
/// What it is, to go on after "the playlist".
pub fn lists_playlists(playlist: &str) -> Result<bool, Objection> {
    checked(playlist).map(is_multivariant)
}

/// The lines that are read and written, bounded.
pub struct Writer<'a> {
    text: String,
    is_wanted: &'a (dyn Fn() -> bool + 'a),
    lines: usize,
}

impl<'a> Writer<'a> {
    pub fn new(length: usize, context: &Context<'a>) -> Self {
        Self {
            text: String::with_capacity(length + length / 4),
            is_wanted: context.is_wanted,
            lines: 0,
        }
    }

    /// The next line that was read.
    pub fn next_line<'l>(&mut self, line: &'l str) -> Result<&'l str, Objection> {
        self.lines += 1;
        if self.lines.is_multiple_of(LINES_BETWEEN_LOOKS) && !(self.is_wanted)() {
            return Err(STOPPED);
        }
        match line.len() > MAX_LINE {
            true => Err("has a line of a length that nobody writes"),
            false => Ok(line.trim_end_matches('\r')),
        }
    }

    pub fn write(&mut self, line: &str) -> Result<(), Objection> {
        self.write_lines(line)?;
        self.text.push('\n');
        Ok(())
    }

    /// Writes lines that have their ends.
    pub fn write_lines(&mut self, lines: &str) -> Result<(), Objection> {
        if self.text.len() + lines.len() >= MAX_REWRITTEN {
            return Err("grows beyond all measure when its URIs are written out");
        }
        self.text.push_str(lines);
        Ok(())
    }

    pub fn write_tag(&mut self, name: &str, list: &str) -> Result<(), Objection> {
        self.write(&format!("#{name}:{list}"))
    }

    pub fn end(self, variables: Variables) -> Rewritten {
        Rewritten {
            text: self.text,
            variables,
            ..Rewritten::default()
        }
    }
}
