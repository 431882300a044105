// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the library exports: the C interface of OpenCDM.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::atomic::Ordering;

use crate::behaviour::Behaviour;
use crate::decrypt::{self, Sample};
use crate::session::{EXPIRED, Session, System, hang};

const OK: u32 = 0;
const INVALID_SESSION: u32 = 0x8000_0003;
const KEY_SYSTEM_NOT_SUPPORTED: u32 = 0x8000_0002;
const FAIL: u32 = 0x8000_4005;

/// `OpenCDMSessionCallbacks`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Callbacks {
    pub process_challenge:
        unsafe extern "C" fn(*mut c_void, *mut c_void, *const c_char, *const u8, u16),
    pub key_update: unsafe extern "C" fn(*mut c_void, *mut c_void, *const u8, u8),
    pub error_message: unsafe extern "C" fn(*mut c_void, *mut c_void, *const c_char),
    pub keys_updated: unsafe extern "C" fn(*const c_void, *mut c_void),
}

unsafe fn behaviour(key_system: *const c_char) -> Option<Behaviour> {
    // SAFETY: by OpenCDM's contract, a text.
    Behaviour::of(unsafe { CStr::from_ptr(key_system) }.to_str().ok()?)
}

/// # Safety
///
/// As OpenCDM has it: `key_system` is a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencdm_is_type_supported(
    key_system: *const c_char,
    _mime_type: *const c_char,
) -> u32 {
    // SAFETY: by the contract.
    match unsafe { behaviour(key_system) } {
        Some(_) => OK,
        None => KEY_SYSTEM_NOT_SUPPORTED,
    }
}

/// # Safety
///
/// As OpenCDM has it: `key_system` is a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencdm_create_system(key_system: *const c_char) -> *mut System {
    // SAFETY: by the contract.
    match unsafe { behaviour(key_system) } {
        Some(behaviour) => {
            behaviour.record("create-system");
            Box::into_raw(Box::new(System { behaviour }))
        }
        None => ptr::null_mut(),
    }
}

/// # Safety
///
/// As OpenCDM has it: a session of this library's, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencdm_get_system_session(
    _system: *mut System,
    _key_id: *const u8,
    _length: u8,
    _wait: u32,
) -> *mut Session {
    ptr::null_mut()
}

/// # Safety
///
/// As OpenCDM has it: a system of this library's, and bytes of these lengths.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencdm_construct_session(
    system: *mut System,
    _license_type: c_int,
    _init_data_type: *const c_char,
    init_data: *const u8,
    init_data_length: u16,
    cdm_data: *const u8,
    cdm_data_length: u16,
    callbacks: *const Callbacks,
    user_data: *mut c_void,
    session: *mut *mut Session,
) -> u32 {
    // SAFETY: by the contract.
    let (system, init_data, cdm_data, callbacks) = unsafe {
        let cdm_data = match cdm_data.is_null() {
            true => &[][..],
            false => slice::from_raw_parts(cdm_data, usize::from(cdm_data_length)),
        };
        (
            &*system,
            slice::from_raw_parts(init_data, usize::from(init_data_length)),
            cdm_data,
            *callbacks,
        )
    };
    let behaviour = &system.behaviour;
    behaviour.record("construct");
    if behaviour.has("hang") {
        hang();
    }
    if behaviour.has("refuse") {
        return FAIL;
    }
    if behaviour.has("null") {
        return OK;
    }
    let made = Session::construct(system, init_data, cdm_data, callbacks, user_data as usize);
    // SAFETY: by the contract, a place for it.
    unsafe { *session = Box::into_raw(made) };
    OK
}

/// # Safety
///
/// As OpenCDM has it: a session of this library's that nobody uses any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencdm_destruct_session(session: *mut Session) -> u32 {
    if session.is_null() {
        return INVALID_SESSION;
    }
    // SAFETY: by the contract.
    let session = unsafe { Box::from_raw(session) };
    session.behaviour.record("destruct");
    if session.behaviour.has("late-callbacks") {
        // It goes on when this has returned.
        drop(session.inner.clone().call_back_late());
    }
    OK
}

/// # Safety
///
/// As OpenCDM has it: a session of this library's, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencdm_session_close(session: *mut Session) -> u32 {
    // SAFETY: by the contract.
    match unsafe { session.as_ref() } {
        Some(session) => {
            // As Thunder's library ends the process, which has no session of the service's.
            if session.id.is_empty() {
                std::process::abort();
            }
            session.behaviour.record("close");
            OK
        }
        None => INVALID_SESSION,
    }
}

