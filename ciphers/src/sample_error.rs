// SPDX-License-Identifier: MIT OR Apache-2.0

//! What can be wrong with a sample.

use std::fmt;

use crate::pattern::Pattern;

/// Bytes of one entry of the subsample table: 16 bits of clear size, 32 bits of protected size.
pub const SUBSAMPLE_ENTRY: usize = 6;

/// Why a sample cannot be decrypted. Each is the stream's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleError {
    /// The initialization vector has this many bytes instead of 8 or 16.
    IvSize(usize),
    /// The subsample table's size is no multiple of an entry's.
    SubsampleTable(usize),
    /// The subsamples cover this many bytes of a sample that has fewer.
    SubsamplesBeyondSample { covered: u64, sample: usize },
    /// A pattern that protects nothing, or that no file can have.
    Pattern(Pattern),
    /// More data than one counter can encrypt.
    CounterExhausted,
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SampleError::IvSize(size) => {
                write!(
                    f,
                    "the initialization vector has {size} bytes instead of 8 or 16"
                )
            }
            SampleError::SubsampleTable(size) => write!(
                f,
                "the subsample table has {size} bytes, which is no multiple of {SUBSAMPLE_ENTRY}"
            ),
            SampleError::SubsamplesBeyondSample { covered, sample } => write!(
                f,
                "the subsamples cover {covered} bytes of a sample that has {sample}"
            ),
            SampleError::Pattern(Pattern { crypt, skip }) => write!(
                f,
                "the encryption pattern is {crypt} blocks of {}, which cannot be",
                u64::from(*crypt) + u64::from(*skip)
            ),
            SampleError::CounterExhausted => f.write_str("the sample is longer than its counter"),
        }
    }
}
