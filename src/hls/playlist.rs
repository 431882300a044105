// SPDX-License-Identifier: MIT OR Apache-2.0

//! One playlist, of whichever kind.

use super::media;
use super::multivariant;
use super::rewrite::{Context, Rewritten, checked};
use super::tags::is_multivariant;
use super::uris::Objection;
use super::url_map::UrlMap;

/// Rewrites a playlist.
///
/// # Errors
///
/// What is wrong with it, to go on after "the playlist".
pub fn rewrite(
    playlist: &str,
    context: &Context,
    map: &mut impl UrlMap,
) -> Result<Rewritten, Objection> {
    let playlist = checked(playlist)?;
    match is_multivariant(playlist) {
        true => multivariant::rewrite(playlist, context, map),
        false => media::rewrite(playlist, context, map),
    }
}
