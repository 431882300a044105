// SPDX-License-Identifier: MIT OR Apache-2.0

//! Servers that are away, and what a CDM complains of.

use super::*;

#[test]
fn renewals_that_fail_are_asked_for_again_however_many_they_were() {
    let mut rig = Rig::licensed();
    for number in 0..3 * MAX_CHALLENGES {
        let renewal = challenge(format!("1:Type:{number}").as_bytes());
        let asked = rig.on(Event::Challenge(renewal));
        assert_eq!(asked, [format!("request {number}")]);
        let away = Failure::transient("away");
        assert_eq!(rig.on(Event::NoLicense(away)), ["renewal failed"]);
    }
    // The license ends, and the server is back for the next session.
    assert_eq!(
        rig.on(Event::Key(Some(ONE), KeyStatus::Expired)),
        ["expired"]
    );
    rig.now += SHORTEST_LIFE;
    let effects = rig.machine.on_expired(ONE, rig.now);
    assert_eq!(words(effects), ["construct"]);
    rig.on(Event::Constructed);
    assert_eq!(rig.on(Event::Challenge(challenge(b"b"))), ["request b"]);
}

#[test]
fn complaint_while_the_session_is_made_is_not_lost() {
    let mut rig = Rig::new();
    rig.on(Event::Complaint("not provisioned".to_owned()));
    assert_eq!(rig.on(Event::Constructed), [""; 0]);
    rig.after(TIMEOUT);
    let failure = rig.failure();
    assert_eq!(failure.kind, Kind::TimedOut);
    for words in ["no challenge", "it says \"not provisioned\""] {
        assert!(failure.what.contains(words), "{}", failure.what);
    }
}

#[test]
fn complaint_before_a_license_is_no_refusal_of_one() {
    let mut rig = Rig::new();
    rig.on(Event::Constructed);
    rig.on(Event::Complaint("no certificate".to_owned()));
    let what = rig.failure().what;
    assert_eq!(
        what,
        "the CDM made no challenge: it says \"no certificate\""
    );
}

#[test]
fn renewal_that_nobody_is_there_for_is_for_who_comes_next() {
    let mut rig = Rig::licensed();
    let renewal = || Event::Challenge(challenge(b"1:Type:r"));
    assert_eq!(rig.on(renewal()), ["request r"]);
    assert_eq!(rig.on(Event::NobodyAsks), [""; 0]);
    assert_eq!(rig.machine.key(&ONE), KeyState::Usable);
    assert_eq!(rig.on(renewal()), ["request r"]);
    // What nobody waited for is not kept.
    let mut rig = Rig::new();
    rig.on(Event::Constructed);
    rig.on(Event::Challenge(challenge(b"a")));
    rig.on(Event::NobodyAsks);
    assert!(rig.machine.has_failed());
}

#[test]
fn what_has_no_name_may_be_another_key() {
    let mut rig = Rig::new();
    rig.machine = Machine::new(TIMEOUT, vec![ONE], rig.now);
    rig.on(Event::Constructed);
    rig.on(Event::Challenge(challenge(b"a")));
    rig.on(Event::License(license()));
    rig.on(Event::Updated);
    let zeros = Some(KeyId([0; 16]));
    assert_eq!(rig.on(Event::Key(zeros, KeyStatus::Usable)), ["usable"]);
    assert_eq!(rig.machine.key(&ONE), KeyState::Usable);
    assert_eq!(rig.machine.key(&TWO), KeyState::Pending);
    rig.on(Event::AllKeys);
    assert_eq!(rig.machine.key(&TWO), KeyState::Perhaps);
    rig.on(Event::Key(zeros, KeyStatus::OutputRestricted));
    assert_eq!(rig.machine.key(&TWO), KeyState::Missing);
}
