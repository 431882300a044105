// SPDX-License-Identifier: MIT OR Apache-2.0

//! As much of the syntax of AAC as it takes to tell a frame from encrypted bytes (ISO/IEC 14496-3,
//! 4.4.2).

/// Elements of which a frame begins with at most so many that hold no sound.
const MAX_FILL: usize = 8;

/// Scale factor bands of a long window, of those of sampling rates that have the most.
const MAX_LONG_BANDS: u32 = 51;

/// The codebook that no section may have.
const RESERVED_CODEBOOK: u32 = 12;

/// Whether these bytes begin as a `raw_data_block`: an element for one channel or two whose
/// sections come to just its scale factor bands. Random bytes do once in thousands of times.
/// Prediction and coupling, which AAC-LC does not have or hardly anybody uses, are not known here.
pub fn is_raw_data_block(frame: &[u8]) -> bool {
    begins_with_channels(&mut Bits { frame, at: 0 }).unwrap_or(false)
}

fn begins_with_channels(bits: &mut Bits) -> Option<bool> {
    for _ in 0..MAX_FILL {
        match bits.read(3)? {
            // SCE and LFE.
            0 | 3 => return Some(bits.read(4)? == 0 && is_channel(bits, None)?),
            // CPE.
            1 => return Some(bits.read(4)? == 0 && is_channel_pair(bits)?),
            // DSE.
            4 => {
                let (_tag, is_aligned) = (bits.read(4)?, bits.read(1)? == 1);
                let mut count = bits.read(8)?;
                if count == 255 {
                    count += bits.read(8)?;
                }
                if is_aligned {
                    bits.align()?;
                }
                bits.skip_bytes(count)?;
            }
            // FIL.
            6 => {
                let mut count = bits.read(4)?;
                if count == 15 {
                    count += bits.read(8)?.checked_sub(1)?;
                }
                bits.skip_bytes(count)?;
            }
            _ => return Some(false),
        }
    }
    Some(false)
}

/// What `ics_info` says of the windows.
#[derive(Clone, Copy)]
struct Windows {
    is_short: bool,
    groups: u32,
    bands: u32,
}

fn windows(bits: &mut Bits) -> Option<Option<Windows>> {
    const EIGHT_SHORT: u32 = 2;
    if bits.read(1)? != 0 {
        return Some(None);
    }
    let is_short = bits.read(2)? == EIGHT_SHORT;
    let _shape = bits.read(1)?;
    if is_short {
        let bands = bits.read(4)?;
        let grouping = bits.read(7)?;
        return Some(Some(Windows {
            is_short,
            groups: 8_u32.saturating_sub(grouping.count_ones()),
            bands,
        }));
    }
    let bands = bits.read(6)?;
    let has_prediction = bits.read(1)? == 1;
    let windows = Windows {
        is_short,
        groups: 1,
        bands,
    };
    Some((bands <= MAX_LONG_BANDS && !has_prediction).then_some(windows))
}

fn is_channel_pair(bits: &mut Bits) -> Option<bool> {
    if bits.read(1)? == 0 {
        return is_channel(bits, None);
    }
    let Some(common) = windows(bits)? else {
        return Some(false);
    };
    match bits.read(2)? {
        1 => {
            for _ in 0..common.groups {
                bits.read(common.bands)?;
            }
        }
        // Reserved.
        3 => return Some(false),
        _ => {}
    }
    is_channel(bits, Some(common))
}

/// An `individual_channel_stream` up to the end of its `section_data`.
fn is_channel(bits: &mut Bits, common: Option<Windows>) -> Option<bool> {
    let _gain = bits.read(8)?;
    let windows = match common {
        Some(common) => common,
        None => match windows(bits)? {
            Some(own) => own,
            None => return Some(false),
        },
    };
    let length_bits = if windows.is_short { 3 } else { 5 };
    let escape = (1 << length_bits) - 1;
    for _ in 0..windows.groups {
        let mut band = 0_u32;
        while band < windows.bands {
            if bits.read(4)? == RESERVED_CODEBOOK {
                return Some(false);
            }
            loop {
                let length = bits.read(length_bits)?;
                band = band.saturating_add(length);
                if length != escape || band > windows.bands {
                    break;
                }
            }
        }
        if band != windows.bands {
            return Some(false);
        }
    }
    Some(true)
}

