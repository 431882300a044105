// SPDX-License-Identifier: MIT OR Apache-2.0

//! Program specific information (ISO/IEC 13818-1, 2.4.4): which streams there are.

use super::audio::AudioCodec;
use super::held::{Payload, Queue};

/// `table_id` of a `program_association_section`.
const PAT: u8 = 0x00;

/// `table_id` of a `TS_program_map_section`.
const PMT: u8 = 0x02;

/// The first byte behind the last section of a packet (2.4.4.2).
const STUFFING: u8 = 0xff;

/// Up to and with `section_length`.
const HEADER: usize = 3;

/// Up to and with `last_section_number`, where a table's own content begins.
const LONG_HEADER: usize = 8;

const CRC: usize = 4;

/// Bytes of a section behind `section_length` (2.4.4.3, 2.4.4.8).
const MAX_LENGTH: usize = 1021;

/// How a stream is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encrypted {
    H264,
    Audio(AudioCodec),
}

/// What a section says.
#[derive(Debug, PartialEq, Eq)]
pub enum Table {
    /// Where the program maps are.
    Programs(Vec<u16>),
    /// The encrypted streams of a program.
    Streams(Vec<(u16, Encrypted)>),
}

/// The sections of one PID.
#[derive(Default)]
pub struct SectionReader {
    payload: Payload,
    /// Whether the payload begins where a section does.
    is_in_sync: bool,
}

impl SectionReader {
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Reads one payload that stands at a position of the queue, and rewrites program maps there.
    pub fn read(
        &mut self,
        is_start: bool,
        position: u64,
        payload: &[u8],
        queue: &mut Queue,
    ) -> Vec<Table> {
        let mut tables = Vec::new();
        let mut sections = 0;
        if is_start {
            // Behind `pointer_field` stands the end of a section that began before (2.4.4.2).
            let pointer = payload.first().map_or(0, |pointer| usize::from(*pointer));
            sections = payload.len().min(1 + pointer);
            if self.is_in_sync && sections > 1 {
                self.payload.append(position + 1, &payload[1..sections]);
                self.advance(queue, &mut tables);
            }
            self.cut();
            self.is_in_sync = true;
        }
        if self.is_in_sync {
            let position = position + sections as u64;
            self.payload.append(position, &payload[sections..]);
            self.advance(queue, &mut tables);
        }
        tables
    }

    /// Gives up the section that is not whole.
    pub fn cut(&mut self) {
        self.payload.pass(usize::MAX);
        self.is_in_sync = false;
    }

    fn advance(&mut self, queue: &mut Queue, tables: &mut Vec<Table>) {
        loop {
            let bytes = self.payload.bytes();
            if bytes.first() == Some(&STUFFING) {
                return self.cut();
            }
            let Some(&[_, high, low]) = bytes.first_chunk::<HEADER>() else {
                return;
            };
            let length = usize::from(u16::from_be_bytes([high & 0x0f, low]));
            if length > MAX_LENGTH {
                return self.cut();
            }
            let Some(section) = self.payload.bytes_mut().get_mut(..HEADER + length) else {
                return;
            };
            tables.extend(read_section(section));
            self.payload.replace(HEADER + length, queue);
        }
    }
}

/// Reads one section. A program map loses the stream types of encrypted streams.
fn read_section(section: &mut [u8]) -> Option<Table> {
    // A section with its own CRC behind it comes to zero (Annex A).
    if crc(section) != 0 {
        return None;
    }
    let (body, checksum) = section.split_last_chunk_mut::<CRC>()?;
    let &[table, syntax, _, _, _, version, _, _] = body.first_chunk::<LONG_HEADER>()?;
    let has_long_header = syntax & 0x80 != 0;
    let is_current = version & 1 != 0;
    if !has_long_header {
        return None;
    }
    match table {
        PAT => is_current.then(|| Table::Programs(programs(&body[LONG_HEADER..]))),
        PMT => {
            let streams = rewrite_streams(&mut body[LONG_HEADER..])?;
            if !streams.is_empty() {
                *checksum = crc(body).to_be_bytes();
            }
            is_current.then_some(Table::Streams(streams))
        }
        _ => None,
    }
}

fn programs(content: &[u8]) -> Vec<u16> {
    let (programs, _) = content.as_chunks::<4>();
    let program = |&[high, low, pid_high, pid_low]: &[u8; 4]| {
        // Program 0 is the network's.
        (high | low != 0).then_some(pid(pid_high, pid_low))
    };
    programs.iter().filter_map(program).collect()
}

/// Rewrites nothing where the program map is malformed.
fn rewrite_streams(content: &mut [u8]) -> Option<Vec<(u16, Encrypted)>> {
    let &[_, _, high, low] = content.first_chunk::<4>()?;
    let mut at = 4 + length(high, low);
    let mut found = Vec::new();
    while let Some(entry) = content.get(at..).filter(|entry| !entry.is_empty()) {
        let &[stream_type, pid_high, pid_low, high, low] = entry.first_chunk::<5>()?;
        if let Some((clear, encrypted)) = clear_type(stream_type) {
            found.push((at, clear, pid(pid_high, pid_low), encrypted));
        }
        at += 5 + length(high, low);
    }
    if at != content.len() {
        return None;
    }
    for (at, clear, _, _) in &found {
        content[*at] = *clear;
    }
    Some(
        found
            .into_iter()
            .map(|(_, _, pid, encrypted)| (pid, encrypted))
            .collect(),
    )
}

