// SPDX-License-Identifier: MIT OR Apache-2.0

//! Somebody sets the wall clock: the viewer, the network's time, or a box without a battery that
//! has just learnt what year it is. The clock that nobody sets goes on.

use std::time::Duration;

use gst::prelude::*;
use headend::certificates::Authority;
use headend::{Auth, Headend, Licenses, Tls, VIDEO_KEY_ID};
use support::rig::*;
use support::samples::*;
use support::stream::*;

use crate::machine::{HOUR, Machine};
use crate::subprocess::in_subprocess;
use crate::tokens::*;
use crate::waits::{Place, WAITS};

/// Brings an event with the token at hand, and expects that nobody asked for another one.
fn goes_on(rig: &Rig, headend: &Headend) {
    assert_eq!(generation(rig), 1);
    let told = rig.told();
    assert!(told.errors.is_empty() && told.warnings.is_empty());
    assert_eq!(headend.token_requests().len(), 1);
}

/// The viewer would wait for a token at each change of channel after the clock was set, or see an
/// error where the service has no time.
#[test]
fn token_with_relative_expiry_survives_clock_change() {
    in_subprocess(|| {
        let machine = Machine::new();
        for lifetime in [HOUR / 2, 2 * HOUR] {
            for by in [HOUR, -HOUR] {
                let headend = headend(good_for(lifetime));
                let rig = tuned(&headend);
                machine.set_clock(by);
                goes_on(&rig, &headend);
                machine.set_clock(-by);
                goes_on(&rig, &headend);
            }
        }
    });
}

/// The store would name an end from before the clock was set, and a decryptor that looks at it
/// would ask for another token.
#[test]
fn expires_at_follows_wall_clock_change() {
    in_subprocess(|| {
        let machine = Machine::new();
        machine.forget_the_time();
        let headend = headend(good_for(HOUR));
        let rig = tuned(&headend);
        let store = store(&rig);
        let ends_in = || {
            let ends = store.property::<gst::DateTime>("expires-at");
            let ends = ends.to_g_date_time().expect("a whole date");
            ends.to_unix() - now()
        };
        let before = ends_in();
        assert!((HOUR - 60..=HOUR).contains(&before), "{before}");
        machine.set_clock(50 * 365 * 24 * HOUR);
        let after = ends_in();
        assert!((HOUR - 60..=HOUR).contains(&after), "{after}");
        begin(&rig);
        let request = key_request(rig.log.protections().last().expect("it left"));
        let ends = request.get::<gst::DateTime>("expires-at").expect("an end");
        let ends = ends.to_g_date_time().expect("a whole date").to_unix() - now();
        assert!((HOUR - 60..=HOUR).contains(&ends), "{ends}");
    });
}

/// Of a token that names the time of its end the clock says whether that has come. A service whose
/// tokens all seem to have ended would else be asked at each event.
#[test]
fn absolute_expiry_follows_clock_and_refreshes_once() {
    in_subprocess(|| {
        let machine = Machine::new();
        for (lifetime, by, has_ended) in [
            (2 * HOUR, HOUR, false),
            (2 * HOUR, -HOUR, false),
            (HOUR / 2, HOUR, true),
            (HOUR / 2, -HOUR, false),
        ] {
            let headend = headend(good_until(now() + lifetime));
            let rig = tuned(&headend);
            goes_on(&rig, &headend);
            machine.set_clock(by);
            if !has_ended {
                goes_on(&rig, &headend);
            } else {
                begin(&rig);
                for _ in 0..20 {
                    // Another one that has ended already, by a clock that is more likely wrong than
                    // the service.
                    assert_eq!(generation(&rig), 2);
                }
                assert_eq!(headend.token_requests().len(), 2);
            }
            machine.set_clock(-by);
        }
    });
}

