// SPDX-License-Identifier: MIT OR Apache-2.0

//! MPEG transport streams (ISO/IEC 13818-1, 2.4.3). Every packet stays where it is and as long as
//! it is; only the payload of encrypted streams and of program maps changes.

use super::SampleAesError;
use super::cipher::SampleCipher;
use super::elementary::ElementaryStream;
use super::held::{Payload, Queue};
use super::packet::{Continuity, Order, PACKET, SYNC_BYTE, payload_start};
use super::pes::{Part, PesReader};
use super::psi::{Encrypted, SectionReader, Table};

const PIDS: usize = 1 << 13;

/// Programs and encrypted streams of a segment. There is one program in it (RFC 8216, 3.2), with a
/// few streams; of what is more, nothing is decrypted.
const MAX_STREAMS: usize = 64;

/// Bytes that may wait for the end of a NAL unit: the largest one, and other streams' packets.
const MAX_HELD: usize = 16 << 20;

/// Packets that are read before what is ready goes out.
const BATCH: usize = 256;

/// One segment, as its bytes come.
pub struct TransportStream {
    queue: Queue,
    /// A packet of which not all is here.
    partial: Vec<u8>,
    /// Whether the bytes to come may begin anywhere in a packet.
    is_lost: bool,
    /// For each PID, which of `streams` it is, counted from one.
    index: Box<[u8; PIDS]>,
    streams: Vec<Stream>,
}

struct Stream {
    pid: u16,
    continuity: Continuity,
    content: Content,
}

enum Content {
    Sections(SectionReader),
    Elementary {
        pes: PesReader,
        encrypted: ElementaryStream,
        /// The PID of the program map that names it.
        map: u16,
    },
    /// Nothing any more: another stream may take the place.
    Free,
}

impl TransportStream {
    pub fn new() -> Self {
        let mut stream = Self {
            queue: Queue::default(),
            partial: Vec::new(),
            is_lost: false,
            index: Box::new([0; PIDS]),
            streams: Vec::new(),
        };
        // The program association table has PID 0 (table 2-3).
        stream.add(0, Content::Sections(SectionReader::default()));
        stream
    }

