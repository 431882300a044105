// SPDX-License-Identifier: MIT OR Apache-2.0

//! The sessions of this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use once_cell::sync::Lazy;

use super::{Identity, Moment, Session};
use crate::wait::lock;

/// From this many sessions on, those that nobody uses are let go: the ones without a valid token, then the one that was used longest ago.
/// A player has one or two; the bound is for one that makes up a location for each channel.
const MANY: usize = 64;

static SESSIONS: Lazy<Mutex<Sessions>> = Lazy::new(Mutex::default);

/// The one session of that identity.
pub fn session(identity: Identity) -> Arc<Session> {
    lock(&SESSIONS).get(identity)
}

/// Clears the sessions of these identities.
pub fn clear_where(is_wanted: impl Fn(&Identity) -> bool) {
    let wanted: Vec<_> = {
        let sessions = lock(&SESSIONS);
        let wanted = sessions
            .0
            .iter()
            .filter(|(identity, _)| is_wanted(identity));
        wanted.map(|(_, (session, _))| session.clone()).collect()
    };
    wanted.iter().for_each(|session| session.clear());
}

/// Each with the number of its last use.
#[derive(Default)]
struct Sessions(HashMap<Identity, (Arc<Session>, u64)>);

impl Sessions {
    fn get(&mut self, identity: Identity) -> Arc<Session> {
        let use_ = 1 + self.0.values().map(|(_, used)| *used).max().unwrap_or(0);
        if self.0.len() >= MANY && !self.0.contains_key(&identity) {
            self.make_room();
        }
        let (session, used) = self
            .0
            .entry(identity)
            .or_insert_with(|| (Arc::new(Session::new()), 0));
        *used = use_;
        session.clone()
    }

    fn make_room(&mut self) {
        let now = Moment::now();
        self.0
            .retain(|_, (session, _)| Arc::strong_count(session) > 1 || !session.is_idle(now));
        if self.0.len() < MANY {
            return;
        }
        // All hold a token, or soon will; the one that nobody has used for longest can be asked for again.
        let unused = self
            .0
            .iter()
            .filter(|(_, (session, _))| Arc::strong_count(session) == 1 && !session.is_flying());
        let oldest = unused.min_by_key(|(_, (_, used))| *used);
        if let Some(oldest) = oldest.map(|(identity, _)| identity.clone()) {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth_service::Service;
    use crate::http::TlsConfig;
    use crate::secret::Secret;
    use crate::session::{Brought, Grant};

    fn identity(location: &str) -> Identity {
        Identity {
            service: Service::Rdk,
            locations: vec![Secret::from(location)],
            extra_headers: Vec::new(),
            tls: TlsConfig::default(),
        }
    }

    fn for_ever() -> Brought {
        Brought {
            grant: Grant {
                token: Secret::from("token"),
                lifetime: None,
            },
            correlation_id: "id".into(),
            place: None,
            attempts: 1,
        }
    }

    #[test]
    fn two_elements_with_the_same_settings_share_a_session_and_others_do_not() {
        let one = session(identity("http://a/"));
        assert!(Arc::ptr_eq(&one, &session(identity("http://a/"))));
        assert!(!Arc::ptr_eq(&one, &session(identity("http://b/"))));
    }

    #[test]
    fn a_player_that_makes_up_locations_does_not_fill_the_memory_and_keeps_what_it_uses() {
        let mut sessions = Sessions::default();
        let used = sessions.get(identity("http://used/"));
        for number in 0..10 * MANY {
            let made_up = sessions.get(identity(&format!("http://made-up/{number}")));
            let now = Moment::now();
            made_up.ask(now, |takeoff| takeoff.land(Ok(for_ever()), now));
            assert!(made_up.token(now).is_some());
        }
        let kept = sessions.0.len();
        assert!(kept <= MANY + 1, "{kept} sessions kept");
        assert!(Arc::ptr_eq(&used, &sessions.get(identity("http://used/"))));
    }

    #[test]
    fn the_session_of_the_channel_before_stays_while_others_come_and_go() {
        let mut sessions = Sessions::default();
        let channel = identity("http://channel/");
        let id = Arc::as_ptr(&sessions.get(channel.clone()));
        for number in 0..2 * MANY {
            let other = sessions.get(identity(&format!("http://other/{number}")));
            let now = Moment::now();
            other.ask(now, |takeoff| takeoff.land(Ok(for_ever()), now));
            let known = sessions.get(channel.clone());
            known.ask(now, |takeoff| takeoff.land(Ok(for_ever()), now));
            assert_eq!(Arc::as_ptr(&known), id, "{number}");
        }
    }

    #[test]
    fn whoever_trusts_another_server_or_sends_other_headers_has_another_session() {
        let plain = identity("http://c/");
        let one = session(plain.clone());
        let mut other = plain.clone();
        other.extra_headers = vec![("X-Account".to_owned(), Secret::from("two"))];
        assert!(!Arc::ptr_eq(&one, &session(other)));
        let unchecked = crate::http::TlsSettings {
            strict: false,
            ..Default::default()
        };
        let mut other = plain;
        other.tls = unchecked.load().expect("no files to read");
        assert!(!Arc::ptr_eq(&one, &session(other)));
    }
}
