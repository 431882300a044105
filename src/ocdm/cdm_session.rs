// SPDX-License-Identifier: MIT OR Apache-2.0

//! One session of a CDM's, from construction to the end.

use std::ptr;
use std::sync::Arc;

use gst::glib::translate::{ToGlibPtr, ToGlibPtrMut};

use super::abi::{self, SessionPointer};
use super::callbacks::{CALLBACKS, Listener};
use super::control;
use super::init_data::MAX_BYTES;
use super::key_status::KeyStatus;
use super::library::Library;
use super::session_keys::KeyName;
use crate::error::{Failure, Fault};

/// Entries of a subsample table that implementations have room for.
const MAX_SUBSAMPLES: u32 = 100;

/// A session that the CDM has. Dropped, it is closed on the library's own thread; whoever decrypts
/// holds it, so no decryption is under way then.
pub struct CdmSession {
    library: Arc<Library>,
    pointer: SessionPointer,
    listener: Arc<Listener>,
    /// The CDM's service has it too. A library may not look before it closes one that is not
    /// (Thunder's `OpenCDMSession::Close`).
    is_alive: bool,
}

/// How a sample is protected, in the buffers of its `GstProtectionMeta`.
pub struct SampleProtection<'a> {
    pub is_cbcs: bool,
    pub key_id: &'a gst::Buffer,
    pub iv: &'a gst::Buffer,
    /// The table, and how many entries it has.
    pub subsamples: Option<(&'a gst::Buffer, u32)>,
}

impl CdmSession {
    /// Makes a session. On the library's own thread, which may wait here for a while.
    ///
    /// # Errors
    ///
    /// `Misconfigured` where there is no such system, `Malformed` for init data or data for the CDM
    /// that OpenCDM cannot count, `Transient` where the CDM has none.
    pub fn construct(
        library: Arc<Library>,
        key_system: &str,
        init_data: &[u8],
        cdm_data: Option<&[u8]>,
        listener: Arc<Listener>,
    ) -> Result<Self, Failure> {
        let ready = library.system(key_system).and_then(|system| {
            let init_data = counted("the init data for the CDM", init_data)?;
            let cdm_data = counted("what `cdm-data` comes to", cdm_data.unwrap_or_default())?;
            Ok((system, init_data, cdm_data))
        });
        let (system, init_data_length, cdm_data_length) = ready.inspect_err(|_| {
            // Nobody will call it.
            listener.end();
        })?;
        let mut session = ptr::null_mut();
        // SAFETY: the library's function, with data that lives as long as the call, callbacks that
        // live as long as the process, and a number as user data.
        let status = unsafe {
            (library.construct_session)(
                system.as_ptr(),
                abi::TEMPORARY,
                c"cenc".as_ptr(),
                init_data.as_ptr(),
                init_data_length,
                cdm_data.map_or(ptr::null(), <[u8]>::as_ptr),
                cdm_data_length,
                &CALLBACKS,
                listener.user_data(),
                &mut session,
            )
        };
        if session.is_null() {
            listener.end();
            return Err(no_session(format!(
                "the CDM made no session (`opencdm_construct_session` gave {status:#x} and none)"
            )));
        }
        let mut made = Self {
            library,
            pointer: SessionPointer(session),
            listener,
            is_alive: false,
        };
        if status != abi::ERROR_NONE {
            return Err(no_session(format!(
                "the CDM made no session (`opencdm_construct_session` gave {status:#x}): check that the stream's init data is for this CDM"
            )));
        }
        // SAFETY: a session that was made just now; the text is the library's.
        let is_dead = unsafe {
            let id = (made.library.session_id)(session);
            id.is_null() || *id == 0
        };
        if is_dead {
            return Err(no_session(
                "the CDM's service does not answer (its session has no id): check that it runs"
                    .to_owned(),
            ));
        }
        made.is_alive = true;
        made.listener.session_is_made(made.pointer);
        Ok(made)
    }

    /// Hands a license to the CDM. On the library's own thread.
    ///
    /// # Errors
    ///
    /// `Malformed` for one that is too long or that the CDM refuses at once.
    pub fn update(&self, message: &[u8]) -> Result<(), Failure> {
        let length = counted("the license", message)?;
        // SAFETY: a session that is not closed, with bytes that live as long as the call.
        let status =
            unsafe { (self.library.session_update)(self.pointer.0, message.as_ptr(), length) };
        match status {
            abi::ERROR_NONE => Ok(()),
            status => Err(Failure::malformed(format!(
                "the CDM did not take what the license server sent (`opencdm_session_update` gave {status:#x}): check that it is a license for this key system"
            ))
            .with_fault(Fault::Key)),
        }
    }

