// SPDX-License-Identifier: MIT OR Apache-2.0

//! Licenses that end.

use super::*;

#[test]
fn license_is_renewed_beside_the_stream() {
    let mut rig = Rig::with_license(&[ONE, TWO], ten_minutes(&[ONE, TWO]));
    rig.go_on(5 * MINUTE);
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.asked().len(), 1);
    rig.go_on(4 * MINUTE + Duration::from_secs(50));
    // Of those that came with it, the one that is in use.
    rig.name(&[ONE], None);
    assert!(rig.obtain(ONE).is_ok());
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.asked(), [vec![ONE, TWO], vec![ONE]]);
    // Nobody shares what is about to end.
    assert_eq!(*lock(&rig.server.excluded), 1);
    rig.grant(1, license(&[(ONE, Some(rig.now.wall + 10 * MINUTE))]));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "r");
    rig.go_on(MINUTE);
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.asked().len(), 2);
}

#[test]
fn renewal_that_fails_pauses() {
    let mut rig = Rig::with_license(&[ONE], ten_minutes(&[ONE]));
    rig.go_on(9 * MINUTE + Duration::from_secs(30));
    assert!(rig.obtain(ONE).is_ok());
    rig.answer(1, Err(Failure::transient("down")));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "!");
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.asked().len(), 2);
    // At any time of the half minute that is left.
    rig.go_on(Duration::from_secs(29));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.asked().len(), 3);
    rig.grant(2, license(&[(ONE, Some(rig.now.wall + 10 * MINUTE))]));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "r");
}

#[test]
fn renewal_without_the_key_has_failed() {
    let mut rig = Rig::with_license(&[ONE], ten_minutes(&[ONE]));
    rig.go_on(9 * MINUTE + Duration::from_secs(50));
    assert!(rig.obtain(ONE).is_ok());
    rig.grant(1, endless(&[TWO]));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "r!");
    // That at hand is good until its end.
    assert!(rig.session.get(ONE).is_some());
}

#[test]
fn license_that_has_ended_holds_the_stream() {
    let mut rig = Rig::with_license(&[ONE], ten_minutes(&[ONE]));
    rig.go_on(11 * MINUTE);
    assert!(rig.waits(ONE));
    assert!(rig.session.get(ONE).is_none());
    rig.grant(1, license(&[(ONE, Some(rig.now.wall + 10 * MINUTE))]));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "+");
}

#[test]
fn renewal_under_way_becomes_what_is_waited_for() {
    let mut rig = Rig::with_license(&[ONE], ten_minutes(&[ONE]));
    rig.go_on(9 * MINUTE + Duration::from_secs(58));
    assert!(rig.obtain(ONE).is_ok());
    rig.go_on(Duration::from_secs(3));
    assert!(rig.waits(ONE));
    assert_eq!(rig.asked().len(), 2);
    rig.grant(1, endless(&[ONE]));
    assert!(rig.obtain(ONE).is_ok());
}

/// While the pipeline was paused, say.
#[test]
fn renewal_that_failed_long_ago_ends_nothing() {
    for answer in [None, Some(Failure::transient("down"))] {
        let mut rig = Rig::with_license(&[ONE], ten_minutes(&[ONE]));
        rig.go_on(9 * MINUTE + Duration::from_secs(58));
        assert!(rig.obtain(ONE).is_ok());
        if let Some(failure) = answer {
            rig.answer(1, Err(failure));
        }
        rig.go_on(60 * MINUTE);
        assert!(rig.waits(ONE));
        assert_eq!(rig.asked().len(), 3);
        rig.answer(2, Err(Failure::transient("still down")));
        assert_eq!(rig.failure(ONE).what, "still down");
    }
}

/// The key that nobody named has an end of its own, and its neighbour none.
#[test]
fn unasked_key_ends_by_itself() {
    let end = SystemTime::now() + 10 * MINUTE;
    let given = license(&[(ONE, None), (TWO, Some(end))]);
    let mut rig = Rig::with_license(&[ONE], given);
    assert!(rig.obtain(TWO).is_ok());
    rig.go_on(11 * MINUTE);
    assert!(rig.obtain(ONE).is_ok());
    assert!(rig.waits(TWO));
    assert_eq!(rig.asked(), [vec![ONE], vec![ONE, TWO]]);
    assert!(rig.session.get(TWO).is_none() && rig.session.get(ONE).is_some());
}
