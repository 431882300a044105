// SPDX-License-Identifier: MIT OR Apache-2.0

//! How a token is packed for the key request.

mod header;

pub use header::{DEFAULT_HEADER, HeaderTemplate};
