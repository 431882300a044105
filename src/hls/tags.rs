// SPDX-License-Identifier: MIT OR Apache-2.0

//! Lines of a playlist (RFC 8216, 4.1).

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag<'a> {
    /// A tag with a value: its name without `#`, and what stands behind the colon.
    Named(&'a str, &'a str),
    Uri(&'a str),
    /// A tag without a value, a comment, or nothing.
    Other,
}

/// Reads a line.
pub fn tag(line: &str) -> Tag<'_> {
    match line.strip_prefix('#') {
        Some(tag) => match tag.split_once(':') {
            Some((name, value)) if name.starts_with("EXT") => Tag::Named(name, value),
            _ => Tag::Other,
        },
        None if line.trim().is_empty() => Tag::Other,
        None => Tag::Uri(line.trim()),
    }
}

/// Whether the playlist lists playlists and not segments.
pub fn is_multivariant(playlist: &str) -> bool {
    const NAMES: [&str; 3] = [
        "EXT-X-STREAM-INF",
        "EXT-X-MEDIA",
        "EXT-X-I-FRAME-STREAM-INF",
    ];
    // A look at the whole is faster than one at each line, and most playlists have nothing of it.
    let may_be = playlist.contains("STREAM-INF") || playlist.contains("EXT-X-MEDIA:");
    let is_one = |line| matches!(tag(line), Tag::Named(name, _) if NAMES.contains(&name));
    may_be && playlist.lines().any(is_one)
}
