// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists, rewritten line by line so that a stock demuxer plays them: what it cannot play goes
//! through a server, and every other URI becomes absolute. Every other line stays as it is.

use std::sync::Arc;

use url::Url;

use super::blocks::{self, Before, Blocks};
use super::first_and_last_keys::FirstKeys;
use super::resource::FirstKey;
use super::tags::is_multivariant;
use super::uris::{Base, Objection};
use super::variables::{QueryParameters, Variables};

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
    /// Some of its segments were encrypted as a whole when it was read before.
    pub has_whole_fragments: bool,
    /// What it became when it was read before.
    pub before: Option<Before<'a>>,
    pub segments_in_block: u64,
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
            has_whole_fragments: false,
            before: None,
            segments_in_block: blocks::SEGMENTS,
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
    pub keys: FirstKeys,
    /// Segments with init segments may be encrypted as a whole.
    pub has_whole_fragments: bool,
    /// For when it is read again, where it will be.
    pub blocks: Option<Blocks>,
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
