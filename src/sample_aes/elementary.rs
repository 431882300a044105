// SPDX-License-Identifier: MIT OR Apache-2.0

//! The encrypted streams that may be in a transport stream.

use super::SampleAesError;
use super::audio::AudioStream;
use super::cipher::SampleCipher;
use super::held::{Payload, Queue};
use super::nal::NalStream;
use super::psi::Encrypted;

pub enum ElementaryStream {
    Nal(NalStream),
    Audio(AudioStream),
}

impl ElementaryStream {
    pub fn new(encrypted: Encrypted) -> Self {
        match encrypted {
            Encrypted::H264 => Self::Nal(NalStream::default()),
            Encrypted::Audio(codec) => Self::Audio(AudioStream::new(codec)),
        }
    }

    pub fn kind(&self) -> Encrypted {
        match self {
            Self::Nal(_) => Encrypted::H264,
            Self::Audio(audio) => Encrypted::Audio(audio.codec()),
        }
    }

    pub fn payload(&self) -> &Payload {
        match self {
            Self::Nal(nal) => nal.payload(),
            Self::Audio(audio) => audio.payload(),
        }
    }

    /// Takes the next bytes, which stand at a position of the queue.
    pub fn push(
        &mut self,
        position: u64,
        bytes: &[u8],
        cipher: &SampleCipher,
        queue: &mut Queue,
    ) -> Result<(), SampleAesError> {
        match self {
            Self::Nal(nal) => {
                nal.append(position, bytes);
                nal.advance(cipher, queue)
            }
            Self::Audio(audio) => {
                audio.append(position, bytes);
                audio.advance(cipher, queue);
                Ok(())
            }
        }
    }

    /// Ends the stream here: what follows is not known, or there is nothing.
    pub fn cut(&mut self, cipher: &SampleCipher, queue: &mut Queue) {
        match self {
            Self::Nal(nal) => nal.cut(cipher, queue),
            Self::Audio(audio) => audio.cut(cipher, queue),
        }
    }
}
