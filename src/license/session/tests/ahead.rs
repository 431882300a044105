// SPDX-License-Identifier: MIT OR Apache-2.0

//! Licenses that are there before their first sample.

use super::*;
use crate::license::forget_kept;

#[test]
fn named_keys_are_asked_for_before_the_first_sample() {
    let mut rig = Rig::new();
    rig.name(&[ONE, TWO], None);
    rig.ask_ahead();
    assert_eq!(rig.asked(), [[ONE, TWO]]);
    // Once.
    rig.name(&[ONE], None);
    rig.ask_ahead();
    assert!(rig.waits(ONE));
    rig.grant(0, endless(&[ONE, TWO]));
    assert!(rig.obtain(ONE).is_ok() && rig.obtain(TWO).is_ok());
    assert_eq!(rig.asked().len(), 1);
    assert_eq!(rig.told(), "+");
}

#[test]
fn nobody_is_asked_ahead_where_nobody_says_whom() {
    let mut rig = Rig::new();
    let url = rig.policy.license_url.take();
    rig.name(&[ONE], None);
    rig.ask_ahead();
    assert_eq!(rig.asked().len(), 0);
    rig.policy.license_url = url;
    rig.ask_ahead();
    assert_eq!(rig.asked(), [[ONE]]);
}

#[test]
fn failure_ahead_is_told_with_the_first_sample() {
    let mut rig = Rig::new();
    rig.name(&[ONE], None);
    rig.ask_ahead();
    rig.answer(0, Err(Failure::denied("no")));
    assert_eq!(rig.failure(ONE).what, "no");
}

/// A stream of that login, with a license server of its own.
fn stream_of(generation: u32, server: &str) -> Rig {
    let mut rig = Rig::new();
    let url = format!("https://{server}/");
    rig.policy.license_url = Endpoint::parse(&url, "license-url", false).ok();
    rig.policy.keep_licenses = true;
    *lock(&rig.store.newest) = Some(token(generation));
    let request = KeyRequest::new(token(generation), None, Some(rig.store.clone()));
    rig.session.set_key_request(Some(request), None);
    rig.name(&[ONE], None);
    rig
}

/// Leaves a license behind.
fn watch(generation: u32, server: &str, license: License) {
    let mut rig = stream_of(generation, server);
    rig.ask_ahead();
    rig.grant(0, license);
    assert!(rig.obtain(ONE).is_ok());
}

// One test: who logs out ends the licenses of all.
#[test]
fn license_outlives_its_stream_for_its_login_and_server() {
    let (mine, other) = (u32::MAX - 1, u32::MAX - 2);
    watch(mine, "kept", endless(&[ONE]));
    let mut again = stream_of(mine, "kept");
    again.ask_ahead();
    assert_eq!(again.told(), "s");
    assert!(again.obtain(ONE).is_ok());
    assert_eq!(again.asked().len(), 0);
    drop(again);
    for (generation, server) in [(other, "kept"), (mine, "kept-elsewhere")] {
        let mut stranger = stream_of(generation, server);
        stranger.ask_ahead();
        assert_eq!(stranger.asked(), [[ONE]], "{generation} {server}");
    }
    let mut unkept = stream_of(mine, "kept");
    unkept.policy.keep_licenses = false;
    unkept.ask_ahead();
    assert_eq!(unkept.asked(), [[ONE]]);
    // At its end.
    watch(mine, "kept-for-ten-minutes", ten_minutes(&[ONE]));
    let mut late = stream_of(mine, "kept-for-ten-minutes");
    late.go_on(11 * MINUTE);
    late.ask_ahead();
    assert_eq!(late.asked(), [[ONE]]);
    forget_kept();
    let mut after_logout = stream_of(mine, "kept");
    after_logout.ask_ahead();
    assert_eq!(after_logout.asked(), [[ONE]]);
}
