// SPDX-License-Identifier: MIT OR Apache-2.0

//! The box's OpenCDM library, opened when it is needed and never closed.
//!
//! It is opened as GModule does: Sparkle-CDM loads its modules in `g_module_check_init`, which
//! nothing but `g_module_open` calls. It is never closed, and `opencdm_dispose` is never called:
//! implementations have threads of their own that outlive their last session.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem;
use std::ptr;
use std::sync::{Arc, Mutex};

use gst::glib::translate::{IntoGlibPtr, from_glib_full};
use once_cell::sync::Lazy;

use super::abi::{self, SessionPointer};
use super::key_status::KeyStatus;
use super::session_keys::{KeyName, NO_ID};
use crate::error::{Failure, Fault};
use crate::wait::lock;

/// Names of the library, in the order in which they are tried: Sparkle-CDM and RDK's releases
/// before and after Thunder's, by version, and Rialto's.
const NAMES: [&str; 6] = [
    "libocdm.so",
    "libocdm.so.4",
    "libocdm.so.1",
    "libClientOCDM.so",
    "libClientOCDM.so.1",
    "libocdmRialto.so",
];

/// `G_MODULE_BIND_LAZY` and `G_MODULE_BIND_LOCAL`.
const BIND_LAZY_LOCAL: c_int = 3;

#[link(name = "gmodule-2.0")]
unsafe extern "C" {
    fn g_module_open(file_name: *const c_char, flags: c_int) -> *mut c_void;
    fn g_module_error() -> *const c_char;
    fn g_module_symbol(module: *mut c_void, name: *const c_char, symbol: *mut *mut c_void)
    -> c_int;
}

/// Libraries that were opened, by the name that was asked for; empty for the first that is there.
static LIBRARIES: Lazy<Mutex<HashMap<String, Arc<Library>>>> = Lazy::new(Mutex::default);

/// The functions of one library.
pub struct Library {
    /// As it was found.
    pub name: String,
    pub is_type_supported: abi::IsTypeSupported,
    pub create_system: abi::CreateSystem,
    pub construct_session: abi::ConstructSession,
    pub session_update: abi::SessionUpdate,
    session_status: abi::SessionStatus,
    pub session_id: abi::SessionId,
    pub session_close: abi::EndSession,
    pub destruct_session: abi::EndSession,
    pub decrypt: abi::Decrypt,
    pub decrypt_buffer: Option<abi::DecryptBuffer>,
    pub transform_caps: Option<abi::TransformCaps>,
    /// Systems that were made, by their key systems. They last as long as the process.
    systems: Mutex<HashMap<String, System>>,
    /// Names of key systems that were asked for, likewise.
    names: Mutex<HashMap<String, &'static CStr>>,
}

/// A system of the library's, with the name that it keeps by pointer.
#[derive(Clone, Copy)]
pub struct System(*mut abi::OpenCdmSystem);

// SAFETY: OpenCDM's systems are used from any thread; ours use them from one at a time.
unsafe impl Send for System {}

impl System {
    pub fn as_ptr(self) -> *mut abi::OpenCdmSystem {
        self.0
    }
}

impl Library {
    /// The library of that name, or the box's, where it is open already.
    pub fn known(name: Option<&str>) -> Option<Arc<Self>> {
        // Nobody waits for one that is being opened.
        let libraries = LIBRARIES.try_lock().ok()?;
        libraries.get(name.unwrap_or_default()).cloned()
    }

    /// The library of that name, or the first one that the box has.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the names that were tried and what the system says, or with the
    /// functions that the library lacks.
    pub fn open(name: Option<&str>) -> Result<Arc<Self>, Failure> {
        let mut libraries = lock(&LIBRARIES);
        let wanted = name.unwrap_or_default();
        if let Some(library) = libraries.get(wanted) {
            return Ok(library.clone());
        }
        let library = Arc::new(match name {
            Some(name) => Self::load(&[name])?,
            None => Self::load(&NAMES)?,
        });
        libraries.insert(wanted.to_owned(), library.clone());
        Ok(library)
    }

    fn load(names: &[&str]) -> Result<Self, Failure> {
        let mut complaints = Vec::new();
        for name in names {
            match Module::open(name) {
                Ok(module) => return Self::of(module, name),
                Err(complaint) => complaints.push(complaint),
            }
        }
        let last = complaints.pop().unwrap_or_default();
        let named = names.join(", ");
        Err(missing(format!(
            "no OpenCDM library could be opened (tried {named}): {last}: install the box's CDM, or set `ocdm-library`"
        )))
    }

