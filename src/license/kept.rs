// SPDX-License-Identifier: MIT OR Apache-2.0

//! Licenses that outlive the stream that asked for them, so that a channel watched again asks
//! nothing: for the same login, from the same servers, to their end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::held::HeldLicense;
use super::owner::Owner;
use super::request::Granted;
use crate::cenc::KeyId;
use crate::shared_result::SharedResult;
use crate::token::{ClockReading, logouts};
use crate::wait::lock;

/// Licenses that are kept. A license is of a channel or two, and a viewer zaps among ten.
const MAX_KEPT: usize = 32;

static KEPT: Mutex<VecDeque<KeptLicense>> = Mutex::new(VecDeque::new());

struct KeptLicense {
    owner: Owner,
    granted: Arc<Granted>,
    key_ids: Vec<KeyId>,
}

/// Keeps a license that a stream has no use for any more.
pub fn keep(license: HeldLicense) {
    // Not its request, which holds a token.
    let HeldLicense {
        granted,
        key_ids,
        owner,
        ..
    } = license;
    let mut kept = lock(&KEPT);
    if owner.logouts != logouts() {
        return;
    }
    kept.retain(|one| !Arc::ptr_eq(&one.granted, &granted));
    if kept.len() == MAX_KEPT {
        kept.pop_front();
    }
    kept.push_back(KeptLicense {
        owner,
        granted,
        key_ids,
    });
}

/// The newest license of that owner's with that key, if it is good for a while.
pub fn find(owner: &Owner, key_id: &KeyId, now: ClockReading) -> Option<HeldLicense> {
    let mut kept = lock(&KEPT);
    kept.retain(|one| one.granted.validity().is_valid(now));
    let found = kept.iter().rev().find(|one| {
        let validity = one.granted.validity_of(key_id);
        one.owner == *owner
            && one.granted.license.keys.contains_key(key_id)
            && validity.is_valid(now)
            && !validity.is_stale(now)
    })?;
    let (result, completer) = SharedResult::pending(Ok(found.granted.clone()));
    completer.complete(Ok(found.granted.clone()));
    Some(HeldLicense::new(
        found.granted.clone(),
        found.key_ids.clone(),
        owner.clone(),
        result,
    ))
}

/// Somebody has logged out.
pub fn forget_kept() {
    lock(&KEPT).clear();
}
