// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pattern of `cbcs` (ISO/IEC 23001-7, 9.6).

/// So many blocks are encrypted, then so many are not, and so on (9.6). Without any in the clear,
/// all are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    pub crypt: u32,
    pub skip: u32,
}
