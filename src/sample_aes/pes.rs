// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where the elementary stream is in PES packets (ISO/IEC 13818-1, 2.4.3.6).

/// Up to and with `PES_header_data_length`.
const HEADER: usize = 9;

/// What `PES_packet_length` does not count: the start code, the stream id and itself.
const UNCOUNTED: usize = 6;

/// Follows one stream's PES packets through the payloads of its transport packets.
#[derive(Default)]
pub struct PesReader {
    state: State,
    /// Bytes of the PES packet that are still to come, where its length is known.
    left: Option<usize>,
}

#[derive(Default)]
enum State {
    /// No PES packet has begun, or what has begun is none that holds an elementary stream.
    #[default]
    Outside,
    /// So many bytes of the header are here.
    Header([u8; HEADER], usize),
    /// So many bytes of optional fields and stuffing are still to come.
    Fields(usize),
    Stream,
}

/// What one transport packet's payload holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// The elementary stream is behind so many bytes, and has so many bytes.
    Stream { start: usize, len: usize },
    /// No byte of the elementary stream, but what comes next may be.
    Header,
    /// Nothing that belongs to the elementary stream's next bytes.
    Outside,
}

impl PesReader {
    /// Reads one payload. `is_start` is `payload_unit_start_indicator`.
    pub fn read(&mut self, is_start: bool, payload: &[u8]) -> Part {
        if is_start {
            self.state = State::Header([0; HEADER], 0);
            self.left = None;
        }
        let mut rest = payload;
        if let State::Header(mut header, mut have) = self.state {
            let part;
            (part, rest) = rest.split_at(rest.len().min(HEADER - have));
            header[have..have + part.len()].copy_from_slice(part);
            have += part.len();
            if have < HEADER {
                self.state = State::Header(header, have);
                return Part::Header;
            }
            self.read_header(&header);
        }
        if let State::Fields(fields) = self.state {
            let skipped = fields.min(rest.len());
            rest = &rest[skipped..];
            if skipped < fields {
                self.state = State::Fields(fields - skipped);
                return Part::Header;
            }
            self.state = State::Stream;
        }
        if let State::Outside = self.state {
            return Part::Outside;
        }
        let start = payload.len() - rest.len();
        let len = self.left.map_or(rest.len(), |left| left.min(rest.len()));
        self.left = self.left.map(|left| left - len);
        Part::Stream { start, len }
    }

    fn read_header(&mut self, header: &[u8; HEADER]) {
        let [0, 0, 1, id, length_high, length_low, flags, _, fields] = *header else {
            self.state = State::Outside;
            return;
        };
        // These stream ids have no optional fields, and no audio or video (table 2-21).
        let is_other = matches!(id, 0xbc | 0xbe | 0xbf | 0xf0..=0xf2 | 0xf8 | 0xff);
        // The bits `10`, and `PES_scrambling_control` that says that nothing is scrambled.
        if is_other || flags & 0xf0 != 0x80 {
            self.state = State::Outside;
            return;
        }
        let fields = usize::from(fields);
        // Zero stands for a packet of video that ends where the next begins.
        self.left = match usize::from(u16::from_be_bytes([length_high, length_low])) {
            0 => None,
            length => Some((UNCOUNTED + length).saturating_sub(HEADER + fields)),
        };
        self.state = State::Fields(fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PES packet with five bytes of optional fields.
    fn packet(length: u16, stream: &[u8]) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        let header = [0, 0, 1, 0xe0, high, low, 0x80, 0x80, 5, 1, 2, 3, 4, 5];
        [&header, stream].concat()
    }

    /// Reads a packet in payloads of `size` bytes, and joins what is of the elementary stream.
    fn read(packet: &[u8], size: usize) -> Vec<u8> {
        let mut reader = PesReader::default();
        let mut stream = Vec::new();
        for (index, payload) in packet.chunks(size).enumerate() {
            if let Part::Stream { start, len } = reader.read(index == 0, payload) {
                stream.extend_from_slice(&payload[start..start + len]);
            }
        }
        stream
    }

    #[test]
    fn stream_begins_behind_header_at_any_split() {
        for size in 1..30 {
            assert_eq!(read(&packet(0, b"elementary"), size), b"elementary");
        }
    }

    #[test]
    fn known_length_ends_the_stream() {
        for size in 1..30 {
            assert_eq!(read(&packet(3 + 5 + 4, b"elementary"), size), b"elem");
            assert_eq!(read(&packet(1, b"elementary"), size), b"");
        }
    }

    #[test]
    fn payload_without_start_is_outside() {
        let mut reader = PesReader::default();
        assert_eq!(reader.read(false, b"elementary"), Part::Outside);
        assert_eq!(reader.read(true, b"\0\0\x02elementary"), Part::Outside);
        let padding = [0, 0, 1, 0xbe, 0, 9, 0x80, 0, 0, 0];
        assert_eq!(reader.read(true, &padding), Part::Outside);
    }
}
