// SPDX-License-Identifier: MIT OR Apache-2.0

//! The key server: 16 bytes for METHOD=AES-128 and identity SAMPLE-AES (RFC 8216, section 4.3.2.4).

use std::collections::HashMap;

use aes::Aes128;
use cbc::Encryptor;
use cbc::cipher::array::Array;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use hyper::header::{AUTHORIZATION, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Uri};

use crate::behaviour::KeyPolicy;
use crate::keys::{AUDIO_KEY, VIDEO_KEY, from_hex};
use crate::license_server::Credential;
use crate::record::{KeyRequest, header, header_list};
use crate::reply::{self, Reply};
use crate::shared::Shared;

/// What the path of a key begins with. The rest is its name.
pub(crate) const KEYS_PATH: &str = "/keys/";

const BLOCK: usize = 16;

/// The policies of all keys. A key without one of its own follows the one for all.
#[derive(Debug, Default)]
pub(crate) struct KeyPolicies {
    all: Script,
    by_name: HashMap<String, Script>,
}

/// A policy, and how many of its requests it has seen.
#[derive(Debug, Default)]
struct Script {
    policy: KeyPolicy,
    requests: usize,
}

impl Script {
    fn new(policy: KeyPolicy) -> Self {
        Self {
            policy,
            requests: 0,
        }
    }

    /// The policy for the request that has just arrived. The last one of a sequence stays.
    fn next(&mut self) -> KeyPolicy {
        let number = self.requests;
        self.requests += 1;
        match &self.policy {
            KeyPolicy::Sequence(parts) => parts
                .get(number)
                .or(parts.last())
                .cloned()
                .unwrap_or_default(),
            policy => policy.clone(),
        }
    }

    fn release(&mut self) {
        let parts = match &mut self.policy {
            KeyPolicy::Sequence(parts) => &mut parts[..],
            policy => std::slice::from_mut(policy),
        };
        for part in parts {
            if *part == KeyPolicy::Hang {
                *part = KeyPolicy::Open;
            }
        }
    }
}

impl KeyPolicies {
    /// Sets the policy of every key. What was set before no longer counts.
    pub(crate) fn set_all(&mut self, policy: KeyPolicy) {
        self.all = Script::new(policy);
        self.by_name.clear();
    }

    /// Sets the policy of one key.
    pub(crate) fn set(&mut self, name: &str, policy: KeyPolicy) {
        self.by_name.insert(name.to_owned(), Script::new(policy));
    }

    fn next(&mut self, name: &str) -> KeyPolicy {
        self.by_name.get_mut(name).unwrap_or(&mut self.all).next()
    }

    /// Lets no later request hang.
    pub(crate) fn release(&mut self) {
        self.all.release();
        self.by_name.values_mut().for_each(Script::release);
    }
}

/// The key of this name. `video` and `audio` are those of the test media; every other name has a
/// key of its own.
#[must_use]
pub fn key_of(name: &str) -> [u8; 16] {
    match name {
        "video" => from_hex(VIDEO_KEY),
        "audio" => from_hex(AUDIO_KEY),
        _ => {
            let blocks = encrypt_aes128(name.as_bytes().to_vec(), &[0x4b; BLOCK], &[0; BLOCK]);
            let last = blocks.last_chunk::<BLOCK>().copied();
            last.expect("padding makes at least one block")
        }
    }
}

/// Encrypts as METHOD=AES-128 does: AES-128-CBC with the padding of PKCS #7.
#[must_use]
pub fn encrypt_aes128(mut contents: Vec<u8>, key: &[u8; 16], iv: &[u8; 16]) -> Vec<u8> {
    let padding = BLOCK - contents.len() % BLOCK;
    contents.resize(contents.len() + padding, padding as u8);
    let (blocks, _) = Array::slice_as_chunks_mut(&mut contents);
    Encryptor::<Aes128>::new(key.into(), iv.into()).encrypt_blocks(blocks);
    contents
}

/// Answers a request for a key as the test has chosen.
pub(crate) async fn answer(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Reply {
    let name = uri.path().strip_prefix(KEYS_PATH).unwrap_or_default();
    // Before the lock: the other head-end may look for ours.
    let trusted = shared.trusted_token();
    let ((ticket, policy, credential, refusal), release) = shared.update_and_queue(|state| {
        let credential = Credential::of(uri, headers, state, trusted.as_deref());
        let ticket = state.record.add_key_request(KeyRequest {
            path: uri.to_string(),
            name: name.to_owned(),
            headers: header_list(headers),
            authorization: header(headers, AUTHORIZATION.as_str()),
            token_present: credential != Credential::None,
            token_valid: credential == Credential::Good,
            status: None,
        });
        let policy = state.key_policies.next(name);
        if matches!(policy, KeyPolicy::Revoke(_)) {
            state.tokens.revoke();
        }
        (ticket, policy, credential, state.refusal)
    });
    let reply = match policy {
        KeyPolicy::Open => key(name),
        KeyPolicy::Token => match credential {
            Credential::Good => key(name),
            Credential::Bad => reply::problem(refusal, "The session token is not valid."),
            Credential::None => {
                let mut reply = reply::problem(401, "A session token is needed.");
                let headers = reply.headers_mut();
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                reply
            }
        },
        KeyPolicy::Refuse(status) | KeyPolicy::Revoke(status) => {
            reply::problem(status, "No key today.")
        }
        KeyPolicy::Redirect { status, to } => {
            reply::with_headers(status, &[(LOCATION.as_str(), to)], "")
        }
        KeyPolicy::Reply {
            status,
            content_type,
            body,
        } => reply::reply(status, &content_type, body),
        KeyPolicy::Hang => {
            release.wait().await;
            key(name)
        }
        KeyPolicy::Sequence(_) => unreachable!("a sequence has no sequence in it"),
    };
    shared.update(|state| state.record.answered(ticket, reply.status().as_u16()));
    reply
}

fn key(name: &str) -> Reply {
    reply::reply(200, "application/octet-stream", key_of(name).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_of_each_name_is_its_own() {
        assert_eq!(key_of("video"), from_hex(VIDEO_KEY));
        assert_eq!(key_of("1"), key_of("1"));
        assert_ne!(key_of("1"), key_of("2"));
        // Names longer than a block count to their end.
        assert_ne!(
            key_of("a-name-of-many-bytes-1"),
            key_of("a-name-of-many-bytes-2")
        );
    }

    #[test]
    fn encryption_always_pads() {
        for (length, encrypted) in [(0, 16), (15, 16), (16, 32), (17, 32)] {
            let bytes = encrypt_aes128(vec![7; length], &[1; 16], &[2; 16]);
            assert_eq!(bytes.len(), encrypted);
        }
    }

    #[test]
    fn policy_of_a_key_goes_before_that_of_all() {
        let mut policies = KeyPolicies::default();
        policies.set_all(KeyPolicy::Token);
        policies.set(
            "1",
            KeyPolicy::Sequence(vec![KeyPolicy::Refuse(503), KeyPolicy::Hang]),
        );
        assert_eq!(policies.next("2"), KeyPolicy::Token);
        assert_eq!(policies.next("1"), KeyPolicy::Refuse(503));
        assert_eq!(policies.next("1"), KeyPolicy::Hang);
        assert_eq!(policies.next("1"), KeyPolicy::Hang);
        policies.release();
        assert_eq!(policies.next("1"), KeyPolicy::Open);
        policies.set_all(KeyPolicy::Open);
        assert_eq!(policies.next("1"), KeyPolicy::Open);
    }
}
