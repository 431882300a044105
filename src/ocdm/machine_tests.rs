// SPDX-License-Identifier: MIT OR Apache-2.0

//! The life of a session, without a CDM.

#[path = "machine_trouble_tests.rs"]
mod trouble;

use zeroize::Zeroizing;

use super::*;
use crate::error::Kind;
use crate::ocdm::key_system::Family;

const TIMEOUT: Duration = Duration::from_secs(5);
const ONE: KeyId = KeyId([1; 16]);
const TWO: KeyId = KeyId([2; 16]);

struct Rig {
    machine: Machine,
    now: Instant,
}

fn challenge(message: &[u8]) -> Challenge {
    Challenge::read(Family::Widevine, b"", message)
}

fn license() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(b"license".to_vec())
}

impl Rig {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::new(TIMEOUT, Vec::new(), now),
            now,
        }
    }

    /// What is to be done, in words.
    fn on(&mut self, event: Event) -> Vec<String> {
        let effects = self.machine.on(event, self.now);
        words(effects)
    }

    fn after(&mut self, time: Duration) -> Vec<String> {
        self.now += time;
        words(self.machine.on_time(self.now))
    }

    /// A session whose first key can be used.
    fn licensed() -> Self {
        let mut rig = Self::new();
        rig.on(Event::Constructed);
        assert_eq!(rig.on(Event::Challenge(challenge(b"a"))), ["request a"]);
        assert_eq!(rig.on(Event::License(license())), ["update"]);
        assert_eq!(rig.on(Event::Updated), [""; 0]);
        assert_eq!(rig.on(Event::Key(Some(ONE), KeyStatus::Usable)), ["usable"]);
        assert_eq!(rig.machine.key(&ONE), KeyState::Usable);
        // Others may come.
        assert_eq!(rig.machine.key(&TWO), KeyState::Pending);
        assert_eq!(rig.on(Event::AllKeys), ["licensed"]);
        rig
    }

    fn failure(&self) -> Failure {
        match self.machine.key(&ONE) {
            KeyState::Failed(failure) => failure,
            state => panic!("{state:?}"),
        }
    }
}

fn words(effects: Vec<Effect>) -> Vec<String> {
    let word = |effect| match effect {
        Effect::Construct => "construct".to_owned(),
        Effect::Request(challenge) => {
            format!("request {}", String::from_utf8_lossy(&challenge.body))
        }
        Effect::Update(_) => "update".to_owned(),
        Effect::Tell(Notice::Key(_, status)) => status.nick().to_owned(),
        Effect::Tell(Notice::Licensed { is_renewal: false }) => "licensed".to_owned(),
        Effect::Tell(Notice::Licensed { is_renewal: true }) => "renewed".to_owned(),
        Effect::Tell(Notice::RenewalFailed(_)) => "renewal failed".to_owned(),
    };
    effects.into_iter().map(word).collect()
}

#[test]
fn challenge_leads_to_license_and_usable_key() {
    let rig = Rig::licensed();
    assert_eq!(rig.machine.wake_at(), None);
    assert_eq!(rig.machine.key(&TWO), KeyState::Missing);
}

#[test]
fn challenge_inside_construct_waits_for_its_end() {
    let mut rig = Rig::new();
    assert_eq!(rig.on(Event::Challenge(challenge(b"a"))), [""; 0]);
    assert_eq!(rig.machine.key(&ONE), KeyState::Pending);
    assert_eq!(rig.on(Event::Constructed), ["request a"]);
}

#[test]
fn same_challenge_is_sent_once_however_late_its_copies_are() {
    let mut rig = Rig::new();
    let again = |rig: &mut Rig, message| {
        assert_eq!(rig.on(Event::Challenge(challenge(message))), [""; 0]);
    };
    rig.on(Event::Challenge(challenge(b"\x08\x04")));
    again(&mut rig, b"\x08\x04");
    assert_eq!(rig.on(Event::Constructed).len(), 1);
    again(&mut rig, b"\x08\x04");
    rig.on(Event::License(license()));
    again(&mut rig, b"\x08\x04");
    rig.on(Event::Updated);
    again(&mut rig, b"\x08\x04");
    assert_eq!(rig.on(Event::Challenge(challenge(b"a"))), ["request a"]);
    again(&mut rig, b"\x08\x04");
    rig.on(Event::License(license()));
    rig.on(Event::Updated);
    again(&mut rig, b"a");
    rig.on(Event::Key(Some(ONE), KeyStatus::Usable));
    again(&mut rig, b"a");
    assert_eq!(rig.on(Event::AllKeys), ["licensed"]);
    again(&mut rig, b"\x08\x04");
    again(&mut rig, b"a");
}