/// The stream type of the same stream in the clear ("MPEG-2 Stream Encryption Format for HTTP Live
/// Streaming", 3.0; ISO/IEC 13818-1, table 2-34; ATSC A/52, A.3.1 and G.3.1).
fn clear_type(stream_type: u8) -> Option<(u8, Encrypted)> {
    match stream_type {
        0xdb => Some((0x1b, Encrypted::H264)),
        0xcf => Some((0x0f, Encrypted::Audio(AudioCodec::Adts))),
        0xc1 => Some((0x81, Encrypted::Audio(AudioCodec::Ac3))),
        0xc2 => Some((0x87, Encrypted::Audio(AudioCodec::Ac3))),
        _ => None,
    }
}

fn pid(high: u8, low: u8) -> u16 {
    u16::from_be_bytes([high & 0x1f, low])
}

/// `program_info_length` and `ES_info_length`.
fn length(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high & 0x0f, low]))
}

/// CRC-32 of sections (Annex A).
fn crc(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x04c1_1db7;
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            let shifted = crc << 1;
            if crc >> 31 == 0 {
                shifted
            } else {
                shifted ^ POLYNOMIAL
            }
        })
    })
}

/// Adds header and CRC to the content of a section.
#[cfg(test)]
pub fn section(table: u8, version: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(LONG_HEADER - HEADER + content.len() + CRC).expect("a small one");
    let [high, low] = length.to_be_bytes();
    let header = [table, 0xb0 | high, low, 0, 1, 0xc0 | version << 1 | 1, 0, 0];
    let body = [&header, content].concat();
    let checksum = crc(&body).to_be_bytes();
    [&body[..], &checksum].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One entry of a program map's loop, with `info` bytes of descriptors.
    fn entry(stream_type: u8, pid: u8, info: usize) -> Vec<u8> {
        let [high, low] = u16::try_from(info).expect("a small one").to_be_bytes();
        let fixed = [stream_type, 0xe1, pid, 0xf0 | high, low];
        [&fixed[..], &vec![0xdb; info]].concat()
    }

    fn map(entries: &[Vec<u8>]) -> Vec<u8> {
        let program_info = [0xe1, 0x00, 0xf0, 2, 0xdb, 0xcf];
        section(PMT, 3, &[&program_info[..], &entries.concat()].concat())
    }

    #[test]
    fn crc_of_the_check_string_is_the_catalogued_one() {
        // CRC-32/MPEG-2 in the catalogue of parametrised CRC algorithms.
        assert_eq!(crc(b"123456789"), 0x0376_e6e7);
    }

    #[test]
    fn map_gets_clear_types_and_another_crc() {
        let encrypted = [
            entry(0xdb, 1, 6),
            entry(0xcf, 2, 0),
            entry(0xc1, 3, 20),
            entry(0xc2, 4, 300),
            entry(0x15, 5, 1),
            entry(0x1b, 6, 0),
        ];
        let clear = [
            entry(0x1b, 1, 6),
            entry(0x0f, 2, 0),
            entry(0x81, 3, 20),
            entry(0x87, 4, 300),
            entry(0x15, 5, 1),
            entry(0x1b, 6, 0),
        ];
        let mut section = map(&encrypted);
        let ac3 = Encrypted::Audio(AudioCodec::Ac3);
        assert_eq!(
            read_section(&mut section),
            Some(Table::Streams(vec![
                (0x101, Encrypted::H264),
                (0x102, Encrypted::Audio(AudioCodec::Adts)),
                (0x103, ac3),
                (0x104, ac3),
            ]))
        );
        assert_eq!(section, map(&clear));
    }

    #[test]
    fn damaged_section_stays_as_it_is() {
        let whole = map(&[entry(0xdb, 1, 6)]);
        for byte in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[byte] ^= 0x10;
            let before = damaged.clone();
            assert_eq!(read_section(&mut damaged), None);
            assert_eq!(damaged, before);
        }
        // A loop that ends within an entry, under a CRC that fits.
        let mut cut = section(PMT, 0, &[0xe1, 0, 0xf0, 0, 0xdb, 0xe1, 1, 0xf0]);
        let before = cut.clone();
        assert_eq!(read_section(&mut cut), None);
        assert_eq!(cut, before);
    }

    #[test]
    fn association_names_maps_but_not_the_network() {
        let content = [0, 0, 0xe0, 0x10, 0, 1, 0xff, 0xfe, 1, 0, 0xe2, 0];
        let mut section = section(PAT, 0, &content);
        let programs = Table::Programs(vec![0x1ffe, 0x200]);
        assert_eq!(read_section(&mut section), Some(programs));
    }

    #[test]
    fn sections_may_span_and_share_packets() {
        let first = map(&[entry(0xdb, 1, 500)]);
        let second = map(&[entry(0xcf, 2, 0)]);
        let sections = [&first[..], &second].concat();
        // The second one begins in the middle of the third payload.
        let (start, rest) = sections.split_at(183);
        let (middle, end) = rest.split_at(184);
        let pointer = u8::try_from(first.len() - 183 - 184).expect("a small one");
        let payloads = [
            [&[0], start].concat(),
            middle.to_vec(),
            [&[pointer], end, &[STUFFING; 9]].concat(),
        ];
        let mut queue = Queue::default();
        let mut reader = SectionReader::default();
        let mut tables = Vec::new();
        for (index, payload) in payloads.iter().enumerate() {
            let position = queue.append(payload);
            tables.extend(reader.read(index != 1, position, payload, &mut queue));
        }
        let mut out = Vec::new();
        queue.release(reader.payload().waits_from(), &mut out);
        let clear = [map(&[entry(0x1b, 1, 500)]), map(&[entry(0x0f, 2, 0)])].concat();
        let expected = [
            &[0][..],
            &clear[..183 + 184],
            &[pointer],
            &clear[183 + 184..],
            &[STUFFING; 9],
        ];
        assert_eq!(out, expected.concat());
        assert_eq!(tables.len(), 2);
    }
}
