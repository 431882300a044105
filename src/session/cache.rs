// SPDX-License-Identifier: MIT OR Apache-2.0

//! The sessions of this process.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;
use std::time::Duration;

use once_cell::sync::Lazy;
use ring::digest::{Context, SHA256};

use super::handle::Session;
use super::shared::Environment;
use crate::auth_service::Service;
use crate::http::TlsConfig;
use crate::token::Secret;
use crate::wait::lock;

/// From this many sessions on, those that nobody uses are let go: the ones without a valid token,
/// then the one that was used longest ago. A player has one or two; the bound is for one that makes
/// up a location for each channel.
const MAX_SESSIONS: usize = 64;

static SESSIONS: Lazy<Mutex<Sessions>> = Lazy::new(Mutex::default);

/// What makes two elements share a token: everything that the service's answer depends on.
#[derive(Hash)]
pub struct Identity {
    pub service: Service,
    /// The whole URLs that are asked. They may hold credentials.
    pub locations: Vec<Secret>,
    pub account: Account,
    /// After so long a token counts as expired, whatever the service says.
    pub token_lifetime: Option<Duration>,
}

/// As whom an element asks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Account {
    pub extra_headers: Vec<(String, Secret)>,
    /// Who is taken for the service: a token that came over an unchecked connection is not given to
    /// those who check.
    pub tls: TlsConfig,
}

/// The one session of that identity.
pub fn session(identity: &Identity) -> Session {
    lock(&SESSIONS).get(identity)
}

/// The session is that of `identity` from now on: its credentials have changed while it was used.
/// Who had the ones before asks for a token of their own.
pub fn set_identity(session: &Session, identity: &Identity) {
    lock(&SESSIONS).set_identity(session, identity);
}

/// Whether the session goes by another identity than that.
pub fn has_other_identity(session: &Session, identity: &Identity) -> bool {
    let digest = Digest::of(identity);
    let sessions = lock(&SESSIONS);
    let mut entries = sessions.0.iter();
    let known = entries.find(|(_, entry)| entry.session.is_same(session));
    known.is_some_and(|(known, _)| *known != digest)
}

/// Clears the sessions that ask DASH-IF's services as that account.
pub fn clear_account(account: &Account) {
    let account = Some(Digest::of(account));
    let wanted: Vec<_> = {
        let sessions = lock(&SESSIONS);
        let entries = sessions.0.values();
        let wanted = entries.filter(|entry| entry.dashif_account == account);
        wanted.map(|entry| entry.session.clone()).collect()
    };
    wanted.iter().for_each(Session::clear);
}

/// What stands for an identity or an account, so that the cache holds no credentials of theirs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Digest([u8; 32]);

impl Digest {
    fn of(value: &impl Hash) -> Self {
        let mut hasher = DigestHasher(Context::new(&SHA256));
        value.hash(&mut hasher);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hasher.0.finish().as_ref());
        Self(bytes)
    }
}

struct DigestHasher(Context);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not asked for.
    fn finish(&self) -> u64 {
        0
    }
}

/// Who asks, where that is one of DASH-IF's services.
fn dashif_account(identity: &Identity) -> Option<Digest> {
    matches!(identity.service, Service::DashIf(_)).then(|| Digest::of(&identity.account))
}

#[derive(Default)]
struct Sessions(HashMap<Digest, Entry>);

struct Entry {
    session: Session,
    /// The number of its last use.
    used: u64,
    dashif_account: Option<Digest>,
}

impl Entry {
    fn is_used(&self) -> bool {
        self.session.is_shared()
    }
}

impl Sessions {
    fn get(&mut self, identity: &Identity) -> Session {
        let digest = Digest::of(identity);
        let used = 1 + self.0.values().map(|entry| entry.used).max().unwrap_or(0);
        if self.0.len() >= MAX_SESSIONS && !self.0.contains_key(&digest) {
            self.make_room();
        }
        let entry = self.0.entry(digest).or_insert_with(|| Entry {
            session: Session::new(Environment::default()),
            used,
            dashif_account: dashif_account(identity),
        });
        entry.used = used;
        entry.session.clone()
    }

    fn set_identity(&mut self, session: &Session, identity: &Identity) {
        let digest = Digest::of(identity);
        let mut entries = self.0.iter();
        let known = entries.find(|(_, entry)| entry.session.is_same(session));
        let Some(before) = known
            .map(|(before, _)| *before)
            .filter(|one| *one != digest)
        else {
            return;
        };
        if let Some(mut entry) = self.0.remove(&before) {
            entry.dashif_account = dashif_account(identity);
            self.0.entry(digest).or_insert(entry);
        }
    }

