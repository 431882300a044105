// SPDX-License-Identifier: MIT OR Apache-2.0

//! Pictures in an MPEG transport stream (ISO/IEC 13818-1), in the clear or encrypted by SAMPLE-AES.

use std::fs;

use support::folders::media;

use aes::Aes128;
use cbc::cipher::array::Array;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};

use crate::pictures::{Picture, TIMESCALE};

const PACKET: usize = 188;

/// The PID of the picture in the test media.
const PID: u16 = 0x50;

/// Ticks of the clock of time stamps in a second (2.4.3.7).
const CLOCK: u64 = 90_000;

/// Where time stamps begin.
const START: u64 = CLOCK;

/// How the pictures are encrypted, if they are.
#[derive(Clone, Copy)]
pub struct SampleAes {
    pub key: [u8; 16],
    pub iv: [u8; 16],
}

/// A segment with these pictures, which begin with a key picture. `counter` is the continuity
/// counter (2.4.3.3), which goes on from segment to segment.
pub fn segment(pictures: &[Picture], encryption: Option<SampleAes>, counter: &mut u8) -> Vec<u8> {
    // Association and map, which name the type of the stream: they come from the packager.
    let version = match encryption {
        Some(_) => "sample-aes",
        None => "clear",
    };
    let path = media().join("hls").join(version).join("v_1.ts");
    let packaged = fs::read(path).expect("the test media");
    let mut out = packaged[..2 * PACKET].to_vec();
    let parameters = parameter_sets();
    for picture in pictures {
        let is_key = picture.nals.iter().any(|nal| nal[0] & 0x1f == 5);
        let mut stream = vec![0, 0, 0, 1, 0x09, 0xf0];
        for nal in parameters.iter().filter(|_| is_key) {
            stream.extend([0, 0, 0, 1]);
            stream.extend(nal);
        }
        for nal in &picture.nals {
            stream.extend([0, 0, 1]);
            match encryption {
                Some(encryption) => stream.extend(encrypted(nal, encryption)),
                None => stream.extend(nal),
            }
        }
        write_pes(&mut out, counter, picture, &stream);
    }
    out
}

/// Sequence and picture parameter sets of the init segment (ISO/IEC 14496-15, 5.3.3.1).
fn parameter_sets() -> Vec<Vec<u8>> {
    let init = crate::pictures::init_segment();
    let start = init.windows(4).position(|window| window == b"avcC");
    let mut rest = &init[start.expect("H.264") + 9..];
    let mut sets = Vec::new();
    for _ in 0..2 {
        let (count, mut following) = rest.split_first().expect("a count");
        for _ in 0..count & 0x1f {
            let (length, behind) = following.split_first_chunk().expect("a length");
            let (set, behind) = behind.split_at(u16::from_be_bytes(*length).into());
            sets.push(set.to_vec());
            following = behind;
        }
        rest = following;
    }
    sets
}

/// "MPEG-2 Stream Encryption Format for HTTP Live Streaming", 2.2.
fn encrypted(nal: &[u8], encryption: SampleAes) -> Vec<u8> {
    let mut nal = nal.to_vec();
    if nal.len() <= 48 || !matches!(nal[0] & 0x1f, 1 | 5) {
        return nal;
    }
    let SampleAes { key, iv } = encryption;
    let mut chain = cbc::Encryptor::<Aes128>::new(&key.into(), &iv.into());
    let mut at = 32;
    while nal.len() - at > 16 {
        let (blocks, _) = Array::slice_as_chunks_mut(&mut nal[at..at + 16]);
        chain.encrypt_blocks(blocks);
        at += 16;
        at += (nal.len() - at).min(144);
    }
    with_emulation_prevention(&nal)
}

/// ISO/IEC 14496-10, 7.4.1.
fn with_emulation_prevention(nal: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(nal.len() + nal.len() / 64);
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

/// One PES packet, in as many transport packets as it takes.
fn write_pes(out: &mut Vec<u8>, counter: &mut u8, picture: &Picture, stream: &[u8]) {
    let decode_time = START + picture.decode_time * CLOCK / TIMESCALE;
    let show_time = decode_time + picture.delay * CLOCK / TIMESCALE;
    let mut pes = vec![0, 0, 1, 0xe0, 0, 0, 0x84, 0xc0, 10];
    pes.extend(time_stamp(3, show_time));
    pes.extend(time_stamp(1, decode_time));
    pes.extend(stream);
    let mut rest = &pes[..];
    while !rest.is_empty() {
        let is_start = rest.len() == pes.len();
        // The clock reference is with the first packet (2.4.3.5).
        let mut field = match is_start {
            true => clock_reference(decode_time - CLOCK / 2),
            false => Vec::new(),
        };
        let room = PACKET - 4 - field.len();
        if rest.len() < room {
            stuff(&mut field, PACKET - 4 - rest.len());
        }
        let [high, low] = PID.to_be_bytes();
        let start = if is_start { 0x40 } else { 0 };
        let control = if field.is_empty() { 0x10 } else { 0x30 };
        out.extend([0x47, high | start, low, control | *counter]);
        *counter = (*counter + 1) & 0xf;
        let (now, behind) = rest.split_at(PACKET - 4 - field.len());
        out.extend(field);
        out.extend(now);
        rest = behind;
    }
}

/// An adaptation field with a clock reference.
fn clock_reference(time: u64) -> Vec<u8> {
    let mut field = vec![7, 0x10];
    // 33 bits of the base, six that are reserved, nine of the extension.
    let bits = time << 15 | 0x3f << 9;
    field.extend(&bits.to_be_bytes()[2..]);
    field
}

/// Makes an adaptation field as long as that.
fn stuff(field: &mut Vec<u8>, length: usize) {
    if field.is_empty() {
        field.push(0);
    }
    if field.len() == 1 && length > 1 {
        field.push(0);
    }
    field.resize(length, 0xff);
    field[0] = u8::try_from(length - 1).expect("within a packet");
}

/// Table 2-21.
fn time_stamp(prefix: u8, time: u64) -> [u8; 5] {
    let bits = |shift: u32| (time >> shift) as u8;
    [
        prefix << 4 | (bits(30) & 7) << 1 | 1,
        bits(22),
        bits(15) << 1 | 1,
        bits(7),
        bits(0) << 1 | 1,
    ]
}
