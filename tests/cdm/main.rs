// SPDX-License-Identifier: MIT OR Apache-2.0

//! Players with `ocdmdec` and an OpenCDM library of the tests' own (`tests/ocdm`), which behaves as
//! real ones do, and worse.

mod bit_exact;
mod cdm_box;
mod challenges;
mod clear_lead;
mod failures;
mod hanging;
mod hls;
mod keys;
mod second_tune;
mod secrets;
mod tokens;
mod vendor;
