// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which keys are asked for, and what comes of it.

use super::*;
use crate::license::named_keys::MAX_KEY_IDS;

#[test]
fn one_request_asks_for_all_named_keys() {
    let mut rig = Rig::new();
    rig.name(&[TWO, ONE], None);
    assert!(rig.waits(ONE) && rig.waits(TWO) && rig.waits(ONE));
    assert_eq!(rig.asked(), [[ONE, TWO]]);
    rig.grant(0, endless(&[ONE, TWO]));
    assert!(rig.obtain(ONE).is_ok() && rig.obtain(TWO).is_ok());
    assert!(rig.session.get(ONE).is_some() && rig.session.get(THREE).is_none());
    assert_eq!(rig.told(), "+");
}

#[test]
fn key_that_nobody_named_is_asked_for() {
    let mut rig = Rig::new();
    assert!(rig.waits(THREE));
    assert_eq!(rig.asked(), [[THREE]]);
}

#[test]
fn wait_ends_with_the_timeout() {
    let mut rig = Rig::new();
    assert!(rig.waits(ONE));
    rig.go_on(TIMEOUT);
    // The request's own failure says more, and has a moment to come.
    assert!(rig.waits(ONE));
    rig.go_on(Duration::from_secs(1));
    let failure = rig.failure(ONE);
    assert_eq!(failure.kind, Kind::TimedOut);
    assert!(
        failure.what.contains("no license within 5000 ms"),
        "{}",
        failure.what
    );
}

#[test]
fn license_without_the_key_is_told() {
    let mut rig = Rig::new();
    assert!(rig.waits(ONE));
    rig.grant(0, endless(&[TWO]));
    let Err(Missing::NotInLicense { key_id, ignored }) = rig.obtain(ONE) else {
        panic!("it has the key");
    };
    assert_eq!((key_id, ignored), (ONE, None));
}

#[test]
fn failure_of_the_request_is_that_of_the_stream() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    rig.answer(0, Err(Failure::transient("down").with_http_status(503)));
    assert_eq!(rig.failure(ONE).what, "down");
    // Nobody has refused the token.
    assert_eq!(*lock(&rig.store.rejected), []);
}

#[test]
fn stream_without_a_license_server_says_so() {
    let mut rig = Rig::new();
    rig.policy.license_url = None;
    rig.name(&[ONE, TWO], None);
    let failure = rig.failure(ONE);
    assert_eq!(failure.kind, Kind::Misconfigured);
    assert!(failure.what.contains("`license-url`"), "{}", failure.what);
    // Nothing that was named is lost.
    rig.policy.license_url = Endpoint::parse("https://h/", "license-url", false).ok();
    assert!(rig.waits(ONE));
    assert_eq!(rig.asked(), [[ONE, TWO]]);
}

#[test]
fn seek_back_finds_the_request_that_was_left() {
    let mut rig = Rig::new();
    assert!(rig.waits(ONE));
    rig.session.begin_segment();
    assert!(rig.waits(TWO));
    assert!(rig.waits(ONE));
    assert_eq!(rig.asked(), [[ONE], [TWO]]);
    rig.grant(0, endless(&[ONE]));
    assert!(rig.obtain(ONE).is_ok());
    assert!(rig.waits(TWO));
    assert_eq!(rig.asked().len(), 2);
}

#[test]
fn shared_license_is_told_as_such() {
    let mut rig = Rig::new();
    let granted = Arc::new(Granted::new(endless(&[ONE]), &[ONE], rig.now));
    let (result, completer) = SharedResult::pending(Err(Failure::transient("")));
    completer.complete(Ok(granted));
    *lock(&rig.server.others) = Some(result);
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "s");
    assert_eq!(rig.asked(), Vec::<Vec<KeyId>>::new());
}

#[test]
fn private_key_needs_no_license() {
    let mut rig = Rig::new();
    let key = ContentKey::from_slice(&[5; 16]).expect("a key");
    rig.session.add_private(vec![(ONE, key)]);
    assert!(rig.obtain(ONE).is_ok());
    assert!(rig.session.get(ONE).is_some());
    assert_eq!(rig.asked(), Vec::<Vec<KeyId>>::new());
}

// A channel whose keys change every minute names hundreds in an evening.
#[test]
fn newest_private_keys_are_kept() {
    let mut rig = Rig::new();
    let key_id = |number: usize| KeyId((number as u128).to_be_bytes());
    for number in 1..=2 * MAX_KEY_IDS {
        let key = ContentKey::from_slice(&[number as u8; 16]).expect("a key");
        rig.session.add_private(vec![(key_id(number), key)]);
        assert!(rig.session.get(key_id(number)).is_some(), "{number}");
    }
    assert!(rig.session.get(key_id(1)).is_none());
    assert!(rig.session.get(key_id(MAX_KEY_IDS + 1)).is_some());
}

#[test]
fn sample_of_no_key_is_told() {
    let mut rig = Rig::new();
    assert!(matches!(rig.obtain(KeyId([0; 16])), Err(Missing::Unnamed)));
    rig.name(&[ONE], Some(FRAGMENT));
    assert!(rig.waits(KeyId([0; 16])));
    assert_eq!(rig.asked(), [[ONE]]);
}

#[test]
fn oldest_of_many_licenses_is_asked_for_again() {
    let mut rig = Rig::new();
    let key_id = |number: usize| KeyId((number as u128 + 1).to_be_bytes());
    for number in 0..65 {
        assert!(rig.waits(key_id(number)));
        rig.grant(number, endless(&[key_id(number)]));
        assert!(rig.obtain(key_id(number)).is_ok());
    }
    assert!(rig.obtain(key_id(1)).is_ok());
    assert!(rig.waits(key_id(0)));
}
