// SPDX-License-Identifier: MIT OR Apache-2.0

//! What each auth service is asked, and how strictly its answer is read. No network here.

pub mod rdk;
