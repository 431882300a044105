// SPDX-License-Identifier: MIT OR Apache-2.0

//! Frames of AAC in ADTS (ISO/IEC 13818-7, 6.2), AC-3 and E-AC-3 (ATSC A/52, 5.3, E.1.2).

use super::cipher::SampleCipher;
use super::held::{Payload, Queue};
use super::id3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioCodec {
    Adts,
    /// AC-3 or E-AC-3: each syncframe says which.
    Ac3,
}

/// One frame, as its header describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    /// Bytes in front of the clear leader.
    header: usize,
    /// Bytes of the whole frame.
    len: usize,
}

/// What bytes at the place of a frame turn out to be.
#[derive(Debug, PartialEq, Eq)]
enum Sync {
    Frame(Frame),
    /// There are too few bytes to know.
    Short,
    Lost,
}

/// `syncframe()` of AC-3 up to and with `bsid`, which is at the same place in E-AC-3.
const AC3_HEADER: usize = 6;

/// `adts_fixed_header()` and `adts_variable_header()`; `crc_check` adds two bytes.
const ADTS_HEADER: usize = 7;

impl AudioCodec {
    /// The codec of a frame at the start of `bytes`, if there is one.
    pub fn at_start_of(bytes: &[u8]) -> Option<Self> {
        [Self::Adts, Self::Ac3]
            .into_iter()
            .find(|codec| matches!(codec.sync(bytes), Sync::Frame(_)))
    }

    fn sync(self, bytes: &[u8]) -> Sync {
        let (sync_word, header) = match self {
            // `syncword` and `layer`, which is always zero; version and CRC vary.
            Self::Adts => ([(0xff, 0xff), (0xf6, 0xf0)], ADTS_HEADER),
            Self::Ac3 => ([(0xff, 0x0b), (0xff, 0x77)], AC3_HEADER),
        };
        let begins = |(byte, (mask, value)): (&u8, (u8, u8))| byte & mask == value;
        if !bytes.iter().zip(sync_word).all(begins) {
            return Sync::Lost;
        }
        let Some(header) = bytes.get(..header) else {
            return Sync::Short;
        };
        let frame = match self {
            Self::Adts => adts_frame(header),
            Self::Ac3 => ac3_frame(header),
        };
        frame.map_or(Sync::Lost, Sync::Frame)
    }
}

fn adts_frame(header: &[u8]) -> Option<Frame> {
    let &[_, flags, frequency, length_2, length_8, length_3, _] = header else {
        return None;
    };
    let has_crc = flags & 1 == 0;
    let header = if has_crc {
        ADTS_HEADER + 2
    } else {
        ADTS_HEADER
    };
    // `sampling_frequency_index` 13 to 15 are no frequencies in ADTS.
    let is_valid = frequency >> 2 & 0xf < 13;
    let len =
        usize::from(length_2 & 3) << 11 | usize::from(length_8) << 3 | usize::from(length_3) >> 5;
    (is_valid && len >= header).then_some(Frame { header, len })
}

fn ac3_frame(header: &[u8]) -> Option<Frame> {
    let &[_, _, second, third, fourth, fifth] = header else {
        return None;
    };
    let words = match fifth >> 3 {
        0..=10 => ac3_words(fourth >> 6, fourth & 0x3f)?,
        // `frmsiz` is one less than the number of words (E.1.3.1.3).
        11..=16 => (usize::from(second & 7) << 8 | usize::from(third)) + 1,
        _ => return None,
    };
    let len = 2 * words;
    (len >= AC3_HEADER).then_some(Frame { header: 0, len })
}

/// Words of sixteen bits in a syncframe of AC-3 (table 5.18).
fn ac3_words(fscod: u8, frmsizecod: u8) -> Option<usize> {
    /// kbit/s
    const RATES: [usize; 19] = [
        32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640,
    ];
    let rate = *RATES.get(usize::from(frmsizecod / 2))?;
    match fscod {
        0 => Some(rate * 2),
        // A frame of 1536 samples at 44.1 kHz; an odd code says that the fraction is rounded up.
        1 => Some(rate * 320 / 147 + usize::from(frmsizecod % 2)),
        2 => Some(rate * 3),
        _ => None,
    }
}

/// One audio stream of a segment.
pub struct AudioStream {
    codec: AudioCodec,
    payload: Payload,
    /// Whether the payload begins where a frame should.
    is_in_sync: bool,
    /// Whether ID3 tags may stand between frames.
    has_tags: bool,
    /// Bytes of a tag that are still to pass.
    tag: u64,
}

impl AudioStream {
    /// A stream inside a container.
    pub fn new(codec: AudioCodec) -> Self {
        Self {
            codec,
            payload: Payload::default(),
            is_in_sync: true,
            has_tags: false,
            tag: 0,
        }
    }

