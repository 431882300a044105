// SPDX-License-Identifier: MIT OR Apache-2.0

//! The session token of license requests, and what becomes of one that is refused.

use super::*;

#[test]
fn license_servers_alone_get_the_token() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    let (request, _) = &lock(&rig.server.requests)[0];
    let may_have = |url| {
        request
            .parts
            .token_hosts
            .allows(&Url::parse(url).expect("a URL"))
    };
    assert!(may_have("https://license/x") && !may_have("https://other/"));
}

#[test]
fn refused_token_is_replaced_once() {
    for status in [401, 403, 412] {
        let mut rig = Rig::with_token();
        rig.name(&[ONE, TWO], None);
        assert!(rig.waits(TWO));
        rig.answer(0, refused(status));
        assert!(rig.waits(TWO));
        assert_eq!(*lock(&rig.store.rejected), [(1, status)]);
        // As the store of the element does.
        *lock(&rig.store.newest) = Some(token(2));
        rig.store.answer(Some(token(2)));
        assert!(rig.waits(TWO));
        assert_eq!(rig.asked(), [[ONE, TWO], [ONE, TWO]]);
        assert_eq!(rig.tokens_sent(), ["token-1", "token-2"]);
        rig.grant(1, endless(&[ONE, TWO]));
        assert!(rig.obtain(TWO).is_ok());
        assert_eq!(rig.told(), "+");
    }
}

#[test]
fn refusal_names_the_token_that_was_sent_and_not_a_newer_one() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    // Another stream has had it rejected, and an event brings the next one.
    *lock(&rig.store.newest) = Some(token(2));
    let request = KeyRequest::new(token(2), None, Some(rig.store.clone()));
    rig.session.set_key_request(Some(request), None);
    rig.answer(0, refused(403));
    assert!(rig.waits(ONE));
    assert_eq!(*lock(&rig.store.rejected), [(1, 403)]);
    rig.store.answer(Some(token(2)));
    assert!(rig.waits(ONE));
    assert_eq!(rig.tokens_sent(), ["token-1", "token-2"]);
}

#[test]
fn each_refused_token_is_rejected() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    for generation in 1..4 {
        rig.answer(generation as usize - 1, refused(403));
        assert!(rig.waits(ONE));
        *lock(&rig.store.newest) = Some(token(generation + 1));
        rig.store.answer(Some(token(generation + 1)));
        assert!(rig.waits(ONE));
    }
    assert_eq!(*lock(&rig.store.rejected), [(1, 403), (2, 403), (3, 403)]);
    // The store says when it is enough.
    rig.answer(3, refused(403));
    assert!(rig.waits(ONE));
    rig.store.answer(None);
    let what = rig.failure(ONE).what;
    assert!(
        what.starts_with("refused, and there is no other session token"),
        "{what}"
    );
}

#[test]
fn error_says_why_there_is_no_other_token() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    rig.answer(0, refused(403));
    assert!(rig.waits(ONE));
    *lock(&rig.store.failure) = Some("the file holds no other one".to_owned());
    rig.store.answer(None);
    assert_eq!(
        rig.failure(ONE).what,
        "refused, and there is no other session token: the file holds no other one"
    );
}

#[test]
fn error_without_any_token_names_the_element() {
    let mut rig = Rig::new();
    assert!(rig.waits(ONE));
    rig.answer(0, refused(401));
    let what = rig.failure(ONE).what;
    assert!(
        what.contains("GST_PLUGIN_FEATURE_RANK=sessiontoken:PRIMARY"),
        "{what}"
    );
}

#[test]
fn refusal_that_no_token_caused_rejects_none() {
    // Nobody to ask for another one.
    let mut rig = Rig::new();
    assert!(rig.waits(ONE));
    rig.answer(0, refused(403));
    let what = rig.failure(ONE).what;
    assert!(
        what.starts_with("refused, and no session token came"),
        "{what}"
    );
    // A server that was not sent it.
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    rig.answer(0, refused(403).map_err(Failure::without_token));
    assert_eq!(rig.failure(ONE).what, "refused: try harder");
    assert_eq!(*lock(&rig.store.rejected), []);
}

#[test]
fn other_token_is_waited_for_within_the_timeout() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    rig.answer(0, refused(401));
    assert!(rig.waits(ONE));
    rig.go_on(TIMEOUT + Duration::from_secs(1));
    let what = rig.failure(ONE).what;
    assert!(
        what.contains("no other session token within 5000 ms"),
        "{what}"
    );
}

#[test]
fn stop_is_no_failure() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    rig.answer(0, refused(401));
    assert!(rig.waits(ONE));
    let store = rig.session.stop().expect("the store of the token");
    store.set_flushing(true);
    rig.store.answer(None);
    assert!(rig.waits(ONE));
}

#[test]
fn new_key_request_ends_the_flush_of_the_last_tune() {
    let store = Arc::<Store>::default();
    store.set_flushing(true);
    let _request = KeyRequest::new(token(1), None, Some(store.clone()));
    assert!(!*lock(&store.is_flushing));
}

#[test]
fn newest_token_goes_with_each_request() {
    let mut rig = Rig::with_token();
    *lock(&rig.store.newest) = Some(token(7));
    assert!(rig.waits(ONE));
    assert_eq!(rig.tokens_sent(), ["token-7"]);
}

#[test]
fn token_that_has_ended_is_not_sent() {
    let mut rig = Rig::with_token();
    *lock(&rig.store.newest) = None;
    assert!(rig.waits(ONE));
    // Status 0: nobody has answered anything.
    assert_eq!(*lock(&rig.store.rejected), [(1, 0)]);
    assert_eq!(rig.asked(), Vec::<Vec<KeyId>>::new());
    *lock(&rig.store.newest) = Some(token(2));
    rig.store.answer(Some(token(2)));
    assert!(rig.waits(ONE));
    assert_eq!(rig.tokens_sent(), ["token-2"]);
}

#[test]
fn token_is_sent_for_its_keys_alone() {
    let mut rig = Rig::new();
    let request = KeyRequest::new(token(1), Some([ONE].into()), None);
    rig.session.set_key_request(Some(request), None);
    rig.name(&[ONE, TWO], Some("dash/mpd"));
    assert!(rig.waits(ONE));
    assert_eq!(rig.asked(), [[ONE]]);
}

#[test]
fn key_request_is_for_what_comes_with_it() {
    let mut rig = Rig::with_token();
    rig.session.set_key_request(None, Some("dash/mpd"));
    assert!(rig.waits(ONE));
    // Data has come since: events of a fragment belong to what is playing, others to something
    // else.
    rig.session.set_key_request(None, Some(FRAGMENT));
    assert!(rig.waits(TWO));
    rig.session.set_key_request(None, Some("dash/mpd"));
    assert!(rig.waits(THREE));
    assert_eq!(rig.tokens_sent(), ["token-1", "token-1", ""]);
}
