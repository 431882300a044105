// SPDX-License-Identifier: MIT OR Apache-2.0

//! The first playlist as it comes in, with what its source says.

use gst_base::UniqueAdapter;

use super::playlists::MAX_PLAYLIST;
use super::source::SourceHeaders;
use crate::error::Failure;

#[derive(Default)]
pub struct FirstPlaylist {
    parts: UniqueAdapter,
    headers: SourceHeaders,
}

impl FirstPlaylist {
    /// # Errors
    ///
    /// `Malformed` where it has become too long.
    pub fn add(&mut self, part: gst::Buffer) -> Result<(), Failure> {
        if self.parts.available() + part.size() > MAX_PLAYLIST {
            self.clear();
            let what = format!("the playlist has more than {MAX_PLAYLIST} bytes");
            return Err(Failure::malformed(what).of_stream());
        }
        self.parts.push(part);
        Ok(())
    }

    pub fn set_headers(&mut self, headers: SourceHeaders) {
        self.headers = headers;
    }

    /// Another one is about to come.
    pub fn clear(&mut self) {
        self.parts.clear();
    }

    /// It is whole; `None` where nothing has come. The headers are those of the next one too.
    pub fn take(&mut self) -> (Option<gst::Buffer>, SourceHeaders) {
        let playlist = self.parts.take_buffer(self.parts.available());
        (playlist.ok(), self.headers.clone())
    }
}
