// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a CDM calls: from inside other calls or on threads of its own, while they still wait,
//! twice, or after its session is gone. So what it gets as user data is a number in a table and no
//! pointer, and a callback copies, queues and returns.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use once_cell::sync::Lazy;

use super::abi::{OpenCdmSession, SessionCallbacks, SessionPointer};
use super::key_status::KeyStatus;
use super::library::Library;
use super::session_keys::KeyName;
use crate::cenc::KeyId;
use crate::wait::{Guarded, lock};

/// Things that a CDM has said and nobody has taken in yet. A license has a few keys.
const MAX_QUEUED: usize = 512;

/// Bytes of a text of a CDM's that are read.
const MAX_TEXT: usize = 8192;

static LISTENERS: Lazy<Mutex<HashMap<usize, Arc<Listener>>>> = Lazy::new(Mutex::default);
static NEXT: AtomicUsize = AtomicUsize::new(1);

/// What libraries keep by pointer.
pub static CALLBACKS: SessionCallbacks = SessionCallbacks {
    process_challenge,
    key_update,
    error_message,
    keys_updated,
};

/// Something that a CDM has said.
pub enum Said {
    Challenge { url: Vec<u8>, message: Vec<u8> },
    Key(KeyName, KeyStatus),
    Complaint(String),
    AllKeys,
}

/// Who hears it.
pub type Hear = Box<dyn Fn(Said) + Send + Sync>;

/// One session, as its callbacks know it.
pub struct Listener {
    number: usize,
    hear: Hear,
    library: Arc<Library>,
    queued: Arc<AtomicUsize>,
    session: Guarded<Session>,
}

#[derive(Default)]
struct Session {
    /// Once it is made, and until it is about to be closed.
    pointer: Option<SessionPointer>,
    /// Callbacks that use it now.
    readers: usize,
    /// Keys that were named before.
    early: Vec<KeyName>,
    all_keys_early: bool,
}

impl Listener {
    /// `queued` counts what has been said and not been taken in.
    pub fn register(library: Arc<Library>, queued: Arc<AtomicUsize>, hear: Hear) -> Arc<Self> {
        let listener = Arc::new(Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            hear,
            library,
            queued,
            session: Guarded::default(),
        });
        lock(&LISTENERS).insert(listener.number, listener.clone());
        listener
    }

    /// What the CDM is given as user data.
    pub fn user_data(&self) -> *mut c_void {
        self.number as *mut c_void
    }

    /// The session is made. What was said of its keys before is read now.
    pub fn session_is_made(&self, session: SessionPointer) {
        let (early, all) = self.session.change(|state| {
            state.pointer = Some(session);
            (
                std::mem::take(&mut state.early),
                std::mem::take(&mut state.all_keys_early),
            )
        });
        for name in early {
            self.key(name);
        }
        if all {
            self.say(Said::AllKeys);
        }
    }

    /// The session is about to be closed: waits until no callback uses it any more.
    pub fn end(&self) {
        lock(&LISTENERS).remove(&self.number);
        self.session.change(|state| state.pointer = None);
        drop(
            self.session
                .wait(self.session.lock(), None, None, |state| state.readers == 0),
        );
    }

    fn key(&self, name: KeyName) {
        let pointer = self.session.change(|state| {
            match state.pointer {
                Some(_) => state.readers += 1,
                // The argument of the callback is no session yet (Sparkle-CDM).
                None if state.early.len() < MAX_QUEUED => state.early.push(name),
                None => {}
            }
            state.pointer
        });
        let Some(session) = pointer else {
            return;
        };
        // SAFETY: a session that is not closed before `readers` is back at zero.
        let status = unsafe { self.library.status(session, name) };
        self.session.change(|state| state.readers -= 1);
        self.say(Said::Key(name, status));
    }

    fn say(&self, said: Said) {
        if self.queued.fetch_add(1, Ordering::Relaxed) < MAX_QUEUED {
            (self.hear)(said);
        } else {
            self.queued.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Does it for the session of that number, if there is one. No panic reaches the CDM.
fn with(user_data: *mut c_void, act: impl FnOnce(&Listener)) {
    let listener = lock(&LISTENERS).get(&(user_data as usize)).cloned();
    if let Some(listener) = listener {
        let _ = catch_unwind(AssertUnwindSafe(|| act(&listener)));
    }
}

/// A text of the CDM's, cut.
///
/// # Safety
///
/// `text` is null or ends in a zero.
unsafe fn text(text: *const c_char) -> Vec<u8> {
    if text.is_null() {
        return Vec::new();
    }
    // SAFETY: by the contract.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    bytes[..bytes.len().min(MAX_TEXT)].to_owned()
}

unsafe extern "C" fn process_challenge(
    _session: *mut OpenCdmSession,
    user_data: *mut c_void,
    url: *const c_char,
    challenge: *const u8,
    length: u16,
) {
    with(user_data, |listener| {
        // SAFETY: the CDM's own text and bytes, which live as long as the call.
        let (url, message) = unsafe {
            let message = match challenge.is_null() {
                true => &[][..],
                false => slice::from_raw_parts(challenge, usize::from(length)),
            };
            (text(url), message.to_owned())
        };
        listener.say(Said::Challenge { url, message });
    });
}

unsafe extern "C" fn key_update(
    _session: *mut OpenCdmSession,
    user_data: *mut c_void,
    key_id: *const u8,
    length: u8,
) {
    with(user_data, |listener| {
        if key_id.is_null() || length == 0 {
            return listener.key(None);
        }
        // SAFETY: the CDM's own bytes, which live as long as the call.
        let bytes = unsafe { slice::from_raw_parts(key_id, usize::from(length)) };
        if let Some(key_id) = KeyId::from_slice(bytes) {
            listener.key(Some(key_id));
        }
    });
}

unsafe extern "C" fn error_message(
    _session: *mut OpenCdmSession,
    user_data: *mut c_void,
    message: *const c_char,
) {
    with(user_data, |listener| {
        // SAFETY: the CDM's own text, which lives as long as the call.
        let words = unsafe { text(message) };
        let words = String::from_utf8_lossy(&words).into_owned();
        listener.say(Said::Complaint(words));
    });
}

unsafe extern "C" fn keys_updated(_session: *const OpenCdmSession, user_data: *mut c_void) {
    with(user_data, |listener| {
        let is_made = listener.session.change(|state| {
            state.all_keys_early |= state.pointer.is_none();
            state.pointer.is_some()
        });
        if is_made {
            listener.say(Said::AllKeys);
        }
    });
}
