// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decryption of samples (ISO/IEC 23001-7) and of chained blocks, which HLS has.
//!
//! A crate of its own so that a profile can compile it for speed and the rest for size: the loops
//! of `ctr` and `cbc` are generic, and so compiled at the level of the crate that calls them. For
//! that, nothing that is public here is generic.

mod cbcs;
mod chain;
mod content_key;
mod ctr;
mod pattern;
mod sample;
mod sample_error;
#[cfg(test)]
mod vectors;

pub use cipher::inout::InOutBuf;

pub use cbcs::{Period, decrypt_range};
pub use chain::Chain;
pub use content_key::ContentKey;
pub use pattern::Pattern;
pub use sample::{Scheme, check_iv, check_subsamples, decrypt};
pub use sample_error::SampleError;
