// SPDX-License-Identifier: MIT OR Apache-2.0

//! Common Encryption (ISO/IEC 23001-7) and ClearKey licenses (W3C Encrypted Media Extensions, 9.1).
//! No GStreamer here. What decrypts is in the crate `ciphers`.

mod aac;
mod init_data;
mod json_web_key;
mod key_id;
mod keys_file;
mod license;
pub mod playready;
mod private_keys;
pub mod pssh;
mod sound;

pub use ciphers::{ContentKey, Pattern, Scheme, check_iv, check_subsamples, decrypt};
pub use init_data::{InitData, MAX_INIT_DATA, NoLicenseUrl};
pub use key_id::KeyId;
pub use keys_file::read_keys;
pub use license::{License, check_status, read_license, request_body};
pub use private_keys::{PRIVATE_SYSTEM, PRIVATE_SYSTEM_ID, PrivateKey, clear_pssh, private_keys};
pub use pssh::{CLEARKEY_SYSTEM, COMMON_SYSTEM, WIDEVINE_SYSTEM, is_clearkey};
pub use sound::{ClearRuns, SoundFormat};
