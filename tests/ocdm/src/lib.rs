// SPDX-License-Identifier: MIT OR Apache-2.0

//! An OpenCDM library with ClearKey, real AES, and bad manners on demand.
//!
//! How it behaves stands behind the key system's name: `org.w3.clearkey;inside;status=3` sends its
//! challenge from inside `opencdm_construct_session` and says that keys are output restricted. So
//! tests that run side by side in one process do not disturb each other. `behaviour.rs` lists the
//! words.

use std::env;
use std::path::PathBuf;

mod abi;
mod behaviour;
mod decrypt;
mod session;

/// Where cargo has built this library, beside the tests that depend on it. `scripts/sanitize` has
/// one of its own: a sanitizer's runtime is in programs alone.
///
/// # Panics
///
/// Where it is not there.
#[must_use]
pub fn library() -> PathBuf {
    let built = || {
        let program = env::current_exe().expect("this program has a path");
        program.with_file_name("libocdm_clearkey.so")
    };
    let library = env::var_os("OCDM_CLEARKEY").map_or_else(built, PathBuf::from);
    assert!(library.is_file(), "{}", library.display());
    library
}
