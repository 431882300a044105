// SPDX-License-Identifier: MIT OR Apache-2.0

//! OpenCDM's C interface, as far as it is used: `open_cdm.h` and `open_cdm_adapter.h` of
//! ThunderClientLibraries, which Sparkle-CDM and Rialto share. `tests/cdm/vendor.c` has a C
//! compiler check sizes and numbers.

use std::ffi::{c_char, c_int, c_void};

/// `struct OpenCDMSystem`, which only the library knows.
#[repr(C)]
pub struct OpenCdmSystem {
    private: [u8; 0],
}

/// `struct OpenCDMSession`, likewise.
#[repr(C)]
pub struct OpenCdmSession {
    private: [u8; 0],
}

/// A session of the library's, which is used from any thread.
#[derive(Clone, Copy)]
pub struct SessionPointer(pub *mut OpenCdmSession);

// SAFETY: OpenCDM's sessions are used from any thread.
unsafe impl Send for SessionPointer {}
// SAFETY: likewise.
unsafe impl Sync for SessionPointer {}

/// `OpenCDMError`: what a call gives back. In C an enumeration whose largest value takes 32 bits.
pub type Status = u32;

pub const ERROR_NONE: Status = 0;

/// `Temporary` of `LicenseType`.
pub const TEMPORARY: c_int = 0;

/// `OpenCDMSessionCallbacks`.
#[repr(C)]
pub struct SessionCallbacks {
    pub process_challenge: unsafe extern "C" fn(
        session: *mut OpenCdmSession,
        user_data: *mut c_void,
        url: *const c_char,
        challenge: *const u8,
        length: u16,
    ),
    pub key_update: unsafe extern "C" fn(
        session: *mut OpenCdmSession,
        user_data: *mut c_void,
        key_id: *const u8,
        length: u8,
    ),
    pub error_message: unsafe extern "C" fn(
        session: *mut OpenCdmSession,
        user_data: *mut c_void,
        message: *const c_char,
    ),
    pub keys_updated: unsafe extern "C" fn(session: *const OpenCdmSession, user_data: *mut c_void),
}

/// `opencdm_is_type_supported`.
pub type IsTypeSupported =
    unsafe extern "C" fn(key_system: *const c_char, mime_type: *const c_char) -> Status;

/// `opencdm_create_system`.
pub type CreateSystem = unsafe extern "C" fn(key_system: *const c_char) -> *mut OpenCdmSystem;

/// `opencdm_construct_session`.
pub type ConstructSession = unsafe extern "C" fn(
    system: *mut OpenCdmSystem,
    license_type: c_int,
    init_data_type: *const c_char,
    init_data: *const u8,
    init_data_length: u16,
    cdm_data: *const u8,
    cdm_data_length: u16,
    callbacks: *const SessionCallbacks,
    user_data: *mut c_void,
    session: *mut *mut OpenCdmSession,
) -> Status;

/// `opencdm_session_update`.
pub type SessionUpdate =
    unsafe extern "C" fn(session: *mut OpenCdmSession, message: *const u8, length: u16) -> Status;

/// `opencdm_session_status`.
pub type SessionStatus =
    unsafe extern "C" fn(session: *const OpenCdmSession, key_id: *const u8, length: u8) -> c_int;

/// `opencdm_session_id`.
pub type SessionId = unsafe extern "C" fn(session: *const OpenCdmSession) -> *const c_char;

/// `opencdm_session_close` and `opencdm_destruct_session`.
pub type EndSession = unsafe extern "C" fn(session: *mut OpenCdmSession) -> Status;

/// `opencdm_gstreamer_session_decrypt`.
pub type Decrypt = unsafe extern "C" fn(
    session: *mut OpenCdmSession,
    buffer: *mut gst::ffi::GstBuffer,
    subsamples: *mut gst::ffi::GstBuffer,
    subsample_count: u32,
    iv: *mut gst::ffi::GstBuffer,
    key_id: *mut gst::ffi::GstBuffer,
    init_with_last_15: u32,
) -> Status;

/// `opencdm_gstreamer_session_decrypt_buffer`.
pub type DecryptBuffer = unsafe extern "C" fn(
    session: *mut OpenCdmSession,
    buffer: *mut gst::ffi::GstBuffer,
    caps: *mut gst::ffi::GstCaps,
) -> Status;

/// `opencdm_gstreamer_transform_caps`, of boxes with secure memory.
pub type TransformCaps = unsafe extern "C" fn(caps: *mut *mut gst::ffi::GstCaps) -> Status;
