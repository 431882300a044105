// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys of one stream: which init data it names, which sessions there are for it, and which of
//! them has a key.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use super::settings::Policy;
use crate::cenc::{KeyId, playready};
use crate::decryptor::Obstacle;
use crate::error::{Failure, Fault};
use crate::license::{KeyRequest, ManifestServers, Missing, NamedKeys};
use crate::ocdm::{
    self, CdmSession, Family, KeyState, KeyStatus, Member, Notice, Origin, Requester,
    SharedSession, for_cdm, for_key_ids, key_system, listed_key_ids, protection_system,
};

/// Sessions of one stream: with keys that change, those of the newest ones. Each has a buffer in
/// the CDM's service, of which Thunder has sixteen for the whole box.
const MAX_SESSIONS: usize = 4;

/// Init data that is remembered until a key of it is wanted.
const MAX_INIT_DATA: usize = 16;

/// How often a wait looks again by itself: whoever is waited for has a deadline, and wakes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Init data of a protection event.
struct Named {
    system: String,
    init_data: Vec<u8>,
}

/// A session, for that init data, and the stream's part in it.
struct StreamSession {
    init_data: Vec<u8>,
    session: Arc<SharedSession>,
    member: Member,
}

#[derive(Default)]
pub struct StreamKeys {
    /// That of the stream, as its caps say.
    system: Option<String>,
    /// What samples without a key id are protected with.
    listed: NamedKeys,
    /// Without a session of its own so far, the newest last.
    named: Vec<Named>,
    /// The newest last.
    sessions: Vec<StreamSession>,
    /// A session has been asked for since the last data.
    has_asked: bool,
    request: KeyRequest,
    pub servers: ManifestServers,
    /// What fails now is of no interest.
    is_stopping: bool,
    /// Sessions go on when the stream has ended.
    keeps_licenses: bool,
    /// A key may not be used that is here.
    restriction: Option<Restriction>,
}

/// How long a key may not be used that is here.
struct Restriction {
    since: Instant,
    /// When the CDM is asked what it says now. It is to tell by itself.
    ask_at: Instant,
}

impl StreamKeys {
    /// The caps say which system's init data counts, unless the settings do: a demuxer takes the
    /// first system for which there is a decryptor.
    pub fn set_system(&mut self, of_caps: String, policy: &Policy) -> Result<(), Failure> {
        let of_settings = policy.key_system.as_deref().and_then(protection_system);
        self.system = Some(of_settings.map_or(of_caps, str::to_owned));
        self.ask_ahead(policy)
    }

    /// What `sessiontoken` wants on license requests, as a protection event of that origin says.
    pub fn set_key_request(&mut self, request: Option<KeyRequest>, origin: Option<&str>) {
        self.request.take_event(request, origin);
    }

    /// Takes in the init data of a protection event of that system. A session is asked for at once
    /// where it is the first one since data came; others may be for the same keys.
    pub fn add_init_data(
        &mut self,
        system: &str,
        bytes: &[u8],
        origin: Option<&str>,
        policy: &Policy,
    ) -> Result<(), Failure> {
        let Some(init_data) = for_cdm(system, bytes) else {
            // It may say where the license server is.
            return self.ask_ahead(policy);
        };
        let listed = listed_key_ids(&init_data);
        self.listed.add(&listed, origin, |_| true, |_| true);
        let mut sessions = self.sessions.iter();
        if let Some(at) = sessions.position(|one| one.init_data == init_data) {
            // It may bring another token. The session lives on meanwhile.
            let before = self.sessions.remove(at);
            let system = system.to_owned();
            let joined = self.join(Named { system, init_data }, policy);
            self.leave(before);
            return joined;
        }
        self.named.retain(|named| named.init_data != init_data);
        if self.named.len() == MAX_INIT_DATA {
            self.named.remove(0);
        }
        let is_known = self.names_all_keys_of(&init_data);
        self.named.push(Named {
            system: system.to_owned(),
            init_data,
        });
        match is_known {
            true => Ok(()),
            false => self.ask_ahead(policy),
        }
    }

    /// Whether the init data lists keys, and all of them are those of sessions that there are.
    fn names_all_keys_of(&self, init_data: &[u8]) -> bool {
        let sessions = self.sessions.iter();
        let known: Vec<_> = sessions
            .flat_map(|one| listed_key_ids(&one.init_data))
            .collect();
        let listed = listed_key_ids(init_data);
        !listed.is_empty() && listed.iter().all(|key_id| known.contains(key_id))
    }