#[test]
fn same_challenge_is_sent_again_where_the_cdm_needs_another_license() {
    let challenge = |message| Event::Challenge(challenge(message));
    let mut rig = Rig::licensed();
    rig.on(Event::Key(Some(ONE), KeyStatus::Expired));
    assert_eq!(rig.on(challenge(b"a")), ["request a"]);
    // The first renewal is not to be the last.
    let mut rig = Rig::licensed();
    for _ in 0..2 {
        assert_eq!(rig.on(challenge(b"1:Type:r")), ["request r"]);
        rig.on(Event::License(license()));
        rig.on(Event::Updated);
        assert_eq!(rig.after(OTHER_KEYS), ["renewed"]);
    }
    assert_eq!(rig.on(challenge(b"b")), ["request b"]);
    let failure = Failure::denied("no");
    assert_eq!(rig.on(Event::NoLicense(failure)), ["renewal failed"]);
    assert_eq!(rig.on(challenge(b"b")), ["request b"]);
}

#[test]
fn certificate_comes_before_the_license() {
    let mut rig = Rig::new();
    rig.on(Event::Constructed);
    assert_eq!(rig.on(Event::Challenge(challenge(b"\x08\x04"))).len(), 1);
    rig.on(Event::License(license()));
    // The CDM's next challenge comes from inside the update.
    assert_eq!(rig.on(Event::Challenge(challenge(b"b"))), [""; 0]);
    assert_eq!(rig.on(Event::Updated), ["request b"]);
    rig.on(Event::License(license()));
    assert_eq!(rig.on(Event::Key(Some(ONE), KeyStatus::Usable)), ["usable"]);
    assert_eq!(rig.on(Event::AllKeys), [""; 0]);
    assert_eq!(rig.on(Event::Updated), ["licensed"]);
}

#[test]
fn keys_come_one_after_the_other() {
    let mut rig = Rig::new();
    rig.on(Event::Constructed);
    rig.on(Event::Challenge(challenge(b"a")));
    rig.on(Event::License(license()));
    rig.on(Event::Updated);
    rig.on(Event::Key(Some(ONE), KeyStatus::Usable));
    assert_eq!(rig.machine.key(&TWO), KeyState::Pending);
    rig.on(Event::Key(Some(TWO), KeyStatus::Usable));
    assert_eq!(rig.machine.key(&TWO), KeyState::Usable);
    let three = KeyId([3; 16]);
    assert_eq!(rig.machine.key(&three), KeyState::Pending);
    // Nobody says that these are all.
    assert_eq!(rig.after(OTHER_KEYS), ["licensed"]);
    assert_eq!(rig.machine.key(&three), KeyState::Missing);
}

#[test]
fn license_that_the_cdm_had_needs_no_request() {
    let mut rig = Rig::new();
    rig.on(Event::Key(Some(ONE), KeyStatus::Usable));
    assert_eq!(rig.on(Event::Constructed), [""; 0]);
    assert_eq!(rig.machine.key(&ONE), KeyState::Usable);
    assert_eq!(rig.on(Event::AllKeys), ["licensed"]);
    assert_eq!(rig.machine.wake_at(), None);
}