    fn of(module: Module, name: &str) -> Result<Self, Failure> {
        // It came with the interface of 2019; what was before has other arguments under the same
        // names.
        if module.symbol(c"opencdm_get_system_session").is_none() {
            let is_one = module.symbol(c"opencdm_create_system").is_some();
            return Err(missing(match is_one {
                true => format!(
                    "the OpenCDM library {name} is older than 2019 (it has no `opencdm_get_system_session`), and takes other arguments: update the box's CDM"
                ),
                false => format!(
                    "{name} is no OpenCDM library (it has no `opencdm_create_system`): check `ocdm-library`"
                ),
            }));
        }
        let required = |symbol: &CStr| {
            module.symbol(symbol).ok_or_else(|| {
                missing(format!(
                    "the OpenCDM library {name} has no `{}`: update the box's CDM, with its adapter for GStreamer",
                    symbol.to_string_lossy()
                ))
            })
        };
        // SAFETY: a library that has `opencdm_get_system_session` declares these functions so
        // (`open_cdm.h` and `open_cdm_adapter.h`), and it is never closed.
        unsafe {
            Ok(Self {
                is_type_supported: mem::transmute::<*mut c_void, abi::IsTypeSupported>(required(
                    c"opencdm_is_type_supported",
                )?),
                create_system: mem::transmute::<*mut c_void, abi::CreateSystem>(required(
                    c"opencdm_create_system",
                )?),
                construct_session: mem::transmute::<*mut c_void, abi::ConstructSession>(required(
                    c"opencdm_construct_session",
                )?),
                session_update: mem::transmute::<*mut c_void, abi::SessionUpdate>(required(
                    c"opencdm_session_update",
                )?),
                session_status: mem::transmute::<*mut c_void, abi::SessionStatus>(required(
                    c"opencdm_session_status",
                )?),
                session_id: mem::transmute::<*mut c_void, abi::SessionId>(required(
                    c"opencdm_session_id",
                )?),
                session_close: mem::transmute::<*mut c_void, abi::EndSession>(required(
                    c"opencdm_session_close",
                )?),
                destruct_session: mem::transmute::<*mut c_void, abi::EndSession>(required(
                    c"opencdm_destruct_session",
                )?),
                decrypt: mem::transmute::<*mut c_void, abi::Decrypt>(required(
                    c"opencdm_gstreamer_session_decrypt",
                )?),
                decrypt_buffer: module
                    .symbol(c"opencdm_gstreamer_session_decrypt_buffer")
                    .map(|symbol| mem::transmute::<*mut c_void, abi::DecryptBuffer>(symbol)),
                transform_caps: module
                    .symbol(c"opencdm_gstreamer_transform_caps")
                    .map(|symbol| mem::transmute::<*mut c_void, abi::TransformCaps>(symbol)),
                name: name.to_owned(),
                systems: Mutex::default(),
                names: Mutex::default(),
            })
        }
    }

    /// What the CDM says of a key of that name.
    ///
    /// # Safety
    ///
    /// A session of this library's that is not closed.
    pub unsafe fn status(&self, session: SessionPointer, name: KeyName) -> KeyStatus {
        let bytes = name.unwrap_or(NO_ID).0;
        let length = name.map_or(0, |_| bytes.len() as u8);
        // SAFETY: by the contract, with bytes that live as long as the call.
        let status = unsafe { (self.session_status)(session.0, bytes.as_ptr(), length) };
        KeyStatus::from_raw(status)
    }

    /// Says in the caps behind a decryptor what its memory is, where that is not the system's.
    /// Whether it is not.
    pub fn transform_caps(&self, caps: &mut gst::Caps) -> bool {
        let Some(transform) = self.transform_caps else {
            return false;
        };
        let before = caps.clone();
        let mut raw = caps.copy().into_glib_ptr();
        // SAFETY: the library may change the caps, which are ours alone, or put others in their
        // place.
        unsafe {
            transform(&mut raw);
            if !raw.is_null() {
                *caps = from_glib_full(raw);
            }
        }
        !caps.is_strictly_equal(&before)
    }

    /// The name as implementations keep it, by pointer.
    fn name_of(&self, key_system: &str) -> Result<&'static CStr, Failure> {
        let mut names = lock(&self.names);
        if let Some(name) = names.get(key_system) {
            return Ok(name);
        }
        let name = CString::new(key_system)
            .map_err(|_| Failure::misconfigured("`key-system` has a zero byte in it"))?;
        let name: &'static CStr = Box::leak(name.into_boxed_c_str());
        names.insert(key_system.to_owned(), name);
        Ok(name)
    }

    /// The system of that name. To be called on the library's own thread: it may take its time.
    ///
    /// # Errors
    ///
    /// `Misconfigured` where the library has no such system.
    pub fn system(&self, key_system: &str) -> Result<System, Failure> {
        if let Some(system) = lock(&self.systems).get(key_system) {
            return Ok(*system);
        }
        let name = self.name_of(key_system)?;
        // SAFETY: the library's functions, with texts that live as long as the process.
        let (status, system) = unsafe {
            // Sparkle-CDM loads its modules here. Boxes with several CDMs may say no and mean yes.
            let status = (self.is_type_supported)(name.as_ptr(), c"".as_ptr());
            (status, (self.create_system)(name.as_ptr()))
        };
        if system.is_null() {
            return Err(missing(format!(
                "the OpenCDM library {} has no key system {key_system} (`opencdm_is_type_supported` says {status:#x}): check that the box has this CDM, or set `key-system`",
                self.name
            )));
        }
        lock(&self.systems).insert(key_system.to_owned(), System(system));
        Ok(System(system))
    }
}

fn missing(what: String) -> Failure {
    Failure::misconfigured(what).with_fault(Fault::Missing)
}

/// A library that stays open.
struct Module(*mut c_void);

impl Module {
    fn open(name: &str) -> Result<Self, String> {
        let file = CString::new(name).map_err(|_| "a zero byte in its name".to_owned())?;
        // SAFETY: GModule's functions, with a text of our own. What it says of an error is a text
        // of its own, which is copied.
        unsafe {
            let module = g_module_open(file.as_ptr(), BIND_LAZY_LOCAL);
            if !module.is_null() {
                return Ok(Self(module));
            }
            let error = g_module_error();
            Err(match error.is_null() {
                true => format!("{name} could not be opened"),
                false => CStr::from_ptr(error).to_string_lossy().into_owned(),
            })
        }
    }

    fn symbol(&self, name: &CStr) -> Option<*mut c_void> {
        let mut symbol = ptr::null_mut();
        // SAFETY: an open module, and a place for the pointer.
        let found = unsafe { g_module_symbol(self.0, name.as_ptr(), &mut symbol) };
        (found != 0 && !symbol.is_null()).then_some(symbol)
    }
}