/// A box without a battery would throw away the token of its first channel when it learns the time,
/// or keep it for fifty years.
#[test]
fn first_clock_sync_keeps_token_until_its_expiry() {
    in_subprocess(|| {
        let machine = Machine::new();
        let today = now();
        let forgotten = machine.forget_the_time();
        let by_end = headend(good_until(today + 2 * HOUR));
        let by_time = headend(good_for(HOUR / 2));
        let rigs = [tuned(&by_end), tuned(&by_time)];
        goes_on(&rigs[0], &by_end);
        machine.set_clock(forgotten);
        goes_on(&rigs[0], &by_end);
        goes_on(&rigs[1], &by_time);
        machine.set_clock(2 * HOUR);
        begin(&rigs[0]);
        assert_eq!(generation(&rigs[0]), 2);
        assert_eq!(by_end.token_requests().len(), 2);
    });
}

/// The stream would wait for the time that the clock was set back by, or give the request up at
/// once.
#[test]
fn clock_change_does_not_affect_pending_request() {
    in_subprocess(|| {
        let machine = Machine::new();
        for by in [HOUR, -HOUR] {
            let headend = headend(Auth::Hang);
            let rig = playing(sessiontoken(&headend));
            let event = Input::from(protection(COMMON_SYSTEM, Some("dash/mpd")));
            rig.send(std::slice::from_ref(&event));
            wait_for_requests(&headend, 1);
            machine.set_clock(by);
            headend.set_auth(good_for(HOUR / 2));
            headend.release();
            rig.log.wait_for(event.item());
            goes_on(&rig, &headend);
        }
    });
}

/// A deadline by the wall clock would never come, or be here at once.
#[test]
fn clock_change_moves_no_request_deadline() {
    in_subprocess(|| {
        let machine = Machine::new();
        for wait in WAITS {
            for by in [HOUR, -HOUR] {
                let place = Place::new(wait, Some(&machine));
                let rig = Rig::new(place.element());
                place.wait_for_flight();
                machine.set_clock(by);
                let complaint = failure_on(&rig);
                let reason = complaint.detail::<String>("reason");
                assert_eq!(reason, "timed-out", "{wait:?}: {}", complaint.text);
                let elapsed = complaint.detail::<gst::ClockTime>("elapsed");
                assert!(elapsed < gst::ClockTime::from_seconds(HOUR as u64));
                machine.lookups_hang(false);
            }
        }
    });
}

/// The viewer would see the error of a moment ago for an hour.
#[test]
fn clock_change_does_not_extend_failure_backoff() {
    in_subprocess(|| {
        let machine = Machine::new();
        for by in [HOUR, -HOUR] {
            let fault = Auth::Reply {
                status: 503,
                content_type: "text/plain".to_owned(),
                body: String::new(),
            };
            let headend = headend(Auth::Sequence(vec![fault, Auth::Grant]));
            let make = || sessiontoken(&headend).property("retries", 0_u32);
            failure_of(make()).says(&["HTTP 503"]);
            machine.set_clock(by);
            // Within the pause they get the same failure, and the service is left alone.
            tunes_in_the_end(make, "HTTP 503");
            assert_eq!(headend.token_requests().len(), 2);
        }
    });
}

/// The token of a stream that plays for hours would end before its next one is asked for.
#[test]
fn change_of_the_clock_does_not_put_a_renewal_off() {
    in_subprocess(|| {
        let machine = Machine::new();
        for by in [HOUR, -HOUR] {
            let headend = headend(Auth::Sequence(vec![good_for(6), Auth::Grant]));
            let rig = tuned(&headend);
            machine.set_clock(by);
            assert_eq!(generation(&rig), 1);
            // Nothing but its own clock makes the element ask again.
            wait_for_requests(&headend, 2);
            wait_for_generation(&rig, 2);
            assert_eq!(headend.token_requests().len(), 2);
        }
    });
}

