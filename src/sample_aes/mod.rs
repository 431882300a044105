// SPDX-License-Identifier: MIT OR Apache-2.0

//! Segments encrypted by SAMPLE-AES with an identity key (RFC 8216, 4.3.2.4): MPEG transport
//! streams and packed audio, as "MPEG-2 Stream Encryption Format for HTTP Live Streaming" says.
//!
//! Decrypted bytes take the place of encrypted ones, so a segment's length stays what it is.

mod audio;
mod cipher;
mod elementary;
mod held;
mod id3;
mod nal;
mod packet;
mod pes;
mod psi;
mod ts;

#[cfg(test)]
mod tests;

use std::fmt;

use crate::cenc::ContentKey;

use audio::{AudioCodec, AudioStream};
use cipher::SampleCipher;
use held::Queue;
use ts::TransportStream;

/// Why a segment cannot be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleAesError {
    /// The segment is neither a transport stream nor packed audio of a known codec.
    UnknownContainer,
    /// The segment is fragmented MP4, whose samples are decrypted behind the demuxer.
    Mp4,
    /// No picture is as large as one of the segment's NAL units.
    NalTooLarge,
}

impl fmt::Display for SampleAesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownContainer => {
                "The segment's EXT-X-KEY tag says METHOD=SAMPLE-AES, but it is neither an MPEG \
                 transport stream nor packed audio in AAC (ADTS), AC-3 or E-AC-3. If all of the \
                 file is encrypted, the tag must say METHOD=AES-128."
            }
            Self::Mp4 => {
                "The segment is fragmented MP4, but its playlist has no EXT-X-MAP tag for it."
            }
            Self::NalTooLarge => {
                "The segment is damaged, or it is encrypted in another way than its EXT-X-KEY tag \
                 says: it has a NAL unit of more than 8 MiB."
            }
        })
    }
}

impl std::error::Error for SampleAesError {}

/// Decrypts one segment as it comes, with the key and the vector of its EXT-X-KEY tag.
///
/// As many bytes come out as go in. They come out late: a NAL unit or an audio frame must be whole
/// before it is decrypted. Up to 16 MiB wait, whatever the segment holds. Damaged packets, and what
/// is not encrypted, come out as they are.
///
/// A transport stream whose program map is in its EXT-X-MAP (RFC 8216, 3.2) is decrypted by
/// pushing the map's bytes first.
pub struct SegmentDecryptor {
    cipher: SampleCipher,
    container: Container,
}

enum Container {
    Unknown(Detector),
    TransportStream(TransportStream),
    Audio(PackedAudio),
    /// WebVTT, which has no samples to encrypt.
    Text,
}

impl SegmentDecryptor {
    pub fn new(key: &ContentKey, iv: [u8; 16]) -> Self {
        Self {
            cipher: SampleCipher::new(key, iv),
            container: Container::Unknown(Detector::default()),
        }
    }

    /// Takes the next bytes, and appends to `out` what they complete.
    ///
    /// # Errors
    ///
    /// [`SampleAesError`] when the segment cannot be decrypted; the decryptor is of no use then.
    pub fn push(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), SampleAesError> {
        match &mut self.container {
            Container::Unknown(detector) => {
                let Some(container) = detector.push(data, out, false)? else {
                    return Ok(());
                };
                let start = std::mem::take(&mut detector.bytes);
                self.container = container;
                self.push(&start, out)
            }
            Container::TransportStream(stream) => stream.push(&self.cipher, data, out),
            Container::Audio(audio) => {
                audio.push(&self.cipher, data, out);
                Ok(())
            }
            Container::Text => {
                out.extend_from_slice(data);
                Ok(())
            }
        }
    }

