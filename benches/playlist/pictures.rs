// SPDX-License-Identifier: MIT OR Apache-2.0

//! Segments of the size that operators send: the pictures of the test media, each made larger. As
//! fragmented MP4 here; `transport_stream.rs` makes MPEG-TS of the same pictures.

use std::fs;

use headend::retimed;
use support::folders::media;

/// Segments of the test media, which are repeated.
const FILES: usize = 3;

/// Ticks of the test media's timescale in a segment of two seconds.
const TICKS: u64 = 25_600;

/// Ticks in a second.
pub const TIMESCALE: u64 = 12_800;

/// Of each picture. Fifty of them make a segment of 4 MB: 16 Mbit/s.
const ADDED: usize = 80_000;

/// Bytes to make pictures larger with. Different pictures get different ones.
pub struct Filler(Vec<u8>);

impl Filler {
    pub fn new() -> Self {
        // Xorshift (Marsaglia, 2003).
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut last = 0;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let byte = (state >> 32) as u8;
            // A second zero byte would need emulation prevention (ISO/IEC 14496-10, 7.4.1).
            last = if last == 0 { byte | 1 } else { byte };
            last
        };
        Self((0..2 * ADDED).map(|_| next()).collect())
    }

    fn of_picture(&self, number: usize) -> &[u8] {
        let start = number * 7919 % ADDED;
        &self.0[start..start + ADDED]
    }
}

/// A coded picture.
pub struct Picture {
    /// Its NAL units. The last one is a slice.
    pub nals: Vec<Vec<u8>>,
    /// When it is decoded, in ticks.
    pub decode_time: u64,
    /// By how many ticks it is shown later.
    pub delay: u64,
}

/// The init segment of the test media.
pub fn init_segment() -> Vec<u8> {
    read("v_init.mp4")
}

fn read(name: &str) -> Vec<u8> {
    fs::read(media().join("dash/clear").join(name)).expect("the test media")
}

/// One fragment of the test media, taken apart. Its boxes are taken for well made.
struct Fragment {
    bytes: Vec<u8>,
    /// Where the contents of `moof`, `traf`, `trun` and `mdat` begin.
    starts: [usize; 4],
    /// For each sample where its entry in `trun` is, and its bytes.
    samples: Vec<(usize, Vec<u8>)>,
}

/// In an entry of `trun` of the test media: size, flags, composition time offset.
const ENTRY: usize = 12;

impl Fragment {
    fn read(number: usize) -> Self {
        let file = read(&format!("v_{}.m4s", number % FILES + 1));
        let moved = number - number % FILES;
        let bytes = retimed(file, moved as u64 * TICKS).expect("a time that fits");
        let starts = [b"moof", b"traf", b"trun", b"mdat"].map(|kind| {
            let found = bytes.windows(4).position(|window| window == kind);
            found.expect("a fragment") + 4
        });
        let [_, _, trun, mdat] = starts;
        // ISO/IEC 14496-12, 8.8.8: data offset, sizes, flags and composition time offsets.
        assert_eq!(u32_at(&bytes, trun) & 0xff_ffff, 0xe01, "flags of `trun`");
        let mut data = mdat;
        let samples = (0..u32_at(&bytes, trun + 4) as usize).map(|sample| {
            let entry = trun + 12 + sample * ENTRY;
            let end = data + u32_at(&bytes, entry) as usize;
            let sample = bytes[data..end].to_vec();
            data = end;
            (entry, sample)
        });
        let samples = samples.collect();
        Self {
            samples,
            bytes,
            starts,
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The NAL units of a sample (ISO/IEC 14496-15, 5.3.3), with lengths of four bytes.
fn nals(mut sample: &[u8]) -> Vec<Vec<u8>> {
    let mut nals = Vec::new();
    while let Some((length, rest)) = sample.split_first_chunk() {
        let (nal, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        nals.push(nal.to_vec());
        sample = rest;
    }
    nals
}

/// The pictures of a segment, with what makes them larger.
pub fn pictures(number: usize, filler: &Filler) -> Vec<Picture> {
    let fragment = Fragment::read(number);
    let count = fragment.samples.len();
    let samples = fragment.samples.iter().enumerate();
    let picture = |(index, (entry, sample)): (usize, &(usize, Vec<u8>))| {
        let mut nals = nals(sample);
        let slice = nals.last_mut().expect("a picture has a slice");
        assert!(matches!(slice[0] & 0x1f, 1 | 5), "the last unit is a slice");
        slice.extend(filler.of_picture(number * count + index));
        // No unit ends with a zero byte.
        slice.push(0x80);
        Picture {
            nals,
            decode_time: number as u64 * TICKS + index as u64 * TICKS / count as u64,
            delay: u32_at(&fragment.bytes, entry + 8).into(),
        }
    };
    samples.map(picture).collect()
}

/// The same pictures in a segment of fragmented MP4, without its index.
pub fn fragmented_mp4(number: usize, filler: &Filler) -> Vec<u8> {
    let fragment = Fragment::read(number);
    let [moof, _, _, mdat] = fragment.starts;
    let mut head = fragment.bytes[moof - 8..mdat - 8].to_vec();
    let mut data = Vec::new();
    let pictures = pictures(number, filler);
    for ((entry, _), picture) in fragment.samples.iter().zip(pictures) {
        let before = data.len();
        for nal in &picture.nals {
            data.extend(u32::try_from(nal.len()).expect("a NAL unit").to_be_bytes());
            data.extend(nal);
        }
        let size = u32::try_from(data.len() - before).expect("a picture");
        let place = entry - (moof - 8);
        head[place..place + 4].copy_from_slice(&size.to_be_bytes());
    }
    let length = u32::try_from(8 + data.len()).expect("a segment");
    [&head[..], &length.to_be_bytes(), b"mdat", &data].concat()
}