    /// A stream that is the whole segment (RFC 8216, 3.4).
    pub fn packed(codec: AudioCodec) -> Self {
        Self {
            has_tags: true,
            ..Self::new(codec)
        }
    }

    pub fn codec(&self) -> AudioCodec {
        self.codec
    }

    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    pub fn append(&mut self, position: u64, bytes: &[u8]) {
        self.payload.append(position, bytes);
    }

    /// Decrypts every frame that is whole. What is no frame passes.
    pub fn advance(&mut self, cipher: &SampleCipher, queue: &mut Queue) {
        while self.step(cipher, queue, false) {}
    }

    /// Ends the stream here: nothing of its last frame follows.
    pub fn cut(&mut self, cipher: &SampleCipher, queue: &mut Queue) {
        while self.step(cipher, queue, true) {}
        self.payload.pass(usize::MAX);
        self.is_in_sync = false;
        self.tag = 0;
    }

    /// Settles some bytes. Returns whether there is more to do.
    fn step(&mut self, cipher: &SampleCipher, queue: &mut Queue, is_last: bool) -> bool {
        let available = self.payload.bytes().len();
        if available == 0 {
            return false;
        }
        if self.tag > 0 {
            let passed = usize::try_from(self.tag).map_or(available, |tag| tag.min(available));
            self.payload.pass(passed);
            self.tag -= passed as u64;
            return true;
        }
        if self.has_tags && self.is_in_sync {
            match id3::tag(self.payload.bytes()) {
                id3::Tag::Here(len) => {
                    self.tag = len;
                    return true;
                }
                id3::Tag::Short if !is_last => return false,
                id3::Tag::Short | id3::Tag::None => (),
            }
        }
        match self.codec.sync(self.payload.bytes()) {
            Sync::Frame(frame) => self.frame(frame, cipher, queue, is_last),
            Sync::Short if !is_last => false,
            Sync::Short | Sync::Lost => {
                self.is_in_sync = false;
                self.search();
                true
            }
        }
    }

    fn frame(
        &mut self,
        frame: Frame,
        cipher: &SampleCipher,
        queue: &mut Queue,
        is_last: bool,
    ) -> bool {
        let available = self.payload.bytes().len();
        if !self.is_in_sync {
            // Encrypted bytes may look like a header. Another one where the frame ends is proof,
            // and so is the end of the stream there.
            let next = self.payload.bytes().get(frame.len..);
            let is_frame = match next.map(|next| self.codec.sync(next)) {
                Some(Sync::Frame(_)) => true,
                None | Some(Sync::Short) if !is_last => return false,
                Some(Sync::Short) => true,
                None | Some(Sync::Lost) => false,
            };
            if !is_frame {
                self.search();
                return true;
            }
        }
        if available < frame.len && !is_last {
            return false;
        }
        let len = frame.len.min(available);
        if let Some(payload) = self.payload.bytes_mut().get_mut(frame.header..len) {
            cipher.decrypt_frame(payload);
        }
        self.payload.replace(len, queue);
        self.is_in_sync = true;
        true
    }

    /// Lets bytes pass up to the next that may begin a frame.
    fn search(&mut self) {
        let first = match self.codec {
            AudioCodec::Adts => 0xff,
            AudioCodec::Ac3 => 0x0b,
        };
        let bytes = self.payload.bytes();
        let next = bytes.iter().skip(1).position(|byte| *byte == first);
        let passed = next.map_or(bytes.len(), |next| next + 1);
        self.payload.pass(passed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_sizes_match_table_5_18() {
        // 44.1 kHz, whose sizes differ by a word, at 32, 448 and 640 kbit/s.
        for (code, words) in [
            (0, 69),
            (1, 70),
            (30, 975),
            (31, 976),
            (36, 1393),
            (37, 1394),
        ] {
            assert_eq!(ac3_words(1, code), Some(words));
        }
        assert_eq!(ac3_words(0, 36), Some(1280));
        assert_eq!(ac3_words(2, 37), Some(1920));
        assert_eq!(ac3_words(3, 0), None);
        assert_eq!(ac3_words(0, 38), None);
    }

    #[test]
    fn adts_header_length_depends_on_crc() {
        // 1,000 bytes: 0 0000 0111 1101 000.
        let header = |flags| [0xff, flags, 0x50, 0x80, 125, 0x1f, 0xfc];
        let frame = |header, len| Sync::Frame(Frame { header, len });
        assert_eq!(AudioCodec::Adts.sync(&header(0xf1)), frame(7, 1000));
        assert_eq!(AudioCodec::Adts.sync(&header(0xf8)), frame(9, 1000));
        assert_eq!(AudioCodec::Adts.sync(&header(0xf2)), Sync::Lost);
        assert_eq!(AudioCodec::Adts.sync(&header(0xf1)[..6]), Sync::Short);
    }
}