    /// Data has come: the next init data is for what comes behind it.
    pub fn on_data(&mut self) {
        self.has_asked = false;
        self.listed.on_data();
    }

    /// What comes now is no part of what came before: a seek may have taken the data away that
    /// stood between one fragment and another.
    pub fn begin_segment(&mut self) {
        self.listed.on_data();
    }

    /// Asks for what comes next, where it is known whom. Where it is not, the events before the
    /// data may say.
    fn ask_ahead(&mut self, policy: &Policy) -> Result<(), Failure> {
        let is_server_known = || {
            let of_manifest = self.servers.endpoints(&policy.license);
            of_manifest.is_ok() || self.named.iter().any(|named| header_url(named).is_some())
        };
        if !self.has_asked && is_server_known() {
            self.has_asked = self.ask(policy)?;
        }
        Ok(())
    }

    /// Begins a session for the newest init data that has none. `false` where there is none.
    fn ask(&mut self, policy: &Policy) -> Result<bool, Failure> {
        let Some(system) = &self.system else {
            return Ok(false);
        };
        let is_ours = |named: &Named| ocdm::is_same(system, &named.system);
        let Some(at) = self.named.iter().rposition(is_ours) else {
            return Ok(false);
        };
        let named = self.named.remove(at);
        self.join(named, policy)?;
        Ok(true)
    }

    fn join(&mut self, named: Named, policy: &Policy) -> Result<(), Failure> {
        self.keeps_licenses = policy.license.keep_licenses;
        let header_url = header_url(&named);
        let Named { system, init_data } = named;
        let of_settings = policy.key_system.as_deref();
        let key_system = of_settings.or_else(|| key_system(&system)).ok_or_else(|| {
            Failure::misconfigured(format!(
                "nobody says which key system of OpenCDM the protection system {system} is: set `key-system`"
            ))
        })?;
        let family = Family::of(&system);
        let (session, member) = ocdm::join(
            Origin {
                library: policy.library.clone(),
                key_system: key_system.to_owned(),
                init_data: init_data.clone(),
                family,
            },
            Requester {
                policy: policy.license.clone(),
                servers: self.servers.clone(),
                header_url,
                request: self.request.clone(),
                cdm_data: policy.cdm_data.clone(),
                format: policy.format,
                family,
            },
        )?;
        if self.sessions.len() == MAX_SESSIONS {
            let oldest = self.sessions.remove(0);
            self.leave(oldest);
        }
        self.sessions.push(StreamSession {
            init_data,
            session,
            member,
        });
        Ok(())
    }

    /// The session whose key that is, and the key's id where the sample has none.
    pub fn obtain(
        &mut self,
        key_id: KeyId,
        policy: &Policy,
        waker: &Waker,
        now: Instant,
    ) -> Result<(Arc<SharedSession>, KeyId), Obstacle> {
        self.request.on_sample();
        self.on_data();
        let resolved = self.listed.resolve(key_id);
        let key_id = resolved.ok_or(Obstacle::from(Missing::Unnamed))?;
        let mut worst = None;
        let mut perhaps = None;
        let mut is_pending = false;
        for StreamSession { session, .. } in self.sessions.iter().rev() {
            match session.poll_key(&key_id, waker) {
                KeyState::Usable => {
                    self.restriction = None;
                    return Ok((session.clone(), key_id));
                }
                KeyState::Pending => is_pending = true,
                KeyState::Perhaps => perhaps = perhaps.or(Some(session.clone())),
                KeyState::Missing => {}
                state => worst = worst.or(Some((state, session.clone()))),
            }
        }
        if is_pending || self.is_stopping {
            return Err(Obstacle::Wait(now + LOOK_AGAIN));
        }
        if worst.is_none() && self.ask_for(key_id, policy).map_err(Obstacle::Failed)? {
            return Err(Obstacle::Wait(now));
        }
        if let (None, Some(session)) = (&worst, perhaps) {
            return Ok((session, key_id));
        }
        Err(match worst {
            Some((KeyState::Restricted(status), session)) => {
                let restriction = self.restriction.get_or_insert(Restriction {
                    since: now,
                    ask_at: now + LOOK_AGAIN,
                });
                let until = restriction.since + policy.license.timeout;
                if now >= until {
                    return Err(Obstacle::Failed(unusable(key_id, status)));
                }
                if now >= restriction.ask_at {
                    restriction.ask_at = now + LOOK_AGAIN;
                    session.look_at(&key_id);
                }
                Obstacle::Wait(until.min(restriction.ask_at))
            }
            Some((KeyState::Unusable(status), _)) => Obstacle::Failed(unusable(key_id, status)),
            Some((KeyState::Failed(failure), _)) => Obstacle::Failed(failure),
            _ if self.sessions.is_empty() => Obstacle::Failed(
                Failure::malformed(
                    "the stream has no init data for the CDM (no `pssh` box of its protection system): check the packager",
                )
                .with_fault(Fault::Key),
            ),
            _ => Obstacle::Failed(
                Failure::denied(format!(
                    "the license has no key for the key id {key_id}: check that it is granted for this content"
                ))
                .with_fault(Fault::Key),
            ),
        })
    }

