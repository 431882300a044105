// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where what a playlist names is to be had.

use url::Url;

use super::digest::Digest;
use super::resource::{InitSegment, Segment};

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

    /// Whether the boxes with these digests are there for init segments, and will be.
    fn has_boxes(&mut self, digests: &[Digest]) -> bool;

    /// Whether there has been such a URL.
    fn is_known(&mut self, segment: &Segment) -> bool;
}
