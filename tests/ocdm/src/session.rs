// SPDX-License-Identifier: MIT OR Apache-2.0

//! A system and its sessions.

use std::collections::HashMap;
use std::ffi::{CString, c_char, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::abi::Callbacks;
use crate::behaviour::Behaviour;

/// How long something is late that is late.
const A_MOMENT: Duration = Duration::from_millis(50);

/// `KeyStatus`.
pub const USABLE: i32 = 0;
pub const EXPIRED: i32 = 1;
pub const OUTPUT_RESTRICTED: i32 = 3;
const INTERNAL_ERROR: i32 = 7;

pub struct System {
    pub behaviour: Behaviour,
}

pub struct Session {
    pub id: CString,
    pub behaviour: Behaviour,
    pub inner: Arc<Inner>,
}

/// What its threads have too.
pub struct Inner {
    pub behaviour: Behaviour,
    callbacks: Callbacks,
    user_data: usize,
    /// Once there is one.
    session: AtomicUsize,
    key_ids: Vec<[u8; 16]>,
    cdm_data: Vec<u8>,
    pub keys: Mutex<HashMap<[u8; 16], Key>>,
    updates: AtomicUsize,
    pub decryptions: AtomicUsize,
    pub failures: AtomicUsize,
    pub is_restricted: AtomicBool,
}

#[derive(Clone)]
pub struct Key {
    pub status: i32,
    pub bytes: [u8; 16],
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for ever.
pub fn hang() -> ! {
    loop {
        thread::park();
    }
}

impl Session {
    /// Makes one, with its first challenge on the way.
    pub fn construct(
        system: &System,
        init_data: &[u8],
        cdm_data: &[u8],
        callbacks: Callbacks,
        user_data: usize,
    ) -> Box<Self> {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let behaviour = system.behaviour.clone();
        let id = match behaviour.has("dead") {
            true => String::new(),
            false => format!("session-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        };
        let inner = Arc::new(Inner {
            behaviour: behaviour.clone(),
            callbacks,
            user_data,
            session: AtomicUsize::new(0),
            key_ids: key_ids(init_data),
            cdm_data: cdm_data.to_owned(),
            keys: Mutex::default(),
            updates: AtomicUsize::new(0),
            decryptions: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
            is_restricted: AtomicBool::new(false),
        });
        let session = Box::new(Self {
            id: CString::new(id).expect("no zero in it"),
            behaviour,
            inner,
        });
        session.first_challenge();
        let address = std::ptr::from_ref(&*session) as usize;
        session.inner.session.store(address, Ordering::Release);
        session
    }

    fn first_challenge(&self) {
        let behaviour = &self.behaviour;
        if behaviour.has("none") || behaviour.has("dead") {
            return;
        }
        let inner = self.inner.clone();
        let kind = match behaviour.has("certificate") {
            true => "certificate",
            false => "request",
        };
        if behaviour.has("inside") {
            inner.challenge(kind);
        } else if behaviour.has("during") {
            let rpc = thread::spawn(move || inner.challenge(kind));
            let _ = rpc.join();
        } else if behaviour.has("three-threads") {
            let barrier = Arc::new(Barrier::new(3));
            for _ in 0..3 {
                let (inner, barrier) = (inner.clone(), barrier.clone());
                thread::spawn(move || {
                    barrier.wait();
                    inner.challenge(kind);
                });
            }
        } else {
            thread::spawn(move || {
                inner.wait_for_session();
                inner.challenge(kind);
                if inner.behaviour.has("twice") {
                    inner.challenge(kind);
                }
            });
        }
    }

    pub fn update(&self, message: &[u8]) -> u32 {
        let behaviour = &self.behaviour;
        behaviour.record("update");
        if behaviour.has("update-hang") {
            hang();
        }
        if behaviour.has("fail") {
            return 0x8004_c601;
        }
        if behaviour.has("lie") {
            return 0;
        }
        if behaviour.has("complain") {
            self.inner.complain("the license is not for this device");
            return 0;
        }
        let number = self.inner.updates.fetch_add(1, Ordering::SeqCst);
        if behaviour.has("endless") || (behaviour.has("certificate") && number == 0) {
            self.inner.challenge("request");
            return 0;
        }
        self.inner.clone().take(message);
        if behaviour.has("renew") && number == 0 {
            let inner = self.inner.clone();
            thread::spawn(move || inner.challenge("renewal"));
        }
        0
    }
}

impl Inner {
    fn wait_for_session(&self) {
        while self.session.load(Ordering::Acquire) == 0 {
            thread::yield_now();
        }
    }

    /// As Sparkle-CDM has it: before there is a session the argument is no session.
    fn session(&self) -> *mut c_void {
        match self.session.load(Ordering::Acquire) {
            0 => std::ptr::dangling_mut(),
            session => session as *mut c_void,
        }
    }

    fn message(&self, kind: &str) -> Vec<u8> {
        let behaviour = &self.behaviour;
        if behaviour.has("empty") {
            return Vec::new();
        }
        if behaviour.has("huge") {
            return vec![b'x'; usize::from(u16::MAX)];
        }
        let kids: Vec<_> = self
            .key_ids
            .iter()
            .map(|key_id| URL_SAFE_NO_PAD.encode(key_id))
            .collect();
        let mut request = json!({ "kids": kids, "type": "temporary" });
        if kind == "certificate" {
            request["certificate"] = json!(true);
        }
        if behaviour.has("endless") {
            request["number"] = json!(self.updates.load(Ordering::SeqCst));
        }
        if behaviour.has("pack") {
            request["cdm-data"] = json!(String::from_utf8_lossy(&self.cdm_data));
        }
        let request = request.to_string();
        let request = match behaviour.has("playready") {
            true => {
                let message = format!(
                    "<PlayReadyKeyMessage type=\"LicenseAcquisition\"><LicenseAcquisition version=\"1.0\"><Challenge encoding=\"base64encoded\">{}</Challenge><HttpHeaders><HttpHeader><name>Content-Type</name><value>text/xml; charset=utf-8</value></HttpHeader><HttpHeader><name>SOAPAction</name><value>\"urn:tests\"</value></HttpHeader></HttpHeaders></LicenseAcquisition></PlayReadyKeyMessage>",
                    STANDARD.encode(&request)
                );
                message.encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
            false => request.into_bytes(),
        };
        let prefix = match kind {
            _ if behaviour.has("no-prefix") => "",
            "renewal" if behaviour.has("word-prefix") => "license-renewal:Type:",
            _ if behaviour.has("word-prefix") => "license-request:Type:",
            "renewal" => "1:Type:",
            _ => "0:Type:",
        };
        [prefix.as_bytes(), &request].concat()
    }

    pub fn challenge(&self, kind: &str) {
        self.behaviour.record("challenge");
        let message = self.message(kind);
        let url = CString::new(self.behaviour.text("url").unwrap_or("none")).expect("no zero");
        // SAFETY: the caller's function, as OpenCDM declares it.
        unsafe {
            (self.callbacks.process_challenge)(
                self.session(),
                self.user_data as *mut c_void,
                url.as_ptr(),
                message.as_ptr(),
                message.len() as u16,
            );
        }
    }

    fn complain(&self, words: &str) {
        let words = CString::new(words).expect("no zero");
        // SAFETY: likewise.
        unsafe {
            (self.callbacks.error_message)(
                self.session(),
                self.user_data as *mut c_void,
                words.as_ptr() as *const c_char,
            );
        }
    }

    pub fn key_update(&self, key_id: &[u8; 16]) {
        let (name, length) = match self.behaviour.text("nameless") {
            Some("null") => (std::ptr::null(), 0),
            _ => (key_id.as_ptr(), 16),
        };
        // SAFETY: likewise.
        unsafe {
            (self.callbacks.key_update)(
                self.session(),
                self.user_data as *mut c_void,
                name,
                length,
            );
        }
    }

    fn keys_updated(&self) {
        // SAFETY: likewise.
        unsafe { (self.callbacks.keys_updated)(self.session(), self.user_data as *mut c_void) }
    }

    /// Takes the keys of a ClearKey license.
    fn take(self: Arc<Self>, message: &[u8]) {
        let license: Value = serde_json::from_slice(message).unwrap_or_default();
        let status = self
            .behaviour
            .number("status")
            .map_or(USABLE, |number| number as i32);
        let mut key_ids = Vec::new();
        for key in license["keys"].as_array().into_iter().flatten() {
            let decoded = |name: &str| -> Option<[u8; 16]> {
                let bytes = URL_SAFE_NO_PAD.decode(key[name].as_str()?).ok()?;
                bytes.try_into().ok()
            };
            if let (Some(key_id), Some(bytes)) = (decoded("kid"), decoded("k")) {
                lock(&self.keys).insert(key_id, Key { status, bytes });
                key_ids.push(key_id);
            }
        }
        for key_id in &key_ids {
            self.key_update(&self.named(key_id));
        }
        if !self.behaviour.has("silent-keys") {
            self.keys_updated();
        }
        if self.behaviour.has("status") {
            self.recover();
        }
    }

    /// A moment later all keys can be used, where they recover.
    fn recover(self: Arc<Self>) {
        if self.behaviour.has("recover") {
            thread::spawn(move || {
                thread::sleep(A_MOMENT);
                self.set_status(USABLE);
            });
        }
    }

    /// All keys end, or are restricted, as the behaviour has it, once so many samples were
    /// decrypted. Whether this one is not.
    pub fn refuses(self: &Arc<Self>, number: usize) -> bool {
        let reached = |word| (self.behaviour.number(word)).is_some_and(|after| number >= after);
        if reached("expire") {
            self.set_status(EXPIRED);
            return true;
        }
        if reached("restrict") && !self.is_restricted.swap(true, Ordering::SeqCst) {
            self.set_status(OUTPUT_RESTRICTED);
            self.clone().recover();
            return true;
        }
        let keys = lock(&self.keys);
        keys.values().any(|key| key.status == OUTPUT_RESTRICTED)
    }

    fn set_status(&self, status: i32) {
        let mut key_ids = Vec::new();
        for (key_id, key) in lock(&self.keys).iter_mut() {
            key.status = status;
            key_ids.push(*key_id);
        }
        if !self.behaviour.has("silently") {
            for key_id in &key_ids {
                self.key_update(&self.named(key_id));
            }
        }
    }

    /// As the CDM names it.
    fn named(&self, key_id: &[u8; 16]) -> [u8; 16] {
        match &self.behaviour {
            behaviour if behaviour.has("nameless") => [0; 16],
            behaviour if behaviour.has("guid") => in_guid_order(key_id),
            _ => *key_id,
        }
    }

    /// `KeyStatus` of what the CDM names so.
    pub fn status(&self, name: &[u8]) -> i32 {
        let keys = lock(&self.keys);
        let is_named = |key_id: &[u8; 16]| match self.behaviour.text("nameless") {
            Some("null") => name.is_empty(),
            _ => name == self.named(key_id),
        };
        let mut named = keys.iter().filter(|(key_id, _)| is_named(key_id));
        named.next().map_or(INTERNAL_ERROR, |(_, key)| key.status)
    }

    pub fn key(&self, key_id: &[u8]) -> Option<Key> {
        let key_id: [u8; 16] = key_id.try_into().ok()?;
        let keys = lock(&self.keys);
        let key = keys.get(&key_id);
        key.or_else(|| keys.get(&in_guid_order(&key_id))).cloned()
    }

    /// Calls back from another thread, as long as somebody may be there.
    pub fn call_back_late(self: Arc<Self>) -> thread::JoinHandle<()> {
        let barrier = Arc::new(Barrier::new(2));
        let begun = barrier.clone();
        let late = thread::spawn(move || {
            begun.wait();
            for _ in 0..100 {
                self.key_update(&[7; 16]);
                self.challenge("request");
                self.keys_updated();
                self.complain("too late");
            }
        });
        barrier.wait();
        late
    }
}

fn in_guid_order(key_id: &[u8; 16]) -> [u8; 16] {
    let mut bytes = *key_id;
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

/// The key ids that the boxes of the common system list.
fn key_ids(init_data: &[u8]) -> Vec<[u8; 16]> {
    const COMMON: [u8; 16] = 0x1077efec_c0b2_4d02_ace3_3c1e52e2fb4b_u128.to_be_bytes();
    let mut found = Vec::new();
    let mut rest = init_data;
    while let Some(size) = rest.first_chunk::<4>() {
        let size = (u32::from_be_bytes(*size) as usize).max(8);
        let Some(one) = rest.get(..size) else { break };
        rest = &rest[size..];
        if one.get(12..28) == Some(&COMMON[..])
            && let Some(listed) = one.get(32..)
        {
            let count = one[28..32]
                .iter()
                .fold(0, |count, byte| count << 8 | *byte as usize);
            let listed = listed.chunks_exact(16).take(count);
            found.extend(listed.map(|key_id| <[u8; 16]>::try_from(key_id).expect("sixteen")));
        }
    }
    found
}