    /// What the CDM says of a key of that name. On any thread.
    pub fn status(&self, name: KeyName) -> KeyStatus {
        // SAFETY: a session that is not closed.
        unsafe { self.library.status(self.pointer, name) }
    }

    /// Decrypts a buffer in place that nobody else has, with one memory, and with its
    /// `GstProtectionMeta`. It may take any time.
    ///
    /// # Errors
    ///
    /// What cannot be handed over, or the CDM's number.
    pub fn decrypt(
        &self,
        buffer: &mut gst::Buffer,
        protection: &SampleProtection<'_>,
        caps: Option<&gst::Caps>,
    ) -> Result<(), Failure> {
        let broken = |what: String| Failure::malformed(what).with_fault(Fault::Sample);
        let count = protection.subsamples.map_or(0, |(_, count)| count);
        let status = match (protection.is_cbcs, self.library.decrypt_buffer) {
            (true, Some(_)) if count > MAX_SUBSAMPLES => {
                return Err(broken(format!(
                    "a sample has {count} subsamples, and OpenCDM takes {MAX_SUBSAMPLES} of cbcs at the most"
                )));
            }
            // SAFETY: a session that is not closed, a buffer of ours alone, and its caps.
            (true, Some(decrypt)) => unsafe {
                let caps = caps.map_or(ptr::null_mut(), |caps| caps.to_glib_none().0);
                decrypt(self.pointer.0, buffer.to_glib_none_mut().0, caps)
            },
            (true, None) if count > 1 => {
                return Err(broken(format!(
                    "the OpenCDM library {} has no `opencdm_gstreamer_session_decrypt_buffer`, without which samples of cbcs with several protected ranges cannot be decrypted: update the box's CDM",
                    self.library.name
                )));
            }
            // SAFETY: likewise, with buffers that live as long as the call.
            _ => unsafe {
                let table = protection.subsamples;
                (self.library.decrypt)(
                    self.pointer.0,
                    buffer.to_glib_none_mut().0,
                    table.map_or(ptr::null_mut(), |(table, _)| table.to_glib_none().0),
                    count,
                    protection.iv.to_glib_none().0,
                    protection.key_id.to_glib_none().0,
                    0,
                )
            },
        };
        match status {
            abi::ERROR_NONE => Ok(()),
            status => Err(broken(format!(
                "the CDM did not decrypt a sample (it gave {status:#x})"
            ))),
        }
    }

    /// Puts a clear buffer, that nobody else has, where decrypted ones come out on boxes with
    /// secure memory. RDK's adapters do that where they are given neither key nor vector (AAMP,
    /// `gst_cdmidecryptor_transform_ip`).
    ///
    /// # Errors
    ///
    /// The CDM's number.
    pub fn secure(&self, buffer: &mut gst::Buffer) -> Result<(), Failure> {
        let none = ptr::null_mut();
        // SAFETY: a session that is not closed, and a buffer of ours alone.
        let status = unsafe {
            let buffer = buffer.to_glib_none_mut().0;
            (self.library.decrypt)(self.pointer.0, buffer, none, 0, none, none, 0)
        };
        match status {
            abi::ERROR_NONE => Ok(()),
            status => Err(Failure::malformed(format!(
                "the CDM took no clear sample into its secure memory (it gave {status:#x}): clear samples pass as they are"
            ))),
        }
    }
}

/// How many bytes these are, as OpenCDM counts.
fn counted(what: &str, bytes: &[u8]) -> Result<u16, Failure> {
    u16::try_from(bytes.len()).map_err(|_| {
        Failure::malformed(format!(
            "{what} has {} bytes, and OpenCDM takes {MAX_BYTES} at the most",
            bytes.len()
        ))
    })
}

fn no_session(what: String) -> Failure {
    Failure::transient(what).with_fault(Fault::Key)
}

impl Drop for CdmSession {
    fn drop(&mut self) {
        let (library, listener) = (self.library.clone(), self.listener.clone());
        let (pointer, is_alive) = (self.pointer, self.is_alive);
        // Without a thread it stays with the CDM, which is all that can be done.
        let _ = control::post(move || {
            let pointer = { pointer };
            listener.end();
            // SAFETY: a session that nobody has any more.
            unsafe {
                if is_alive {
                    (library.session_close)(pointer.0);
                }
                (library.destruct_session)(pointer.0);
            }
        });
    }
}