    /// Ends the segment, and appends to `out` all that is left.
    ///
    /// # Errors
    ///
    /// As for [`push`](Self::push).
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), SampleAesError> {
        if let Container::Unknown(detector) = &mut self.container
            && let Some(container) = detector.push(&[], out, true)?
        {
            let start = std::mem::take(&mut detector.bytes);
            self.container = container;
            self.push(&start, out)?;
        }
        match self.container {
            // Nothing came, or tags alone.
            Container::Unknown(_) | Container::Text => (),
            Container::TransportStream(stream) => stream.finish(&self.cipher, out)?,
            Container::Audio(audio) => audio.finish(&self.cipher, out),
        }
        Ok(())
    }
}

/// Packed audio (RFC 8216, 3.4): frames, with ID3 tags in front of them and between.
struct PackedAudio {
    stream: AudioStream,
    queue: Queue,
}

impl PackedAudio {
    fn new(codec: AudioCodec) -> Self {
        Self {
            stream: AudioStream::packed(codec),
            queue: Queue::default(),
        }
    }

    fn push(&mut self, cipher: &SampleCipher, data: &[u8], out: &mut Vec<u8>) {
        let position = self.queue.append(data);
        self.stream.append(position, data);
        self.stream.advance(cipher, &mut self.queue);
        self.queue.release(self.stream.payload().waits_from(), out);
    }

    fn finish(mut self, cipher: &SampleCipher, out: &mut Vec<u8>) {
        self.stream.cut(cipher, &mut self.queue);
        self.queue.release(None, out);
    }
}

/// Finds out what a segment is.
#[derive(Default)]
struct Detector {
    /// The first bytes behind ID3 tags.
    bytes: Vec<u8>,
    /// Bytes of a tag that are still to pass.
    tag: u64,
}

impl Detector {
    /// Takes bytes until they say what they are. ID3 tags go on.
    fn push(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        is_last: bool,
    ) -> Result<Option<Container>, SampleAesError> {
        self.bytes.extend_from_slice(data);
        loop {
            if self.tag > 0 {
                let len = self.bytes.len();
                let passed = usize::try_from(self.tag).map_or(len, |tag| tag.min(len));
                out.extend(self.bytes.drain(..passed));
                self.tag -= passed as u64;
            }
            if self.tag > 0 {
                return Ok(None);
            }
            match id3::tag(&self.bytes) {
                id3::Tag::Here(len) => self.tag = len,
                id3::Tag::Short if !is_last => return Ok(None),
                id3::Tag::Short if self.bytes.is_empty() => return Ok(None),
                id3::Tag::Short | id3::Tag::None => break,
            }
        }
        self.container(is_last)
    }

    fn container(&self, is_last: bool) -> Result<Option<Container>, SampleAesError> {
        /// Bytes from which on every container but a transport stream shows.
        const ENOUGH: usize = 12;
        /// The types of boxes with which a segment or its initialization begins.
        const BOXES: [&[u8]; 7] = [
            b"ftyp", b"styp", b"moov", b"moof", b"sidx", b"emsg", b"prft",
        ];
        let bytes = &self.bytes;
        if bytes.first() == Some(&packet::SYNC_BYTE) {
            // One byte is little proof. Another packet's sync byte is better.
            return match bytes.get(packet::PACKET) {
                Some(&packet::SYNC_BYTE) => {
                    Ok(Some(Container::TransportStream(TransportStream::new())))
                }
                None if !is_last => Ok(None),
                None if bytes.len() == packet::PACKET => {
                    Ok(Some(Container::TransportStream(TransportStream::new())))
                }
                Some(_) | None => Err(SampleAesError::UnknownContainer),
            };
        }
        if bytes.len() < ENOUGH && !is_last {
            return Ok(None);
        }
        if let Some(codec) = AudioCodec::at_start_of(bytes) {
            return Ok(Some(Container::Audio(PackedAudio::new(codec))));
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if text.starts_with(b"WEBVTT") {
            return Ok(Some(Container::Text));
        }
        if bytes.get(4..8).is_some_and(|name| BOXES.contains(&name)) {
            return Err(SampleAesError::Mp4);
        }
        Err(SampleAesError::UnknownContainer)
    }
}