    pub fn push(
        &mut self,
        cipher: &SampleCipher,
        mut data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SampleAesError> {
        while !self.partial.is_empty() && !data.is_empty() {
            let missing = (self.needed() - self.partial.len()).min(data.len());
            self.partial.extend_from_slice(&data[..missing]);
            data = &data[missing..];
            let mut partial = std::mem::take(&mut self.partial);
            let used = self.read(cipher, &partial, out)?;
            partial.drain(..used);
            self.partial = partial;
        }
        let used = self.read(cipher, data, out)?;
        self.partial.extend_from_slice(&data[used..]);
        Ok(())
    }

    pub fn finish(
        mut self,
        cipher: &SampleCipher,
        out: &mut Vec<u8>,
    ) -> Result<(), SampleAesError> {
        let partial = std::mem::take(&mut self.partial);
        match <&[u8; PACKET]>::try_from(&partial[..]) {
            // The end of the segment is proof as well as another sync byte.
            Ok(last) if last[0] == SYNC_BYTE => self.packet(cipher, last)?,
            _ => {
                self.queue.append(&partial);
            }
        }
        for stream in &mut self.streams {
            stream.content.cut(cipher, &mut self.queue);
        }
        self.release(cipher, out);
        Ok(())
    }

    /// Bytes from which on it is clear what the first ones are.
    fn needed(&self) -> usize {
        // Where it is not known where packets begin, another sync byte behind one is proof.
        PACKET + usize::from(self.is_lost)
    }

    /// Reads what is whole, and returns how many bytes that is.
    fn read(
        &mut self,
        cipher: &SampleCipher,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<usize, SampleAesError> {
        let mut rest = data;
        let mut packets = 0;
        while rest.len() >= self.needed() {
            let is_packet = rest.first() == Some(&SYNC_BYTE)
                && (!self.is_lost || rest.get(PACKET) == Some(&SYNC_BYTE));
            self.is_lost = !is_packet;
            let Some((packet, next)) = rest.split_first_chunk::<PACKET>().filter(|_| is_packet)
            else {
                let next = rest.iter().skip(1).position(|byte| *byte == SYNC_BYTE);
                let passed = next.map_or(rest.len(), |next| next + 1);
                self.queue.append(&rest[..passed]);
                rest = &rest[passed..];
                continue;
            };
            rest = next;
            self.packet(cipher, packet)?;
            packets += 1;
            if packets % BATCH == 0 {
                self.release(cipher, out);
            }
        }
        self.release(cipher, out);
        Ok(data.len() - rest.len())
    }

    fn packet(
        &mut self,
        cipher: &SampleCipher,
        packet: &[u8; PACKET],
    ) -> Result<(), SampleAesError> {
        let position = self.queue.append(packet);
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let place = usize::from(self.index[usize::from(pid)]);
        let Some(stream) = place.checked_sub(1).and_then(|at| self.streams.get_mut(at)) else {
            return Ok(());
        };
        let is_damaged = packet[1] & 0x80 != 0;
        let is_scrambled = packet[3] & 0xc0 != 0;
        if is_damaged || is_scrambled {
            stream.content.cut(cipher, &mut self.queue);
            return Ok(());
        }
        let Some(start) = payload_start(packet) else {
            return Ok(());
        };
        let payload = &packet[start..];
        let is_start = packet[1] & 0x40 != 0;
        match stream.continuity.next(packet, payload) {
            Order::Next => (),
            // Some multiplexers do not count a table's packets, which are then all alike.
            Order::Repeated if is_start && stream.content.is_sections() => (),
            Order::Repeated => return Ok(()),
            Order::Broken => stream.content.cut(cipher, &mut self.queue),
        }
        let position = position + start as u64;
        let tables = match &mut stream.content {
            Content::Sections(sections) => {
                sections.read(is_start, position, payload, &mut self.queue)
            }
            Content::Elementary { pes, encrypted, .. } => {
                match pes.read(is_start, payload) {
                    Part::Stream { start, len } => {
                        let position = position + start as u64;
                        let bytes = &payload[start..start + len];
                        encrypted.push(position, bytes, cipher, &mut self.queue)?;
                    }
                    Part::Header => (),
                    Part::Outside => encrypted.cut(cipher, &mut self.queue),
                }
                Vec::new()
            }
            Content::Free => Vec::new(),
        };
        for table in tables {
            match table {
                Table::Programs(maps) if pid == 0 => self.set_programs(&maps),
                Table::Streams(streams) if pid != 0 => self.set_streams(cipher, pid, &streams),
                _ => (),
            }
        }
        Ok(())
    }

    fn set_programs(&mut self, maps: &[u16]) {
        for pid in maps {
            self.add(*pid, Content::Sections(SectionReader::default()));
        }
    }

    /// Takes what a program map says of a program: streams may come, go and change.
    fn set_streams(&mut self, cipher: &SampleCipher, map: u16, streams: &[(u16, Encrypted)]) {
        for stream in &mut self.streams {
            let is_gone = match &stream.content {
                Content::Elementary {
                    encrypted, map: of, ..
                } => *of == map && !streams.contains(&(stream.pid, encrypted.kind())),
                Content::Sections(_) | Content::Free => false,
            };
            if is_gone {
                stream.content.cut(cipher, &mut self.queue);
                stream.content = Content::Free;
                self.index[usize::from(stream.pid)] = 0;
            }
        }
        for (pid, encrypted) in streams {
            let content = Content::Elementary {
                pes: PesReader::default(),
                encrypted: ElementaryStream::new(*encrypted),
                map,
            };
            self.add(*pid, content);
        }
    }

    /// Adds a stream where its PID has none and there is room.
    fn add(&mut self, pid: u16, content: Content) {
        let Some(index) = self.index.get_mut(usize::from(pid)) else {
            return;
        };
        if *index != 0 {
            return;
        }
        let is_free = |stream: &Stream| matches!(stream.content, Content::Free);
        let free = self.streams.iter().position(is_free);
        let place = free.unwrap_or(self.streams.len());
        let Some(number) = u8::try_from(place + 1).ok().filter(|_| place < MAX_STREAMS) else {
            return;
        };
        *index = number;
        let stream = Stream {
            pid,
            continuity: Continuity::default(),
            content,
        };
        match self.streams.get_mut(place) {
            Some(free) => *free = stream,
            None => self.streams.push(stream),
        }
    }

    fn first_wait(&self) -> Option<u64> {
        let waits = self
            .streams
            .iter()
            .filter_map(|stream| stream.content.waits_from());
        waits.min()
    }

    /// Hands on what waits for nothing.
    fn release(&mut self, cipher: &SampleCipher, out: &mut Vec<u8>) {
        loop {
            self.queue.release(self.first_wait(), out);
            if self.queue.len() <= MAX_HELD {
                return;
            }
            // Too much waits for the end of one unit. It may be the last one of a stream that has
            // ended, so that no start code says that it is whole.
            let first = self.streams.iter_mut().min_by_key(|stream| {
                let waits_from = stream.content.waits_from();
                waits_from.unwrap_or(u64::MAX)
            });
            if let Some(first) = first {
                first.content.cut(cipher, &mut self.queue);
            }
        }
    }
}

impl Content {
    fn is_sections(&self) -> bool {
        matches!(self, Self::Sections(_))
    }

    fn payload(&self) -> Option<&Payload> {
        match self {
            Self::Sections(sections) => Some(sections.payload()),
            Self::Elementary { encrypted, .. } => Some(encrypted.payload()),
            Self::Free => None,
        }
    }

    fn waits_from(&self) -> Option<u64> {
        self.payload().and_then(Payload::waits_from)
    }

    fn cut(&mut self, cipher: &SampleCipher, queue: &mut Queue) {
        match self {
            Self::Sections(sections) => sections.cut(),
            Self::Elementary { encrypted, .. } => encrypted.cut(cipher, queue),
            Self::Free => (),
        }
    }
}
