// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which part of a file a client wants.

use std::ops::Range;

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Everything, since there is no header, or one that is to be ignored.
    Whole,
    /// These bytes.
    Part(Range<usize>),
    /// Bytes that are not there.
    Nothing,
}

impl Wanted {
    /// Reads the value of a `Range` header for a file of this length.
    ///
    /// It understands one range of bytes: `bytes=2-5`, `bytes=2-` or `bytes=-5`. Everything else
    /// it ignores, several ranges too, as a server may (RFC 9110, section 14.2).
    pub(crate) fn of(header: &str, length: usize) -> Self {
        Self::parse(header, length).unwrap_or(Self::Whole)
    }

    fn parse(header: &str, length: usize) -> Option<Self> {
        let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
        // Numbers beyond what this machine can address are numbers too.
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let range = if first.is_empty() {
            length.saturating_sub(place(number(last)?))..length
        } else if last.is_empty() {
            place(number(first)?)..length
        } else {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            place(first)..place(last).saturating_add(1).min(length)
        };
        Some(if range.is_empty() {
            Self::Nothing
        } else {
            Self::Part(range)
        })
    }
}

/// A number of digits alone; the standard library would allow a sign as well.
fn number(digits: &str) -> Option<u64> {
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_honoured() {
        for (header, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-5", 2..6),
            ("bytes=2-", 2..10),
            ("bytes=-3", 7..10),
            ("bytes=-30", 0..10),
            ("bytes=8-18446744073709551615", 8..10),
        ] {
            assert_eq!(Wanted::of(header, 10), Wanted::Part(range), "{header}");
        }
    }

    #[test]
    fn range_beyond_the_end_is_nothing() {
        for header in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(Wanted::of(header, 10), Wanted::Nothing, "{header}");
        }
        assert_eq!(Wanted::of("bytes=0-", 0), Wanted::Nothing);
    }

    #[test]
    fn everything_else_is_ignored() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=+1-2",
            "bytes=0-1,4-5",
            "seconds=0-1",
            "bytes=0-99999999999999999999",
        ] {
            assert_eq!(Wanted::of(header, 10), Wanted::Whole, "{header}");
        }
    }
}
