// SPDX-License-Identifier: MIT OR Apache-2.0

//! An encryptor and a multiplexer of our own, written from the text of the standards alone.

use aes::Aes128;
use cipher::{BlockCipherEncrypt, KeyInit};

use crate::sample_aes::psi;

pub const KEY: [u8; 16] = *b"sixteen key byte";
pub const IV: [u8; 16] = *b"and an IV of 16.";

/// The PID of the program map.
const MAP: u16 = 0x1000;

/// CBC by its definition (NIST SP 800-38A, 6.2).
struct Chain {
    cipher: Aes128,
    last: [u8; 16],
}

impl Chain {
    fn new() -> Self {
        let cipher = Aes128::new(&KEY.into());
        Self { cipher, last: IV }
    }

    fn encrypt(&mut self, block: &mut [u8]) {
        for (byte, last) in block.iter_mut().zip(self.last) {
            *byte ^= last;
        }
        let mut array = <[u8; 16]>::try_from(&*block).expect("a block").into();
        self.cipher.encrypt_block(&mut array);
        block.copy_from_slice(&array);
        self.last = array.into();
    }
}

/// Listing 2-1, and emulation prevention behind it.
pub fn encrypt_nal(nal: &[u8]) -> Vec<u8> {
    if nal.len() <= 48 || !matches!(nal[0] & 0x1f, 1 | 5) {
        return nal.to_vec();
    }
    let mut nal = nal.to_vec();
    let mut chain = Chain::new();
    let mut at = 32;
    while nal.len() - at > 16 {
        chain.encrypt(&mut nal[at..at + 16]);
        at += 16;
        at += (nal.len() - at).min(144);
    }
    escape(&nal)
}

/// Adds emulation prevention (ISO/IEC 14496-10, 7.4.1).
pub fn escape(nal: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::new();
    let mut zeros = 0;
    for &byte in nal {
        if zeros == 2 && byte <= 3 {
            escaped.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        escaped.push(byte);
    }
    escaped
}

/// Listings 2-2 to 2-4.
pub fn encrypt_frame(frame: &[u8], header: usize) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let mut chain = Chain::new();
    let mut at = header + 16;
    while frame.len() >= at + 16 {
        chain.encrypt(&mut frame[at..at + 16]);
        at += 16;
    }
    frame
}

/// A byte stream of NAL units, with start codes of both lengths.
pub fn byte_stream(nals: &[Vec<u8>]) -> Vec<u8> {
    let codes = [&[0, 0, 0, 1][..], &[0, 0, 1]];
    let coded = nals.iter().zip(codes.into_iter().cycle());
    coded.flat_map(|(nal, code)| [code, nal].concat()).collect()
}

/// NAL units of a byte stream, without what stands between them.
pub fn nals(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut nals = Vec::new();
    let mut start = None;
    for at in 0..=stream.len() {
        let is_code = stream[at..].starts_with(&[0, 0, 1]);
        if (is_code || at == stream.len())
            && let Some(start) = start
        {
            let nal: &[u8] = &stream[start..at];
            let len = nal
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last| last + 1);
            nals.push(nal[..len].to_vec());
        }
        if is_code {
            start = Some(at + 3);
        }
    }
    nals
}

/// Writes packets of several streams.
#[derive(Default)]
pub struct Multiplexer {
    pub bytes: Vec<u8>,
    counters: std::collections::HashMap<u16, u8>,
}

impl Multiplexer {
    /// One packet with as much of the payload as fits; the rest is returned. An adaptation field
    /// takes `stuffing` bytes at least.
    pub fn packet<'a>(
        &mut self,
        pid: u16,
        is_start: bool,
        payload: &'a [u8],
        stuffing: usize,
    ) -> &'a [u8] {
        let (now, rest) = payload.split_at(payload.len().min(184 - stuffing));
        let counter = self.counters.entry(pid).or_default();
        let [high, low] = pid.to_be_bytes();
        let field = 184 - now.len();
        let control = if field == 0 { 0x10 } else { 0x30 };
        self.bytes.extend([
            0x47,
            high | if is_start { 0x40 } else { 0 },
            low,
            control | *counter,
        ]);
        *counter = (*counter + 1) & 0xf;
        if let Some(length) = field.checked_sub(1) {
            self.bytes.push(u8::try_from(length).expect("below 184"));
            if let Some(stuffing) = length.checked_sub(1) {
                self.bytes.push(0);
                self.bytes.extend(vec![0xff; stuffing]);
            }
        }
        self.bytes.extend_from_slice(now);
        rest
    }

    /// A PES packet in as many transport packets as it takes.
    pub fn pes(&mut self, pid: u16, id: u8, stream: &[u8], stuffing: &[usize]) {
        let length = match id {
            0xe0 => 0,
            _ => u16::try_from(stream.len() + 8).expect("a small one"),
        };
        let [high, low] = length.to_be_bytes();
        let header = [0, 0, 1, id, high, low, 0x84, 0x80, 5, 0x21, 0, 1, 0, 1];
        let pes = [&header[..], stream].concat();
        let mut rest = &pes[..];
        let mut sizes = stuffing.iter().copied().cycle();
        while !rest.is_empty() {
            let is_start = rest.len() == pes.len();
            rest = self.packet(pid, is_start, rest, sizes.next().unwrap_or(0));
        }
    }

    /// Association and map, one packet each.
    pub fn tables(&mut self, version: u8, streams: &[(u8, u16)]) {
        let [high, low] = MAP.to_be_bytes();
        self.section(0, &psi::section(0, version, &[0, 1, 0xe0 | high, low]));
        let mut map = vec![0xe1, 0, 0xf0, 0];
        for (stream_type, pid) in streams {
            let [high, low] = pid.to_be_bytes();
            map.extend([*stream_type, 0xe0 | high, low, 0xf0, 6]);
            map.extend(b"\x0f\x04zavc");
        }
        self.section(MAP, &psi::section(2, version, &map));
    }

    fn section(&mut self, pid: u16, section: &[u8]) {
        let mut payload = [&[0], section].concat();
        payload.resize(184, 0xff);
        let rest = self.packet(pid, true, &payload, 0);
        assert!(rest.is_empty());
    }
}
