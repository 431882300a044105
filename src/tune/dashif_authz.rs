// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which authorization service the protection events of a stream name, and for which keys
//! (DASH-IF's interoperable license request model).
//!
//! Events that come together describe what comes after them, so nobody is asked before the first
//! sample is there: only that says which key is the stream's own (`default_KID`; the MPD's
//! attribute reaches no event). That is no time lost: demuxers send the events right before the
//! data. The data may be held behind the events, and the next description behind the data, so each
//! event leaves with the description that it came with.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::auth_service::dashif;
use crate::cenc::{InitData, KeyId, is_clearkey};
use crate::error::Failure;

use super::stream_registry::Stream;
use crate::http::Endpoint;
use crate::session::SessionHandle;

/// Descriptions that wait for their turn. There is one a period, or a seek.
const MAX_DESCRIPTIONS: usize = 16;

/// Events that describe the same; a stream has about seven.
const MAX_EVENTS: usize = 64;

/// Locations that one description may name.
const MAX_URLS: usize = 8;

/// Items that are held behind events while none of them says which key is needed: gaps, tags. Some
/// come with the first sample; a stream that goes on without one is decided upon as it is.
const MAX_GATHERED: usize = 512;

/// Keys that one token is asked for; the request's URL is below 10 KiB with them.
const MAX_KEY_IDS: usize = 256;

const MPD: &str = "dash/mpd";
const FRAGMENT: &str = "isobmff/moof";

/// Where tokens are asked for: one endpoint at the least.
pub struct Endpoints {
    pub list: Vec<Endpoint>,
    /// Any of them will do as the first.
    pub are_equal: bool,
}

impl Endpoints {
    fn names(&self) -> BTreeSet<String> {
        let names = self.list.iter();
        names.map(|endpoint| endpoint.as_str().to_owned()).collect()
    }
}

/// Makes the sessions with authorization services.
pub trait AuthzServices: Send + Sync {
    /// The user's own endpoints, or else those that the stream names; `None` where neither names
    /// one.
    ///
    /// # Errors
    ///
    /// `Misconfigured` where none of them may be asked.
    fn endpoints(&self, urls: &BTreeSet<String>) -> Result<Option<Endpoints>, Failure>;

    /// The session for a token for these keys.
    fn session(&self, endpoints: Endpoints, key_ids: BTreeSet<KeyId>) -> SessionHandle;

    /// Forgets the tokens for all keys that were asked for by the same account.
    fn clear(&self);
}

/// What an event may do.
pub enum AuthzDecision {
    /// Wait for the data that it describes.
    Gather,
    /// Go as it is: the stream demands no token.
    NoTokenRequired,
    /// Go with the token of this session.
    Token(SessionHandle),
    Failed(Failure),
}

/// What one protection event says.
pub struct ProtectionNotice<'a> {
    /// Tells events apart as long as they live.
    pub event: usize,
    pub system: &'a str,
    pub origin: Option<&'a str>,
    pub data: &'a [u8],
}

/// What comes after the events of one description.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum FollowingItem {
    /// Data, of this key where it says so.
    Data(Option<KeyId>),
    /// Nothing to decrypt yet.
    Gap,
    /// Something that says nothing of keys.
    Other,
    /// Nothing at all.
    End,
}

/// What one stream's events say, and what came of it.
pub struct DashIfAuthz {
    stream: Arc<Stream>,
    /// The oldest is the one whose events leave now.
    descriptions: VecDeque<Description>,
    /// Nothing has come behind the events of the newest one.
    is_open: bool,
    /// What the last MPD said is of another stream.
    is_new: bool,
    /// The id of the stream that the events are of.
    stream_id: Option<String>,
    /// Items that have come behind the events of the newest one.
    gathered: usize,
    /// The system that the demuxer had chosen when the last of them came.
    system: Option<String>,
}

#[derive(Default)]
struct Description {
    events: Vec<usize>,
    /// Where the service is, by DRM system in lower case.
    urls: BTreeMap<String, BTreeSet<String>>,
    /// An event of the MPD's is among them. Where none is (after a seek, say), what the last MPD
    /// said still holds.
    has_mpd: bool,
    named: BTreeSet<KeyId>,
    own: Option<KeyId>,
    /// The system that the demuxer has chosen.
    system: Option<String>,
    has_data: bool,
    /// No sample came before it had to be decided upon.
    is_cut: bool,
    decided: Option<Result<Option<Demanded>, Failure>>,
}

/// A token that a stream demands.
struct Demanded {
    session: SessionHandle,
    /// Those that it is asked for and that are no other stream's, as far as that is known.
    key_ids: BTreeSet<KeyId>,
}

impl DashIfAuthz {
    pub fn new(stream: Arc<Stream>) -> Self {
        Self {
            stream,
            descriptions: VecDeque::new(),
            is_open: false,
            is_new: false,
            stream_id: None,
            gathered: 0,
            system: None,
        }
    }

    /// A stream begins. Whether it is another one than before, about which nothing is known.
    /// `system` is the one that the demuxer has chosen for the one before.
    pub fn on_stream_start(&mut self, stream_id: &str, system: Option<String>) -> bool {
        let before = self.stream_id.replace(stream_id.to_owned());
        let is_another = before.is_some_and(|before| before != stream_id);
        if is_another {
            self.on_following(FollowingItem::End, system);
            self.is_new = true;
        }
        is_another
    }

