// SPDX-License-Identifier: MIT OR Apache-2.0

//! The system gives no more threads. Its own limit (RLIMIT_NPROC) does not hold for root, so
//! `system.c` refuses them.

use headend::Auth;
use support::rig::*;
use support::stream::playing;

use crate::machine::Machine;
use crate::subprocess::in_subprocess;
use crate::tokens::*;

/// A panic would take the element out of order for good, and an abort the player.
#[test]
fn first_tune_without_threads_fails_later_one_plays() {
    in_subprocess(|| {
        let machine = Machine::new();
        let headend = headend(Auth::Grant);
        let (element, bus) = with_bus(sessiontoken(&headend).property("max-held-bytes", 1_u64));
        machine.no_threads(true);
        let rig = Rig::around(element, bus);
        machine.no_threads(false);
        let complaint = failure_on(&rig);
        complaint.is(gst::CoreError::Thread).says(&["o thread"]);
        assert_eq!(complaint.detail::<String>("reason"), "transient");
        tunes_in_the_end(|| sessiontoken(&headend), "o thread");
        assert_eq!(headend.token_requests().len(), 1);
    });
}

/// The stream would wait for ever for the thread that was to bring what is held, and the player for
/// the stream to stop.
#[test]
fn hold_without_thread_ends_stream_with_error() {
    in_subprocess(|| {
        let machine = Machine::new();
        let headend = headend(Auth::Grant);
        // The runtime is here.
        wait_for_token(&playing(sessiontoken(&headend)), &headend);
        let location = format!("{}?other", headend.auth_url());
        let make = || at(&location).property("prefetch", false);
        let rig = Rig::new(make().property("max-held-bytes", 1_u64));
        machine.no_threads(true);
        let complaint = failure_on(&rig);
        machine.no_threads(false);
        complaint.is(gst::CoreError::Thread).says(&["o thread"]);
        tunes_in_the_end(make, "o thread");
    });
}
