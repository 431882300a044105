// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether a sample of sound is clear, by its syntax, where the demuxer does not say it.
//!
//! In `cbcs` with a constant initialization vector and without subsamples (ISO/IEC 23001-7, 10.4.2)
//! nothing on the sample itself tells a clear one from a protected one.

use super::aac::is_raw_data_block;

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
    /// With nothing that must be there, or too little.
    Opaque,
}

impl SoundFormat {
    /// By the media type in the caps, and the field `mpegversion` beside it.
    pub fn of(media_type: &str, mpeg_version: Option<i32>) -> Self {
        match (media_type, mpeg_version) {
            ("audio/mpeg", Some(2 | 4)) => SoundFormat::Aac,
            ("audio/x-ac3" | "audio/ac3" | "audio/x-eac3", _) => SoundFormat::Ac3,
            ("audio/x-flac", _) => SoundFormat::Flac,
            _ => SoundFormat::Opaque,
        }
    }

    /// Whether a clear sample may begin like that. A protected one does by chance, once in
    /// thousands of times.
    pub fn is_plausible(self, sample: &[u8]) -> bool {
        match self {
            SoundFormat::Aac => is_raw_data_block(sample),
            SoundFormat::Ac3 => sample.starts_with(&[0x0b, 0x77]),
            SoundFormat::Flac => {
                sample.starts_with(&[0xff, 0xf8]) || sample.starts_with(&[0xff, 0xf9])
            }
            SoundFormat::Opaque => false,
        }
    }
}

/// What the samples of a stream have shown so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClearRuns {
    is_clear: bool,
    unknown_run: u8,
}

impl ClearRuns {
    /// Records one sample, by whether it is plausible as it is and once decrypted. Gives back
    /// whether it is clear.
    ///
    /// Where both are or none is it goes by the sample before, because clear parts are long. A
    /// stream begins protected.
    pub fn add(&mut self, as_it_is: bool, decrypted: bool) -> bool {
        if as_it_is == decrypted {
            self.unknown_run = self.unknown_run.saturating_add(1);
        } else {
            self.is_clear = as_it_is;
            self.unknown_run = 0;
        }
        self.is_clear
    }

    /// Whether clear samples would not be known.
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
            ("audio/mpeg", Some(1), SoundFormat::Opaque),
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
            (SoundFormat::Ac3, &[0x0b, 0x77, 0][..], true),
            (SoundFormat::Ac3, &[0x77, 0x0b], false),
            (SoundFormat::Ac3, &[0x0b], false),
            (SoundFormat::Flac, &[0xff, 0xf9], true),
            (SoundFormat::Flac, &[0xff, 0xfa], false),
            (SoundFormat::Opaque, &[0xff, 0xfb], false),
        ] {
            let found = format.is_plausible(beginning);
            assert_eq!(found, is_plausible, "{format:?} {beginning:x?}");
        }
    }

    #[test]
    fn sample_in_doubt_goes_by_the_one_before() {
        let mut runs = ClearRuns::default();
        for (as_it_is, decrypted, is_clear) in [
            (false, false, false),
            (true, true, false),
            (true, false, true),
            (false, false, true),
            (true, true, true),
            (false, true, false),
            (true, true, false),
        ] {
            assert_eq!(runs.add(as_it_is, decrypted), is_clear);
        }
    }

    #[test]
    fn stream_is_unknown_after_a_run() {
        let mut runs = ClearRuns::default();
        for number in 1..40 {
            runs.add(false, false);
            assert_eq!(runs.is_unknown(), number >= usize::from(UNKNOWN_RUN));
        }
        runs.add(false, true);
        assert!(!runs.is_unknown());
    }
}
