// SPDX-License-Identifier: MIT OR Apache-2.0

//! Schedules of a streaming thread, the task, flushes, deactivation and wakers: none loses an item,
//! reorders two, pushes after FLUSH_STOP what was before it, or leaves a thread waiting.

mod pads;

use model::check;
use pads::{Answer, Given, Pads, data, eos, gated, gated_eos, segment, sticky};
use shuttle::thread;

/// Runs the streaming thread beside others.
fn beside(pads: &Pads, items: Vec<Given>) -> thread::JoinHandle<Vec<Answer>> {
    let pads = pads.clone();
    thread::spawn(move || pads.give(&items))
}

fn opener(pads: &Pads) -> thread::JoinHandle<()> {
    let pads = pads.clone();
    thread::spawn(move || pads.open())
}

fn flusher(pads: &Pads) -> thread::JoinHandle<()> {
    let pads = pads.clone();
    thread::spawn(move || pads.flush())
}

#[test]
fn stream_is_whole_and_in_order() {
    check(|| {
        let pads = Pads::new(usize::MAX);
        let opener = opener(&pads);
        let items = [sticky(0), gated(1), data(2), sticky(3), data(4), eos(5)];
        assert!(pads.give(&items).iter().all(Result::is_ok));
        opener.join().expect("it ends");
        // EOS has come back, so all is there.
        assert_eq!(pads.pushed(), [0, 1, 2, 3, 4, 5]);
        pads.stop();
    });
}

#[test]
fn streaming_thread_is_not_blocked() {
    check(|| {
        let pads = Pads::new(3);
        let items = [gated(0), data(1), sticky(2)];
        assert!(pads.give(&items).iter().all(Result::is_ok));
        assert!(pads.pushed().is_empty());
        pads.open();
        assert!(pads.give(&[eos(3)])[0].is_ok());
        assert_eq!(pads.pushed(), [0, 1, 2, 3]);
        pads.stop();
    });
}

#[test]
fn second_hold_follows_the_first() {
    check(|| {
        let pads = Pads::new(usize::MAX);
        for round in 0..2 {
            let first = 3 * round;
            pads.close_gate();
            let opener = opener(&pads);
            let items = [gated(first), data(first + 1), data(first + 2)];
            assert!(pads.give(&items).iter().all(Result::is_ok));
            opener.join().expect("it ends");
        }
        assert!(pads.give(&[eos(6)])[0].is_ok());
        assert_eq!(pads.pushed(), [0, 1, 2, 3, 4, 5, 6]);
        pads.stop();
    });
}

#[test]
fn waker_is_heard_at_any_time() {
    check(|| {
        let pads = Pads::new(usize::MAX);
        // Wake-ups for nothing, and the one that counts.
        let idle = {
            let pads = pads.clone();
            thread::spawn(move || {
                pads.core().waker().wake_by_ref();
                pads.core().waker().wake_by_ref();
            })
        };
        let opener = opener(&pads);
        assert!(pads.give(&[gated(0), eos(1)]).iter().all(Result::is_ok));
        assert_eq!(pads.pushed(), [0, 1]);
        idle.join().expect("it ends");
        opener.join().expect("it ends");
        pads.stop();
    });
}

#[test]
fn full_hold_lets_more_in_when_it_drains() {
    check(|| {
        let pads = Pads::new(2);
        let opener = opener(&pads);
        let items = [gated(0), data(1), data(2), data(3), eos(4)];
        assert!(pads.give(&items).iter().all(Result::is_ok));
        assert_eq!(pads.pushed(), [0, 1, 2, 3, 4]);
        assert!(pads.core().figures().peak_held_bytes <= 2);
        opener.join().expect("it ends");
        pads.stop();
    });
}

/// The demuxer would end its tracks before what has to go before EOS.
#[test]
fn eos_that_waits_itself_is_waited_for() {
    check(|| {
        let pads = Pads::new(usize::MAX);
        let opener = opener(&pads);
        let items = [data(0), gated_eos(1)];
        assert!(pads.give(&items).iter().all(Result::is_ok));
        assert_eq!(pads.pushed(), [0, 1]);
        opener.join().expect("it ends");
        pads.stop();
    });
}

/// The demuxer has the thread back at once, and goes on with what it has.
#[test]
fn refused_seek_loses_nothing() {
    check(|| {
        let pads = Pads::new(1);
        pads.set_seeking(true);
        let items = [gated(0), data(1), data(2), eos(3)];
        assert!(pads.give(&items).iter().all(Result::is_ok));
        assert!(pads.pushed().is_empty());
        pads.set_seeking(false);
        let opener = opener(&pads);
        assert!(pads.give(&[eos(4)])[0].is_ok());
        assert_eq!(pads.pushed(), [0, 1, 2, 3, 4]);
        opener.join().expect("it ends");
        pads.stop();
    });
}

#[test]
fn accepted_seek_drops_what_went_past_the_bound() {
    check(|| {
        let pads = Pads::new(1);
        pads.set_seeking(true);
        let opener = opener(&pads);
        let items = [gated(0), data(1), data(2), eos(3)];
        assert!(pads.give(&items).iter().all(Result::is_ok));
        pads.flush();
        pads.set_seeking(false);
        assert!(pads.give(&[data(4), eos(5)]).iter().all(Result::is_ok));
        assert!(pads.pushed().ends_with(&[4, 5]));
        opener.join().expect("it ends");
        pads.stop();
    });
}