#[test]
fn each_wait_for_the_cdm_has_an_end_that_says_what_for() {
    type Steps = fn(&mut Rig);
    let cases: [(Steps, &str); 4] = [
        (|_| {}, "opencdm_construct_session"),
        (|rig| drop(rig.on(Event::Constructed)), "no challenge"),
        (
            |rig| {
                rig.on(Event::Constructed);
                rig.on(Event::Challenge(challenge(b"a")));
                rig.on(Event::License(license()));
            },
            "opencdm_session_update",
        ),
        (
            |rig| {
                rig.on(Event::Constructed);
                rig.on(Event::Challenge(challenge(b"a")));
                rig.on(Event::License(license()));
                rig.on(Event::Updated);
            },
            "made no key usable",
        ),
    ];
    for (steps, says) in cases {
        let mut rig = Rig::new();
        steps(&mut rig);
        assert_eq!(rig.after(TIMEOUT - Duration::from_millis(1)), [""; 0]);
        assert_eq!(rig.machine.key(&ONE), KeyState::Pending);
        rig.after(Duration::from_millis(1));
        let failure = rig.failure();
        assert_eq!(failure.kind, Kind::TimedOut);
        assert!(failure.what.contains(says), "{}", failure.what);
        assert!(failure.what.contains("5000 ms"), "{}", failure.what);
    }
}

#[test]
fn what_the_cdm_says_of_keys_is_known_once_it_is_done() {
    for (status, state) in [
        (KeyStatus::OutputDownscaled, KeyState::Usable),
        (
            KeyStatus::OutputRestricted,
            KeyState::Restricted(KeyStatus::OutputRestricted),
        ),
        (KeyStatus::Expired, KeyState::Unusable(KeyStatus::Expired)),
        (
            KeyStatus::HardwareError,
            KeyState::Unusable(KeyStatus::HardwareError),
        ),
    ] {
        let mut rig = Rig::new();
        rig.on(Event::Constructed);
        rig.on(Event::Challenge(challenge(b"a")));
        rig.on(Event::License(license()));
        rig.on(Event::Key(Some(ONE), status));
        rig.on(Event::Updated);
        rig.on(Event::AllKeys);
        assert_eq!(rig.machine.key(&ONE), state);
    }
}

#[test]
fn restricted_key_recovers() {
    let mut rig = Rig::licensed();
    let told = rig.on(Event::Key(Some(ONE), KeyStatus::OutputRestricted));
    assert_eq!(told, ["output-restricted"]);
    let restricted = KeyState::Restricted(KeyStatus::OutputRestricted);
    assert_eq!(rig.machine.key(&ONE), restricted);
    rig.on(Event::Key(Some(ONE), KeyStatus::Usable));
    assert_eq!(rig.machine.key(&ONE), KeyState::Usable);
}

#[test]
fn key_that_has_ended_gets_a_fresh_session_when_somebody_wants_it() {
    let expired = |rig: &mut Rig| words(rig.machine.on_expired(ONE, rig.now));
    let mut rig = Rig::licensed();
    assert_eq!(
        rig.on(Event::Key(Some(ONE), KeyStatus::Expired)),
        ["expired"]
    );
    assert_eq!(rig.machine.key(&ONE), KeyState::Ended);
    // Not too soon.
    assert_eq!(expired(&mut rig), [""; 0]);
    assert_eq!(rig.machine.key(&ONE), KeyState::Pending);
    assert_eq!(rig.after(SHORTEST_LIFE), ["construct"]);
    assert_eq!(expired(&mut rig), [""; 0]);
}

#[test]
fn renewal_that_outlasts_its_key_leaves_it_to_a_fresh_session() {
    for ends_well in [true, false] {
        let mut rig = Rig::licensed();
        rig.now += SHORTEST_LIFE;
        rig.on(Event::Challenge(challenge(b"1:Type:r")));
        rig.on(Event::Key(Some(ONE), KeyStatus::Expired));
        assert_eq!(rig.machine.key(&ONE), KeyState::Pending);
        match ends_well {
            true => {
                rig.on(Event::License(license()));
                rig.on(Event::Updated);
                assert_eq!(rig.machine.key(&ONE), KeyState::Pending);
                rig.after(TIMEOUT);
            }
            false => drop(rig.on(Event::NoLicense(Failure::denied("no")))),
        }
        assert_eq!(rig.machine.key(&ONE), KeyState::Ended);
        let effects = words(rig.machine.on_expired(ONE, rig.now));
        assert_eq!(effects, ["construct"]);
    }
}