struct Bits<'a> {
    frame: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next bits, of which up to 32 are given back; `None` beyond the end.
    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0_u32;
        for _ in 0..count {
            let byte = self.frame.get(self.at / 8)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            value = value << 1 | u32::from(bit);
            self.at = self.at.checked_add(1)?;
        }
        Some(value)
    }

    fn skip_bytes(&mut self, count: u32) -> Option<()> {
        let bits = usize::try_from(count).ok()?.checked_mul(8)?;
        self.at = self.at.checked_add(bits)?;
        Some(())
    }

    fn align(&mut self) -> Option<()> {
        self.at = self.at.checked_next_multiple_of(8)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn be(bytes: &[u8], at: usize) -> usize {
        let bytes = bytes[at..at + 4].try_into().expect("four bytes");
        u32::from_be_bytes(bytes) as usize
    }

    /// The samples of a fragment, by their sizes in its `trun` (ISO/IEC 14496-12, 8.8.8).
    fn frames(fragment: &[u8]) -> Vec<&[u8]> {
        let find = |kind: &[u8]| fragment.windows(4).position(|four| four == kind);
        let trun = find(b"trun").expect("a trun") + 4;
        let mut data = find(b"mdat").expect("an mdat") + 4;
        let (flags, count) = (be(fragment, trun), be(fragment, trun + 4));
        let is = |flag: usize| usize::from(flags & flag != 0);
        let first = trun + 8 + 4 * (is(1) + is(4));
        let fields = is(0x100) + is(0x200) + is(0x400) + is(0x800);
        assert_eq!(is(0x200), 1, "no sizes");
        let sizes = (0..count).map(|one| be(fragment, first + 4 * (one * fields + is(0x100))));
        sizes
            .map(|size| {
                data += size;
                &fragment[data - size..data]
            })
            .collect()
    }

    fn plausible(fragment: &[u8]) -> (usize, usize) {
        let frames = frames(fragment);
        let plausible = frames.iter().filter(|frame| is_raw_data_block(frame));
        (plausible.count(), frames.len())
    }

    #[test]
    fn frames_of_real_sound_are_known() {
        let mono = include_bytes!("../../tests/media/dash/clear/a_1.m4s");
        assert_eq!(plausible(mono), (88, 88));
        for stereo in [
            &include_bytes!("../../tests/media/dash/ad/a_1.m4s")[..],
            include_bytes!("../../tests/media/dash/ad/a_2.m4s"),
        ] {
            let (known, all) = plausible(stereo);
            assert!(known == all && all > 80, "{known} of {all}");
        }
    }

    #[test]
    fn encrypted_frames_are_none() {
        for encrypted in [
            &include_bytes!("../../tests/media/dash/cbcs/a_1.m4s")[..],
            include_bytes!("../../tests/media/dash/cbcs/a_2.m4s"),
            include_bytes!("../../tests/media/dash/ad-cbcs/a_1.m4s"),
            include_bytes!("../../tests/media/dash/cenc/a_1.m4s"),
        ] {
            assert_eq!(plausible(encrypted).0, 0);
        }
    }

    #[test]
    fn random_bytes_are_hardly_ever_a_frame() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()
        };
        let frames = (0..100_000).map(|_| (0..8).flat_map(|_| next()).collect::<Vec<_>>());
        let count = frames.filter(|frame| is_raw_data_block(frame)).count();
        assert!(count < 100, "{count}");
    }

    #[test]
    fn cut_frames_are_none() {
        for frame in frames(include_bytes!("../../tests/media/dash/clear/a_1.m4s")) {
            for length in 0..4 {
                assert!(!is_raw_data_block(&frame[..length.min(frame.len())]));
            }
        }
    }
}
