// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which answer comes first, where the demuxer that reads them cannot take them in any order.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// How long anything waits for playlists, and for one of them.
const PATIENCE: Duration = Duration::from_secs(2);

/// How far behind the request for an init segment that for a playlist may be which the demuxer has
/// made before it, on another connection.
const BEHIND: Duration = Duration::from_millis(20);

/// Has all else wait until no playlist is on its way.
pub struct Turns {
    is_needed: bool,
    playlists: watch::Sender<usize>,
    has_begun: AtomicBool,
}

impl Turns {
    /// Without a need for them everybody's turn is at once.
    pub fn new(is_needed: bool) -> Self {
        Self {
            is_needed,
            playlists: watch::Sender::new(0),
            has_begun: AtomicBool::new(false),
        }
    }

    /// The answer with a playlist, which others wait for, but not for long: an origin that answers
    /// nothing is no reason to play nothing.
    pub async fn playlist<T>(&self, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        {
            let _turn = Turn::begin(&self.playlists);
            if let Ok(answer) = tokio::time::timeout(PATIENCE, answer.as_mut()).await {
                return answer;
            }
        }
        answer.await
    }

    /// Returns when an init segment may be answered.
    pub async fn init_segment(&self) {
        // Renditions begin with the first buffer, not before the first init segment.
        if self.is_needed && self.has_begun.swap(true, Ordering::Relaxed) {
            tokio::time::sleep(BEHIND).await;
        }
        self.others().await;
    }

    /// Returns when anything else may be answered.
    pub async fn others(&self) {
        if self.is_needed {
            let mut playlists = self.playlists.subscribe();
            let none = playlists.wait_for(|count| *count == 0);
            // One playlist after the other is none either.
            let _ = tokio::time::timeout(PATIENCE, none).await;
        }
    }
}

struct Turn<'a>(&'a watch::Sender<usize>);

impl<'a> Turn<'a> {
    fn begin(playlists: &'a watch::Sender<usize>) -> Self {
        playlists.send_modify(|count| *count += 1);
        Self(playlists)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::task::{Context, Waker};

    use futures_util::future::{Either, select};
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;

    /// Runs on a clock that goes on where all wait.
    fn on_a_paused_clock(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(test);
    }

    fn is_ready<T>(future: Pin<&mut impl Future<Output = T>>) -> bool {
        future
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn others_wait_for_each_playlist() {
        on_a_paused_clock(async {
            let turns = Turns::new(true);
            turns.others().await;
            let (end_one, one) = oneshot::channel::<()>();
            let (end_two, two) = oneshot::channel::<()>();
            let (mut one, mut two) = (pin!(turns.playlist(one)), pin!(turns.playlist(two)));
            assert!(!is_ready(one.as_mut()));
            assert!(!is_ready(two.as_mut()));
            let mut others = pin!(turns.others());
            assert!(!is_ready(others.as_mut()));
            end_one.send(()).expect("it waits");
            assert!(is_ready(one.as_mut()));
            assert!(!is_ready(others.as_mut()));
            drop(end_two);
            assert!(is_ready(two.as_mut()));
            assert!(is_ready(others.as_mut()));
        });
    }

    #[test]
    fn init_segment_waits_for_a_playlist_right_behind_it() {
        on_a_paused_clock(async {
            let turns = Turns::new(true);
            // The first one for nobody.
            assert!(is_ready(pin!(turns.init_segment())));
            let mut init = pin!(turns.init_segment());
            assert!(!is_ready(init.as_mut()));
            let (end, playlist) = oneshot::channel::<()>();
            let mut playlist = pin!(turns.playlist(playlist));
            assert!(!is_ready(playlist.as_mut()));
            tokio::time::sleep(2 * BEHIND).await;
            assert!(!is_ready(init.as_mut()));
            drop(end);
            assert!(is_ready(playlist.as_mut()));
            assert!(is_ready(init.as_mut()));
        });
    }

    #[test]
    fn playlist_that_nobody_waits_for_any_more_is_none() {
        on_a_paused_clock(async {
            let turns = Turns::new(true);
            let waiting = turns.playlist(std::future::pending::<()>());
            {
                let mut waiting = Box::pin(waiting);
                assert!(!is_ready(waiting.as_mut()));
            }
            assert!(is_ready(pin!(turns.others())));
        });
    }

    #[test]
    fn playlist_that_never_comes_ends_no_film() {
        on_a_paused_clock(async {
            let turns = Turns::new(true);
            let mut hanging = pin!(turns.playlist(std::future::pending::<()>()));
            assert!(!is_ready(hanging.as_mut()));
            let begun = Instant::now();
            turns.others().await;
            assert_eq!(begun.elapsed(), PATIENCE);
        });
    }

    #[test]
    fn playlist_that_hangs_is_waited_for_once() {
        on_a_paused_clock(async {
            let turns = Turns::new(true);
            let hanging = pin!(turns.playlist(std::future::pending::<()>()));
            let others = pin!(async {
                let begun = Instant::now();
                for _ in 0..5 {
                    turns.others().await;
                }
                assert_eq!(begun.elapsed(), PATIENCE);
            });
            let ended = select(hanging, others).await;
            assert!(matches!(ended, Either::Right(_)));
        });
    }

    #[test]
    fn nobody_waits_without_a_need() {
        on_a_paused_clock(async {
            let turns = Turns::new(false);
            let mut hanging = pin!(turns.playlist(std::future::pending::<()>()));
            assert!(!is_ready(hanging.as_mut()));
            assert!(is_ready(pin!(turns.others())));
        });
    }
}