#[test]
fn renewal_goes_on_beside_usable_keys() {
    let mut rig = Rig::licensed();
    assert_eq!(
        rig.on(Event::Challenge(challenge(b"1:Type:r"))),
        ["request r"]
    );
    assert_eq!(rig.machine.key(&ONE), KeyState::Usable);
    rig.on(Event::License(license()));
    assert_eq!(rig.on(Event::Updated), [""; 0]);
    assert_eq!(rig.after(OTHER_KEYS), ["renewed"]);
    assert_eq!(
        rig.on(Event::Challenge(challenge(b"1:Type:s"))),
        ["request s"]
    );
    let failure = Failure::denied("no");
    assert_eq!(rig.on(Event::NoLicense(failure)), ["renewal failed"]);
    assert_eq!(rig.machine.key(&ONE), KeyState::Usable);
}

#[test]
fn first_license_that_fails_is_the_failure() {
    let mut rig = Rig::new();
    rig.on(Event::Constructed);
    rig.on(Event::Challenge(challenge(b"a")));
    rig.on(Event::NoLicense(Failure::denied("no")));
    assert_eq!(rig.failure().what, "no");
    let mut rig = Rig::new();
    rig.on(Event::NotConstructed(Failure::transient("none")));
    assert_eq!(rig.failure().what, "none");
    assert_eq!(rig.on(Event::Constructed), [""; 0]);
}

#[test]
fn complaint_ends_what_has_no_key() {
    let mut rig = Rig::new();
    rig.on(Event::Constructed);
    rig.on(Event::Complaint("not today".to_owned()));
    assert!(rig.failure().what.contains("\"not today\""));
    let mut rig = Rig::licensed();
    assert_eq!(rig.on(Event::Complaint("x".to_owned())), [""; 0]);
    assert_eq!(rig.machine.key(&ONE), KeyState::Usable);
}

#[test]
fn challenge_without_bytes_is_a_failure() {
    let mut rig = Rig::new();
    rig.on(Event::Constructed);
    rig.on(Event::Challenge(challenge(b"0:Type:")));
    assert!(rig.failure().what.contains("empty"));
}

#[test]
fn challenges_without_end_are_given_up() {
    let mut rig = Rig::new();
    rig.on(Event::Constructed);
    for number in 0..MAX_CHALLENGES {
        let message = number.to_string();
        let effects = rig.on(Event::Challenge(challenge(message.as_bytes())));
        assert_eq!(effects, [format!("request {number}")]);
        rig.on(Event::License(license()));
        rig.on(Event::Updated);
    }
    rig.on(Event::Challenge(challenge(b"more")));
    assert!(rig.failure().what.contains("another license"));
}

#[test]
fn stale_challenge_is_made_anew() {
    let mut rig = Rig::new();
    rig.on(Event::Constructed);
    rig.on(Event::Challenge(challenge(b"a")));
    assert_eq!(rig.on(Event::StaleChallenge), ["construct"]);
    let mut renewing = Rig::licensed();
    renewing.on(Event::Challenge(challenge(b"1:Type:r")));
    // The license at hand is good.
    let told = renewing.on(Event::StaleChallenge);
    assert_eq!(told, ["renewal failed"]);
    assert_eq!(renewing.machine.key(&ONE), KeyState::Usable);
    rig.on(Event::Constructed);
    assert_eq!(rig.on(Event::Challenge(challenge(b"b"))), ["request b"]);
}

#[test]
fn key_is_found_in_either_order_of_a_guid() {
    let key_id = KeyId(*b"0123456789abcdef");
    let mut rig = Rig::licensed();
    rig.on(Event::Key(
        Some(KeyId(*b"3210547689abcdef")),
        KeyStatus::Usable,
    ));
    assert_eq!(rig.machine.key(&key_id), KeyState::Usable);
    rig.on(Event::Key(Some(key_id), KeyStatus::OutputRestricted));
    let restricted = KeyState::Restricted(KeyStatus::OutputRestricted);
    assert_eq!(rig.machine.key(&key_id), restricted);
}
