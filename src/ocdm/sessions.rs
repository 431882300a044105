// SPDX-License-Identifier: MIT OR Apache-2.0

//! The sessions of the process: streams that want the same keys of the same CDM for the same
//! account share one, and some that nobody has any more are kept for who comes back.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, Weak};

use once_cell::sync::Lazy;

use super::cdm_data::CdmData;
use super::request_format::RequestFormat;
use super::requester::Requester;
use super::requesters::Member;
use super::session_view::Origin;
use super::shared_session::SharedSession;
use crate::error::Failure;
use crate::http::{Endpoint, TokenHosts};
use crate::token::logouts;
use crate::wait::lock;

/// Sessions that are kept for nobody. Each has a buffer in the CDM's service, of which Thunder has
/// sixteen for the whole box.
const MAX_KEPT: usize = 4;

static SESSIONS: Lazy<Mutex<Sessions>> = Lazy::new(Mutex::default);

#[derive(Default)]
struct Sessions {
    known: HashMap<Identity, Weak<SharedSession>>,
    kept: VecDeque<Arc<SharedSession>>,
}

/// What sessions have in common that may be shared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    library: Option<String>,
    key_system: String,
    init_data: Vec<u8>,
    /// The token's: whoever is logged in.
    account: u32,
    urls: Vec<Endpoint>,
    header_url: Option<String>,
    token_hosts: Option<TokenHosts>,
    logouts: u64,
    cdm_data: Option<CdmData>,
    format: RequestFormat,
}

impl Identity {
    fn new(origin: &Origin, requester: &Requester) -> Self {
        Self {
            library: origin.library.clone(),
            key_system: origin.key_system.clone(),
            init_data: origin.init_data.clone(),
            account: requester.request.account(),
            // Where nobody says, the CDM does.
            urls: requester
                .servers
                .endpoints(&requester.policy)
                .unwrap_or_default(),
            header_url: requester.header_url.clone(),
            token_hosts: requester.policy.token_hosts.clone(),
            logouts: logouts(),
            cdm_data: requester.cdm_data.clone(),
            format: requester.format,
        }
    }
}

/// The session for that, one that there is or a new one, and the stream's part in it.
///
/// # Errors
///
/// `Transient` where there is no thread left.
pub fn join(origin: Origin, requester: Requester) -> Result<(Arc<SharedSession>, Member), Failure> {
    let identity = Identity::new(&origin, &requester);
    let mut sessions = lock(&SESSIONS);
    let known = sessions.known.get(&identity).and_then(Weak::upgrade);
    if let Some(session) = known.filter(|session| !session.has_failed()) {
        sessions.kept.retain(|kept| !Arc::ptr_eq(kept, &session));
        drop(sessions);
        let member = session.join(requester);
        return Ok((session, member));
    }
    sessions.kept.retain(|kept| !kept.has_failed());
    sessions
        .known
        .retain(|_, session| session.strong_count() > 0);
    let (session, member) = SharedSession::begin(origin, requester)?;
    sessions.known.insert(identity, Arc::downgrade(&session));
    Ok((session, member))
}

/// A stream has no use for it any more. `keeps` is whether somebody may come back to it.
pub fn leave(session: Arc<SharedSession>, member: Member, keeps: bool) {
    session.leave(member);
    let mut sessions = lock(&SESSIONS);
    // Under the lock, so that of two streams that leave at once one is the last.
    if Arc::strong_count(&session) > 1 || !keeps || !session.rest() {
        drop(session);
        return;
    }
    sessions.kept.push_back(session);
    if sessions.kept.len() > MAX_KEPT {
        sessions.kept.pop_front();
    }
}

/// Somebody has logged out: nothing is kept.
pub fn forget_kept() {
    let kept = std::mem::take(&mut lock(&SESSIONS).kept);
    drop(kept);
}
