// SPDX-License-Identifier: MIT OR Apache-2.0

//! Many streams in a process of their own, where threads and connections can be counted.
//! `benches/sharing` says what they take besides.

use std::thread;
use std::time::{Duration, Instant};

use headend::Auth;
use support::readings::Readings;
use support::rig::*;

/// As many pictures as a viewer sees at a time, and more.
const STREAMS: usize = 64;

/// Between two looks at something that cannot be waited for.
const TICK: Duration = Duration::from_millis(5);

/// How many threads this process has.
fn threads() -> usize {
    Readings::now().threads.values().sum()
}

/// Plays on until there are so many threads: those that have done their work end with a later
/// buffer, or by themselves, tokio's after ten seconds.
#[track_caller]
fn play_until_threads_are(count: usize, rigs: &[Rig]) {
    let begun = Instant::now();
    while threads() != count {
        for rig in rigs {
            rig.send(&[buffer(1).into()]);
        }
        let now = threads();
        assert!(begun.elapsed() < PATIENCE, "{now} threads, not {count}");
        thread::sleep(TICK);
    }
}

/// An element with a stream, as far as its first buffer.
fn stream(headend: &headend::Headend) -> Rig {
    let rig = Rig::new(sessiontoken(headend));
    let inputs: [Input; 5] = [
        stream_start().into(),
        caps_event().into(),
        protection(COMMON_SYSTEM, Some("dash/mpd")).into(),
        segment().into(),
        buffer(1).into(),
    ];
    rig.send(&inputs);
    rig
}

/// A box with a mosaic of channels would run out of threads, and its operator's server out of
/// connections.
#[test]
fn streams_share_one_thread_and_one_connection() {
    let headend = headend(Auth::Hang);
    let before = threads();
    let rigs: Vec<_> = (0..STREAMS).map(|_| stream(&headend)).collect();
    for rig in &rigs {
        assert_eq!(rig.log.items().len(), 2, "it waits");
    }
    headend.release();
    for rig in &rigs {
        rig.log.wait_for_count(5);
    }
    // The runtime's. What has waited has a thread no longer.
    play_until_threads_are(before + 1, &rigs);
    // With a token at hand nothing waits.
    let more: Vec<_> = (0..STREAMS).map(|_| stream(&headend)).collect();
    for rig in &more {
        assert_eq!(rig.log.items().len(), 5);
    }
    assert_eq!(threads(), before + 1);
    assert_eq!(headend.token_requests().len(), 1);
    assert_eq!(headend.connections(), 1);
}