    /// Takes in an event that has just come. Whether what comes next is wanted.
    pub fn on_protection(&mut self, said: &ProtectionNotice) -> bool {
        // Keys of a fragment hang on those that the token is for, unless there are no others.
        if said.origin == Some(FRAGMENT) && !self.descriptions.is_empty() && !self.is_new {
            return self.is_open;
        }
        if !self.is_open {
            self.is_open = true;
            self.gathered = 0;
            let last = self.descriptions.back().filter(|_| !self.is_new);
            let urls = last.map(|last| last.urls.clone());
            self.is_new = false;
            if self.descriptions.len() == MAX_DESCRIPTIONS {
                self.descriptions.pop_front();
            }
            self.descriptions.push_back(Description {
                urls: urls.unwrap_or_default(),
                ..Description::default()
            });
        }
        if let Some(description) = self.descriptions.back_mut() {
            description.add(said);
            // As much as any stream has; more would be held without end.
            self.is_open = description.events.len() < MAX_EVENTS;
        }
        self.is_open
    }

    /// Takes in what comes behind the events, and says whether that was enough. `system` is the one
    /// that the demuxer has chosen.
    pub fn on_following(&mut self, item: FollowingItem, system: Option<String>) -> bool {
        if !self.is_open {
            return true;
        }
        self.gathered += 1;
        self.system.clone_from(&system);
        let says_nothing = match item {
            // Only data can say which key it is.
            FollowingItem::Gap => self.names_no_key(),
            FollowingItem::Other => true,
            FollowingItem::Data(_) | FollowingItem::End => false,
        };
        if says_nothing && self.gathered < MAX_GATHERED {
            return false;
        }
        self.close(says_nothing, system);
        if let (Some(description), FollowingItem::Data(own)) = (self.descriptions.back_mut(), item)
        {
            description.has_data = true;
            description.own = own;
        }
        true
    }

    fn names_no_key(&self) -> bool {
        let newest = self.descriptions.back();
        newest.is_some_and(|description| description.named.is_empty())
    }

    /// No more is waited for: what the events say has to do.
    pub fn cut(&mut self) {
        if self.is_open {
            let system = self.system.take();
            self.close(true, system);
        }
    }

    fn close(&mut self, is_cut: bool, system: Option<String>) {
        self.is_open = false;
        if let Some(description) = self.descriptions.back_mut() {
            description.is_cut = is_cut;
            description.system = system.map(|system| system.to_ascii_lowercase());
        }
    }

    /// An event leaves, with the description that it came with.
    pub fn on_leaving(&mut self, event: usize) {
        let of_it = |description: &Description| description.events.contains(&event);
        if let Some(place) = self.descriptions.iter().rposition(of_it) {
            self.descriptions.drain(..place);
        }
    }

    /// What the events that leave now may do.
    pub fn decide(&mut self, services: &dyn AuthzServices) -> AuthzDecision {
        let is_newest = self.descriptions.len() == 1;
        let Some(description) = self.descriptions.front_mut() else {
            return AuthzDecision::NoTokenRequired;
        };
        if is_newest && self.is_open {
            return AuthzDecision::Gather;
        }
        if description.decided.is_none() {
            description.decided = Some(description.decide(&self.stream, services));
        }
        match &description.decided {
            Some(Ok(Some(demanded))) => AuthzDecision::Token(demanded.session.clone()),
            Some(Ok(None)) | None => AuthzDecision::NoTokenRequired,
            Some(Err(failure)) => AuthzDecision::Failed(failure.clone()),
        }
    }

    /// The keys that a license may be asked for with this token: others of the presentation may
    /// need another one.
    pub fn key_ids(&self) -> Option<String> {
        let description = self.descriptions.front()?;
        let Some(Ok(Some(demanded))) = &description.decided else {
            return None;
        };
        Some(match &description.own {
            Some(own) => dashif::list([own]),
            None => dashif::list(&demanded.key_ids),
        })
    }
}

impl Description {
    fn add(&mut self, said: &ProtectionNotice) {
        self.events.push(said.event);
        let system = said.system.to_ascii_lowercase();
        if said.origin == Some(MPD) && !std::mem::replace(&mut self.has_mpd, true) {
            self.urls.clear();
        }
        let init_data = InitData::read(said.data);
        self.named.extend(init_data.key_ids);
        let known: usize = self.urls.values().map(BTreeSet::len).sum();
        let new = init_data.authorization_urls.into_iter();
        for url in new.take(MAX_URLS.saturating_sub(known)) {
            self.urls.entry(system.clone()).or_default().insert(url);
        }
    }

    /// Where to ask for a token for the system that the demuxer has chosen.
    fn urls_of_system(&self) -> BTreeSet<String> {
        let is_ours = |system: &str| match &self.system {
            None => true,
            Some(chosen) => chosen == system || (is_clearkey(chosen) && is_clearkey(system)),
        };
        let ours = self.urls.iter().filter(|(system, _)| is_ours(system));
        ours.flat_map(|(_, urls)| urls.iter().cloned()).collect()
    }

    fn decide(
        &self,
        stream: &Arc<Stream>,
        services: &dyn AuthzServices,
    ) -> Result<Option<Demanded>, Failure> {
        let urls = self.urls_of_system();
        let Some(endpoints) = services.endpoints(&urls)? else {
            stream.leave();
            return Ok(None);
        };
        let key_ids = stream.join(endpoints.names(), self.own, &self.named);
        if key_ids.is_empty() {
            return match self.has_data || self.is_cut {
                // Nothing is there to be decrypted.
                false => Ok(None),
                true => Err(Failure::malformed(
                    "the stream names an authorization service and not a single key: no token can be asked for, check its `pssh` boxes and `default_KID`",
                )),
            };
        }
        if key_ids.len() > MAX_KEY_IDS {
            return Err(Failure::malformed(format!(
                "the stream names more than {MAX_KEY_IDS} keys, too many to ask for: check its `pssh` boxes"
            )));
        }
        Ok(Some(Demanded {
            session: services.session(endpoints, key_ids.clone()),
            key_ids,
        }))
    }
}