    fn make_room(&mut self) {
        self.0
            .retain(|_, entry| entry.is_used() || !entry.session.is_idle());
        if self.0.len() < MAX_SESSIONS {
            return;
        }
        // All hold a token, or soon will; the one that nobody has used for longest can be asked for
        // again.
        let unused =
            (self.0.iter()).filter(|(_, entry)| !entry.is_used() && !entry.session.is_fetching());
        let oldest = unused.min_by_key(|(_, entry)| entry.used);
        if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::http::TlsSettings;
    use crate::session::fetcher::TokenFetcher;
    use crate::session::request::{Answer, Step};
    use crate::session::testing::{NoFetcher, granted};

    /// Gives the session a token that has no end.
    fn grant_at_once(session: &Session) {
        let fetcher: Arc<dyn TokenFetcher> = Arc::new(NoFetcher);
        session.shared().change(|state, now| {
            if let Answer::Pending { .. } = state.ask(&fetcher, now)
                && let Step::Fetch(_, ticket, _) = state.next_step(now)
            {
                state.finish(&ticket, granted("token", None), now);
            }
        });
    }

    /// Without a reference, which would count as use.
    fn address(session: &Session) -> *const () {
        Arc::as_ptr(session.shared()).cast()
    }

    fn identity(location: &str) -> Identity {
        Identity {
            service: Service::Rdk,
            locations: vec![Secret::from(location)],
            account: Account {
                extra_headers: Vec::new(),
                tls: TlsConfig::default(),
            },
            token_lifetime: None,
        }
    }

    #[test]
    fn same_settings_share_a_session() {
        let one = session(&identity("http://a/"));
        assert!(one.is_same(&session(&identity("http://a/"))));
        assert!(!one.is_same(&session(&identity("http://b/"))));
    }

    #[test]
    fn other_account_or_lifetime_has_another_session() {
        let plain = session(&identity("http://c/"));
        let mut other = identity("http://c/");
        other.account.extra_headers = vec![("X-Account".to_owned(), Secret::from("two"))];
        assert!(!plain.is_same(&session(&other)));
        let unchecked = TlsSettings {
            strict: false,
            ..Default::default()
        };
        let mut other = identity("http://c/");
        other.account.tls = unchecked.load().expect("no files to read");
        assert!(!plain.is_same(&session(&other)));
        let mut other = identity("http://c/");
        other.token_lifetime = Some(Duration::from_secs(60));
        assert!(!plain.is_same(&session(&other)));
    }

    #[test]
    fn session_goes_with_its_credentials() {
        let mut sessions = Sessions::default();
        let (before, after) = (identity("http://before/"), identity("http://after/"));
        let one = sessions.get(&before);
        sessions.set_identity(&one, &after);
        assert!(one.is_same(&sessions.get(&after)));
        let other = sessions.get(&before);
        assert!(!one.is_same(&other));
        // Both have the same credentials from now on, and each its own token.
        sessions.set_identity(&other, &after);
        assert!(one.is_same(&sessions.get(&after)));
        assert!(!other.is_same(&sessions.get(&before)));
        // One that is not known any more.
        sessions.set_identity(&other, &before);
        assert!(!other.is_same(&sessions.get(&before)));
    }

    #[test]
    fn texts_are_told_apart_by_where_they_end() {
        let of = |texts: [&str; 2]| Digest::of(&texts.map(Secret::from)).0;
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
    }

    #[test]
    fn sessions_are_bounded_and_used_ones_stay() {
        let mut sessions = Sessions::default();
        let used = sessions.get(&identity("http://used/"));
        for number in 0..10 * MAX_SESSIONS {
            let made_up = sessions.get(&identity(&format!("http://made-up/{number}")));
            grant_at_once(&made_up);
        }
        let kept = sessions.0.len();
        assert!(kept <= MAX_SESSIONS + 1, "{kept} sessions kept");
        assert!(used.is_same(&sessions.get(&identity("http://used/"))));
    }

    #[test]
    fn cache_keeps_recently_used_session() {
        let mut sessions = Sessions::default();
        let channel = identity("http://channel/");
        let id = address(&sessions.get(&channel));
        for number in 0..2 * MAX_SESSIONS {
            let other = sessions.get(&identity(&format!("http://other/{number}")));
            grant_at_once(&other);
            let known = sessions.get(&channel);
            grant_at_once(&known);
            assert_eq!(address(&known), id, "{number}");
        }
    }
}