/// The picture would stop for a license that is still good, or go on with one that has ended for as
/// long as the clock was set back.
#[test]
fn license_goes_by_the_clock_and_is_replaced_once() {
    in_subprocess(|| {
        let machine = Machine::new();
        for (lifetime, by, requests) in [
            (2 * HOUR, HOUR, 1),
            (2 * HOUR, -HOUR, 1),
            (HOUR / 2, HOUR, 2),
            (HOUR / 2, -HOUR, 1),
        ] {
            let lifetime = Duration::from_secs(lifetime as u64);
            let headend = serving(Licenses::ServeFor(lifetime));
            let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
            plays_when_the_key_is_here(&mut rig);
            machine.set_clock(by);
            plays_when_the_key_is_here(&mut rig);
            for _ in 0..20 {
                plays(&mut rig);
            }
            assert_eq!(headend.license_requests().len(), requests);
            machine.set_clock(-by);
        }
    });
}

/// A viewer whose box has just been plugged in would see an error that says nothing of its clock,
/// and have to restart the player.
#[test]
fn tls_error_with_unset_clock_names_clock() {
    in_subprocess(|| {
        let machine = Machine::new();
        let authority = Authority::new();
        let server = authority.server(&["localhost"]);
        let headend = Headend::start_tls(Tls {
            certificate_chain: server.certificate,
            private_key: server.key,
            client_roots: None,
        });
        let headend = headend.expect("a head-end");
        let ca_file = File::new(authority.pem());
        let make = || sessiontoken(&headend).property("ssl-ca-file", ca_file.path());
        let forgotten = machine.forget_the_time();
        let complaint = failure_of(make());
        complaint.says(&["is not valid yet", "this device's clock"]);
        assert_eq!(complaint.detail::<String>("reason"), "transient");
        assert_eq!(headend.token_requests().len(), 0);
        machine.set_clock(forgotten);
        tunes_in_the_end(make, "this device's clock");
        assert_eq!(headend.token_requests().len(), 1);
    });
}

/// A service that has no time for a second would not be asked again for five minutes.
#[test]
fn retry_after_date_works_with_unset_clock() {
    in_subprocess(|| {
        let machine = Machine::new();
        machine.forget_the_time();
        let header =
            |name: &str, time: &str| (name.to_owned(), format!("Sun, 06 Nov 2050 {time} GMT"));
        let busy = Auth::ReplyWithHeaders {
            status: 503,
            headers: vec![
                header("Date", "08:49:37"),
                header("Retry-After", "08:49:38"),
            ],
            body: String::new(),
        };
        let headend = headend(Auth::Sequence(vec![busy, Auth::Grant]));
        let rig = tuned(&headend);
        assert_eq!(generation(&rig), 1);
        assert_eq!(headend.token_requests().len(), 2);
    });
}

/// Thunder's tokens would be asked for over and over while the clock runs wild.
#[test]
fn change_of_the_clock_is_no_news_of_the_token() {
    in_subprocess(|| {
        let machine = Machine::new();
        let headend = headend(good_for(2 * HOUR));
        let rig = tuned_and_listening(&headend);
        for by in [HOUR, -2 * HOUR, HOUR] {
            machine.set_clock(by);
            goes_on(&rig, &headend);
        }
        headend.revoke();
        headend.session_token_changed();
        wait_for_generation(&rig, 2);
        assert_eq!(headend.listeners().len(), 1);
        assert_eq!(headend.token_requests().len(), 2);
    });
}

/// A refusal would be forgotten, or a second one not be taken for one.
#[test]
fn rejection_during_clock_change_renews_token_once() {
    in_subprocess(|| {
        let machine = Machine::new();
        for by in [HOUR, -HOUR] {
            let headend = headend(Auth::Grant);
            let rig = tuned(&headend);
            headend.revoke();
            headend.set_auth(Auth::Hang);
            reject(&rig, 1);
            wait_for_requests(&headend, 2);
            machine.set_clock(by);
            reject(&rig, 1);
            headend.set_auth(Auth::Grant);
            headend.release();
            wait_for_token(&rig, &headend);
            assert_eq!(generation(&rig), 2);
            assert_eq!(headend.token_requests().len(), 2);
        }
    });
}
