// SPDX-License-Identifier: MIT OR Apache-2.0

//! DASH-IF: the stream says which service is asked for which keys.

use std::collections::BTreeSet;
use std::sync::Mutex;

use super::super::super::dashif_authz::{AuthzServices, Endpoints};
use super::*;
use crate::cenc::KeyId;
use crate::http::Endpoint;
use crate::wait::lock;

/// Services by URL, each with tokens of its own.
#[derive(Default)]
struct Services {
    /// What was asked for: where, and the keys.
    asked: Mutex<Vec<(String, BTreeSet<KeyId>)>>,
    sessions: Mutex<Vec<(String, SessionHandle)>>,
}

struct SharedServices(Arc<Services>);

impl AuthzServices for SharedServices {
    fn endpoints(&self, urls: &BTreeSet<String>) -> Result<Option<Endpoints>, Failure> {
        let parse = |url: &String| Endpoint::parse(url, "test", false);
        let list = urls.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        Ok((!list.is_empty()).then_some(Endpoints {
            list,
            are_equal: true,
        }))
    }

    fn session(&self, endpoints: Endpoints, key_ids: BTreeSet<KeyId>) -> SessionHandle {
        let url = endpoints.list[0].as_str().to_owned();
        lock(&self.0.asked).push((url.clone(), key_ids));
        let mut sessions = lock(&self.0.sessions);
        if let Some((_, session)) = sessions.iter().find(|(known, _)| *known == url) {
            return session.clone();
        }
        let text = |number: u32| granted(&format!("{url}{number}"), None);
        let (session, _) = scripted((1..4).map(text));
        sessions.push((url, session.clone()));
        session
    }

    fn clear(&self) {
        lock(&self.0.sessions).clear();
    }
}

const ONE: KeyId = KeyId([1; 16]);
const TWO: KeyId = KeyId([2; 16]);

fn dashif() -> (Element, Arc<Services>) {
    let services = Arc::new(Services::default());
    let source = Source::DashIf(Box::new(SharedServices(services.clone())));
    let mut element = Element::with(policy(source));
    element.begin();
    (element, services)
}

impl Element {
    /// An event arrives that names this service. Whether what comes next is wanted.
    fn item_arrived(&mut self, url: &str) -> Option<bool> {
        let data =
            format!(r#"<d:Authzurl xmlns:d="https://dashif.org/CPS">https://{url}/</d:Authzurl>"#);
        self.provider.notice_protection(&ProtectionNotice {
            // That which it has when it leaves.
            event: self.next_id + 1,
            system: COMMON_SYSTEM,
            origin: MPD,
            data: data.as_bytes(),
        })
    }

    fn sample(&mut self, key_id: Option<KeyId>) -> bool {
        let item = FollowingItem::Data(key_id);
        self.provider.notice_following(item, None)
    }
}

#[test]
fn dashif_asks_nobody_before_the_first_sample() {
    on_paused_clock(async {
        let (mut element, services) = dashif();
        assert_eq!(element.item_arrived("a"), Some(true));
        assert!(matches!(element.event("mpd"), Action::Hold(_)));
        assert!(lock(&services.asked).is_empty());
        element.next_id = 0;
        assert!(element.sample(Some(ONE)));
        let action = loop {
            element.next_id = 0;
            match element.event("mpd") {
                Action::Hold(_) => sleep(SECOND / 10).await,
                action => break action,
            }
        };
        let attachment = action.attachment();
        assert_eq!(attachment.token.text().expose(), "https://a/1");
        assert!(attachment.key_ids.is_some());
        let asked = lock(&services.asked).clone();
        assert_eq!(asked, [("https://a/".to_owned(), [ONE].into())]);
    });
}

#[test]
fn dashif_stream_without_a_service_needs_no_token() {
    on_paused_clock(async {
        let (mut element, services) = dashif();
        element.provider.notice_protection(&ProtectionNotice {
            event: 1,
            system: COMMON_SYSTEM,
            origin: MPD,
            data: b"",
        });
        element.sample(Some(ONE));
        assert!(matches!(element.event("mpd"), Action::Pass));
        assert!(lock(&services.asked).is_empty());
        assert_eq!(element.told(), [""; 0]);
    });
}

#[test]
fn dashif_stream_without_a_key_fails() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        element.item_arrived("a");
        element.sample(None);
        assert!(matches!(element.event("mpd"), Action::Fail));
    });
}

#[test]
fn dashif_gathers_for_as_long_as_a_token_may_take() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        element.item_arrived("a");
        let begun = now().steady;
        loop {
            element.next_id = 0;
            match element.event("mpd") {
                Action::Hold(_) => sleep(SECOND / 10).await,
                action => break assert!(matches!(action, Action::Fail)),
            }
        }
        let waited = now().steady - begun;
        assert!(waited >= 5 * SECOND && waited < 6 * SECOND, "{waited:?}");
    });
}

#[test]
fn dashif_gathers_a_bounded_number_of_items() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        element.item_arrived("a");
        let enough = (1..10_000).find(|_| {
            let item = FollowingItem::Gap;
            element.provider.notice_following(item, None)
        });
        assert_eq!(enough, Some(512));
    });
}

#[test]
fn dashif_rejection_goes_to_issuing_service() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        let token = async |element: &mut Element, url: &str, key_id| {
            let first = element.next_id;
            element.item_arrived(url);
            element.sample(Some(key_id));
            loop {
                element.next_id = first;
                match element.event("mpd") {
                    Action::Hold(_) => sleep(SECOND / 10).await,
                    action => break action.attachment().token,
                }
            }
        };
        let of_a = token(&mut element, "a", ONE).await;
        let of_b = token(&mut element, "b", TWO).await;
        assert!(of_b.generation() > of_a.generation());
        assert!(element.newer_than(of_a.generation()).is_pending());
        sleep(2 * SECOND).await;
        match element.newer_than(of_a.generation()) {
            Poll::Ready(Ok(newer)) => assert_eq!(newer.token.text().expose(), "https://a/2"),
            _ => panic!("it is here"),
        }
        // The other one's is still good.
        let newest = element.act(|provider, call| provider.newest(of_b.generation(), call));
        let newest = newest.expect("a token");
        assert_eq!(newest.token.generation(), of_b.generation());
    });
}

#[test]
fn dashif_has_no_token_for_a_key_without_an_event() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        let first = element.act(TokenProvider::first_for_key);
        assert!(matches!(first, Poll::Ready(Err(Some(_)))));
    });
}

#[test]
fn dashif_other_stream_begins_a_new_description() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        assert!(!element.provider.notice_stream_start("one", None));
        assert!(!element.provider.notice_stream_start("one", None));
        element.item_arrived("a");
        assert!(element.provider.notice_stream_start("two", None));
    });
}

#[test]
fn dashif_token_has_its_own_time_after_the_sample() {
    on_paused_clock(async {
        let (mut element, _) = dashif();
        element.item_arrived("a");
        assert!(matches!(element.event("mpd"), Action::Hold(_)));
        sleep(Duration::from_millis(4800)).await;
        element.sample(Some(ONE));
        element.next_id = 0;
        match element.event("mpd") {
            Action::Hold(until) => assert!(until > now().steady + 5 * SECOND),
            _ => panic!("the token is asked for"),
        }
    });
}