    /// The CDM's newest session, for samples that take no key; `None` where there is none.
    ///
    /// # Errors
    ///
    /// `Wait` as long as it is being made.
    pub fn newest_cdm(
        &self,
        waker: &Waker,
        now: Instant,
    ) -> Result<Option<Arc<CdmSession>>, Obstacle> {
        let Some(StreamSession { session, .. }) = self.sessions.last() else {
            return Ok(None);
        };
        match session.poll_cdm(waker) {
            Poll::Ready(cdm) => Ok(cdm),
            Poll::Pending => Err(Obstacle::Wait(now + LOOK_AGAIN)),
        }
    }

    /// Begins a session for a key that no session has. `false` where there is nothing to ask with.
    fn ask_for(&mut self, key_id: KeyId, policy: &Policy) -> Result<bool, Failure> {
        if self.ask(policy)? {
            return Ok(true);
        }
        let Some(system) = self.system.clone() else {
            return Ok(false);
        };
        // To a ClearKey CDM a key is named by its id alone.
        let init_data = for_key_ids(&[key_id]);
        let mut sessions = self.sessions.iter();
        let is_asked = sessions.any(|one| one.init_data == init_data);
        if Family::of(&system) != Family::ClearKey || is_asked {
            return Ok(false);
        }
        self.join(Named { system, init_data }, policy)?;
        Ok(true)
    }

    /// What nobody has told the application yet.
    pub fn take_notices(&self) -> Vec<Notice> {
        let sessions = self.sessions.iter();
        sessions
            .flat_map(|one| one.session.take_notices())
            .collect()
    }

    /// The element is about to stop: it asks for nothing any more, and nobody waits in the store.
    /// Others that share a session ask by their own.
    pub fn stop(&mut self) {
        self.is_stopping = true;
        for StreamSession {
            session, member, ..
        } in &self.sessions
        {
            session.leave(*member);
        }
        if let Some(store) = self.request.store() {
            store.set_flushing(true);
        }
    }

    fn leave(&self, one: StreamSession) {
        ocdm::leave(one.session, one.member, self.keeps_licenses);
    }
}

impl Drop for StreamKeys {
    fn drop(&mut self) {
        for one in std::mem::take(&mut self.sessions) {
            self.leave(one);
        }
    }
}

/// The license server that PlayReady's header names.
fn header_url(named: &Named) -> Option<String> {
    match Family::of(&named.system) {
        Family::PlayReady => playready::license_url(&named.init_data),
        _ => None,
    }
}

/// There is a key, with which nothing can be done.
pub fn unusable(key_id: KeyId, status: KeyStatus) -> Failure {
    let why = match status {
        KeyStatus::OutputRestricted | KeyStatus::OutputRestrictedHdcp22 => {
            "its license wants a protected output (HDCP): check the display and its cable"
        }
        KeyStatus::Expired => "its license has ended: check the clocks of box and license server",
        KeyStatus::Released => "its license has been released",
        KeyStatus::Pending => "the CDM does not say what can be done with it",
        _ => "the CDM has failed: see its own log",
    };
    Failure::denied(format!(
        "the key {key_id} cannot be used ({}): {why}",
        status.nick()
    ))
    .with_fault(Fault::Key)
}
