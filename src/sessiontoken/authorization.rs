// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which authorization service the protection events of a stream name, and for which keys (DASH-IF's interoperable license request model).
//!
//! Events that come together describe what comes after them, so nobody is asked before the first data is there: only a sample says which key is the stream's
//! own (`default_KID`; the MPD's attribute reaches no event). That is no time lost: demuxers send the events right before the data.
//! The data may be waiting behind the events, and the next description behind the data, so each event leaves with the description that it came with.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::auth_service::dashif;
use crate::cenc::{InitData, KeyId, is_clearkey};
use crate::error::Failure;

use super::acquisition::Acquisition;
use super::policy::Authorizer;
use super::presentation::Stream;

/// Descriptions that wait for their turn. There is one a period, or a seek.
const MAX_DESCRIPTIONS: usize = 16;

/// Events that describe the same; a stream has about seven.
const MAX_EVENTS: usize = 64;

/// Places that one description may name.
const MAX_URLS: usize = 8;

/// Keys that one token is asked for; the request's URL is below 10 KiB with them.
const MAX_KEY_IDS: usize = 256;

const MPD: &str = "dash/mpd";
const FRAGMENT: &str = "isobmff/moof";

/// What an event may do.
pub enum Due {
    /// Wait for the data that it describes.
    Later,
    /// Go as it is: nobody asks for a token.
    Nothing,
    /// Go with the token of this session.
    Token(Arc<Acquisition>),
    Never(Failure),
}

/// What one protection event says.
pub struct Said<'a> {
    /// Tells events apart as long as they live.
    pub event: usize,
    pub system: &'a str,
    pub origin: Option<&'a str>,
    pub data: &'a [u8],
}

/// What comes after the events of one description.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// Data, of this key where it says so.
    Data(Option<KeyId>),
    /// Nothing to decrypt yet.
    Gap,
    /// Nothing at all.
    End,
}

/// What one stream's events say, and what came of it.
pub struct Authorization {
    stream: Arc<Stream>,
    /// The oldest is the one whose events leave now.
    descriptions: VecDeque<Description>,
    /// Nothing has come behind the events of the newest one.
    is_open: bool,
    /// What the last MPD said is of another stream.
    is_new: bool,
    /// The id of the stream that the events are of.
    stream_id: Option<String>,
}

#[derive(Default)]
struct Description {
    events: Vec<usize>,
    /// Where the service is, by DRM system in lower case.
    urls: BTreeMap<String, BTreeSet<String>>,
    /// An event of the MPD's is among them. Where none is (after a seek, say), what the last MPD said still holds.
    has_mpd: bool,
    named: BTreeSet<KeyId>,
    own: Option<KeyId>,
    /// The system that the demuxer has chosen.
    system: Option<String>,
    has_data: bool,
    decided: Option<Result<Option<Demanded>, Failure>>,
}

/// A token that a stream demands.
struct Demanded {
    acquisition: Arc<Acquisition>,
    /// Those that it is asked for and that are no other stream's, as far as that is known.
    key_ids: BTreeSet<KeyId>,
}

impl Authorization {
    pub fn new(stream: Arc<Stream>) -> Self {
        Self {
            stream,
            descriptions: VecDeque::new(),
            is_open: false,
            is_new: false,
            stream_id: None,
        }
    }

    /// A stream begins. Says whether it is another one than before, about which nothing is known. `system` is the one that the demuxer has
    /// chosen for the one before.
    pub fn begin(&mut self, stream_id: &str, system: Option<String>) -> bool {
        let before = self.stream_id.replace(stream_id.to_owned());
        let is_another = before.is_some_and(|before| before != stream_id);
        if is_another {
            self.first(First::End, system);
            self.is_new = true;
        }
        is_another
    }

    /// Takes in an event that has just come. Whether what comes next is wanted.
    pub fn learn(&mut self, said: &Said) -> bool {
        // Keys of a fragment hang on those that the token is for, unless there are no others.
        if said.origin == Some(FRAGMENT) && !self.descriptions.is_empty() && !self.is_new {
            return self.is_open;
        }
        if !self.is_open {
            self.is_open = true;
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
            description.learn(said);
            // As much as any stream has; more would be held without end.
            self.is_open = description.events.len() < MAX_EVENTS;
        }
        self.is_open
    }

    /// Takes in what comes behind the events, and says whether that was enough. `system` is the one that the demuxer has chosen.
    pub fn first(&mut self, first: First, system: Option<String>) -> bool {
        let names_none = |description: &Description| description.named.is_empty();
        if first == First::Gap && self.descriptions.back().is_some_and(names_none) {
            // Only data can say which key it is.
            return false;
        }
        if !std::mem::take(&mut self.is_open) {
            return true;
        }
        if let Some(description) = self.descriptions.back_mut() {
            description.system = system.map(|system| system.to_ascii_lowercase());
            if let First::Data(own) = first {
                description.has_data = true;
                description.own = own;
            }
        }
        true
    }

    /// An event leaves, with the description that it came with.
    pub fn leave(&mut self, event: usize) {
        let of_it = |description: &Description| description.events.contains(&event);
        if let Some(place) = self.descriptions.iter().rposition(of_it) {
            self.descriptions.drain(..place);
        }
    }

    /// What the events that leave now may do.
    pub fn due(&mut self, authorizer: &Authorizer) -> Due {
        let is_newest = self.descriptions.len() == 1;
        let Some(description) = self.descriptions.front_mut() else {
            return Due::Nothing;
        };
        if is_newest && self.is_open {
            return Due::Later;
        }
        if description.decided.is_none() {
            description.decided = Some(description.decide(&self.stream, authorizer));
        }
        match &description.decided {
            Some(Ok(Some(demanded))) => Due::Token(demanded.acquisition.clone()),
            Some(Ok(None)) | None => Due::Nothing,
            Some(Err(failure)) => Due::Never(failure.clone()),
        }
    }

    /// The keys that a license may be asked for with this token: others of the presentation may need another one.
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
    fn learn(&mut self, said: &Said) {
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
        authorizer: &Authorizer,
    ) -> Result<Option<Demanded>, Failure> {
        let urls = self.urls_of_system();
        let Some(places) = authorizer.places(&urls)? else {
            stream.leave();
            return Ok(None);
        };
        let key_ids = stream.join(places.names(), self.own, &self.named);
        if key_ids.is_empty() {
            return match self.has_data {
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
            acquisition: authorizer.acquisition(places, key_ids.clone()),
            key_ids,
        }))
    }
}