/// # Safety
///
/// As OpenCDM has it: a session of this library's, or null, and bytes of this length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencdm_session_update(
    session: *mut Session,
    message: *const u8,
    length: u16,
) -> u32 {
    // SAFETY: by the contract.
    match unsafe { session.as_ref() } {
        // SAFETY: likewise.
        Some(session) => {
            session.update(unsafe { slice::from_raw_parts(message, usize::from(length)) })
        }
        None => INVALID_SESSION,
    }
}

/// # Safety
///
/// As OpenCDM has it: a session of this library's, or null, and bytes of this length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencdm_session_status(
    session: *const Session,
    key_id: *const u8,
    length: u8,
) -> c_int {
    // SAFETY: by the contract.
    let Some(session) = (unsafe { session.as_ref() }) else {
        return EXPIRED;
    };
    // SAFETY: likewise.
    let key_id = unsafe { slice::from_raw_parts(key_id, usize::from(length)) };
    session.inner.status(key_id)
}

/// # Safety
///
/// As OpenCDM has it: a session of this library's, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencdm_session_id(session: *const Session) -> *const c_char {
    // SAFETY: by the contract.
    match unsafe { session.as_ref() } {
        Some(session) => session.id.as_ptr(),
        None => c"".as_ptr(),
    }
}

/// # Safety
///
/// As OpenCDM has it: a session of this library's, or null, and buffers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencdm_gstreamer_session_decrypt(
    session: *mut Session,
    buffer: *mut gst::ffi::GstBuffer,
    subsamples: *mut gst::ffi::GstBuffer,
    subsample_count: u32,
    iv: *mut gst::ffi::GstBuffer,
    key_id: *mut gst::ffi::GstBuffer,
    _init_with_last_15: u32,
) -> u32 {
    // SAFETY: by the contract.
    unsafe {
        let Some(session) = session.as_ref() else {
            return INVALID_SESSION;
        };
        if subsamples.is_null() && iv.is_null() && key_id.is_null() {
            return secured(session, buffer);
        }
        let sample = Sample::of_arguments(buffer, subsamples, subsample_count, iv, key_id);
        decrypted(session, sample, true)
    }
}

/// # Safety
///
/// As OpenCDM has it: a session of this library's, or null, a buffer, and caps or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencdm_gstreamer_session_decrypt_buffer(
    session: *mut Session,
    buffer: *mut gst::ffi::GstBuffer,
    _caps: *mut gst::ffi::GstCaps,
) -> u32 {
    // SAFETY: by the contract.
    unsafe {
        let Some(session) = session.as_ref() else {
            return INVALID_SESSION;
        };
        decrypted(session, Sample::of_meta(buffer), false)
    }
}

/// As RDK's adapters have it: a clear sample goes into secure memory. Theirs.
unsafe fn secured(session: &Session, buffer: *mut gst::ffi::GstBuffer) -> u32 {
    session.behaviour.record("secured");
    if session.behaviour.has("unsecured") {
        return FAIL;
    }
    // SAFETY: by the contract, a buffer that the caller has handed over for writing.
    let buffer = unsafe { gst::BufferRef::from_mut_ptr(buffer) };
    let is_protected = buffer.meta::<gst::meta::ProtectionMeta>().is_some();
    match (buffer.n_memory(), buffer.map_writable()) {
        (1, Ok(_)) if !is_protected => OK,
        _ => FAIL,
    }
}

fn decrypted(session: &Session, sample: Option<Sample>, is_joined: bool) -> u32 {
    let (behaviour, inner) = (&session.behaviour, &session.inner);
    let number = inner.decryptions.fetch_add(1, Ordering::SeqCst);
    if number == 0 {
        behaviour.record("first-decrypt");
    }
    if behaviour
        .number("decrypt-hang")
        .is_some_and(|after| number >= after)
    {
        behaviour.record("decrypt-hangs");
        hang();
    }
    if behaviour.has("decrypt-fail") {
        let failures = inner.failures.fetch_add(1, Ordering::SeqCst);
        if behaviour
            .number("decrypt-fail")
            .is_none_or(|times| failures < times)
        {
            return FAIL;
        }
    }
    if behaviour.has("untouched") {
        return OK;
    }
    let Some(sample) = sample else {
        return 0x8000_0004;
    };
    if inner.refuses(number) {
        return FAIL;
    }
    match inner.key(&sample.key_id) {
        Some(key) if decrypt::decrypt(&key.bytes, sample, is_joined) => OK,
        _ => FAIL,
    }
}