/// What is from before a flush and what is not, is told by the fixture at each push.
#[test]
fn flush_parts_before_from_after() {
    check(|| {
        let pads = Pads::new(usize::MAX);
        let before = vec![sticky(0), gated(1), sticky(2), segment(3), data(4)];
        let streaming = beside(&pads, before);
        let flusher = flusher(&pads);
        let opener = opener(&pads);
        let answers = streaming.join().expect("it ends");
        flusher.join().expect("it ends");
        assert!(pads.give(&[data(5), eos(6)]).iter().all(Result::is_ok));
        opener.join().expect("it ends");
        let pushed = pads.pushed();
        assert!(pushed.ends_with(&[5, 6]), "{pushed:?}");
        // What describes the stream is there once, if it was taken.
        for number in [0, 2] {
            let times = pushed.iter().filter(|one| **one == number).count();
            let is_taken = answers.get(number as usize).is_some_and(Result::is_ok);
            assert!(times <= 1 && (times == 1 || !is_taken), "{pushed:?}");
        }
        pads.stop();
    });
}

#[test]
fn flush_ends_a_closed_hold_that_is_full() {
    check(|| {
        let pads = Pads::new(2);
        let streaming = beside(&pads, vec![gated(0), data(1), data(2), data(3)]);
        flusher(&pads).join().expect("it ends");
        // Some may have come behind the flush, and wait.
        pads.open();
        streaming.join().expect("it ends");
        assert!(pads.give(&[eos(4)])[0].is_ok());
        assert_eq!(pads.pushed().last(), Some(&4));
        pads.stop();
    });
}

#[test]
fn flush_ends_a_push_that_hangs() {
    check(|| {
        let pads = Pads::new(usize::MAX);
        pads.hang_at(1);
        let streaming = beside(&pads, vec![gated(0), data(1), data(2)]);
        let opener = opener(&pads);
        pads.wait_until_it_hangs();
        pads.flush();
        streaming.join().expect("it ends");
        opener.join().expect("it ends");
        assert!(pads.give(&[data(3), eos(4)]).iter().all(Result::is_ok));
        assert!(pads.pushed().ends_with(&[3, 4]), "{:?}", pads.pushed());
        pads.stop();
    });
}

/// A seek from downstream comes back as a flush on the thread that pushes.
#[test]
fn flush_from_below_waits_for_nobody() {
    check(|| {
        let pads = Pads::new(usize::MAX);
        pads.flush_at(0);
        let streaming = beside(&pads, vec![gated(0), data(1), sticky(2)]);
        let opener = opener(&pads);
        streaming.join().expect("it ends");
        opener.join().expect("it ends");
        pads.wait_for_flush();
        assert!(pads.give(&[data(3), eos(4)]).iter().all(Result::is_ok));
        let pushed = pads.pushed();
        assert!(pushed.ends_with(&[3, 4]), "{pushed:?}");
        pads.stop();
    });
}

#[test]
fn two_flushes_leave_the_stream_whole() {
    check(|| {
        let pads = Pads::new(2);
        let streaming = beside(&pads, vec![gated(0), sticky(1), data(2)]);
        let first = flusher(&pads);
        let opener = opener(&pads);
        first.join().expect("it ends");
        pads.flush();
        streaming.join().expect("it ends");
        opener.join().expect("it ends");
        assert!(pads.give(&[data(3), eos(4)]).iter().all(Result::is_ok));
        assert!(pads.pushed().ends_with(&[3, 4]), "{:?}", pads.pushed());
        pads.stop();
    });
}

#[test]
fn deactivation_ends_every_wait() {
    check(|| {
        // For room, for the drain before EOS, and of the task for the gate, which stays closed.
        for items in [
            vec![gated(0), data(1), data(2), data(3)],
            vec![gated(0), eos(1)],
        ] {
            let pads = Pads::new(2);
            let streaming = beside(&pads, items);
            pads.stop();
            streaming.join().expect("it ends");
            assert!(pads.pushed().is_empty());
        }
    });
}

#[test]
fn stream_begins_anew_behind_a_deactivation() {
    check(|| {
        let pads = Pads::new(usize::MAX);
        let streaming = beside(&pads, vec![gated(0), data(1), data(2)]);
        let waker = opener(&pads);
        pads.stop();
        streaming.join().expect("it ends");
        waker.join().expect("it ends");
        pads.start();
        pads.close_gate();
        let opener = opener(&pads);
        assert!(
            pads.give(&[gated(3), data(4), eos(5)])
                .iter()
                .all(Result::is_ok)
        );
        opener.join().expect("it ends");
        assert!(pads.pushed().ends_with(&[3, 4, 5]), "{:?}", pads.pushed());
        pads.stop();
    });
}

#[test]
fn deactivation_in_a_flush_leaves_nobody_behind() {
    check(|| {
        let pads = Pads::new(2);
        let streaming = beside(&pads, vec![gated(0), data(1), data(2), eos(3)]);
        let flusher = flusher(&pads);
        let opener = opener(&pads);
        pads.stop();
        streaming.join().expect("it ends");
        flusher.join().expect("it ends");
        opener.join().expect("it ends");
    });
}

#[test]
fn answer_of_downstream_reaches_upstream() {
    check(|| {
        let pads = Pads::new(usize::MAX);
        pads.refuse_at(0);
        let opener = opener(&pads);
        let answers = pads.give(&[gated(0), data(1), data(2), sticky(3), eos(4)]);
        opener.join().expect("it ends");
        // Either data has been told, or it is reported with EOS.
        let told = answers.iter().filter(|answer| answer.is_err()).count();
        assert_eq!(told + pads.reports(), 1, "{answers:?}");
        let pushed = pads.pushed();
        assert!(pushed.ends_with(&[3, 4]), "{pushed:?}");
        pads.stop();
    });
}
