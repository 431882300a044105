// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether a sample of sound is clear, by its first bytes, where the demuxer does not say it.
//!
//! In `cbcs` with a constant initialization vector and without subsamples (ISO/IEC 23001-7, 10.4.2) nothing on
//! the sample itself tells a clear one from a protected one.

/// Samples in a row that must look clear, and be none once decrypted. By chance four of them do once in 10^8.
const CLEAR_RUN: u8 = 4;

/// Samples in a row that show nothing, after which nothing is to be expected of the next ones.
const UNKNOWN_RUN: u8 = 16;

/// How samples of a kind of sound begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoundFormat {
    /// A `raw_data_block` (ISO/IEC 14496-3, 4.4.2.1).
    Aac,
    /// A synchronization word of AC-3 or E-AC-3 (ETSI TS 102 366, 4.3.1 and E.1.2.1).
    Ac3,
    /// A frame header (RFC 9639, 9.1).
    Flac,
    /// A synchronization word of MPEG-1 or MPEG-2 audio (ISO/IEC 11172-3, 2.4.1.3).
    Mpeg,
    /// With nothing that must be there.
    Opaque,
}

impl SoundFormat {
    /// By the media type in the caps, and the field `mpegversion` beside it.
    pub fn of(media_type: &str, mpeg_version: Option<i32>) -> Self {
        match (media_type, mpeg_version) {
            ("audio/mpeg", Some(2 | 4)) => SoundFormat::Aac,
            ("audio/mpeg", Some(1)) => SoundFormat::Mpeg,
            ("audio/x-ac3" | "audio/ac3" | "audio/x-eac3", _) => SoundFormat::Ac3,
            ("audio/x-flac", _) => SoundFormat::Flac,
            _ => SoundFormat::Opaque,
        }
    }

    /// Whether a clear sample may begin like that. A protected one does by chance, of AAC once in 128 times.
    pub fn is_plausible(self, sample: &[u8]) -> bool {
        let &[first, second, ..] = sample else {
            return false;
        };
        match self {
            // A single channel or a pair of them, with the tag 0. Its `ics_reserved_bit` is 0: it
            // follows a common window at once, and else the eight bits of the gain.
            SoundFormat::Aac => match first {
                0x21 => second & 0x80 == 0,
                0x00 | 0x01 | 0x20 => second & 1 == 0,
                _ => false,
            },
            SoundFormat::Ac3 => (first, second) == (0x0b, 0x77),
            SoundFormat::Flac => first == 0xff && second & 0xfe == 0xf8,
            SoundFormat::Mpeg => first == 0xff && second & 0xe0 == 0xe0,
            SoundFormat::Opaque => false,
        }
    }
}

/// What the samples of a stream show so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClearEvidence {
    clear_run: u8,
    unknown_run: u8,
}

impl ClearEvidence {
    /// Records one sample: whether it was plausible before and after decryption.
    pub fn add(&mut self, before: bool, after: bool) {
        match (before, after) {
            (_, true) => *self = Self::default(),
            (true, false) => {
                self.clear_run = self.clear_run.saturating_add(1);
                self.unknown_run = self.unknown_run.saturating_add(1);
            }
            (false, false) => {
                self.clear_run = 0;
                self.unknown_run = self.unknown_run.saturating_add(1);
            }
        }
    }

    /// Clear samples were decrypted, which makes noise of them.
    pub fn is_clear(self) -> bool {
        self.clear_run >= CLEAR_RUN
    }

    /// Clear samples may have been decrypted.
    pub fn is_unknown(self) -> bool {
        self.unknown_run >= UNKNOWN_RUN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_is_that_of_the_caps() {
        for (media_type, version, format) in [
            ("audio/mpeg", Some(4), SoundFormat::Aac),
            ("audio/mpeg", Some(1), SoundFormat::Mpeg),
            ("audio/mpeg", None, SoundFormat::Opaque),
            ("audio/x-ac3", None, SoundFormat::Ac3),
            ("audio/x-eac3", None, SoundFormat::Ac3),
            ("audio/x-flac", None, SoundFormat::Flac),
            ("audio/x-opus", None, SoundFormat::Opaque),
        ] {
            assert_eq!(SoundFormat::of(media_type, version), format, "{media_type}");
        }
    }

    #[test]
    fn beginning_is_plausible_by_its_format() {
        for (format, beginning, is_plausible) in [
            (SoundFormat::Aac, &[0x21, 0x10, 0x04][..], true),
            (SoundFormat::Aac, &[0x21, 0x90], false),
            (SoundFormat::Aac, &[0x01, 0x40], true),
            (SoundFormat::Aac, &[0x01, 0x41], false),
            (SoundFormat::Aac, &[0x20, 0x66], true),
            (SoundFormat::Aac, &[0xde, 0x02], false),
            (SoundFormat::Aac, &[0x21], false),
            (SoundFormat::Ac3, &[0x0b, 0x77, 0], true),
            (SoundFormat::Ac3, &[0x77, 0x0b], false),
            (SoundFormat::Flac, &[0xff, 0xf9], true),
            (SoundFormat::Flac, &[0xff, 0xfa], false),
            (SoundFormat::Mpeg, &[0xff, 0xfb], true),
            (SoundFormat::Opaque, &[0xff, 0xfb], false),
        ] {
            let found = format.is_plausible(beginning);
            assert_eq!(found, is_plausible, "{format:?} {beginning:x?}");
        }
    }

    #[test]
    fn aac_is_seldom_plausible_by_chance() {
        let pairs = (0..=u16::MAX).map(u16::to_be_bytes);
        let count = pairs
            .filter(|pair| SoundFormat::Aac.is_plausible(pair))
            .count();
        assert!(count * 100 < usize::from(u16::MAX), "{count}");
    }

    #[test]
    fn evidence_takes_a_run_of_samples() {
        let after = |samples: &[(bool, bool)]| {
            let mut evidence = ClearEvidence::default();
            samples
                .iter()
                .for_each(|(before, after)| evidence.add(*before, *after));
            (evidence.is_clear(), evidence.is_unknown())
        };
        let (clear, protected, nothing) = ((true, false), (false, true), (false, false));
        assert_eq!(after(&[clear; 3]), (false, false));
        assert_eq!(after(&[clear; 4]), (true, false));
        assert_eq!(
            after(&[clear, clear, nothing, clear, clear]),
            (false, false)
        );
        assert_eq!(
            after(&[clear, clear, clear, protected, clear]),
            (false, false)
        );
        assert_eq!(after(&[nothing; 15]), (false, false));
        assert_eq!(after(&[nothing; 1000]), (false, true));
        assert_eq!(
            after(&[&[nothing; 16][..], &[protected]].concat()),
            (false, false)
        );
        assert_eq!(after(&[(true, true); 100]), (false, false));
    }
}
