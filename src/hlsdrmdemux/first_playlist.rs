// SPDX-License-Identifier: MIT OR Apache-2.0

//! The first playlist as it comes in, with what its source says.

use super::playlists::MAX_PLAYLIST;
use super::source::SourceHeaders;
use crate::error::Failure;

#[derive(Default)]
pub struct FirstPlaylist {
    bytes: Vec<u8>,
    headers: SourceHeaders,
}

impl FirstPlaylist {
    /// # Errors
    ///
    /// `Malformed` where it has become too long.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.bytes.len() + bytes.len() > MAX_PLAYLIST {
            self.clear();
            let what = format!("the playlist has more than {MAX_PLAYLIST} bytes");
            return Err(Failure::malformed(what).of_stream());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub fn set_headers(&mut self, headers: SourceHeaders) {
        self.headers = headers;
    }

    /// Another one is about to come.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// It is whole. The headers are those of the next one too.
    pub fn take(&mut self) -> (Vec<u8>, SourceHeaders) {
        (std::mem::take(&mut self.bytes), self.headers.clone())
    }
}
